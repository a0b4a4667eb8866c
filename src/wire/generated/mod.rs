//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! The protocol as `grammar/amqp-0-9-1.toml` has it. Not written by hand: change the grammar.

mod codec;

pub mod access;
pub mod basic;
pub mod channel;
pub mod confirm;
pub mod connection;
pub mod constant;
pub mod exchange;
pub mod method;
pub mod properties;
pub mod queue;
pub mod reply_code;
pub mod tx;
