//! What all tasks of the server share: the broker, the hub, and the connections that there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use event_listener::Event;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::hub::Hub;
use super::watch::Watch;
use crate::broker::Broker;
use crate::fault::Fault;

/// The server.
pub(super) struct Server {
    pub broker: Arc<Broker>,
    pub hub: Arc<Hub>,
    connections: Mutex<Connections>,
    last_number: AtomicU64,
    /// Connections that are at the door.
    places: Arc<AtomicUsize>,
    /// The last connection has gone.
    empty: Event,
}

#[derive(Default)]
struct Connections {
    watches: FxHashMap<u64, Watch>,
    /// New ones are closed with this fault at once.
    closing: Option<Fault>,
}

impl Server {
    pub fn new(broker: Arc<Broker>, hub: Arc<Hub>) -> Self {
        Self {
            broker,
            hub,
            connections: Mutex::default(),
            last_number: AtomicU64::new(0),
            places: Arc::default(),
            empty: Event::new(),
        }
    }

    /// A place for a connection that is at the door.
    pub fn place(&self) -> Place {
        self.places.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.places))
    }

    /// How many such places there are.
    pub fn places(&self) -> usize {
        self.places.load(Ordering::Relaxed)
    }

    /// Adds a connection and returns its number.
    pub fn enter(&self, watch: Watch) -> u64 {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let mut connections = self.connections.lock();
        if let Some(fault) = &connections.closing {
            watch.link().close(fault.clone());
        }
        connections.watches.insert(number, watch);
        number
    }

    /// Forgets a connection that has ended.
    pub fn leave(&self, number: u64) {
        let mut connections = self.connections.lock();
        connections.watches.remove(&number);
        if connections.watches.is_empty() {
            connections.watches.shrink_to_fit();
            drop(connections);
            self.empty.notify(usize::MAX);
        }
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.connections.lock().watches.len()
    }

    /// Does something with each connection.
    pub fn each(&self, mut work: impl FnMut(&mut Watch)) {
        self.connections.lock().watches.values_mut().for_each(&mut work);
    }

    /// Whether new ones are closed at once.
    pub fn is_closing(&self) -> bool {
        self.connections.lock().closing.is_some()
    }

    /// Closes every connection, also those that are still to come.
    pub fn close_all(&self, fault: &Fault) {
        let mut connections = self.connections.lock();
        connections.closing = Some(fault.clone());
        connections.watches.values().for_each(|watch| watch.link().close(fault.clone()));
    }

    /// Waits until there is no connection any more.
    pub async fn wait_until_empty(&self) {
        loop {
            let changed = self.empty.listen();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }
}

/// The place of a connection that is at the door.
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
