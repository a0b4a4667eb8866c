//! One queue in the ledger: how much it has, how far the index goes, and what of it is settled and still stands there.

use std::collections::VecDeque;

use super::super::chunk::LiveMessage;
use super::super::log::SegmentId;
use super::super::operation::Position;
use super::settlement::Settlement;

/// What the ledger knows of a queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Above every position seen.
    pub(super) next: Position,
    /// How many messages it has, those included whose settlement is deferred.
    pub(super) entries: u64,
    /// From this chunk on the index holds nothing.
    pub(super) indexed_end: u64,
    /// The chunk to which a message came last.
    pub(super) filling: u64,
    /// Chunks from this one on came in this age.
    pub(super) frontier: u64,
    pub(super) frontier_age: u64,
    /// Settlements that were put off, in order.
    pub(super) deferred: VecDeque<Settlement>,
    /// No chunk before this one holds anything alive.
    pub(super) bottom: u64,
    /// It has lost messages since its floor was last kept.
    pub(super) is_floor_stale: bool,
    /// The segment in which its floor was last kept.
    pub(super) floor_in: SegmentId,
}

impl Queue {
    /// Whether the message at a position is dead though it still stands in its chunk.
    pub(super) fn has_settled(&self, position: Position) -> bool {
        self.deferred.iter().any(|settlement| settlement.covers(position))
    }

    /// Takes out what is dead.
    pub(super) fn strip(&self, number: u64, entries: &mut Vec<LiveMessage>) {
        entries.retain(|entry| !self.has_settled(entry.position(number)));
    }
}
