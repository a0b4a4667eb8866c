//! The listening socket: taking the address, and accepting connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_std::net::{TcpListener, TcpStream};
use async_std::task;

use super::server::Server;
use super::{ServeError, connection};
use crate::session::Peer;

/// Accepting goes on after this long when the system refused, mostly because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// Takes an address. With port 0 the system chooses the port.
pub(super) fn bind(address: &str) -> Result<std::net::TcpListener, ServeError> {
    let failed = |source| ServeError::Listen { address: address.to_owned(), source };
    let socket = std::net::TcpListener::bind(address).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(socket)
}

/// Accepts connections for ever.
pub(super) async fn accept(server: Arc<Server>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Err(error) = admit(&server, stream, address) {
                    log::debug!("{address}: gone before it was accepted: {error}");
                }
            }
            Err(error) if is_about_one_connection(&error) => {
                log::debug!("a connection was gone before it was accepted: {error}");
            }
            Err(error) => {
                log::error!("cannot accept connections: {error}; trying again");
                task::sleep(ACCEPT_PAUSE).await;
            }
        }
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

fn admit(server: &Arc<Server>, stream: TcpStream, address: std::net::SocketAddr) -> io::Result<()> {
    let most = server.broker.config().amqp.connections_max;
    if server.count() >= most {
        log::warn!("{address}: refused: there are {most} connections, as many as may be");
        return Ok(());
    }
    let local = stream.local_addr()?;
    // Replies are written in one piece, so waiting for more would only delay them.
    stream.set_nodelay(true)?;
    connection::start(server, stream, Peer { address, local });
    Ok(())
}
