//! A message in a queue, as queues, outboxes and the store speak of it: where it stands, what is known of it while it is in
//! the journal alone, and who has to acknowledge it.

use std::sync::Arc;

use super::Message;

/// Where a message stands in its queue: unique there, and lower comes first. The broker gives it before the message is
/// journaled.
pub type Position = u64;

/// Positions that follow each other without a gap: `count` of them from `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The lowest.
    pub first: Position,
    /// How many, at least 1.
    pub count: u64,
}

impl Run {
    /// The highest position of the run.
    pub fn last(self) -> Position {
        self.first.saturating_add(self.count.saturating_sub(1))
    }
}

/// What is known of a message in the journal without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its position in the queue.
    pub position: Position,
    /// Bytes of its body.
    pub body_bytes: u32,
    /// How many times it has come back to the queue.
    pub returns: u32,
    /// Its priority, 0 when it has none.
    pub priority: u8,
    /// When the broker accepted it, in Unix milliseconds.
    pub accepted_ms: u64,
    /// How long it lives by its own word, in milliseconds.
    pub expiration_ms: Option<u64>,
}

/// A message that was read from the journal.
#[derive(Debug, Clone)]
pub struct LoadedMessage {
    /// Its position in the queue.
    pub position: Position,
    /// The message.
    pub message: Arc<Message>,
    /// How many times it has come back to the queue.
    pub returns: u32,
}

/// Whether a delivery is to be acknowledged (specification: the `no-ack` bit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckMode {
    /// The client acknowledges it.
    Manual,
    /// It counts as acknowledged when it is handed over.
    Automatic,
}
