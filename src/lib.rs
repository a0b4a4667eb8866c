//! Leveret: a message broker in one binary.

pub mod message;
pub mod store;
