//! Leveret: a message broker in one binary.

pub mod admin;
pub mod bench;
pub mod broker;
pub mod clock;
pub mod config;
pub(crate) mod counters;
pub mod entropy;
pub mod fault;
mod footprint;
pub mod management;
pub mod message;
pub mod net;
pub mod outbox;
pub mod queue;
pub mod routing;
pub mod security;
pub mod session;
pub mod socket;
pub mod store;
pub mod wire;
