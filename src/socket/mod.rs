//! A connection's socket as a value: what it reads from, what it writes to, a handle for everybody else, who is at its
//! ends, and how it is secured. What kind of socket it is, only this module knows: plain TCP.

mod control;
mod halves;
mod listener;

use std::io;
use std::net::SocketAddr;

use async_std::net::TcpStream;

pub use self::control::Control;
pub use self::halves::{Reading, Writing};
pub use self::listener::{Listener, why_not};

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

/// What is known about who may read along, and about who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Nothing is encrypted, and nobody has shown a certificate.
    Plain,
}

impl Socket {
    fn of(stream: TcpStream, address: SocketAddr) -> io::Result<Self> {
        // What is written, is written in one piece: waiting for more would only delay it.
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            local: stream.local_addr()?,
            security: Security::Plain,
            reading: Reading::of(stream.clone()),
            writing: Writing::of(stream.clone()),
            control: Control::of(stream),
        })
    }
}

#[cfg(test)]
mod tests;
