//! What connections and queues that are gone have counted, and how many came and went: with what the living ones
//! count it makes the broker's totals, without a counter that all of them would have to share.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::broker::topology::arguments::QueueKind;
use crate::broker::{Broker, Client};
use crate::message::Sizes;
use crate::outbox::{Tally, Traffic};
use crate::queue::Totals;

/// The counts of what is gone.
#[derive(Debug, Default)]
pub(in crate::broker) struct Departed {
    connections: Mutex<Connections>,
    queues: Mutex<ByKind>,
    pub(in crate::broker) queues_declared: AtomicU64,
    pub(in crate::broker) queues_created: AtomicU64,
    pub(in crate::broker) queues_deleted: AtomicU64,
}

#[derive(Debug, Clone, Default)]
struct Connections {
    closed: u64,
    channels_opened: u64,
    tally: Tally,
    sizes: Sizes,
}

/// Totals of queues by their kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByKind {
    /// Classic queues.
    pub classic: Totals,
    /// Those declared as quorum queues.
    pub quorum: Totals,
}

impl ByKind {
    pub(in crate::broker) fn add(&mut self, kind: QueueKind, totals: &Totals) {
        match kind {
            QueueKind::Classic => self.classic.add(totals),
            QueueKind::Quorum => self.quorum.add(totals),
        }
    }

    /// Both together.
    pub fn all(&self) -> Totals {
        let mut all = self.classic;
        all.add(&self.quorum);
        all
    }
}

impl Departed {
    pub(in crate::broker) fn note_connection(&self, traffic: &Traffic) {
        let mut connections = self.connections.lock();
        connections.closed += 1;
        connections.channels_opened += traffic.channels_opened;
        connections.tally.add(&traffic.tally);
        connections.sizes.add(&traffic.sizes);
    }

    pub(in crate::broker) fn note_queue(&self, kind: QueueKind, totals: &Totals) {
        self.queues.lock().add(kind, totals);
        self.queues_deleted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Everything that was counted since the broker was started.
#[derive(Debug, Clone, Default)]
pub struct BrokerTotals {
    /// What clients did and got.
    pub tally: Tally,
    /// What happened in queues.
    pub queues: ByKind,
    /// Sizes of published messages.
    pub sizes: Sizes,
    /// Connections that were opened, and those that have ended.
    pub connections_opened: u64,
    /// See `connections_opened`.
    pub connections_closed: u64,
    /// Channels that were opened, and those that have ended.
    pub channels_opened: u64,
    /// See `channels_opened`.
    pub channels_closed: u64,
    /// Times that a queue was declared, whether it was there or not.
    pub queues_declared: u64,
    /// Queues that were made.
    pub queues_created: u64,
    /// Queues that were deleted.
    pub queues_deleted: u64,
    /// Dead letters that were dropped because one message led to too many, or had died too often.
    pub dead_letters_dropped: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Channels that are open.
    pub channels: u64,
    /// Connections that publish.
    pub publishers: u64,
}

impl Broker {
    /// Adds up what was counted since the start. Looks at every connection and queue, one after the other.
    pub fn totals(&self) -> BrokerTotals {
        let departed = self.departed.connections.lock().clone();
        let mut totals = BrokerTotals {
            tally: departed.tally,
            sizes: departed.sizes,
            queues: *self.departed.queues.lock(),
            connections_closed: departed.closed,
            channels_opened: departed.channels_opened,
            channels_closed: departed.channels_opened,
            queues_declared: self.departed.queues_declared.load(Ordering::Relaxed),
            queues_created: self.departed.queues_created.load(Ordering::Relaxed),
            queues_deleted: self.departed.queues_deleted.load(Ordering::Relaxed),
            dead_letters_dropped: self.dead_letters_dropped(),
            ..BrokerTotals::default()
        };
        for client in self.clients.values() {
            totals.add_client(&client);
        }
        totals.connections_opened = totals.connections_closed + totals.connections;
        for queue in self.vhosts.values().iter().flat_map(|vhost| vhost.queues.values()) {
            totals.queues.add(queue.kind, &queue.read(|state| *state.totals()));
        }
        // Messages that an operator published through the management API.
        let operators = self.operators.tally();
        totals.tally.add(&operators.0);
        totals.sizes.add(&operators.1);
        totals
    }
}

impl BrokerTotals {
    fn add_client(&mut self, client: &Client) {
        let traffic = client.outbox.traffic();
        self.tally.add(&traffic.tally);
        self.sizes.add(&traffic.sizes);
        self.connections += 1;
        self.publishers += u64::from(client.is_publisher());
        self.channels += traffic.channels as u64;
        self.channels_opened += traffic.channels_opened;
        self.channels_closed += traffic.channels_opened.saturating_sub(traffic.channels as u64);
    }
}
