//! The entries that were handed out and are not settled yet, found by position.

use std::collections::hash_map::IntoIter;

use rustc_hash::FxHashMap;

use super::capacity;
use super::entry::Entry;
use super::subscription::ConsumerId;
use crate::message::Position;

/// So many entries at most are recounted after each batch, in debug builds.
#[cfg(any(test, debug_assertions))]
const RECOUNTED_MAX: usize = 32;

/// Unacknowledged entries and who holds each.
#[derive(Default)]
pub(super) struct Unacknowledged {
    by_position: FxHashMap<Position, HeldEntry>,
    bytes: u64,
}

/// An entry in somebody's hands.
pub(super) struct HeldEntry {
    pub(super) entry: Entry,
    pub(super) holder: Holder,
}

/// Whose credit an unacknowledged entry takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A consumer's; it may have been cancelled since.
    Consumer(ConsumerId),
    /// Nobody's: it was fetched with `basic.get`.
    Get,
}

impl Unacknowledged {
    pub(super) fn len(&self) -> u64 {
        self.by_position.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.by_position.capacity()
    }

    pub(super) fn insert(&mut self, entry: Entry, holder: Holder) {
        self.bytes += entry.bytes();
        self.by_position.insert(entry.position, HeldEntry { entry, holder });
    }

    pub(super) fn get(&self, position: Position) -> Option<&Entry> {
        self.by_position.get(&position).map(|held| &held.entry)
    }

    pub(super) fn remove(&mut self, position: Position) -> Option<HeldEntry> {
        let held = self.by_position.remove(&position)?;
        self.bytes -= held.entry.bytes();
        Some(held)
    }

    /// Gives memory back after a burst; to be called after a batch of removals.
    pub(super) fn shrink(&mut self) {
        #[cfg(any(test, debug_assertions))]
        if self.by_position.len() <= RECOUNTED_MAX {
            self.check();
        }
        if let Some(fit) = capacity::shrunk(self.by_position.len(), self.by_position.capacity()) {
            self.by_position.shrink_to(fit);
        }
    }

    /// Fails if the count of bytes is not that of the entries.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        let bytes = self.by_position.values().map(|held| held.entry.bytes()).sum::<u64>();
        assert_eq!(self.bytes, bytes, "bytes of what is unacknowledged");
    }

    /// Removes every entry in one move.
    pub(super) fn take_all(&mut self) -> IntoIter<Position, HeldEntry> {
        self.bytes = 0;
        std::mem::take(&mut self.by_position).into_iter()
    }
}
