//! The broker that a client test talks to: a Leveret of its own, or another broker that the person who runs the tests
//! has named, to compare the two.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::server::Server;

/// The variable that names another broker, as `amqp://user:password@host:port/`.
pub const URI_VARIABLE: &str = "LEVERET_TEST_URI";

/// A broker to test against; an own one ends with its owner.
pub enum Broker {
    /// A Leveret process that nobody else uses.
    Own(Box<Server>),
    /// The address of a broker that was running before and goes on afterwards.
    Other(String),
}

impl Broker {
    /// The broker named by `LEVERET_TEST_URI`, or else a new Leveret.
    pub fn start() -> Self {
        match std::env::var(URI_VARIABLE) {
            Ok(uri) => Self::Other(uri),
            Err(_) => Self::Own(Box::new(Server::start())),
        }
    }

    /// Its address, ending in `/%2f`, the default virtual host as every client writes it.
    pub fn uri(&self) -> String {
        match self {
            Self::Own(server) => server.uri(),
            Self::Other(uri) => format!("{}/%2f", without_path(uri)),
        }
    }

    /// Its host and port, as `127.0.0.1:5672`.
    pub fn address(&self) -> String {
        let uri = self.uri();
        let host = without_path(&uri).trim_start_matches("amqp://");
        host.rsplit('@').next().unwrap_or(host).to_owned()
    }
}

/// A name that nobody else uses, also on a broker that other tests use.
pub fn fresh(word: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    format!("{word}-{:x}-{}", since.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The address up to the end of the port.
fn without_path(uri: &str) -> &str {
    let after_scheme = uri.find("://").map_or(0, |at| at + 3);
    let end = uri[after_scheme..].find('/').map_or(uri.len(), |at| after_scheme + at);
    &uri[..end]
}
