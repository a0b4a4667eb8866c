//! The settings in force of a queue and of an exchange: one value for each, replaced as a whole and read without a lock.
//! They begin as what the arguments say.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::topology::arguments::DeadLetterTarget;
use crate::broker::topology::exchange_handle::ExchangeRef;
use crate::broker::topology::queue_handle::QueueRef;
use crate::queue::Options;

/// What decides about a queue's messages at present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueInForce {
    /// Limits and expiry.
    pub options: Options,
    /// Where dead letters go.
    pub dead_letter: Option<DeadLetterTarget>,
}

/// What decides about an exchange's messages at present, beside its bindings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeInForce {
    /// Where messages go that no binding took.
    pub alternate: Option<Arc<str>>,
}

impl Broker {
    /// Puts other settings in force for a queue; [`crate::queue::Queue::reconfigure`] says what that means for what is
    /// in it.
    pub fn put_queue_in_force(&self, queue: &QueueRef, settings: QueueInForce, now_ms: u64) {
        self.with_queue(queue, now_ms, |state, fx| {
            state.reconfigure(settings.options, now_ms, fx);
            // Under the queue's lock: of two that come at once, the same one holds here and there.
            let options = state.options().clone();
            queue.set_in_force(QueueInForce { options, ..settings });
        });
    }

    /// Puts other settings in force for an exchange, for what is published from now on.
    pub fn put_exchange_in_force(&self, exchange: &ExchangeRef, settings: ExchangeInForce) {
        exchange.in_force.store(Arc::new(settings));
    }
}
