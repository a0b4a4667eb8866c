//! Clearing up behind a purge or a deletion: the messages are let go, and out of the journal, piece by piece.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::queue_handle::QueueRef;
use crate::queue::RemovedEntries;
use crate::store::Operation;

/// So many messages are let go in a slice.
const MESSAGES_PER_SLICE: usize = 2_048;

/// What was taken out of a queue in one move.
pub(in crate::broker) struct Clearing {
    queue: QueueRef,
    removed: Box<RemovedEntries>,
}

impl Clearing {
    pub(in crate::broker) fn new(queue: &QueueRef, removed: Box<RemovedEntries>) -> Self {
        Self { queue: Arc::clone(queue), removed }
    }

    /// Whether the journal has to be told: with a queue that is gone it forgets the messages.
    fn is_written(&self) -> bool {
        self.queue.is_stored() && self.queue.is_live()
    }

    fn clear_some(&mut self, broker: &Broker) {
        let (mut positions, mut runs) = (Vec::new(), Vec::new());
        self.removed.clear(MESSAGES_PER_SLICE, &mut positions, &mut runs);
        if !self.is_written() {
            return;
        }
        let mut operations = Vec::new();
        if !positions.is_empty() {
            operations.push(Operation::Settle { queue: self.queue.id, positions });
        }
        if !runs.is_empty() {
            operations.push(Operation::SettleRuns { queue: self.queue.id, runs });
        }
        if !operations.is_empty() {
            broker.store.append(operations, None);
        }
    }
}

impl Errand for Clearing {
    fn step(&mut self, broker: &Broker, _now_ms: u64) -> Progress {
        if self.is_written() && broker.store.is_full() {
            return Progress::Waits;
        }
        self.clear_some(broker);
        if self.removed.is_empty() { Progress::Over } else { Progress::More }
    }

    /// What was purged must not come back after a stop.
    fn finish(&mut self, broker: &Broker) {
        while self.is_written() && !self.removed.is_empty() {
            self.clear_some(broker);
        }
    }
}
