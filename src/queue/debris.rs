//! What a purge or a deletion took out of a queue in one move. A million messages are let go piece by piece, without
//! the queue's lock.

use std::collections::hash_map::IntoIter;

use super::entry::{Entry, Position};
use super::ready::{Lane, Run};
use super::unacknowledged::Held;

/// Entries that are in their queue no longer.
#[derive(Default)]
pub struct Debris {
    lanes: Vec<Lane>,
    held: IntoIter<Position, Held>,
}

impl Debris {
    pub(super) fn new(lanes: Vec<Lane>, held: IntoIter<Position, Held>) -> Self {
        Self { lanes, held }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.held.len() == 0
    }

    /// Lets go of about so many entries. The durable ones go to `settled`, those that were not in memory to `runs`.
    pub fn clear(&mut self, count: usize, settled: &mut Vec<Position>, runs: &mut Vec<Run>) {
        let mut left = count;
        let mut settle = |entry: Entry| {
            if entry.durable {
                settled.push(entry.position);
            }
        };
        while left > 0
            && let Some(lane) = self.lanes.last_mut()
        {
            if !lane.remove_some(&mut left, &mut settle, runs) {
                self.lanes.pop();
            }
        }
        self.held.by_ref().take(left).for_each(|(_, held)| settle(held.entry));
    }
}

impl std::fmt::Debug for Debris {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debris").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}
