//! Between a deep queue and the store: entries are evicted from memory once the journal has been written, and loaded when
//! they are needed. Both ends are on the store's threads, which lock the queue for a moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::broker::Broker;
use crate::broker::pending::Pending;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::Subscriber;
use crate::message::LoadedMessage;
use crate::queue::{Effects, LoadRequest, SpanId};
use crate::store::{Lost, Reread};

/// Why nothing of what was asked for came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The store reads: what is missing is gone.
    Goes,
    /// The store is closed or lost.
    Ended,
}

impl Broker {
    /// Evicts entries from memory, and asks for those that are needed there. `now_ms` is the time that counts when they
    /// are loaded, which is a moment later.
    pub(in crate::broker) fn page(
        &self,
        queue: &QueueRef,
        effects: &mut Effects<Subscriber>,
        now_ms: u64,
    ) {
        if !effects.evictable.is_empty() {
            let spans = std::mem::take(&mut effects.evictable);
            let queue = Arc::clone(queue);
            self.store.when_written(Box::new(move || {
                for span in spans {
                    drop(queue.evicted(span));
                }
            }));
        }
        for LoadRequest { span, positions } in effects.load_requests.drain(..) {
            let Some(broker) = self.me.get().cloned() else { continue };
            let asked = Arc::clone(queue);
            let done = move |rereads| {
                if let Some(broker) = broker.upgrade() {
                    broker.loaded(&asked, span, rereads, now_ms);
                    // What came of it was asked for before.
                    broker.reads.fetch_sub(1, Ordering::AcqRel);
                }
            };
            self.reads.fetch_add(1, Ordering::AcqRel);
            self.store.read(queue.id, positions, Box::new(done));
        }
    }

    /// Done when all messages were loaded that were asked of the store so far. What they lead to may ask for more.
    pub fn arrivals(&self) -> Pending {
        if self.reads.load(Ordering::Acquire) == 0 {
            return Pending::NONE;
        }
        let (pending, done) = Pending::new();
        self.store.read(0, Vec::new(), Box::new(move |_| done(Ok(()))));
        pending
    }

    fn loaded(&self, queue: &QueueRef, span: SpanId, rereads: Vec<Reread>, now_ms: u64) {
        let ended = rereads.is_empty() && self.reading() == Reading::Ended;
        if ended {
            self.with_queue(queue, now_ms, |state, _| state.load_failed(span, now_ms));
            queue.tell_getters(Err(Lost));
            return;
        }
        self.check_frugality();
        // The store has said what it cannot read.
        let messages: Vec<LoadedMessage> = rereads.into_iter().filter_map(Result::ok).collect();
        let lost =
            self.with_queue(queue, now_ms, |state, fx| state.loaded(span, messages, now_ms, fx));
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
