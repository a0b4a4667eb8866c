//! The settings in force of a queue and of an exchange: one value for each, replaced as a whole and read without a lock.
//! They begin as what the arguments say.

use std::sync::Arc;

use crate::broker::topology::arguments::DeadLetterTarget;
use crate::queue::Options;

/// What decides about a queue's messages at present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueInForce {
    /// Limits and expiry.
    pub options: Options,
    /// Where dead letters go.
    pub dead_letter: Option<DeadLetterTarget>,
}

/// What decides about an exchange's messages at present, beside its bindings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeInForce {
    /// Where messages go that no binding took.
    pub alternate: Option<Arc<str>>,
}
