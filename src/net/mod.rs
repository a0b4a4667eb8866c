//! Sockets, tasks and time: everything that waits. Below this layer nothing does.
//!
//! Each connection has two tasks. The `reader` feeds its session with what the socket brings and does
//! what the session asks for; the `writer` empties the session's outbox into the socket. They share a
//! `link`, through which anyone else reaches them: the broker to wake the writer, an operator to close the
//! connection, the `watch` to drop a peer that has gone silent. A reader stops reading, and so TCP stops the
//! peer, while the peer does not read what it was sent, and where the peer would publish while an alarm is on or
//! too much waits for the disk; it still hears that it has to end, and the `watch` looks whether the socket has.
//!
//! One task looks after the time of all connections, one after the queues' timers, one does the broker's errands, one
//! gives freed memory back, one accepts, and one waits for signals.

mod certificates;
mod connection;
mod deadlines;
mod errands;
mod files;
mod heap;
mod hub;
mod link;
mod read_buffer;
mod reader;
mod rounds;
mod server;
mod shutdown;
mod signals;
mod turn;
mod watch;
mod writer;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use async_std::task;

use crate::broker::{Broker, OpenError, Surroundings};
use crate::clock;
use crate::config::Config;
use crate::socket::{Listener, Served, Tls, TlsError, why_not};

use self::hub::Hub;
use self::server::Server;

/// Why the broker does not run, or not any longer. It displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", why_not(source, &format!("`{key}` sets another")))]
    Listen {
        /// The key that names it.
        key: &'static str,
        /// The address, as configured.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Its certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What is served beside AMQP cannot be.
    #[error("{0}")]
    Beside(String),
    /// The operating system does not tell us of signals.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The store failed while the broker ran.
    #[error("the broker had to stop, because its store failed: {0}")]
    Lost(String),
}

/// Runs a broker until it is told to stop by SIGTERM or SIGINT. Blocks the thread.
///
/// The ports are taken before the data directory is touched: of two brokers that are started alike, the second
/// fails without a trace.
///
/// Something else may be served beside AMQP, of which nothing is known here: `bind` takes its address, or says in
/// one line why it cannot; `start` starts it once the broker is open, and is told where AMQP is served. What it gives back is dropped when all connections have ended, before the broker is closed.
///
/// # Errors
/// When it cannot start, or when its store fails.
pub fn serve<Bound, Running>(
    config: Config,
    bind: impl FnOnce(&Config, Option<&Arc<Tls>>) -> Result<Bound, String>,
    start: impl FnOnce(Bound, &Arc<Broker>, &[Served]) -> Running,
) -> Result<(), ServeError> {
    let began = Instant::now();
    signals::let_hang_up_pass().map_err(ServeError::Signals)?;
    let tls = config.tls.is_on().then(|| Tls::load(&config.tls).map(Arc::new)).transpose()?;
    let (listeners, served) = listen(&config, tls.as_ref())?;
    let bound = bind(&config, tls.as_ref()).map_err(ServeError::Beside)?;
    files::keep_private(&config.data_dir);
    files::raise_limit(config.amqp.connections_max);
    let hub = Arc::new(Hub::default());
    let broker =
        Broker::open(config, hub.events(), Surroundings::of_the_machine(), clock::now_ms())?;
    heap::keep_freed();
    report(&broker, began);
    let server = Arc::new(Server::new(Arc::clone(&broker), hub));
    let start = || start(bound, &broker, &served);
    task::block_on(shutdown::run(server, listeners, tls, start, began))
}

/// Takes the addresses that AMQP is served on.
fn listen(
    config: &Config,
    tls: Option<&Arc<Tls>>,
) -> Result<(Vec<Listener>, Vec<Served>), ServeError> {
    let (mut listeners, mut served) = (Vec::new(), Vec::new());
    let mut add = |key, address: &str, tls: Option<&Arc<Tls>>| {
        let failed = |source| ServeError::Listen { key, address: address.to_owned(), source };
        let listener = Listener::bind(address).map_err(failed)?;
        let protocol = if tls.is_some() { "amqp/ssl" } else { "amqp" };
        served.push(Served { protocol, address: listener.address().map_err(failed)? });
        listeners.push(match tls {
            Some(tls) => listener.secured_by(tls),
            None => listener,
        });
        Ok::<_, ServeError>(())
    };
    add("amqp.listen", &config.amqp.listen, None)?;
    if let (Some(address), Some(tls)) = (config.tls.address(), tls) {
        add("tls.listen", address, Some(tls))?;
    }
    Ok((listeners, served))
}

fn report(broker: &Broker, began: Instant) {
    let directory = &broker.config().data_dir;
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    let census = broker.census();
    log::info!("data directory {}", directory.display());
    log::info!(
        "recovered {} exchanges, {} queues, {} bindings, {} messages in {} ms",
        census.exchanges,
        census.queues,
        census.bindings,
        census.messages,
        began.elapsed().as_millis()
    );
}
