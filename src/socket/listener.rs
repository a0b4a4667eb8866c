//! A listening socket: taking the address, and accepting connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_std::net::TcpListener;
use async_std::task;

use super::{Arriving, Tls};

/// Accepting goes on after this long when the system refused, mostly because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// An address that was taken.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    tls: Option<Arc<Tls>>,
}

impl Listener {
    /// Takes an address. With port 0 the system chooses the port.
    ///
    /// # Errors
    /// What the system says, which [`why_not`] puts into words.
    pub fn bind(address: &str) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, tls: None })
    }

    /// The same, for connections that begin with a TLS handshake.
    pub fn secured_by(self, tls: &Arc<Tls>) -> Self {
        Self { tls: Some(Arc::clone(tls)), ..self }
    }

    /// Whether they do.
    pub fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections for ever. `whose` says in the log what they are.
    pub async fn accept(self, whose: &str, mut admit: impl FnMut(Arriving)) {
        let listener = TcpListener::from(self.socket);
        loop {
            let error = match listener.accept().await {
                Ok((stream, address)) => match Arriving::new(stream, address, self.tls.clone()) {
                    Ok(arriving) => {
                        admit(arriving);
                        continue;
                    }
                    Err(error) => {
                        log::debug!("{address}: gone before it was accepted: {error}");
                        continue;
                    }
                },
                Err(error) => error,
            };
            if is_about_one_connection(&error) {
                log::debug!("a connection was gone before it was accepted: {error}");
            } else {
                log::error!("cannot accept {whose}: {error}; trying again");
                task::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Why an address cannot be listened on, in words; `otherwise` says where another is set.
pub fn why_not(error: &io::Error, otherwise: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("the port is in use; is a broker running already? {otherwise}")
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not use the port; one above 1023 needs no permission".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Whether an error of `accept` says that the peer went away, rather than that something is wrong here.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
