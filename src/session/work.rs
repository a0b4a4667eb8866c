//! What the frames of one read have gathered for the broker, and what a method's handler works with.

use std::collections::VecDeque;
use std::sync::Arc;

use super::arrears::Arrears;
use crate::broker::{
    Allowance, Client, ClientOutbox, POSITIONS_PER_TURN, Publish, QueueRef, Room, Settlement,
    Settling, Unfinished,
};
use crate::config;
use crate::fault::Fault;
use crate::outbox::{ChannelKey, Resume, Settled, Unacked};
use crate::wire::Method;

/// A batch that grew beyond this many entries gives its memory back.
const KEPT_ENTRIES_MAX: usize = 256;

/// Messages and acknowledgements of one read, in the order in which the broker gets them: an acknowledgement never
/// reaches the journal before a message that was published ahead of it.
#[derive(Default)]
pub(super) struct Work {
    pub publishes: Vec<Publish>,
    acknowledged: Vec<Unacked<QueueRef>>,
    resume: Vec<Resume<QueueRef>>,
    /// Channels that are to be closed for what they published.
    pub failed: Vec<(ChannelKey, Fault)>,
    /// The broker knows that this connection publishes.
    pub publisher: bool,
    /// Bytes of bodies that are arriving without having reserved room.
    pub unreserved_bytes: u64,
    /// What was published though memory is short.
    pub arrears: Arrears,
    /// Messages came that wait for a commit.
    pub uncommitted: bool,
    /// Room that was waited for.
    pub room: Option<Room>,
    /// Something was put into the outbox since the last look at how full it is.
    pub replied: bool,
    /// What may still be done in this turn.
    pub allowance: Allowance,
    /// What was begun and has to be finished before the next frame, in this order; and the channel that is told then that
    /// it is closed.
    pub unfinished: VecDeque<(Unfinished, Option<u16>)>,
}

impl Work {
    /// Adds acknowledged deliveries.
    pub fn acknowledge(&mut self, settled: Settled<QueueRef>) {
        self.acknowledged.extend(settled.unacked);
        self.resume.extend(settled.resume);
    }

    /// Hands everything to the broker.
    pub fn flush(&mut self, client: &Client, now_ms: u64) {
        if !self.publishes.is_empty() {
            let outcome = client.publish(&mut self.publishes, now_ms);
            self.failed.extend(outcome.failed);
            self.publishes.shrink_to(KEPT_ENTRIES_MAX);
        }
        if std::mem::take(&mut self.uncommitted) {
            client.check_memory();
        }
        if !self.acknowledged.is_empty() || !self.resume.is_empty() {
            let unacked = std::mem::take(&mut self.acknowledged).into();
            let resume = std::mem::take(&mut self.resume);
            let settled = Settled { unacked, resume };
            self.settle(client, settled, Settlement::Acknowledge, now_ms);
        }
    }

    /// Settles deliveries, after what is unfinished.
    pub fn settle(
        &mut self,
        client: &Client,
        settled: Settled<QueueRef>,
        how: Settlement,
        now_ms: u64,
    ) {
        let rest = if self.unfinished.is_empty() {
            client.begin_to_settle(settled, how, &mut self.allowance, now_ms)
        } else {
            Some(Settling::new(settled, how))
        };
        self.unfinished.extend(rest.map(|rest| (Unfinished::Settling(rest), None)));
    }

    /// Whether something has to be finished before the next frame.
    pub fn is_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Whether others are to have a turn before the next frame.
    pub fn must_yield(&self) -> bool {
        self.is_unfinished()
            || self.allowance.is_spent()
            || self.acknowledged.len() >= POSITIONS_PER_TURN
    }

    /// Whether something was put into the outbox since this was last asked.
    pub fn take_replied(&mut self) -> bool {
        std::mem::take(&mut self.replied)
    }

    /// Gives back the memory that batches grew to.
    pub fn release(&mut self) {
        self.publishes.shrink_to(0);
    }
}

/// What a method's handler works with.
pub(super) struct Context<'a> {
    pub client: &'a Arc<Client>,
    pub outbox: &'a Arc<ClientOutbox>,
    pub amqp: &'a config::Amqp,
    pub work: &'a mut Work,
    pub now_ms: u64,
}

impl Context<'_> {
    /// Hands to the broker what was gathered so far.
    pub fn flush(&mut self) {
        self.work.flush(self.client, self.now_ms);
    }

    /// Settles deliveries, as far as this turn allows.
    pub fn settle(&mut self, settled: Settled<QueueRef>, how: Settlement) {
        self.work.settle(self.client, settled, how, self.now_ms);
    }

    /// Puts a method into the outbox.
    pub fn send(&mut self, channel: u16, method: &Method<'_>) {
        self.outbox.send(channel, method);
        self.work.replied = true;
    }
}
