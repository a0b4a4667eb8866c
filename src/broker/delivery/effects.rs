//! What has to happen after a queue's lock is gone: journal, dead-letter, wake writers, set timers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::broker::Broker;
use crate::broker::delivery::clearing::Clearing;
use crate::broker::delivery::dead_lettering::{Budget, Deaths};
use crate::broker::topology::dead_letters_waiting::Account;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::Subscriber;
use crate::queue::{Effects, Queue};
use crate::store::Operation;

impl Broker {
    /// Works on a queue's state machine and then does what came out of it. Of what that leads to in other queues, where
    /// dead letters push out more, the beginning is done and the rest is left for later.
    pub(in crate::broker) fn with_queue<T>(
        &self,
        queue: &QueueRef,
        now_ms: u64,
        work: impl FnOnce(&mut Queue<Subscriber>, &mut Effects<Subscriber>) -> T,
    ) -> T {
        let (answer, deaths) = self.work_on(queue, None, now_ms, work);
        self.attend(deaths, &mut Budget::of_a_turn(), now_ms);
        answer
    }

    /// Works on a queue's state machine and does what came out of it, save that what died is laid down for its burial.
    /// The caller has to attend to it.
    pub(in crate::broker) fn work_on<T>(
        &self,
        queue: &QueueRef,
        account: Option<&Arc<Account>>,
        now_ms: u64,
        work: impl FnOnce(&mut Queue<Subscriber>, &mut Effects<Subscriber>) -> T,
    ) -> (T, Deaths) {
        let mut effects = Effects::default();
        let mut deaths = Deaths::None;
        let (answer, deadline_ms) = queue.with(&mut effects, |state, fx| {
            let answer = work(state, fx);
            if !fx.dead.is_empty() {
                deaths = self.lay_down(queue, &mut fx.dead, account);
            }
            answer
        });
        // Who tends a queue looks at what is due by itself.
        if let Some(at_ms) = deadline_ms
            && (at_ms > now_ms || !queue.tended.load(Ordering::SeqCst))
        {
            self.timers.watch(queue, at_ms);
        }
        if let Some(removed) = effects.removed.take() {
            self.run_or_leave(Clearing::new(queue, removed), now_ms);
        }
        self.apply(queue, effects, now_ms);
        (answer, deaths)
    }

    fn apply(&self, queue: &QueueRef, mut effects: Effects<Subscriber>, now_ms: u64) {
        for consumer in effects.wake.drain(..) {
            consumer.0.outbox.wake();
        }
        if queue.is_stored() && effects.has_news() {
            let mut operations = Vec::with_capacity(1 + effects.returned.len());
            if !effects.returned.is_empty() {
                self.note_returned(queue.id, &mut effects.returned, &mut operations);
            }
            if !effects.settled.is_empty() {
                let positions = std::mem::take(&mut effects.settled);
                operations.push(Operation::Settle { queue: queue.id, positions });
            }
            if !effects.settled_runs.is_empty() {
                let runs = std::mem::take(&mut effects.settled_runs);
                operations.push(Operation::SettleRuns { queue: queue.id, runs });
            }
            if !operations.is_empty() {
                self.store.append(operations, None);
            }
        }
        if !effects.evictable.is_empty() || !effects.load_requests.is_empty() {
            self.page(queue, &mut effects, now_ms);
        }
    }
}
