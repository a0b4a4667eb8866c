//! When entries in lines expire: a heap of times. An entry that leaves its line before its time leaves its expiry
//! behind. Those that stand for nothing are skipped when they come up, and swept out before they outnumber the others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::message::Position;
use crate::queue::capacity;

/// Expiries without an entry that are tolerated however few entries there are.
const STALE_MIN: usize = 64;

/// Of all expiries, at most half plus [`STALE_MIN`] are without an entry.
const STALE_FACTOR: usize = 2;

/// The time at which the entry at a position expires, if it is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expiry {
    pub(super) at_ms: u64,
    pub(super) position: Position,
    pub(super) priority: u8,
}

/// Expiries, the earliest first.
#[derive(Default)]
pub(super) struct Schedule {
    expiries: BinaryHeap<Reverse<Expiry>>,
}

impl Schedule {
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.expiries.capacity()
    }

    pub(super) fn push(&mut self, expiry: Expiry) {
        self.expiries.push(Reverse(expiry));
    }

    pub(super) fn next(&self) -> Option<Expiry> {
        self.expiries.peek().map(|Reverse(expiry)| *expiry)
    }

    pub(super) fn pop(&mut self) {
        self.expiries.pop();
        if let Some(fit) = capacity::shrunk(self.expiries.len(), self.expiries.capacity()) {
            self.expiries.shrink_to(fit);
        }
    }

    /// Whether too many stand for nothing, given how many entries expire.
    pub(super) fn is_stale(&self, entries: usize) -> bool {
        self.expiries.len() > entries * STALE_FACTOR + STALE_MIN
    }

    /// Keeps one for each entry that `is_live` knows.
    pub(super) fn sweep(&mut self, mut is_live: impl FnMut(&Expiry) -> bool) {
        let mut expiries = std::mem::take(&mut self.expiries).into_vec();
        expiries.retain(|Reverse(expiry)| is_live(expiry));
        expiries.sort_unstable();
        expiries.dedup();
        if let Some(fit) = capacity::shrunk(expiries.len(), expiries.capacity()) {
            expiries.shrink_to(fit);
        }
        self.expiries = expiries.into();
    }
}
