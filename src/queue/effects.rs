//! What the outside has to do after a call to the queue, as values: wake writers, journal, dead-letter.
//! The caller acts on them once the queue's lock is gone.

use super::capacity;
use super::entry::Entry;
use super::ready::{LoadRequest, SpanId};
use super::removed::RemovedEntries;
use crate::message::Position;
use crate::message::Run;

/// Everything that a batch of calls asks of the outside. One value is reused from batch to batch.
#[derive(Debug)]
pub struct Effects<R> {
    /// Whose outbox went from empty to not empty.
    pub wake: Vec<R>,
    /// Durable entries that are done with: acknowledged, purged, delivered with automatic acknowledgement.
    pub settled: Vec<Position>,
    /// Entries that were dropped, expired or rejected. The broker dead-letters or forgets them; durable ones
    /// among them are still to be settled in the journal.
    pub dead: Vec<Dead>,
    /// Durable entries that came back, with their new count of returns.
    pub returned: Vec<(Position, u32)>,
    /// Durable entries that are done with and were not in memory.
    pub settled_runs: Vec<Run>,
    /// What may be evicted from memory when the journal has been written: then `Queue::evicted` is called.
    pub evictable: Vec<SpanId>,
    /// What is needed in memory: it is read, and given to `Queue::loaded`.
    pub load_requests: Vec<LoadRequest>,
    /// What was taken out in one move, to be dropped piece by piece.
    pub removed: Option<Box<RemovedEntries>>,
}

/// An entry that was taken out of the queue without being consumed.
#[derive(Debug)]
pub struct Dead {
    /// The entry.
    pub entry: Entry,
    /// Why it is dead.
    pub reason: Reason,
}

/// Why an entry is dead; the reasons of `x-death`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `expired`: its time to live ran out.
    Expired,
    /// `maxlen`: dropped to keep the queue within its length.
    MaxLength,
    /// `rejected`: rejected by a consumer, not to be requeued.
    Rejected,
    /// `delivery_limit`: it came back too often.
    DeliveryLimit,
}

impl<R> Default for Effects<R> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            settled: Vec::new(),
            dead: Vec::new(),
            returned: Vec::new(),
            settled_runs: Vec::new(),
            evictable: Vec::new(),
            load_requests: Vec::new(),
            removed: None,
        }
    }
}

impl<R> Effects<R> {
    /// Empties it for the next batch. Room is kept for a batch like this one, not for an extraordinary earlier one.
    pub fn clear(&mut self) {
        clear_list(&mut self.wake);
        clear_list(&mut self.settled);
        clear_list(&mut self.dead);
        clear_list(&mut self.returned);
        clear_list(&mut self.settled_runs);
        clear_list(&mut self.evictable);
        clear_list(&mut self.load_requests);
        self.removed = None;
    }

    /// Whether the journal has to be told something of durable entries.
    pub fn has_news(&self) -> bool {
        !self.settled.is_empty() || !self.returned.is_empty() || !self.settled_runs.is_empty()
    }

    /// Whether nothing has to happen.
    pub fn is_empty(&self) -> bool {
        self.wake.is_empty()
            && self.settled.is_empty()
            && self.dead.is_empty()
            && self.returned.is_empty()
            && self.settled_runs.is_empty()
            && self.evictable.is_empty()
            && self.load_requests.is_empty()
            && self.removed.is_none()
    }
}

fn clear_list<T>(list: &mut Vec<T>) {
    let fit = capacity::shrunk(list.len(), list.capacity());
    list.clear();
    if let Some(fit) = fit {
        list.shrink_to(fit);
    }
}
