//! Class tx (specification 1.9): messages and settlements of a channel that wait for its commit.

use std::sync::Arc;

use super::channel::{Channel, Mode};
use super::next::Handled;
use super::refusal::of_publish;
use super::work::Context;
use crate::broker::{
    Batch, Client, ExchangeRef, Outcome, Publish, Publishes, QueueRef, Settlement, Uncommitted,
};
use crate::fault::Fault;
use crate::outbox::{ChannelKey, ChannelMode, Resume, Settled};
use crate::wire::{Method, ReplyCode, tx};

/// Messages of one transaction may hold this many bytes.
const TRANSACTION_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A commit that is under way: its messages come first. A crash in between then leaves what was consumed to be consumed
/// again, rather than neither it nor what was made of it.
pub(super) struct Commit {
    key: ChannelKey,
    transaction: Transaction,
    /// What became of the messages, when all are in their queues.
    outcome: Option<Outcome>,
}

impl Commit {
    /// Publishes a turn's worth of messages. Returns whether all are in their queues.
    pub fn publish(&mut self, client: &Client, now_ms: u64) -> bool {
        if self.outcome.is_none() {
            let publishes = &mut self.transaction.publishes;
            self.outcome = client.publish_some(publishes, Batch::Transaction, now_ms);
        }
        self.is_published()
    }

    /// Whether all its messages are in their queues.
    pub fn is_published(&self) -> bool {
        self.outcome.is_some()
    }

    /// What is to be settled behind the messages, once.
    pub fn take_settled(&mut self) -> Vec<(Settled<QueueRef>, Settlement)> {
        std::mem::take(&mut self.transaction.settled)
    }

    /// The number of its channel.
    pub fn channel(&self) -> u16 {
        self.key.number
    }

    /// All was done.
    ///
    /// # Errors
    /// Channel 406 when a message was not taken.
    pub fn end(self) -> Result<(), Fault> {
        let mut outcome = self.outcome.unwrap_or_default();
        match outcome.failed.pop() {
            Some((_, refusal)) => Err(of_publish(refusal)),
            None if outcome.refused > 0 => Err(refused("partial tx completion")),
            None => Ok(()),
        }
    }

    /// What is to be settled when its messages are in their queues.
    pub fn into_settled(self) -> Vec<(Settled<QueueRef>, Settlement)> {
        self.transaction.settled
    }
}

/// What a channel did since its last commit.
#[derive(Default)]
pub(super) struct Transaction {
    publishes: Publishes,
    uncommitted: Option<Uncommitted>,
    settled: Vec<(Settled<QueueRef>, Settlement)>,
}

impl Transaction {
    /// Adds a message.
    ///
    /// # Errors
    /// Channel 406 when the transaction would hold too much.
    pub fn publish(
        &mut self,
        client: &Client,
        exchange: &ExchangeRef,
        publish: Publish,
    ) -> Result<(), Fault> {
        let uncommitted = self.uncommitted.get_or_insert_with(|| client.uncommitted());
        uncommitted.grow(publish.message.held());
        if uncommitted.bytes() > TRANSACTION_BYTES_MAX {
            let text = format!("transaction is larger than {TRANSACTION_BYTES_MAX} bytes");
            return Err(Fault::channel(ReplyCode::PreconditionFailed, text));
        }
        self.publishes.push(exchange, publish);
        Ok(())
    }

    /// Whether it has messages.
    pub fn holds_messages(&self) -> bool {
        !self.publishes.is_empty()
    }

    /// Its messages are accepted now: until its commit nobody could have had them.
    fn accept(&mut self, now_ms: u64) {
        // Nobody else has them yet.
        self.publishes
            .messages()
            .filter_map(Arc::get_mut)
            .for_each(|message| message.accept(now_ms));
    }

    /// Adds deliveries that were settled.
    pub fn settle(&mut self, settled: Settled<QueueRef>, how: Settlement) {
        // Those that are settled alike in a row are settled together.
        match self.settled.last_mut() {
            Some((last, same)) if *same == how => {
                last.unacked.extend(settled.unacked);
                last.resume.extend(settled.resume);
            }
            _ => self.settled.push((settled, how)),
        }
    }

    /// Makes deliveries unacknowledged again and answers the consumers that waited for credit.
    pub fn abandon(&mut self, client: &Client, key: ChannelKey) -> Vec<Resume<QueueRef>> {
        let transaction = std::mem::take(self);
        let (mut unacked, mut resume) = (Vec::new(), Vec::new());
        for (settled, _) in transaction.settled {
            unacked.extend(settled.unacked);
            resume.extend(settled.resume);
        }
        client.outbox().restore(key, unacked);
        resume
    }
}

impl Channel {
    pub(super) fn tx_select(&mut self, context: &mut Context<'_>) -> Result<Handled, Fault> {
        match self.mode {
            Mode::Confirm { .. } => {
                return Err(refused("cannot switch from confirm to tx mode"));
            }
            Mode::Plain => {
                self.mode = Mode::Transaction(Box::default());
                context.outbox.note_mode(self.key, ChannelMode::Transaction);
            }
            Mode::Transaction(_) => {}
        }
        Ok(self.reply(context, &Method::TxSelectOk(tx::SelectOk)))
    }

    /// Begins a commit, which goes on in [`Session::go_on_committing`].
    ///
    /// [`Session::go_on_committing`]: super::Session::go_on_committing
    pub(super) fn tx_commit(&mut self, context: &mut Context<'_>) -> Result<(), Fault> {
        let mut committed = std::mem::take(self.transaction()?);
        committed.accept(context.now_ms);
        context.work.commit = Some(Commit { key: self.key, transaction: committed, outcome: None });
        Ok(())
    }

    pub(super) fn tx_rollback(&mut self, context: &mut Context<'_>) -> Result<Handled, Fault> {
        let key = self.key;
        let resumed = self.transaction()?.abandon(context.client, key);
        context.client.resume(resumed, context.now_ms);
        Ok(self.reply(context, &Method::TxRollbackOk(tx::RollbackOk)))
    }

    fn transaction(&mut self) -> Result<&mut Transaction, Fault> {
        match &mut self.mode {
            Mode::Transaction(transaction) => Ok(transaction),
            Mode::Plain | Mode::Confirm { .. } => Err(refused("channel is not transactional")),
        }
    }
}

fn refused(text: &str) -> Fault {
    Fault::channel(ReplyCode::PreconditionFailed, text)
}
