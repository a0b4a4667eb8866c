//! Leveret: a message broker in one binary.

pub mod admin;
pub mod config;
pub mod message;
pub mod queue;
