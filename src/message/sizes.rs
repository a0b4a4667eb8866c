//! How large published messages are: how many have at most so many bytes of body, with RabbitMQ's bounds.

/// Upper bounds, in bytes of body; what is larger counts behind the last.
pub const SIZE_BOUNDS_BYTES: [u64; 8] =
    [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

/// Counts by size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Messages whose body is at most the bound of the same index and above the one before; the last counts
    /// those above all bounds.
    pub counts: [u64; SIZE_BOUNDS_BYTES.len() + 1],
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Sizes {
    /// Counts one message.
    pub fn count(&mut self, body_bytes: u64) {
        let at = SIZE_BOUNDS_BYTES.iter().position(|bound| body_bytes <= *bound);
        self.counts[at.unwrap_or(SIZE_BOUNDS_BYTES.len())] += 1;
        self.bytes += body_bytes;
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.bytes += other.bytes;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_up_to_the_bound_that_it_reaches() {
        let mut sizes = Sizes::default();
        for bytes in [0, 100, 101, 1_000, 100_000_001] {
            sizes.count(bytes);
        }
        assert_eq!(sizes.counts, [2, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((sizes.total(), sizes.bytes), (5, 100_001_202));
    }
}
