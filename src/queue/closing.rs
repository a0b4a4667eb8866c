//! Emptying a queue, and the end of it. It is shut first, under conditions that are looked at in the same breath, and takes nothing
//! from then on; closing it takes out what is in it.

use std::collections::hash_map::IntoIter;

use super::consumers::RemovedConsumers;
use super::effects::Effects;
use super::receiver::Receiver;
use super::removed::RemovedEntries;
use super::state::{Life, Queue};

/// What has to be true of a queue for it to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteCondition {
    /// It has no consumers.
    Unused,
    /// It has no ready messages, and none are on their way into it.
    Empty,
    /// `x-expires` has run out.
    Expired,
}

/// Why a queue is not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRefusal {
    /// It has consumers.
    #[error("the queue is in use")]
    InUse,
    /// It has messages.
    #[error("the queue is not empty")]
    NotEmpty,
    /// It was used in the meantime.
    #[error("the queue has not expired")]
    NotExpired,
    /// Somebody else deletes it, or has done so.
    #[error("the queue is gone")]
    Gone,
}

/// What was in a queue that was deleted.
#[derive(Debug)]
pub struct DeletedQueue<R> {
    /// The consumers it had, in the order in which they subscribed; each is owed a `basic.cancel`.
    pub receivers: RemovedConsumers<R>,
    /// Ready messages that were deleted with it: the count in `queue.delete-ok`.
    pub ready: u64,
    /// Unacknowledged messages that were deleted with it.
    pub unacknowledged: u64,
}

impl<R: Receiver> Queue<R> {
    /// Removes every ready message; unacknowledged ones stay. Returns how many were removed. They are in
    /// [`Effects::removed`], however many there are this takes no time.
    pub fn purge(&mut self, fx: &mut Effects<R>) -> u64 {
        let purged = self.ready.len();
        let lanes = self.ready.take_all();
        self.totals.purged += purged;
        if purged > 0 {
            fx.removed = Some(Box::new(RemovedEntries::new(lanes, IntoIter::default())));
        }
        purged
    }

    /// Whether the queue may be deleted on these conditions.
    ///
    /// # Errors
    /// The first reason that keeps it.
    pub fn may_close(
        &self,
        conditions: &[DeleteCondition],
        now_ms: u64,
    ) -> Result<(), DeleteRefusal> {
        if self.is_closed() {
            return Err(DeleteRefusal::Gone);
        }
        for condition in conditions {
            let (met, kept) = match condition {
                DeleteCondition::Unused => (self.consumers.len() == 0, DeleteRefusal::InUse),
                DeleteCondition::Empty => (self.ready.len() == 0, DeleteRefusal::NotEmpty),
                DeleteCondition::Expired => (self.is_expired(now_ms), DeleteRefusal::NotExpired),
            };
            if !met {
                return Err(kept);
            }
        }
        Ok(())
    }

    /// From now on the queue takes no consumers, and forgets what is appended; durable entries of that go to
    /// [`Effects::settled`]. Nothing in it expires any more.
    pub fn shut(&mut self) {
        self.life = Life::Closed;
    }

    /// Shuts the queue and empties it: everything in it goes, ready and unacknowledged, to [`Effects::removed`], and every
    /// consumer.
    pub fn close(&mut self, fx: &mut Effects<R>) -> DeletedQueue<R> {
        self.shut();
        let (ready, unacknowledged) = (self.ready.len(), self.unacknowledged.len());
        self.totals.purged += ready;
        let removed = RemovedEntries::new(self.ready.take_all(), self.unacknowledged.take_all());
        fx.removed = Some(Box::new(removed));
        DeletedQueue { ready, unacknowledged, receivers: self.consumers.take_all() }
    }

    /// Whether the queue is shut.
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }
}
