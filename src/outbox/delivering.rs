//! An outbox that is open for deliveries: one lock for all that a queue hands to a consumer in a row.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::MutexGuard;

use super::contents::Contents;
use super::delivery::{ChannelKey, Delivered, Delivery, Resume};
use super::last_delivery::Heading;
use crate::message::AckMode;

/// Takes deliveries to the consumers of one channel. Nobody else uses the outbox meanwhile.
pub struct Delivering<'a, Q> {
    contents: MutexGuard<'a, Contents<Q>>,
    key: ChannelKey,
    /// Bytes that may wait.
    bytes_max: usize,
    /// Whether the outbox is closed.
    closed: &'a AtomicBool,
}

impl<'a, Q: Clone> Delivering<'a, Q> {
    #[inline]
    pub(super) fn new(
        contents: MutexGuard<'a, Contents<Q>>,
        key: ChannelKey,
        bytes_max: usize,
        closed: &'a AtomicBool,
    ) -> Self {
        Self { contents, key, bytes_max, closed }
    }

    /// Offers a message to a consumer.
    pub fn deliver(&mut self, delivery: &Delivery<'_, Q>) -> Delivered {
        if self.closed.load(Ordering::Relaxed) {
            return Delivered::Gone;
        }
        let Contents { outgoing, channels, stalled, .. } = &mut *self.contents;
        let channel = channels.get_mut(&self.key.number);
        let Some(channel) = channel.filter(|channel| channel.epoch == self.key.epoch) else {
            return Delivered::Gone;
        };
        let resume = || Resume { queue: delivery.queue.clone(), consumer: delivery.consumer };
        if outgoing.len() >= self.bytes_max {
            stalled.push(resume());
            return Delivered::Full;
        }
        if delivery.acks == AckMode::Manual && !channel.has_credit() {
            channel.starve(resume());
            return Delivered::Full;
        }
        let delivery_tag = channel.hand_over(delivery);
        let tally = &mut channel.statistics.tally;
        match delivery.acks {
            AckMode::Manual => tally.delivered += 1,
            AckMode::Automatic => tally.delivered_automatic += 1,
        }
        let heading = Heading {
            consumer: delivery.consumer,
            consumer_tag: delivery.tag,
            delivery_tag,
            redelivered: delivery.redelivered,
        };
        if outgoing.delivery(self.key.number, &heading, delivery.message) {
            Delivered::TakenFirst
        } else {
            Delivered::Taken
        }
    }
}
