//! What is to be put into queues: entries that have their positions, gathered by queue, so that each queue is locked
//! once for all of them, or once for a piece where that would be too many.

use std::collections::VecDeque;
use std::vec;

use rustc_hash::FxHashMap;

use crate::broker::topology::queue_handle::{Passage, QueueRef};
use crate::queue::Entry;

/// Room for so many queues is kept from batch to batch.
const KEPT_QUEUES_MAX: usize = 1024;

/// Entries for each queue of a batch, in the order of publishing.
#[derive(Default)]
pub(in crate::broker) struct Deliveries {
    queues: VecDeque<(Passage, Vec<Entry>)>,
    index: FxHashMap<u64, usize>,
    /// The rest for a queue of which a piece was taken.
    begun: Option<(Passage, vec::IntoIter<Entry>)>,
}

impl Deliveries {
    /// Where the entries of a queue gather, for [`Deliveries::push`]. Nothing when the queue is being deleted.
    pub(in crate::broker) fn slot(&mut self, queue: &QueueRef) -> Option<usize> {
        if let Some((last, _)) = self.queues.back()
            && last.id == queue.id
        {
            return Some(self.queues.len() - 1);
        }
        if let Some(slot) = self.index.get(&queue.id) {
            return Some(*slot);
        }
        let slot = self.queues.len();
        self.queues.push_back((Passage::into(queue)?, Vec::new()));
        self.index.insert(queue.id, slot);
        Some(slot)
    }

    pub(in crate::broker) fn push(&mut self, slot: usize, entry: Entry) {
        self.queues[slot].1.push(entry);
    }

    /// Takes out what is for one queue. Nothing may be added until all is taken.
    pub(in crate::broker) fn next(&mut self) -> Option<(Passage, Vec<Entry>)> {
        self.index.clear();
        loop {
            let next = self.queues.pop_front()?;
            // A queue that refused everything gets nothing.
            if !next.1.is_empty() {
                return Some(next);
            }
        }
    }

    /// The same, but no more than so many entries, which must not be 0. The rest for that queue comes next.
    pub(in crate::broker) fn next_piece(&mut self, most: usize) -> Option<(Passage, Vec<Entry>)> {
        if self.begun.is_none() {
            let (passage, entries) = self.next()?;
            if entries.len() <= most {
                return Some((passage, entries));
            }
            self.begun = Some((passage, entries.into_iter()));
        }
        let (passage, mut rest) = self.begun.take()?;
        let piece = rest.by_ref().take(most).collect();
        if rest.len() > 0 {
            self.begun = Some((passage.another(), rest));
        }
        Some((passage, piece))
    }

    /// Whether all was taken out.
    pub(in crate::broker) fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.begun.is_none()
    }

    /// Gives back the memory that a large batch took.
    pub(in crate::broker) fn shrink(&mut self) {
        self.queues.shrink_to(KEPT_QUEUES_MAX);
        self.index.shrink_to(KEPT_QUEUES_MAX);
    }
}
