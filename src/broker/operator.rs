//! An operator: a user who works on the broker without an AMQP connection, as the management API does. What it does
//! goes through the same functions, checks and permissions as what a client does.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::broker::Broker;
use crate::broker::accounts::access::Action;
use crate::broker::actor::Actor;
use crate::broker::delivery::consume::Head;
use crate::broker::delivery::paging;
use crate::broker::delivery::publish::Publish;
use crate::broker::delivery::settling::Settlement;
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::broker::sink::{Shortage, Sink};
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::as_delivered;
use crate::message::{Message, Sizes};
use crate::outbox::{ChannelKey, Tally};
use crate::queue::{AckMode, Position};

/// What operators published, who have no connection that could count it.
#[derive(Debug, Default)]
pub(in crate::broker) struct Operators(Mutex<(Tally, Sizes)>);

impl Operators {
    pub(in crate::broker) fn tally(&self) -> (Tally, Sizes) {
        *self.0.lock()
    }
}

impl Sink for Operators {
    fn published(&self, tallies: &[(ChannelKey, Tally)], all_sizes: &Sizes) {
        let (tally, sizes) = &mut *self.0.lock();
        tallies.iter().for_each(|(_, more)| tally.add(more));
        sizes.add(all_sizes);
    }

    // What else there is to say an operator is answered by what it calls.
    fn accepted(&self, _: ChannelKey, _: &[u64]) {}
    fn refused(&self, _: ChannelKey, _: u64) {}
    fn unroutable(&self, _: ChannelKey, _: &Arc<Message>) {}
    fn cancelled(&self, _: ChannelKey, _: &str) {}
    fn blocked(&self, _: Shortage) {}
    fn unblocked(&self) {}
}

/// A message that an operator took out of a queue, or gave back after a look.
#[derive(Debug)]
pub struct Fetched {
    /// The message, as a client would get it.
    pub message: Arc<Message>,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Ready messages that were left behind it.
    pub remaining: u64,
}

/// A ready message that was looked at and stays where it is.
#[derive(Debug)]
pub struct Peeked {
    /// The message, as a client would get it.
    pub message: Arc<Message>,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
}

/// What became of a message that an operator published.
#[derive(Debug)]
pub struct Published {
    /// Whether a queue took it.
    pub routed: bool,
    /// The full queue that refused it, the first of them.
    pub refused_by: Option<QueueRef>,
    /// When it is on the disk, if it has to be.
    pub pending: Pending,
}

impl Broker {
    /// Lets a user work in a virtual host without a connection.
    ///
    /// # Errors
    /// Not allowed when there is no such virtual host or the user has no permission in it.
    pub fn operator(self: &Arc<Self>, user: &Arc<str>, vhost: &str) -> Result<Actor, Refusal> {
        self.admit(user, vhost, None, self.operators.clone())
    }
}

impl Actor {
    /// Publishes one message and says what became of it. An exchange that does not exist has no target.
    ///
    /// # Errors
    /// Precondition failed when it would take too much work to route it.
    pub fn publish_one(
        &self,
        exchange: &super::ExchangeRef,
        message: Message,
        extra_keys: Vec<String>,
        now_ms: u64,
    ) -> Result<Published, Refusal> {
        let persistent = message.facts().persistent;
        let (key, message) = (ChannelKey::NONE, Arc::new(message));
        let publish = Publish { key, message, extra_keys, mandatory: true, confirm: None };
        let mut outcome = self.publish_at_once((Arc::clone(exchange), publish).into(), now_ms);
        if let Some((_, refusal)) = outcome.failed.pop() {
            return Err(refusal);
        }
        let routed = outcome.unroutable == 0;
        let pending = if persistent && routed { self.barrier() } else { Pending::NONE };
        Ok(Published { routed, refused_by: outcome.refused_by, pending })
    }

    /// Takes up to `count` ready messages from the head of a queue, and settles all of them alike once the last was
    /// taken. It stops at the message with which their bodies pass `bytes_max`.
    ///
    /// # Errors
    /// Access refused, not found or locked.
    pub fn fetch(
        &self,
        queue: &str,
        count: usize,
        bytes_max: usize,
        then: Settlement,
        now_ms: u64,
    ) -> Result<Vec<Fetched>, Refusal> {
        self.permit(Action::Read, &self.queue_name(queue))?;
        let queue = self.queue(queue)?;
        let mut fetched = Vec::new();
        let mut positions: Vec<Position> = Vec::new();
        let mut bytes = 0;
        while fetched.len() < count && bytes <= bytes_max {
            let got = match self.broker.take_head(&queue, AckMode::Manual, now_ms) {
                Head::Got(got) => got,
                Head::Later(arrival) => match arrival.wait_blocking() {
                    Ok(()) => continue,
                    // The store is lost: nothing arrives any more.
                    Err(_) => break,
                },
                Head::Empty => break,
                Head::Gone if fetched.is_empty() => {
                    return Err(self.queue_name(&queue.name).not_found());
                }
                Head::Gone => break,
            };
            positions.push(got.entry.position);
            bytes += got.entry.message.body().len();
            fetched.push(Fetched {
                message: as_delivered(&queue, &got.entry),
                redelivered: got.entry.redelivered,
                remaining: got.remaining,
            });
        }
        self.broker.settle_positions(&queue, &positions, then, now_ms);
        Ok(fetched)
    }

    /// Looks at up to `count` ready messages from the head of a queue, and answers how many are ready in all. What is
    /// deep in a queue and not in memory is not read for it: then there are fewer, though at least one. It stops at the message with which their bodies pass `bytes_max`. Nothing changes by it.
    ///
    /// # Errors
    /// Access refused, not found or locked.
    pub fn peek(
        &self,
        queue: &str,
        count: usize,
        bytes_max: usize,
        now_ms: u64,
    ) -> Result<(Vec<Peeked>, u64), Refusal> {
        self.permit(Action::Read, &self.queue_name(queue))?;
        let queue = self.queue(queue)?;
        let (entries, ready) = loop {
            let (entries, ready, arrival) = self.broker.with_queue(&queue, now_ms, |state, fx| {
                let entries = state.peek(count, bytes_max, fx);
                let ready = state.counts().ready;
                let is_late = entries.is_empty() && ready > 0 && count > 0;
                (entries, ready, is_late.then(|| paging::wait_for_arrival(&queue)))
            });
            // When the store is lost nothing arrives any more, and there is nothing to show.
            if arrival.is_none_or(|arrival| arrival.wait_blocking().is_err()) {
                break (entries, ready);
            }
        };
        let peeked = entries.iter().map(|entry| Peeked {
            message: as_delivered(&queue, entry),
            redelivered: entry.redelivered,
        });
        Ok((peeked.collect(), ready))
    }
}
