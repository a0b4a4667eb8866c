//! Consumers coming and going, and messages fetched one by one (specification 1.8.3).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::broker::Broker;
use crate::broker::accounts::access::Action;
use crate::broker::client::Client;
use crate::broker::delivery::paging;
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::{Consumer, Subscription};
use crate::message::AckMode;
use crate::outbox::{ChannelKey, Delivery};
use crate::queue::{self, DeleteCondition, GetOutcome, Got, SubscribeError};
use crate::wire::Table;

pub use crate::queue::Exclusivity;

/// A `basic.consume`.
#[derive(Debug, Clone, Copy)]
pub struct Consume<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The consumer tag, unique on the channel.
    pub tag: &'a str,
    /// Whether deliveries will be acknowledged.
    pub acks: AckMode,
    /// Whether it wants the queue for itself.
    pub exclusive: Exclusivity,
    /// Further arguments; `x-priority` has a meaning.
    pub arguments: &'a Table,
    /// How many deliveries may be unacknowledged at once; 0 for no limit of its own.
    pub prefetch: u32,
}

/// What came of a `basic.get`.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub enum Fetch {
    /// A message, which is in the outbox.
    Got,
    /// There is none.
    Empty,
    /// It is to be tried again when this is done.
    Later(Pending),
}

/// What fetching from a queue's head found.
pub(in crate::broker) enum Head {
    /// A message.
    Got(Got),
    /// One that has to be read from the journal first; it is to be tried again when this is done.
    Later(Pending),
    /// Nothing.
    Empty,
    /// The queue was deleted in the meantime.
    Gone,
}

impl Broker {
    /// Ends a consumer, and an auto-delete queue with its last.
    pub(in crate::broker) fn cancel(&self, consumer: &Consumer, now_ms: u64) {
        let subscription = &consumer.0;
        let queue = &subscription.queue;
        subscription.live.store(false, Ordering::Release);
        let left = self
            .with_queue(queue, now_ms, |state, fx| state.unsubscribe(subscription.id, now_ms, fx));
        if !left {
            return;
        }
        subscription.outbox.forget_consumer(subscription.key);
        if queue.lifetime.auto_delete {
            // Nobody waits for this deletion to be on the disk. Whoever consumes from it meanwhile keeps it.
            let _ = self.remove_queue(queue, &[DeleteCondition::Unused], now_ms);
        }
    }

    /// Takes the message at the head of a queue.
    pub(in crate::broker) fn take_head(
        &self,
        queue: &QueueRef,
        acks: AckMode,
        now_ms: u64,
    ) -> Head {
        self.with_queue(queue, now_ms, |state, fx| match state.get(acks, now_ms, fx) {
            GetOutcome::Got(got) => Head::Got(got),
            GetOutcome::Later => Head::Later(paging::wait_for_arrival(queue)),
            GetOutcome::Empty => Head::Empty,
            GetOutcome::Gone => Head::Gone,
        })
    }
}

