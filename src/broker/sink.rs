//! What a connection hears of the broker beside its deliveries: each protocol says it to its clients in its own way.
//! Everything here is rare or stands for a whole batch; what a queue delivers goes into the outbox without a detour.

use std::sync::Arc;

use crate::message::{Message, Sizes};
use crate::outbox::{ChannelKey, Tally};

/// Hears for one connection what became of its messages, its consumers, and its right to publish. It must neither wait
/// nor call the broker.
pub trait Sink: Send + Sync {
    /// Messages of a batch were published: what there is to count of them, by channel.
    fn published(&self, tallies: &[(ChannelKey, Tally)], sizes: &Sizes);

    /// The messages of these numbers are where they belong, and safe if they were to be: in no queue, if none takes them.
    fn accepted(&self, channel: ChannelKey, numbers: &[u64]);

    /// A full queue refused the message of this number.
    fn refused(&self, channel: ChannelKey, number: u64);

    /// No queue takes a message that was to come back then. It is accepted later on, if it has a number.
    fn unroutable(&self, channel: ChannelKey, message: &Arc<Message>);

    /// The queue of a consumer is gone, and the consumer with it.
    fn cancelled(&self, channel: ChannelKey, tag: &str);

    /// An alarm holds this publisher back from now on.
    fn blocked(&self, shortage: Shortage);

    /// No alarm does any more.
    fn unblocked(&self);
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Messages hold too much memory.
    Memory,
    /// The data directory's file system is full, or nearly.
    Disk,
    /// Both.
    MemoryAndDisk,
}

impl Shortage {
    /// For people, in RabbitMQ's words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Memory => "low on memory",
            Self::Disk => "low on disk",
            Self::MemoryAndDisk => "low on memory & disk",
        }
    }
}
