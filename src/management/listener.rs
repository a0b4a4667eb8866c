//! The HTTP listener: taking the address, accepting, and one hyper connection for each client, everything bounded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_std::task::{self, JoinHandle};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::answer::answer;
use super::sampler::Sampler;
use super::{Api, answer};
use crate::broker::Broker;
use crate::config::Config;
use crate::socket::{self, Socket};

/// An address that was taken, or none when the API is off.
pub struct Listener(Option<socket::Listener>);

/// Takes the address that the configuration names. With port 0 the system chooses the port.
///
/// # Errors
/// One line that says why it cannot be listened on, and which key says where.
pub fn bind(config: &Config) -> Result<Listener, String> {
    let Some(address) = config.management.address() else { return Ok(Listener(None)) };
    let socket = socket::Listener::bind(address).map_err(|error| {
        let why = socket::why_not(&error, "`management.listen` sets another, or off");
        format!("cannot listen on {address} for management: {why}")
    })?;
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
            let address = socket.address();
            let address = address.inspect_err(|error| log::error!("no management API: {error}"));
            Some((socket, address.ok()?))
        });
        let Some((socket, http)) = bound else {
            return Running { accepting: None, _sampler: None };
        };
        log::info!("listening on {http} for management (HTTP)");
        let api = Arc::new(Api::new(Arc::clone(broker), amqp, http));
        let sampler = Sampler::start(&api);
        let accepting = task::spawn(async move {
            let open = Arc::new(AtomicUsize::new(0));
            socket.accept("management connections", |socket| admit(&api, &open, socket)).await;
        });
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

fn admit(api: &Arc<Api>, open: &Arc<AtomicUsize>, socket: Socket) {
    let most = api.broker.config().management.connections_max;
    let place = Place::new(open);
    if open.load(Ordering::Relaxed) > most {
        let peer = socket.address;
        log::warn!("{peer}: refused: there are {most} management connections, as many as may be");
        return;
    }
    let api = Arc::clone(api);
    task::spawn(async move {
        serve(&api, socket).await;
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

async fn serve(api: &Arc<Api>, socket: Socket) {
    let peer = socket.address;
    let settings = &api.broker.config().management;
    let limit = Duration::from_millis(settings.request_ms_max);
    let service = service_fn(|request| {
        let api = Arc::clone(api);
        async move { Ok::<_, Infallible>(answer(api, request, peer.ip()).await) }
    });
    let stream = answer::TimedWrites::new(socket, limit);
    let connection = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(limit)
        .max_buf_size(settings.header_bytes_max)
        .serve_connection(FuturesIo::new(stream), service);
    if let Err(error) = connection.await {
        log::debug!("{peer}: management connection ended: {error}");
    }
}
