//! The management API and the metrics, over HTTP: RabbitMQ's paths, fields and errors, so that tools made for it work
//! here. What a request does to the broker goes through the functions that AMQP uses, with the same checks.
//!
//! One task accepts, and each connection has one. A request is answered on a thread for blocking work, so that a
//! long listing, a password or a wait for the disk keeps nobody waiting who publishes or consumes. One thread samples
//! the counters, which is where rates come from. There is one file for each resource; `router` says which is which.

mod answer;
mod authentication;
mod bindings;
mod budget;
mod call;
mod channels;
mod clock;
mod columns;
mod connections;
mod consumers;
mod definitions;
mod exchanges;
mod health;
mod listener;
mod listings;
mod messages;
mod metrics;
mod node;
mod overview;
mod paging;
mod permissions;
mod pieces;
mod policies;
mod process;
mod properties;
mod queue_object;
mod queues;
mod rates;
mod reply;
mod request;
mod route;
mod router;
mod sampler;
mod stats;
mod users;
mod vhosts;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;

pub use listener::{Listener, Running, bind};

use budget::Budget;
use listings::Listings;
use rates::Rates;

use crate::broker::Broker;
use crate::socket::{Served, Tls};

/// What every request works with.
struct Api {
    broker: Arc<Broker>,
    /// What is served where, this API among it.
    served: Vec<Served>,
    /// The certificates that are served.
    tls: Option<Arc<Tls>>,
    began: Instant,

    /// `leveret@HOST`, which is the cluster's name too.
    node: String,
    rates: RwLock<Rates>,
    budget: Arc<Budget>,
    listings: Listings,
}

impl Api {
    fn new(broker: Arc<Broker>, served: Vec<Served>, tls: Option<Arc<Tls>>) -> Self {
        let host = rustix::system::uname();
        let settings = &broker.config().management;
        let budget = Budget::new(settings.bodies_bytes_max);
        let listings = Listings::new(settings.listings_max);
        Self {
            broker,
            served,
            tls,
            began: Instant::now(),

            node: format!("leveret@{}", host.nodename().to_string_lossy()),
            rates: RwLock::default(),
            budget,
            listings,
        }
    }
}
