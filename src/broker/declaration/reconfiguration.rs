//! Other settings are put in force, for one queue or one exchange at a time.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::topology::exchange_handle::ExchangeRef;
use crate::broker::topology::in_force::{ExchangeInForce, QueueInForce};
use crate::broker::topology::queue_handle::QueueRef;

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
