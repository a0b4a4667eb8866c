//! When ready entries expire: a heap of times. An entry that leaves the queue before its time leaves its
//! mark behind; marks that stand for nothing are passed over when they come up, and swept out before they
//! outnumber the others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::capacity;
use super::entry::Position;

/// Marks without an entry that are tolerated however few entries there are.
const STALE_MARKS_MIN: usize = 64;

/// Of all marks, at most half plus [`STALE_MARKS_MIN`] are without an entry.
const STALE_FACTOR: usize = 2;

/// A time at which the entry at a place expires, if it is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) at_ms: u64,
    pub(super) position: Position,
    pub(super) priority: u8,
}

/// Marks, earliest first.
#[derive(Default)]
pub(super) struct Schedule {
    marks: BinaryHeap<Reverse<Mark>>,
}

impl Schedule {
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.marks.capacity()
    }

    pub(super) fn push(&mut self, mark: Mark) {
        self.marks.push(Reverse(mark));
    }

    pub(super) fn next(&self) -> Option<Mark> {
        self.marks.peek().map(|Reverse(mark)| *mark)
    }

    pub(super) fn pop(&mut self) {
        self.marks.pop();
        if let Some(fit) = capacity::shrunk(self.marks.len(), self.marks.capacity()) {
            self.marks.shrink_to(fit);
        }
    }

    /// Whether too many marks stand for nothing, given how many entries have an expiry.
    pub(super) fn is_stale(&self, entries: usize) -> bool {
        self.marks.len() > entries * STALE_FACTOR + STALE_MARKS_MIN
    }

    /// Keeps one mark for each entry that `is_live` knows.
    pub(super) fn sweep(&mut self, mut is_live: impl FnMut(&Mark) -> bool) {
        let mut marks = std::mem::take(&mut self.marks).into_vec();
        marks.retain(|Reverse(mark)| is_live(mark));
        marks.sort_unstable();
        marks.dedup();
        if let Some(fit) = capacity::shrunk(marks.len(), marks.capacity()) {
            marks.shrink_to(fit);
        }
        self.marks = marks.into();
    }

    pub(super) fn clear(&mut self) {
        self.marks = BinaryHeap::new();
    }
}
