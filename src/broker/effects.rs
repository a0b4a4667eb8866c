//! What has to happen after a queue's lock is gone: journal, dead-letter, wake writers, set timers.

use std::sync::Arc;

use super::queue_handle::QueueRef;
use super::subscriber::Subscriber;
use super::{Broker, paging};
use crate::queue::{Dead, Effects, Queue};
use crate::store::Operation;

/// Messages that died, by the queue that they died in.
pub(super) type Deaths = Vec<(QueueRef, Vec<Dead>)>;

impl Broker {
    /// Works on a queue's state machine and then does what came out of it.
    pub(super) fn with_queue<T>(
        &self,
        queue: &QueueRef,
        now_ms: u64,
        work: impl FnOnce(&mut Queue<Subscriber>, &mut Effects<Subscriber>) -> T,
    ) -> T {
        let mut effects = Effects::default();
        let (answer, deadline_ms) = queue.with(&mut effects, work);
        if let Some(deadline_ms) = deadline_ms {
            self.timers.watch(queue, deadline_ms);
        }
        self.apply(queue, effects, now_ms);
        answer
    }

    /// Does what a queue asked for, and what follows from that in other queues: a dead letter may push
    /// another message out of a full queue. Cycles end because a message does not enter a queue again that it
    /// died in without a consumer's doing.
    pub(super) fn apply(&self, queue: &QueueRef, effects: Effects<Subscriber>, now_ms: u64) {
        let mut deaths = Deaths::new();
        self.apply_one(queue, effects, now_ms, &mut deaths);
        while let Some((queue, dead)) = deaths.pop() {
            self.bury(&queue, dead, now_ms, &mut deaths);
        }
    }

    pub(super) fn apply_one(
        &self,
        queue: &QueueRef,
        mut effects: Effects<Subscriber>,
        now_ms: u64,
        deaths: &mut Deaths,
    ) {
        for consumer in effects.wake.drain(..) {
            consumer.0.outbox.wake();
        }
        if queue.is_stored() && effects.has_news() {
            let mut operations = Vec::with_capacity(1 + effects.returned.len());
            for (position, count) in effects.returned.drain(..) {
                operations.push(Operation::Returned { queue: queue.id, position, count });
            }
            if !effects.settled.is_empty() {
                let positions = std::mem::take(&mut effects.settled);
                operations.push(Operation::Settle { queue: queue.id, positions });
            }
            if !effects.settled_runs.is_empty() {
                operations.push(paging::settle_runs(queue.id, &mut effects.settled_runs));
            }
            self.store.append(operations, None);
        }
        if !effects.leaving.is_empty() || !effects.wanted.is_empty() {
            self.page(queue, &mut effects, now_ms);
        }
        if !effects.dead.is_empty() {
            deaths.push((Arc::clone(queue), effects.dead));
        }
    }
}
