//! Replies that wait until what they report is on the disk, or are not wanted at all.

use std::sync::Arc;

use crate::broker::{ClientOutbox, Pending};
use crate::outbox::Acks;
use crate::wire::{Method, queue};

/// A reply that owns its text.
#[derive(Debug)]
pub(super) enum Reply {
    /// One without text of its own.
    Method(Method<'static>),
    /// `queue.declare-ok`.
    Declared { queue: Arc<str>, messages: u32, consumers: u32 },
}

impl Reply {
    pub(super) fn send(&self, outbox: &ClientOutbox, channel: u16) {
        match self {
            Self::Method(method) => outbox.send(channel, method),
            Self::Declared { queue, messages, consumers } => {
                let declared = queue::DeclareOk {
                    queue,
                    message_count: *messages,
                    consumer_count: *consumers,
                };
                outbox.send(channel, &Method::QueueDeclareOk(declared));
            }
        }
    }
}

/// A `basic.get` that waits for its message.
#[derive(Debug)]
pub(super) struct Get {
    pub queue: Box<str>,
    pub acks: Acks,
}

/// What a method's handler leaves to be done.
#[derive(Debug)]
#[must_use]
pub(super) enum Answer {
    /// Nothing: the reply was sent, or there is none.
    Given,
    /// The reply is sent when the change is on the disk.
    Later(Pending, Reply),
    /// There is none, but the change is still on its way to the disk.
    None(Pending),
    /// The message to be fetched is on its way into memory: then it is tried again.
    Again(Pending, Get),
}

impl Answer {
    /// The reply to a change. With `no-wait` there is none, and nothing to wait for while the disk keeps up.
    pub(super) fn to_change(pending: Pending, no_wait: bool, reply: Reply) -> Self {
        match (no_wait, pending.is_done()) {
            (false, _) => Self::Later(pending, reply),
            (true, true) => Self::Given,
            (true, false) => Self::None(pending),
        }
    }
}
