//! One message on its way to a consumer: what the outbox is told of it, and what it says to it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::unacked::Unacked;
use crate::message::{AckMode, Message, Position};

/// A channel of this connection as it was opened: a number may be opened again after a close, and what was
/// under way for its earlier life must not reach the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelKey {
    /// The channel's number on the wire.
    pub number: u16,
    pub(super) epoch: u32,
}

impl ChannelKey {
    /// Of somebody who has no channels.
    pub const NONE: Self = Self { number: 0, epoch: 0 };
}

/// One message on its way to a consumer.
#[derive(Debug)]
pub struct Delivery<'a, Q> {
    /// The queue that it comes from.
    pub queue: &'a Q,
    /// The consumer, by the broker's number for it.
    pub consumer: u64,
    /// The consumer tag that the client knows it by.
    pub tag: &'a str,
    /// The message's position in the queue.
    pub position: Position,
    /// Whether the client will acknowledge it.
    pub acks: AckMode,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// The message itself.
    pub message: &'a Arc<Message>,
}

/// How a delivery was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It will be written; the writer has already been told, or will be by whoever came first.
    Taken,
    /// It will be written; the caller is the first since the last write and wakes the writer when it is done.
    TakenFirst,
    /// No room or no credit on the channel. The consumer is remembered and comes back from
    /// [`super::Outbox::drain`] or [`Settled::resume`] when there is.
    Full,
    /// The channel or the connection is closing.
    Gone,
}

/// A consumer that may be offered messages again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume<Q> {
    /// Its queue.
    pub queue: Q,
    /// The broker's number for it.
    pub consumer: u64,
}

/// What settling deliveries gave back.
#[derive(Debug)]
pub struct Settled<Q> {
    /// The deliveries that were taken, oldest first.
    pub unacked: SmallVec<[Unacked<Q>; 1]>,
    /// Consumers of the channel that waited for its credit.
    pub resume: Vec<Resume<Q>>,
}

/// The client named a delivery tag that is not unacknowledged on its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownTag;
