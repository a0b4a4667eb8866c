//! Choices that a seed decides, so that a run can be played again.

use std::ops::Range;

/// The generator SplitMix64.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// Choices that follow from this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed of its own for a part of the work, so that parts do not disturb each other's choices.
    pub fn part(&mut self) -> Self {
        Self(self.next())
    }

    /// A number of the range.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// True once in `times`, on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.within(0..times) == 0
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
