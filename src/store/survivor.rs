//! What the store tells of a live message at a start, without reading it.

use super::operation::Position;

/// What the store knows of a live message without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survivor {
    /// Its place in the queue.
    pub position: Position,
    /// Bytes of its body.
    pub body_bytes: u32,
    /// How often it has come back to the queue.
    pub returns: u32,
    /// Its priority, 0 when it has none.
    pub priority: u8,
    /// When the broker accepted it, in milliseconds since the Unix epoch.
    pub accepted_ms: u64,
    /// Its own expiration in milliseconds, when it has one.
    pub expiration_ms: Option<u64>,
}
