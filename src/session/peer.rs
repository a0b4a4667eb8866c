//! The two ends of a connection.

use std::fmt;
use std::net::SocketAddr;

/// The two ends of a connection. It displays as RabbitMQ names connections: `peer -> local`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// Our own.
    pub local: SocketAddr,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.address, self.local)
    }
}