impl Client {
    /// Subscribes a consumer that gets nothing until [`Client::start`].
    ///
    /// # Errors
    /// Access refused, not found, locked, limit reached or precondition failed, with RabbitMQ's texts.
    pub fn consume(
        &self,
        key: ChannelKey,
        consume: Consume<'_>,
        now_ms: u64,
    ) -> Result<Consumer, Refusal> {
        let name = self.queue_name(consume.queue);
        self.permit(Action::Read, &name)?;
        let priority = priority(consume.arguments, &name)?;
        self.vhost.arguments.expect_room(consume.arguments, &self.broker.config.limits).map_err(
            |full| {
                let text = format!("cannot consume from {name}: {full}");
                Refusal::limit_reached(text)
            },
        )?;
        let queue = self.queue(consume.queue)?;
        let consumer = Consumer(Arc::new(Subscription {
            id: self.broker.next_consumer_id(),
            client: self.id,
            arguments: consume.arguments.clone(),
            _charge: self.vhost.arguments.charge(consume.arguments.held_bytes()),
            tag: Arc::from(consume.tag),
            key,
            acks: consume.acks,
            queue: Arc::clone(&queue),
            outbox: Arc::clone(&self.outbox),
            sink: Arc::clone(&self.sink),
            cancel_notify: self.capabilities.consumer_cancel_notify,
            started: AtomicBool::new(false),
            live: AtomicBool::new(true),
            end_told: AtomicBool::new(false),
        }));
        let subscription = queue::Subscription {
            id: consumer.0.id,
            receiver: consumer.clone(),
            prefetch: consume.prefetch,
            acks: consume.acks,
            exclusive: consume.exclusive,
            priority,
        };
        // Counted first: the queue may be deleted, and its consumers with it, as soon as they stand in it.
        self.outbox.note_consumer(key);
        let subscribed = self
            .broker
            .with_queue(&queue, now_ms, |state, fx| state.subscribe(subscription, now_ms, fx));
        let Err(refusal) = subscribed else { return Ok(consumer) };
        self.outbox.forget_consumer(key);
        Err(match refusal {
            SubscribeError::Closed => name.not_found(),
            SubscribeError::ExclusiveInUse => {
                let text = format!("{name} in exclusive use");
                Refusal::access_refused(text)
            }
        })
    }

    /// Lets deliveries to a consumer begin: its client knows the consumer tag now.
    pub fn start(&self, consumer: &Consumer, now_ms: u64) {
        let subscription = &consumer.0;
        let is_gone = self.broker.with_queue(&subscription.queue, now_ms, |state, fx| {
            subscription.started.store(true, Ordering::Release);
            state.resume(subscription.id, now_ms, fx);
            state.is_closed()
        });
        // Whoever deletes the queue tells those that had started before it was shut.
        if is_gone {
            subscription.tell_end();
        }
    }

    /// Ends a consumer. Nothing is delivered to it any more; what it holds stays unacknowledged.
    pub fn cancel(&self, consumer: &Consumer, now_ms: u64) {
        self.broker.cancel(consumer, now_ms);
    }

    /// Fetches one message into the outbox (specification 1.8.3.10), unless there is none, or it has to be read from the
    /// journal first.
    ///
    /// # Errors
    /// Access refused, not found or locked.
    pub fn get(
        &self,
        key: ChannelKey,
        queue: &str,
        acks: AckMode,
        now_ms: u64,
    ) -> Result<Fetch, Refusal> {
        self.permit(Action::Read, &self.queue_name(queue))?;
        let queue = self.queue(queue)?;
        let got = match self.broker.take_head(&queue, acks, now_ms) {
            Head::Got(got) => got,
            Head::Later(arrival) => return Ok(Fetch::Later(arrival)),
            Head::Gone => return Err(self.queue_name(&queue.name).not_found()),
            Head::Empty => {
                self.outbox.note_empty(key);
                return Ok(Fetch::Empty);
            }
        };
        let message = crate::broker::topology::subscriber::as_delivered(&queue, &got.entry);
        let delivery = Delivery {
            queue: &queue,
            consumer: 0,
            tag: "",
            position: got.entry.position,
            acks,
            redelivered: got.entry.redelivered,
            message: &message,
        };
        let remaining = u32::try_from(got.remaining).unwrap_or(u32::MAX);
        self.outbox.get_ok(key, &delivery, remaining);
        Ok(Fetch::Got)
    }
}

/// The `x-priority` argument of a consumer.
fn priority(arguments: &Table, name: &Resource<'_>) -> Result<i32, Refusal> {
    const KEY: &str = "x-priority";
    let Some(value) = arguments.get(KEY) else { return Ok(0) };
    match value.as_int() {
        Some(priority) => Ok(priority.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32),
        None => {
            let kind = value.type_name();
            let text = format!("invalid arg '{KEY}' for {name}: \"expected integer, got {kind}\"");
            Err(Refusal::precondition_failed(text))
        }
    }
}
