//! What is known of a message in the journal without reading it.

use super::entry::Position;

/// What is known at a start of a message that is in the journal.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    /// Where it stands.
    pub position: Position,
    /// Bytes of its body.
    pub body_bytes: u32,
    /// Its priority.
    pub priority: u8,
    /// When the broker accepted it, in Unix milliseconds.
    pub accepted_ms: u64,
    /// How long it lives by its own word, in milliseconds.
    pub expiration_ms: Option<u64>,
}
