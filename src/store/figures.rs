//! What the store counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that the committer keeps, and anyone may read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) journal_bytes: AtomicU64,
    pub(super) segments: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) elided: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) checkpoints_under_way: AtomicU64,
    pub(super) slices: AtomicU64,
    pub(super) slice_chunks_max: AtomicU64,
    pub(super) slice_bytes_max: AtomicU64,
    pub(super) slice_definitions_max: AtomicU64,
}

/// The store at one moment. Counts are since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of all journal segments.
    pub journal_bytes: u64,
    /// Number of journal segments.
    pub segments: u64,
    /// Places in queues that hold a message.
    pub entries: u64,
    /// Groups that were committed.
    pub groups: u64,
    /// Groups that were synced to the disk.
    pub syncs: u64,
    /// Records that were written.
    pub written: u64,
    /// Places that were settled before their message was written.
    pub elided: u64,
    /// Checkpoints that were taken.
    pub checkpoints: u64,
    /// 1 while a checkpoint is under way, and 0 between two.
    pub checkpoints_under_way: u64,
    /// Slices in which checkpoints, and what was settled over many chunks, were done.
    pub slices: u64,
    /// The most chunks of a queue's places, and queues, that a slice looked at.
    pub slice_chunks_max: u64,
    /// The most bytes of messages that a slice copied.
    pub slice_bytes_max: u64,
    /// The most definitions that a slice wrote.
    pub slice_definitions_max: u64,
}

impl Counters {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }

    /// A slice looked at so many chunks.
    pub(super) fn note_chunks(&self, number: usize) {
        self.slice_chunks_max.fetch_max(number as u64, Ordering::Relaxed);
    }

    /// A slice copied so many bytes.
    pub(super) fn note_bytes(&self, number: u64) {
        self.slice_bytes_max.fetch_max(number, Ordering::Relaxed);
    }

    /// A slice wrote so many definitions.
    pub(super) fn note_definitions(&self, number: usize) {
        self.slice_definitions_max.fetch_max(number as u64, Ordering::Relaxed);
    }

    /// Reads all counters.
    pub(super) fn read(&self) -> Figures {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            journal_bytes: get(&self.journal_bytes),
            segments: get(&self.segments),
            entries: get(&self.entries),
            groups: get(&self.groups),
            syncs: get(&self.syncs),
            written: get(&self.written),
            elided: get(&self.elided),
            checkpoints: get(&self.checkpoints),
            checkpoints_under_way: get(&self.checkpoints_under_way),
            slices: get(&self.slices),
            slice_chunks_max: get(&self.slice_chunks_max),
            slice_bytes_max: get(&self.slice_bytes_max),
            slice_definitions_max: get(&self.slice_definitions_max),
        }
    }
}
