//! What a connection leaves behind when it goes: its exclusive queues, which go with it.

use crate::broker::Broker;
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::queue_handle::QueueRef;

/// So many queues are deleted in a slice.
const QUEUES_PER_SLICE: usize = 64;

/// Exclusive queues of a connection that has gone. None of them is on the disk.
pub(in crate::broker) struct Departure {
    queues: Vec<QueueRef>,
}

impl Departure {
    pub(in crate::broker) fn new(queues: Vec<QueueRef>) -> Self {
        Self { queues }
    }
}

impl Errand for Departure {
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        for queue in self.queues.drain(self.queues.len().saturating_sub(QUEUES_PER_SLICE)..) {
            // Nobody is left to wait for the deletion to be on the disk.
            let _ = broker.remove_queue(&queue, &[], now_ms);
        }
        if self.queues.is_empty() { Progress::Over } else { Progress::More }
    }
}
