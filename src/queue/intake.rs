//! Publishing into the queue, in two phases with the journal between them: a place is reserved, then the entry
//! is appended. Length limits are kept here.

use super::dispatch::ZeroTtl;
use super::effects::{Effects, Reason};
use super::entry::{Entry, Reservation};
use super::options::Overflow;
use super::receiver::Receiver;
use super::state::{DEATHS_PER_CALL, Queue};
use crate::message::Message;

/// The queue is full and does not make room. The publisher is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// The message is refused.
    #[error("the queue is full")]
    Refuse,
    /// The message is refused, and dead-lettered with the reason `maxlen`.
    #[error("the queue is full, the message is dead-lettered")]
    DeadLetter,
}

impl<R: Receiver> Queue<R> {
    /// Promises a place to a message that is about to be journaled. Only a queue that rejects publishers counts
    /// places, so that messages on their way cannot exceed its limits together; every other queue says yes.
    /// What it returns goes with the entry to [`Queue::append`], or to [`Queue::release`].
    pub fn reserve(&mut self, message: &Message) -> Result<Reservation, QueueFull> {
        let full = match self.options.overflow {
            Overflow::DropHead => return Ok(Reservation::Nothing),
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
        Ok(Reservation::Place)
    }

    /// Gives back what was reserved for a message that will not be appended after all.
    pub fn release(&mut self, reservation: Reservation, message: &Message) {
        self.reservations.give_back(reservation, message);
    }

    /// Hands published entries to consumers, and appends those that nobody takes at once. Then, if the queue drops at its
    /// head, what is still ready is cut to its limits: a message that a consumer takes at once was never in the queue.
    /// What waits is ordered by position, whatever order publishers come in. Expiries are set here, and each entry gives
    /// back the place that it holds.
    pub fn append(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) {
        let mut entries = entries.into_iter().peekable();
        if self.is_closed() {
            return self.forget(entries, fx);
        }
        self.hand_over(&mut entries, now_ms, fx);
        for entry in entries {
            let entry = self.reservations.admit(entry, &self.options, &mut self.totals);
            self.ready.insert(entry);
        }
        self.dispatch(ZeroTtl::Deliver, now_ms, fx);
        self.expire(now_ms, fx);
        self.drop_excess(fx);
    }

    /// Drops entries that came too late: the queue is closed.
    fn forget(&mut self, entries: impl Iterator<Item = Entry>, fx: &mut Effects<R>) {
        for entry in entries {
            self.release(entry.reservation, &entry.message);
            if entry.durable {
                fx.settled.push(entry.position);
            }
        }
    }

    /// Drops from the head until the ready messages are within the limits, or as many were dropped as one call may; the
    /// rest goes on in [`Queue::tend`]. When the head is not in memory, when a
    /// consumer waits for it, or when something that has expired is counted still, this goes on when it was loaded.
    pub(super) fn drop_excess(&mut self, fx: &mut Effects<R>) {
        if self.options.overflow != Overflow::DropHead || self.is_closed() || self.is_held() {
            return;
        }
        let mut remaining = DEATHS_PER_CALL;
        self.is_over_long = false;
        while self.is_too_long() {
            if remaining == 0 {
                self.is_over_long = true;
                break;
            }
            remaining -= 1;
            if self.is_stalled() || self.ready.is_recalling() {
                break;
            }
            let Some(entry) = self.ready.pop_least() else { break };
            self.dead_letter(entry, Reason::MaxLength, fx);
        }
        self.hand_over_requests(fx);
    }

    /// Whether what is ready is more than the limits allow.
    pub(super) fn is_too_long(&self) -> bool {
        self.is_over(self.ready.len(), self.ready.bytes())
    }

    fn is_over(&self, length: u64, length_bytes: u64) -> bool {
        self.options.length_max.is_some_and(|max| length > max)
            || self.options.length_bytes_max.is_some_and(|max| length_bytes > max)
    }
}
