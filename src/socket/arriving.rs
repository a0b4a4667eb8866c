//! A connection that was accepted and whose handshake, if it has one, is still to come.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_std::future::timeout;
use async_std::net::TcpStream;

use super::secured::Half;
use super::tls::{self, Tls};
use super::{Control, Reading, Socket, Writing};
use crate::security::Security;

/// A connection at the door.
#[derive(Debug)]
pub struct Arriving {
    stream: TcpStream,
    address: SocketAddr,
    local: SocketAddr,
    tls: Option<Arc<Tls>>,
}

impl Arriving {
    pub(super) fn new(
        stream: TcpStream,
        address: SocketAddr,
        tls: Option<Arc<Tls>>,
    ) -> io::Result<Self> {
        // What is written, is written in one piece: waiting for more would only delay it.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(Self { stream, address, local, tls })
    }

    /// The client's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the connection in, or says what has to come before.
    ///
    /// # Errors
    /// The handshake, where there is one.
    pub fn enter(self) -> Result<Socket, Handshake> {
        let Self { stream, address, local, tls } = self;
        let Some(tls) = tls else {
            return Ok(Socket {
                address,
                local,
                security: Security::Plain,
                reading: Reading::plain(stream.clone()),
                writing: Writing::plain(stream.clone()),
                control: Control::of(stream),
            });
        };
        Err(Handshake { stream, address, local, tls })
    }
}

/// A TLS handshake that is to come.
#[derive(Debug)]
pub struct Handshake {
    stream: TcpStream,
    address: SocketAddr,
    local: SocketAddr,
    tls: Arc<Tls>,
}

impl Handshake {
    /// Carries it out. It may take so long.
    ///
    /// # Errors
    /// In words, why it did not come about.
    pub async fn carry_out(self, limit: Duration) -> Result<Socket, String> {
        let Self { stream, address, local, tls } = self;
        let control = Control::of(stream.clone());
        let Ok(secured) = timeout(limit, tls.accept(stream)).await else {
            return Err("the TLS handshake took too long".to_owned());
        };
        let secured = secured.map_err(|error| tls::why_failed(&error))?;
        let security = tls::agreed(secured.get_ref().1);
        let (reading, writing) = Half::two_of(secured);
        let (reading, writing) = (Reading::secured(reading), Writing::secured(writing));
        Ok(Socket { address, local, security, reading, writing, control })
    }
}
