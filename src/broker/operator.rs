//! An operator: a user who works on the broker without an AMQP connection, as the management API does. What it does
//! goes through the same functions, checks and permissions as what a client does.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::broker::accounts::access::{Action, Identity};
use crate::broker::client::{Capabilities, Client, NewClient, Terms};
use crate::broker::delivery::consume::Head;
use crate::broker::delivery::paging;
use crate::broker::delivery::publish::Publish;
use crate::broker::delivery::settle::Settlement;
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::broker::topology::subscriber::as_delivered;
use crate::broker::{Broker, ClientOutbox};
use crate::message::{Message, Sizes};
use crate::outbox::{Limits, Tally};
use crate::queue::{AckMode, Position};
use crate::security::Security;
use crate::wire::{FRAME_BYTES_MIN, Table};

/// The channel that an operator publishes on.
const CHANNEL: u16 = 1;

/// What operators published, who have no connection that could count it.
#[derive(Debug, Default)]
pub(in crate::broker) struct Operators(Mutex<(Tally, Sizes)>);

impl Operators {
    pub(in crate::broker) fn tally(&self) -> (Tally, Sizes) {
        *self.0.lock()
    }
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
    /// Whether a full queue refused it.
    pub refused: bool,
    /// When it is on the disk, if it has to be.
    pub pending: Pending,
}

impl Broker {
    /// Lets a user work in a virtual host without a connection.
    ///
    /// # Errors
    /// Not allowed when there is no such virtual host or the user has no permission in it.
    pub fn operator(self: &Arc<Self>, user: &Arc<str>, vhost: &str) -> Result<Client, Refusal> {
        let limits = Limits {
            bytes_max: usize::MAX,
            unacked_per_channel_max: usize::MAX,
            unacked_bytes_per_channel_max: usize::MAX,
        };
        let outbox = Arc::new(ClientOutbox::new(limits, FRAME_BYTES_MIN, || ()));
        self.admit(NewClient {
            identity: Identity { user: Arc::clone(user) },
            vhost: vhost.to_owned(),
            peer: Terms::NONE.local,
            terms: Terms::NONE,
            security: Security::Plain,
            name: format!("operator '{user}'"),
            capabilities: Capabilities::default(),
            client_properties: Table::default(),
            // Nobody reads it: what an operator is told comes back from the functions that it calls.
            outbox: Arc::clone(&outbox),
            sink: outbox,
            close: Box::new(drop),
        })
    }
}

impl Client {
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
        let key = self.outbox.open_channel(CHANNEL);
        let publish =
            Publish { key, message: Arc::new(message), extra_keys, mandatory: true, confirm: None };
        let mut outcome = self.publish(&mut (Arc::clone(exchange), publish).into(), now_ms);
        let traffic = self.outbox.traffic();
        let mut counted = self.broker.operators.0.lock();
        counted.0.add(&traffic.tally);
        counted.1.add(&traffic.sizes);
        drop(counted);
        if let Some((_, refusal)) = outcome.failed.pop() {
            return Err(refusal);
        }
        let refused = outcome.refused > 0;
        let routed = traffic.tally.returned == 0;
        let pending = if persistent && routed { self.barrier() } else { Pending::NONE };
        Ok(Published { routed, refused, pending })
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
