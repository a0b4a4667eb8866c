//! What a consumer asks for when it subscribes, and how it is shown.

use crate::message::AckMode;

/// A consumer's number, unique in the broker.
pub type ConsumerId = u64;

/// A request to consume.
#[derive(Debug, Clone)]
pub struct Subscription<R> {
    /// Its number.
    pub id: ConsumerId,
    /// Its way into its outbox.
    pub receiver: R,
    /// How many messages it may hold unacknowledged; 0 for no limit. Without meaning for [`AckMode::Automatic`].
    pub prefetch: u32,
    /// Whether it acknowledges.
    pub acks: AckMode,
    /// Whether it wants the queue for itself.
    pub exclusive: Exclusivity,
    /// `x-priority`: consumers of a lower priority get what those of a higher one cannot take.
    pub priority: i32,
}

/// Whether a consumer suffers others beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusivity {
    /// It does.
    Shared,
    /// It wants to be the only one.
    Exclusive,
}

/// Why a consumer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// It wants to be the only one and is not, or somebody else is; or it wants that on a queue with a single
    /// active consumer, where RabbitMQ refuses it likewise. 403 on the wire.
    #[error("exclusive use is not possible")]
    ExclusiveInUse,
    /// The queue was deleted in the meantime. 404 on the wire.
    #[error("the queue is gone")]
    Closed,
}

/// A consumer as an operator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerState {
    /// Its number.
    pub id: ConsumerId,
    /// How many messages it may hold unacknowledged; 0 for no limit.
    pub prefetch: u32,
    /// Whether it acknowledges.
    pub acks: AckMode,
    /// Whether it is the only one by its own wish.
    pub exclusive: Exclusivity,
    /// Its priority.
    pub priority: i32,
    /// Whether it may get messages: false while it waits behind a single active consumer.
    pub active: bool,
    /// How many messages it holds.
    pub unacknowledged: u32,
}
