//! Leveret: a message broker in one binary.

pub mod message;
