//! A consumer's end in a queue: what the queue offers goes into the outbox of the consumer's connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::broker::sink::Sink;
use crate::broker::topology::arguments::QueueKind;
use crate::broker::topology::charge::Charge;
use crate::broker::topology::delivery_count;
use crate::broker::topology::queue_handle::QueueRef;
use crate::message::AckMode;
use crate::message::Message;
use crate::outbox::{ChannelKey, Delivered, Delivering, Delivery, Outbox};
use crate::queue::{Entry, Offer, Receiver, Way};
use crate::wire::Table;

/// The outbox of a connection to this broker.
pub type ClientOutbox = Outbox<QueueRef>;

/// A consumer as its queue and its session see it.
#[derive(Clone)]
pub struct Consumer(pub(in crate::broker) Arc<Subscription>);

/// The consumer's end that the queue holds.
pub type Subscriber = Consumer;

pub(in crate::broker) struct Subscription {
    pub id: u64,
    /// The connection, by the broker's number for it.
    pub client: u64,
    /// As they came with `basic.consume`.
    pub arguments: Table,
    /// What they hold.
    pub _charge: Charge,
    pub tag: Arc<str>,
    pub key: ChannelKey,
    pub acks: AckMode,
    pub queue: QueueRef,
    pub outbox: Arc<ClientOutbox>,
    pub sink: Arc<dyn Sink>,
    /// Whether the client wants to hear of it when the queue goes.
    pub cancel_notify: bool,
    pub started: AtomicBool,
    pub live: AtomicBool,
    /// The client has been told that its queue is gone, or need not be.
    pub end_told: AtomicBool,
}

impl Subscription {
    /// Tells the client that its queue is gone (RabbitMQ's consumer cancel notification), once.
    pub fn tell_end(&self) {
        if self.cancel_notify && !self.end_told.swap(true, Ordering::AcqRel) {
            self.sink.cancelled(self.key, &self.tag);
        }
    }
}

impl Consumer {
    /// False once its queue was deleted: the client's consumer tag is free again.
    pub fn is_live(&self) -> bool {
        self.0.live.load(Ordering::Acquire) && self.0.queue.is_live()
    }

    /// Tells the client that the queue of the consumer is gone, unless it knows: its tag is about to stand for another.
    pub fn tell_end(&self) {
        self.0.tell_end();
    }

    /// The consumer tag.
    pub fn tag(&self) -> &str {
        &self.0.tag
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("tag", &self.0.tag).field("queue", &self.0.queue).finish()
    }
}

/// The outbox of a consumer's connection, open for the consumer.
pub struct OpenOutbox<'a> {
    subscription: &'a Subscription,
    /// Nothing while the client has yet to be told its consumer tag; `Client::start` comes back.
    outbox: Option<Delivering<'a, QueueRef>>,
}

impl Receiver for Consumer {
    type Way<'a> = OpenOutbox<'a>;

    fn open(&self) -> OpenOutbox<'_> {
        let subscription = &*self.0;
        let outbox = subscription
            .started
            .load(Ordering::Acquire)
            .then(|| subscription.outbox.delivering(subscription.key));
        OpenOutbox { subscription, outbox }
    }
}

impl Way for OpenOutbox<'_> {
    fn offer(&mut self, entry: &Entry) -> Offer {
        let Self { subscription, outbox: Some(outbox) } = self else { return Offer::Full };
        let counted;
        let message = if shows_count(&subscription.queue, entry) {
            counted = delivery_count::with_header(&entry.message, entry.returns);
            &counted
        } else {
            &entry.message
        };
        let delivery = Delivery {
            queue: &subscription.queue,
            consumer: subscription.id,
            tag: &subscription.tag,
            position: entry.position,
            acks: subscription.acks,
            redelivered: entry.redelivered,
            message,
        };
        match outbox.deliver(&delivery) {
            Delivered::Taken => Offer::Taken,
            Delivered::TakenFirst => Offer::TakenWake,
            Delivered::Full => Offer::Full,
            Delivered::Gone => Offer::Gone,
        }
    }
}

/// Whether the client is told how often a message came back.
fn shows_count(queue: &QueueRef, entry: &Entry) -> bool {
    entry.returns > 0 && queue.kind == QueueKind::Quorum
}

/// A message as clients of its queue get it.
pub(in crate::broker) fn as_delivered(queue: &QueueRef, entry: &Entry) -> Arc<Message> {
    if shows_count(queue, entry) {
        delivery_count::with_header(&entry.message, entry.returns)
    } else {
        Arc::clone(&entry.message)
    }
}
