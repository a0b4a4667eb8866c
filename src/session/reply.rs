//! Replies that wait until what they report is on the disk, or are not wanted at all.

use std::sync::Arc;

use crate::message::AckMode;
use crate::wire::Method;

/// A reply that owns its text, and can wait.
#[derive(Debug)]
pub(super) enum Reply {
    /// One without text of its own.
    Method(Method<'static>),
    /// `queue.declare-ok`.
    Declared { queue: Arc<str>, messages: u32, consumers: u32 },
    /// `basic.get-ok` or `basic.get-empty`: the get is tried again.
    Get(Get),
}

/// A `basic.get` that waits for its message.
#[derive(Debug)]
pub(super) struct Get {
    pub queue: Box<str>,
    pub acks: AckMode,
}
