//! Acknowledging, rejecting and returning deliveries (specification 1.8.3.13 to 1.8.3.16).

use std::sync::Arc;

use super::Broker;
use super::client::Client;
use super::queue_handle::QueueRef;
use crate::outbox::{Resume, Settled, Unacked};
use crate::queue::Position;

/// What a client says of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Done with.
    Acknowledge,
    /// Back to the queue.
    Requeue,
    /// Refused: to the dead-letter exchange, if there is one.
    Reject,
}

impl Client {
    /// Settles deliveries that were taken from the channel's ledger.
    pub fn settle(&self, mut settled: Settled<QueueRef>, how: Settlement, now_ms: u64) {
        self.broker.settle(&mut settled.unacked, how, now_ms);
        self.broker.resume(settled.resume, now_ms);
    }
}

impl Broker {
    pub(super) fn settle(&self, unacked: &mut [Unacked<QueueRef>], how: Settlement, now_ms: u64) {
        // One lock for each queue touched. Sorting is stable: the order of delivery stays.
        if unacked.windows(2).any(|pair| pair[0].queue.id > pair[1].queue.id) {
            unacked.sort_by_key(|one| one.queue.id);
        }
        let mut positions: Vec<Position> = Vec::new();
        for run in unacked.chunk_by(|one, next| Arc::ptr_eq(&one.queue, &next.queue)) {
            positions.clear();
            positions.extend(run.iter().map(|one| one.position));
            self.settle_positions(&run[0].queue, &positions, how, now_ms);
        }
    }

    /// Settles deliveries of one queue.
    pub(super) fn settle_positions(
        &self,
        queue: &QueueRef,
        positions: &[Position],
        how: Settlement,
        now_ms: u64,
    ) {
        self.with_queue(queue, now_ms, |state, fx| match how {
            Settlement::Acknowledge => state.ack(positions, now_ms, fx),
            Settlement::Requeue => state.requeue(positions, now_ms, fx),
            Settlement::Reject => state.reject(positions, now_ms, fx),
        });
    }

    /// Gives deliveries back to their queues.
    pub(super) fn requeue(&self, mut unacked: Vec<Unacked<QueueRef>>, now_ms: u64) {
        self.settle(&mut unacked, Settlement::Requeue, now_ms);
    }

    /// Offers messages to consumers that had found no room or credit and may have it now.
    pub fn resume(&self, consumers: Vec<Resume<QueueRef>>, now_ms: u64) {
        for Resume { queue, consumer } in consumers {
            self.with_queue(&queue, now_ms, |state, fx| state.resume(consumer, now_ms, fx));
        }
    }
}
