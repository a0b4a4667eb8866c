//! The names of direct reply-to, which stand beside those of queues.

/// The pseudo-queue that requesters consume from, and put into their requests' `reply-to`.
pub const QUEUE: &str = "amq.rabbitmq.reply-to";

/// How the address of every requester begins.
pub const PREFIX: &str = "amq.rabbitmq.reply-to.";

/// Whether a name stands for direct replies: such a queue may be declared, to see whether it is there, but is none.
pub(in crate::broker) fn is_name(name: &str) -> bool {
    name == QUEUE || name.starts_with(PREFIX)
}
