//! What a purge or a deletion took out of a queue in one move. A million entries are dropped piece by piece, without the
//! queue's lock.

use std::collections::hash_map::IntoIter;

use super::entry::Entry;
use super::ready::Lane;
use super::unacknowledged::HeldEntry;
use crate::message::Position;
use crate::message::Run;

/// Entries that are in their queue no longer.
#[derive(Default)]
pub struct RemovedEntries {
    lanes: Vec<Lane>,
    held: IntoIter<Position, HeldEntry>,
}

impl RemovedEntries {
    pub(super) fn new(lanes: Vec<Lane>, held: IntoIter<Position, HeldEntry>) -> Self {
        Self { lanes, held }
    }

    /// Whether all of them were dropped.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.held.len() == 0
    }

    /// Drops about so many entries. The positions of durable ones go to `settled`, of those that were not in memory to
    /// `runs`.
    pub fn clear(&mut self, count: usize, settled: &mut Vec<Position>, runs: &mut Vec<Run>) {
        let mut remaining = count;
        let mut settle = |entry: Entry| {
            if entry.durable {
                settled.push(entry.position);
            }
        };
        while remaining > 0
            && let Some(lane) = self.lanes.last_mut()
        {
            if !lane.remove_some(&mut remaining, &mut settle, runs) {
                self.lanes.pop();
            }
        }
        self.held.by_ref().take(remaining).for_each(|(_, held)| settle(held.entry));
    }
}

impl std::fmt::Debug for RemovedEntries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemovedEntries").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}
