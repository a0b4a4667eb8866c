//! Hashing of text that clients choose. It is seeded, so that nobody can prepare names or keys that all fall together
//! and make every look-up walk through them. The seed is given from outside, once for a broker.

use std::hash::{BuildHasher, Hasher};

/// Makes hashers for maps whose keys come from clients.
#[derive(Debug, Clone, Copy)]
pub struct KeyHash {
    start: u64,
    multiplier: u64,
}

impl KeyHash {
    /// From random numbers that nobody else knows.
    pub const fn new([start, multiplier]: [u64; 2]) -> Self {
        // An odd multiplier loses nothing. A small one would mix nothing.
        Self { start, multiplier: (multiplier ^ 0x9e37_79b9_7f4a_7c15) | 1 }
    }
}

impl BuildHasher for KeyHash {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher { state: self.start, multiplier: self.multiplier }
    }
}

/// Multiplies eight bytes at a time into its state, and folds both halves of the product together.
pub struct KeyHasher {
    state: u64,
    multiplier: u64,
}

impl KeyHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.multiplier);
        self.state = (product as u64) ^ ((product >> 64) as u64);
        // The state would stay zero from here on, were the product ever zero.
        self.state = self.state.wrapping_add(self.multiplier.rotate_left(32));
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.mix(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            // At most seven bytes are left, so the eighth can tell how many: padding is not content.
            last[7] = rest.len() as u8;
            self.mix(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::KeyHash;

    const HASH: KeyHash = KeyHash::new([3, 4]);

    #[test]
    fn similar_keys_spread_over_both_ends_of_the_hash() {
        let keys: Vec<String> = (0..4096).map(|n| format!("tenant.{n}.orders")).collect();
        let hashes: HashSet<u64> = keys.iter().map(|key| HASH.hash_one(key.as_str())).collect();
        assert_eq!(hashes.len(), keys.len());
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 52).collect();
        // 4,096 balls thrown into 4,096 bins hit 63 in 100 of them.
        assert!(low.len() > 2_300 && high.len() > 2_300, "{} {}", low.len(), high.len());
    }

    #[test]
    fn padding_is_not_content() {
        let hashes: HashSet<u64> =
            ["", "a", "a\0", "a\0\0", "\0", "\0\0"].iter().map(|key| HASH.hash_one(key)).collect();
        assert_eq!(hashes.len(), 6);
    }
}
