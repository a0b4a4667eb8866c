//! Publishing into the queue, in two phases with the journal between them: a place is reserved, then the entry
//! is appended. Length limits are kept here.

use super::effects::{Effects, Reason};
use super::entry::Entry;
use super::options::{Options, Overflow};
use super::receiver::Receiver;
use super::{Queue, delivery::ZeroTtl};
use crate::message::Message;

/// The queue is full and does not make room. The publisher is to be told with `basic.nack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// The message is refused.
    #[error("the queue is full")]
    Refuse,
    /// The message is refused, and dead-lettered with the reason `maxlen`.
    #[error("the queue is full, the message is dead-lettered")]
    DeadLetter,
}

/// Places promised to messages on their way through the journal.
#[derive(Default)]
pub(super) struct Reservations {
    messages: u64,
    bytes: u64,
}

impl Reservations {
    /// Gives back a place in a queue that counts them.
    pub(super) fn release(&mut self, options: &Options, message: &Message) {
        if options.overflow != Overflow::DropHead {
            self.messages = self.messages.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(message.body().len() as u64);
        }
    }
}

impl<R: Receiver> Queue<R> {
    /// Promises a place to a message that is about to be journaled. Only a queue that rejects publishers counts
    /// places, so that messages on their way cannot exceed its limits together; every other queue says yes.
    /// Each place is given back by [`Queue::append`] or [`Queue::release`].
    pub fn reserve(&mut self, message: &Message) -> Result<(), QueueFull> {
        let full = match self.options.overflow {
            Overflow::DropHead => return Ok(()),
            Overflow::RejectPublish => QueueFull::Refuse,
            Overflow::RejectPublishDlx => QueueFull::DeadLetter,
        };
        let bytes = message.body().len() as u64;
        let length = self.ready.len() + self.reservations.messages + 1;
        let length_bytes = self.ready.bytes() + self.reservations.bytes + bytes;
        if self.is_over(length, length_bytes) && !self.is_closed() {
            self.totals.refused += 1;
            return Err(full);
        }
        self.reservations.messages += 1;
        self.reservations.bytes += bytes;
        Ok(())
    }

    /// Gives back a reserved place whose message will not be appended after all.
    pub fn release(&mut self, message: &Message) {
        self.reservations.release(&self.options, message);
    }

    /// Appends published entries and hands out what consumers can take. Then, if the queue drops at its head, what
    /// is still ready is cut to its limits: a message that a consumer takes at once was never in the queue.
    /// Entries are ordered by position, whatever order publishers come in. Their expiry is set here. Where places are
    /// counted, each entry gives back one that [`Queue::reserve`] promised.
    pub fn append(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) {
        let mut entries = entries.into_iter();
        if !self.is_closed() {
            self.pass(&mut entries, now_ms, fx);
        }
        for mut entry in entries {
            self.release(&entry.message);
            if self.is_closed() {
                if entry.durable {
                    fx.settled.push(entry.position);
                }
                continue;
            }
            self.totals.published += 1;
            entry.limit_life(self.options.message_ttl_ms);
            self.ready.insert(entry);
        }
        self.dispatch(ZeroTtl::Deliver, now_ms, fx);
        self.expire(now_ms, fx);
        self.drop_excess(fx);
    }

    /// Drops from the head until the ready messages are within the limits. When the head is not in memory, when a
    /// consumer waits for it, or when something that has expired is counted still, this goes on upon arrival.
    pub(super) fn drop_excess(&mut self, fx: &mut Effects<R>) {
        if self.options.overflow != Overflow::DropHead {
            return;
        }
        while self.is_over(self.ready.len(), self.ready.bytes()) {
            if self.is_stalled() || self.ready.is_recalling() {
                break;
            }
            let Some(entry) = self.ready.pop_least() else { break };
            self.bury(entry, Reason::MaxLength, fx);
        }
        self.ready.take_requests(fx);
    }

    fn is_over(&self, length: u64, length_bytes: u64) -> bool {
        self.options.length_max.is_some_and(|max| length > max)
            || self.options.length_bytes_max.is_some_and(|max| length_bytes > max)
    }
}
