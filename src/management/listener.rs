//! The HTTP listener: taking the address, accepting, and one hyper connection for each client, everything bounded.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_std::net::{TcpListener, TcpStream};
use async_std::task::{self, JoinHandle};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::answer::answer;
use super::sampler::Sampler;
use super::{Api, answer};
use crate::broker::Broker;
use crate::config::Config;

/// Accepting goes on after this long when the system refused, mostly because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

/// An address that was taken, or none when the API is off.
pub struct Listener(Option<std::net::TcpListener>);

/// Takes the address that the configuration names. With port 0 the system chooses the port.
///
/// # Errors
/// One line that says why it cannot be listened on, and which key says where.
pub fn bind(config: &Config) -> Result<Listener, String> {
    let Some(address) = config.management.address() else { return Ok(Listener(None)) };
    let failed = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "the port is in use; is a broker running already? `management.listen` sets another, or off"
                    .to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not use the port; one above 1023 needs no permission".to_owned()
            }
            _ => error.to_string(),
        };
        format!("cannot listen on {address} for management: {why}")
    };
    let socket = std::net::TcpListener::bind(address).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(Listener(Some(socket)))
}

/// The API as it runs; dropping it ends it.
pub struct Running {
    accepting: Option<JoinHandle<()>>,
    _sampler: Option<Sampler>,
}

impl Listener {
    /// Begins to serve.
    pub fn start(self, broker: &Arc<Broker>, amqp: SocketAddr) -> Running {
        let bound = self.0.and_then(|socket| {
            let address = socket.local_addr();
            let address = address.inspect_err(|error| log::error!("no management API: {error}"));
            Some((socket, address.ok()?))
        });
        let Some((socket, http)) = bound else {
            return Running { accepting: None, _sampler: None };
        };
        log::info!("listening on {http} for management (HTTP)");
        let api = Arc::new(Api::new(Arc::clone(broker), amqp, http));
        let sampler = Sampler::start(&api);
        let accepting = task::spawn(accept(api, TcpListener::from(socket)));
        Running { accepting: Some(accepting), _sampler: sampler }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            // The task goes at its next wait, which is where it always is.
            drop(task::spawn(accepting.cancel()));
        }
    }
}

async fn accept(api: Arc<Api>, listener: TcpListener) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&api, &open, stream, peer),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                log::error!("cannot accept management connections: {error}; trying again");
                task::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn admit(api: &Arc<Api>, open: &Arc<AtomicUsize>, stream: TcpStream, peer: SocketAddr) {
    let most = api.broker.config().management.connections_max;
    let place = Place::new(open);
    if open.load(Ordering::Relaxed) > most {
        log::warn!("{peer}: refused: there are {most} management connections, as many as may be");
        return;
    }
    let api = Arc::clone(api);
    task::spawn(async move {
        serve(&api, stream, peer).await;
        drop(place);
    });
}

/// One of the connections that there may be.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(api: &Arc<Api>, stream: TcpStream, peer: SocketAddr) {
    let settings = &api.broker.config().management;
    let limit = Duration::from_millis(settings.request_ms_max);
    // Answers are written in one piece, so waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let api = Arc::clone(api);
        async move { Ok::<_, Infallible>(answer(api, request, peer.ip()).await) }
    });
    let stream = answer::TimedWrites::new(stream, limit);
    let connection = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(limit)
        .max_buf_size(settings.header_bytes_max)
        .serve_connection(FuturesIo::new(stream), service);
    if let Err(error) = connection.await {
        log::debug!("{peer}: management connection ended: {error}");
    }
}
