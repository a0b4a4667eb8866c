//! What the frames of one read have gathered for the broker, and what a method's handler works with.

use std::collections::VecDeque;
use std::sync::Arc;

use super::arrears::Arrears;
use super::tx::Commit;
use crate::broker::{
    Allowance, Batch, Client, ClientOutbox, POSITIONS_PER_TURN, Publishes, QueueRef, Refusal, Room,
    Settlement, Settling, Unfinished,
};
use crate::config;
use crate::outbox::{ChannelKey, Resume, Settled, Unacked};
use crate::wire::Method;

/// A batch that grew beyond this many entries gives its memory back.
const KEPT_ENTRIES_MAX: usize = 256;

/// Messages and acknowledgements of one read, in the order in which the broker gets them: an acknowledgement never
/// reaches the journal before a message that was published ahead of it.
#[derive(Default)]
pub(super) struct Work {
    pub publishes: Publishes,
    /// The broker has more to do for messages that it was handed than a turn allows.
    begun: bool,
    /// A transaction whose commit is under way.
    pub commit: Option<Commit>,
    acknowledged: Vec<Unacked<QueueRef>>,
    resume: Vec<Resume<QueueRef>>,
    /// Channels that are to be closed for what they published.
    pub failed: Vec<(ChannelKey, Refusal)>,
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

    /// Hands everything to the broker, as far as a turn allows. What is acknowledged waits for what was published before.
    pub fn flush(&mut self, client: &Client, now_ms: u64) -> Progress {
        if !self.publishes.is_empty() || self.begun {
            let outcome = client.publish_some(&mut self.publishes, Batch::Read, now_ms);
            self.publishes.shrink_to(KEPT_ENTRIES_MAX);
            self.begun = outcome.is_none();
            match outcome {
                Some(outcome) => self.failed.extend(outcome.failed),
                None => return Progress::More,
            }
        }
        if std::mem::take(&mut self.uncommitted) {
            client.check_memory();
        }
        if !self.acknowledged.is_empty() || !self.resume.is_empty() {
            let settled = self.take_settled();
            self.settle(client, settled, Settlement::Acknowledge, now_ms);
        }
        Progress::Done
    }

    fn take_settled(&mut self) -> Settled<QueueRef> {
        let unacked = std::mem::take(&mut self.acknowledged).into();
        Settled { unacked, resume: std::mem::take(&mut self.resume) }
    }

    /// Whether messages that the broker was handed are still on their way to their queues.
    pub fn is_publishing(&self) -> bool {
        self.begun || self.commit.as_ref().is_some_and(|commit| !commit.is_published())
    }

    /// What is settled when they are there, which somebody else is to see to.
    pub fn take_rest(&mut self) -> VecDeque<Unfinished> {
        let acknowledged = (self.take_settled(), Settlement::Acknowledge);
        let committed = self.commit.take().map(Commit::into_settled);
        let settled = std::iter::once(acknowledged).chain(committed.into_iter().flatten());
        settled.map(|(settled, how)| Unfinished::Settling(Settling::new(settled, how))).collect()
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
        self.begun || self.commit.is_some() || !self.unfinished.is_empty()
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

/// How far the broker came in this turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Progress {
    /// To the end.
    Done,
    /// There is more, which comes before anything else.
    More,
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
