//! Acknowledging, rejecting and returning deliveries (specification 1.8.3.13 to 1.8.3.16).

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::delivery::settling::{RESUMED_PER_TURN, Settling, for_each_queue};
use crate::broker::topology::queue_handle::QueueRef;
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
    /// Settles deliveries that were taken from the channel's ledger: all of them at once.
    pub fn settle(&self, settled: Settled<QueueRef>, how: Settlement, now_ms: u64) {
        let Settled { mut unacked, resume } = settled;
        self.broker.settle(&mut unacked, how, now_ms);
        self.broker.resume_some(resume, now_ms);
    }
}

impl Broker {
    /// One lock for each queue touched.
    pub(in crate::broker) fn settle(
        &self,
        unacked: &mut [Unacked<QueueRef>],
        how: Settlement,
        now_ms: u64,
    ) {
        for_each_queue(unacked, |queue, positions| {
            self.settle_positions(queue, positions, how, now_ms);
        });
    }

    /// Settles deliveries of one queue.
    pub(in crate::broker) fn settle_positions(
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

    /// Offers messages to consumers that had found no room or credit and may have it now.
    pub(in crate::broker) fn resume_some(
        &self,
        consumers: impl IntoIterator<Item = Resume<QueueRef>>,
        now_ms: u64,
    ) {
        for Resume { queue, consumer } in consumers {
            self.with_queue(&queue, now_ms, |state, fx| state.resume(consumer, now_ms, fx));
        }
    }

    /// Does so with as many as a turn allows, and leaves the rest for later.
    pub fn resume(&self, consumers: Vec<Resume<QueueRef>>, now_ms: u64) {
        if consumers.len() <= RESUMED_PER_TURN {
            self.resume_some(consumers, now_ms);
        } else {
            let unacked = Default::default();
            let waiting = Settled { unacked, resume: consumers };
            self.run_or_leave(Settling::new(waiting, Settlement::Acknowledge), now_ms);
        }
    }
}
