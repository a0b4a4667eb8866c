//! The HTTP listener: taking the address, accepting, and one hyper connection for each client, everything bounded.

use std::convert::Infallible;
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
use crate::socket::{self, Arriving, Served, Socket, Tls};

/// The addresses that were taken, none when the API is off.
pub struct Listener(Vec<socket::Listener>, Option<Arc<Tls>>);

/// Takes the addresses that the configuration names, those with TLS too. With port 0 the system chooses the port.
///
/// # Errors
/// One line that says why one cannot be listened on, and which key says where.
pub fn bind(config: &Config, tls: Option<&Arc<Tls>>) -> Result<Listener, String> {
    let bound = |address: &str, key: &str| {
        socket::Listener::bind(address).map_err(|error| {
            let why = socket::why_not(&error, &format!("`{key}` sets another, or off"));
            format!("cannot listen on {address} for management: {why}")
        })
    };
    let mut sockets = Vec::new();
    if let Some(address) = config.management.address() {
        sockets.push(bound(address, "management.listen")?);
    }
    if let (Some(address), Some(tls)) = (config.tls.management_address(), tls) {
        sockets.push(bound(address, "tls.management_listen")?.secured_by(tls));
    }
    Ok(Listener(sockets, tls.cloned()))
}

/// The API as it runs; dropping it ends it.
pub struct Running {
    accepting: Vec<JoinHandle<()>>,
    _sampler: Option<Sampler>,
}

impl Listener {
    /// Begins to serve.
    pub fn start(self, broker: &Arc<Broker>, amqp: &[Served]) -> Running {
        let mut served = amqp.to_vec();
        for socket in &self.0 {
            let Ok(address) = socket.address() else { continue };
            let (protocol, name) = match socket.is_secured() {
                false => ("http", "HTTP"),
                true => ("https", "HTTPS"),
            };
            log::info!("listening on {address} for management ({name})");
            served.push(Served { protocol, address });
        }
        if self.0.is_empty() {
            return Running { accepting: Vec::new(), _sampler: None };
        }
        let api = Arc::new(Api::new(Arc::clone(broker), served, self.1));
        let sampler = Sampler::start(&api);
        let open = Arc::new(AtomicUsize::new(0));
        let accept = |socket: socket::Listener| {
            let (api, open) = (Arc::clone(&api), Arc::clone(&open));
            task::spawn(async move {
                let admit = |arriving| admit(&api, &open, arriving);
                socket.accept("management connections", admit).await;
            })
        };
        Running { accepting: self.0.into_iter().map(accept).collect(), _sampler: sampler }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for accepting in self.accepting.drain(..) {
            // The task goes at its next wait, which is where it always is.
            drop(task::spawn(accepting.cancel()));
        }
    }
}

fn admit(api: &Arc<Api>, open: &Arc<AtomicUsize>, arriving: Arriving) {
    let most = api.broker.config().management.connections_max;
    let place = Place::new(open);
    let peer = arriving.address();
    if open.load(Ordering::Relaxed) > most {
        log::warn!("{peer}: refused: there are {most} management connections, as many as may be");
        return;
    }
    let api = Arc::clone(api);
    task::spawn(async move {
        let limit = Duration::from_millis(api.broker.config().management.request_ms_max);
        let socket = match arriving.enter() {
            Ok(socket) => Ok(socket),
            Err(handshake) => handshake.carry_out(limit).await,
        };
        match socket {
            Ok(socket) => serve(&api, socket).await,
            Err(why) => log::warn!("{peer}: refused: {why}"),
        }
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
        match error.is_parse() {
            true => {
                log::warn!("{peer}: this is not HTTP: {error}; HTTP and HTTPS have a port each")
            }
            false => log::debug!("{peer}: management connection ended: {error}"),
        }
    }
}
