//! Leveret: a message broker in one binary.

pub mod config;
pub mod message;
pub mod queue;
pub mod wire;
