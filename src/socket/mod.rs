//! A connection's socket as a value: what it reads from, what it writes to, a handle for everybody else, who is at its
//! ends, and how it is secured. What kind of socket it is, only this module knows: TCP, with TLS or without.

mod arriving;
mod control;
mod halves;
mod listener;
mod secured;
mod tls;

use std::net::SocketAddr;

use crate::security::Security;

pub use self::arriving::{Arriving, Handshake};
pub use self::control::Control;
pub use self::halves::{Reading, Writing};
pub use self::listener::{Listener, why_not};
pub use self::tls::{Tls, TlsError};

/// A connection that was accepted.
#[derive(Debug)]
pub struct Socket {
    /// The client's address.
    pub address: SocketAddr,
    /// Our own.
    pub local: SocketAddr,
    /// How it is secured.
    pub security: Security,
    /// What comes.
    pub reading: Reading,
    /// What goes.
    pub writing: Writing,
    /// For everybody else.
    pub control: Control,
}

/// What is served where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The protocol, as RabbitMQ's management API calls it: `amqp`, `amqp/ssl`, `http`, `https`.
    pub protocol: &'static str,
    /// Where it is listened for.
    pub address: SocketAddr,
}

impl Served {
    /// Whether clients speak TLS there.
    pub fn is_secured(&self) -> bool {
        matches!(self.protocol, "amqp/ssl" | "https")
    }
}

#[cfg(test)]
mod tests;
