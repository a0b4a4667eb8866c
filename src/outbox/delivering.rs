//! An outbox that is open for deliveries: one lock for all that a queue hands to a consumer in a row.

use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::buffer::Heading;
use super::{Acks, ChannelKey, Delivered, Delivery, Outbox, Resume, State};

/// Takes deliveries to the consumers of one channel. Nobody else uses the outbox meanwhile.
pub struct Delivering<'a, Q> {
    outbox: &'a Outbox<Q>,
    key: ChannelKey,
    state: MutexGuard<'a, State<Q>>,
}

impl<'a, Q: Clone> Delivering<'a, Q> {
    pub(super) fn new(outbox: &'a Outbox<Q>, key: ChannelKey) -> Self {
        Self { outbox, key, state: outbox.state.lock() }
    }

    /// Offers a message to a consumer.
    pub fn deliver(&mut self, delivery: &Delivery<'_, Q>) -> Delivered {
        let (key, limits) = (self.key, &self.outbox.limits);
        if self.outbox.closed.load(Ordering::Relaxed) {
            return Delivered::Gone;
        }
        let state = &mut *self.state;
        let Some(channel) = state.channels.get_mut(&key.number) else { return Delivered::Gone };
        if channel.epoch != key.epoch || !channel.open {
            return Delivered::Gone;
        }
        let resume = || Resume { queue: delivery.queue.clone(), consumer: delivery.consumer };
        if state.buffer.len() >= limits.bytes_max {
            state.stalled.push(resume());
            return Delivered::Full;
        }
        if delivery.acks == Acks::Manual && !channel.has_credit() {
            channel.starved.push(resume());
            return Delivered::Full;
        }
        let tag = channel.hand_out(delivery);
        match delivery.acks {
            Acks::Manual => channel.tally.delivered += 1,
            Acks::Automatic => channel.tally.delivered_automatic += 1,
        }
        let heading = Heading {
            consumer: delivery.consumer,
            consumer_tag: delivery.tag,
            delivery_tag: tag,
            redelivered: delivery.redelivered,
        };
        state.buffer.delivery(key.number, &heading, delivery.message, state.frame_bytes_max);
        if std::mem::replace(&mut state.dirty, true) {
            Delivered::Taken
        } else {
            Delivered::TakenFirst
        }
    }
}
