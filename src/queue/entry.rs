//! One message's place in one queue. Entries are small, because a deep queue holds millions of them; the
//! message itself is shared with every other queue that has it.

use std::sync::Arc;

use crate::message::{Message, Position};

/// The expiry time of an entry that never expires.
pub const NEVER_MS: u64 = u64::MAX;

/// The most memory that an entry may take beside its message.
const ENTRY_BYTES_MAX: usize = 48;
const _: () = assert!(std::mem::size_of::<Entry>() <= ENTRY_BYTES_MAX);

/// A message in a queue.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its order in the queue.
    pub position: Position,
    /// The message, shared with other queues.
    pub message: Arc<Message>,
    /// The journal knows it: the queue must say when it is done with it.
    pub durable: bool,
    /// It was handed out before and came back, so a consumer may have seen it.
    pub redelivered: bool,
    /// How many times it came back.
    pub returns: u32,
    /// When it expires, in Unix milliseconds; [`NEVER_MS`] if it does not.
    pub expires_at_ms: u64,
    /// Whether a place was reserved for it, which it gives back when it is appended.
    pub reservation: Reservation,
}

/// What [`super::Queue::reserve`] did for a message. It goes with the message, because the queue may come to reserve places,
/// or no longer do, while the message is on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reservation {
    /// Nothing: the queue makes room by itself.
    #[default]
    Nothing,
    /// It counts a place as taken.
    Place,
}

impl Entry {
    /// An entry that nobody has seen yet. The queue sets its expiry when it is appended.
    pub fn new(position: Position, message: Arc<Message>, durable: bool) -> Self {
        Self {
            position,
            message,
            durable,
            redelivered: false,
            returns: 0,
            expires_at_ms: NEVER_MS,
            reservation: Reservation::Nothing,
        }
    }

    /// Bytes that it counts towards `x-max-length-bytes`: its body's, as in RabbitMQ.
    pub fn bytes(&self) -> u64 {
        self.message.body().len() as u64
    }

    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.expires_at_ms <= now_ms
    }

    /// A time to live of zero means: to a consumer at once, or not at all.
    pub(super) fn is_immediate(&self) -> bool {
        self.expires_at_ms == self.message.facts().accepted_ms
    }

    /// Sets the expiry from the message's own `expiration` and the queue's `x-message-ttl`, whichever ends first.
    pub(super) fn limit_life(&mut self, queue_ttl_ms: Option<u64>) {
        let facts = self.message.facts();
        for ttl_ms in facts.expiration_ms.into_iter().chain(queue_ttl_ms) {
            let at_ms = facts.accepted_ms.saturating_add(ttl_ms);
            self.expires_at_ms = self.expires_at_ms.min(at_ms);
        }
    }
}
