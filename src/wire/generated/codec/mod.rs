//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Parsers and encoders of the methods' arguments.

pub(super) mod access;
pub(super) mod basic;
pub(super) mod channel;
pub(super) mod confirm;
pub(super) mod connection;
pub(super) mod exchange;
pub(super) mod queue;
pub(super) mod tx;
