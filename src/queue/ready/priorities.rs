//! Which priorities of a queue have entries.

/// A set of priorities whose highest and lowest are found without a search.
#[derive(Default)]
pub(super) struct PrioritySet {
    words: [u64; 4],
}

impl PrioritySet {
    pub(super) fn insert(&mut self, priority: u8) {
        self.words[usize::from(priority / 64)] |= 1 << (priority % 64);
    }

    pub(super) fn remove(&mut self, priority: u8) {
        self.words[usize::from(priority / 64)] &= !(1 << (priority % 64));
    }

    #[cfg(any(test, debug_assertions))]
    pub(super) fn has(&self, priority: u8) -> bool {
        self.words[usize::from(priority / 64)] >> (priority % 64) & 1 == 1
    }

    pub(super) fn highest(&self) -> Option<u8> {
        let word = self.words.iter().rposition(|word| *word != 0)?;
        Some((word * 64) as u8 + self.words[word].ilog2() as u8)
    }

    pub(super) fn lowest(&self) -> Option<u8> {
        let word = self.words.iter().position(|word| *word != 0)?;
        Some((word * 64) as u8 + self.words[word].trailing_zeros() as u8)
    }
}
