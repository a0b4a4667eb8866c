//! Between a deep queue and the store: entries leave memory once the journal has been written, and are read back when
//! they are needed. Both ends are on the store's threads, which lock the queue for a moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::broker::Broker;
use crate::broker::pending::Pending;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::Subscriber;
use crate::queue::{Arrival, Effects, Run, Ticket, Wanted};
use crate::store::{self, Lost, Operation, Reread};

/// Why nothing of what was asked for came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The store reads: what is missing is gone.
    Goes,
    /// The store is closed or lost.
    Ended,
}

impl Broker {
    /// Lets entries leave memory, and asks for those that are needed there. `now_ms` is the time that counts when they
    /// arrive, which is a moment later.
    pub(in crate::broker) fn page(
        &self,
        queue: &QueueRef,
        effects: &mut Effects<Subscriber>,
        now_ms: u64,
    ) {
        if !effects.leaving.is_empty() {
            let tickets = std::mem::take(&mut effects.leaving);
            let queue = Arc::clone(queue);
            self.store.when_written(Box::new(move || {
                for ticket in tickets {
                    drop(queue.left(ticket));
                }
            }));
        }
        for Wanted { ticket, positions } in effects.wanted.drain(..) {
            let Some(broker) = self.me.get().cloned() else { continue };
            let asked = Arc::clone(queue);
            let done = move |rereads| {
                if let Some(broker) = broker.upgrade() {
                    broker.arrived(&asked, ticket, rereads, now_ms);
                    // What came of it was asked for before.
                    broker.reads.fetch_sub(1, Ordering::AcqRel);
                }
            };
            self.reads.fetch_add(1, Ordering::AcqRel);
            self.store.read(queue.id, positions, Box::new(done));
        }
    }

    /// Done when all messages have arrived that were asked of the store so far. What they lead to may ask for more.
    pub fn arrivals(&self) -> Pending {
        if self.reads.load(Ordering::Acquire) == 0 {
            return Pending::NONE;
        }
        let (pending, done) = Pending::new();
        self.store.read(0, Vec::new(), Box::new(move |_| done(Ok(()))));
        pending
    }

    fn arrived(&self, queue: &QueueRef, ticket: Ticket, rereads: Vec<Reread>, now_ms: u64) {
        let ended = rereads.is_empty() && self.reading() == Reading::Ended;
        if ended {
            self.with_queue(queue, now_ms, |state, _| state.missed(ticket, now_ms));
            queue.tell_getters(Err(Lost));
            return;
        }
        self.check_frugality();
        let arrivals: Vec<Arrival> = rereads
            .into_iter()
            .filter_map(|Reread { position, message }| {
                let (message, returns) = message.ok()?;
                Some(Arrival { position, message, returns })
            })
            .collect();
        let lost =
            self.with_queue(queue, now_ms, |state, fx| state.arrived(ticket, arrivals, now_ms, fx));
        if lost > 0 {
            let (name, vhost) = (&queue.name, &queue.vhost.name);
            log::error!(
                "queue '{name}' in vhost '{vhost}' (queue {} of the store) lost {lost} messages: the journal cannot give them back",
                queue.id
            );
        }
        queue.tell_getters(Ok(()));
    }

    /// Notes that the store gives nothing back any more.
    pub(in crate::broker) fn end_reading(&self) {
        self.reading_ended.store(true, Ordering::Release);
    }

    fn reading(&self) -> Reading {
        if self.reading_ended.load(Ordering::Acquire) { Reading::Ended } else { Reading::Goes }
    }
}

/// When somebody who fetches from a queue may try again.
pub(in crate::broker) fn wait_for_arrival(queue: &QueueRef) -> Pending {
    let (pending, done) = Pending::new();
    queue.add_getter(done);
    pending
}

/// What was settled without being in memory, as the store takes it.
pub(in crate::broker) fn settle_runs(queue: u64, runs: &mut Vec<Run>) -> Operation {
    let runs = runs.drain(..).map(|Run { first, count }| store::Run { first, count });
    Operation::SettleRuns { queue, runs: runs.collect() }
}
