//! What is there, for whoever looks at the broker from outside. A listing takes the registries' locks and each
//! queue's for moments only; what comes and goes meanwhile may be on it or not.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::topology::exchange_handle::{ExchangeRef, Sources, Target};
use crate::broker::topology::queue_handle::{QueueHandle, QueueRef};
use crate::queue::{ConsumerState, Counts, Totals};
use crate::store::{DestinationKind, Figures};
use crate::wire::Table;

/// What a queue holds and has counted at one moment.
#[derive(Debug, Clone, Copy)]
pub struct QueueFigures {
    /// What it holds.
    pub counts: Counts,
    /// What happened in it since the broker was started, or since it was declared.
    pub totals: Totals,
    /// When its oldest ready message was accepted, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<u64>,
    /// When it was last in use, likewise.
    pub used_ms: u64,
}

/// A binding.
#[derive(Debug, Clone)]
pub struct BindingView {
    /// The exchange that it starts at.
    pub source: Arc<str>,
    /// Whether it ends at a queue or an exchange.
    pub kind: DestinationKind,
    /// That queue or exchange.
    pub destination: Arc<str>,
    /// The routing key or pattern.
    pub key: Arc<str>,
    /// Its arguments.
    pub arguments: Arc<Table>,
    /// Whether it survives a restart.
    pub durable: bool,
}

/// A consumer.
#[derive(Debug, Clone)]
pub struct ConsumerView {
    /// What its queue knows of it.
    pub state: ConsumerState,
    /// Its tag.
    pub tag: Arc<str>,
    /// Its queue.
    pub queue: QueueRef,
    /// The number of its channel.
    pub channel: u16,
    /// Its connection; none when that is just ending.
    pub client: Option<Arc<Client>>,
    /// The arguments that came with `basic.consume`.
    pub arguments: Table,
}

impl QueueHandle {
    /// Its figures at this moment.
    pub fn figures(&self) -> QueueFigures {
        self.read(|state| QueueFigures {
            counts: state.counts(),
            totals: *state.totals(),
            oldest_ms: state.oldest_accepted_ms(),
            used_ms: state.used_ms(),
        })
    }
}

impl Broker {
    /// The queues of a virtual host, in no order; none when there is no such virtual host.
    pub fn queues(&self, vhost: &str) -> Vec<QueueRef> {
        self.vhosts.get(vhost).map_or_else(Vec::new, |vhost| vhost.queues.values())
    }

    /// A queue.
    pub fn queue(&self, vhost: &str, name: &str) -> Option<QueueRef> {
        self.vhosts.get(vhost)?.queues.get(name)
    }

    /// How many queues there are.
    pub fn queue_count(&self) -> usize {
        self.vhosts.values().iter().map(|vhost| vhost.queues.len()).sum()
    }

    /// The exchanges of a virtual host, in no order.
    pub fn exchanges(&self, vhost: &str) -> Vec<ExchangeRef> {
        self.vhosts.get(vhost).map_or_else(Vec::new, |vhost| vhost.exchanges.values())
    }

    /// An exchange.
    pub fn exchange(&self, vhost: &str, name: &str) -> Option<ExchangeRef> {
        self.vhosts.get(vhost)?.exchanges.get(name)
    }

    /// The connections, in the order in which they were opened.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        let mut clients = self.clients.values();
        clients.sort_unstable_by_key(|client| client.id);
        clients
    }

    /// The connection of this name.
    pub fn client_named(&self, name: &str) -> Option<Arc<Client>> {
        self.clients.values().into_iter().find(|client| client.name() == name)
    }

    /// A connection, by the broker's number for it.
    pub fn client_numbered(&self, id: u64) -> Option<Arc<Client>> {
        self.clients.get(&id)
    }

    /// The consumers of a queue, in the order in which they came.
    pub fn consumers(&self, queue: &QueueRef) -> Vec<ConsumerView> {
        let receivers = queue.read(|state| state.receivers());
        let views = receivers.into_iter().map(|(state, consumer)| ConsumerView {
            state,
            tag: Arc::clone(&consumer.0.tag),
            queue: QueueRef::clone(queue),
            channel: consumer.0.key.number,
            client: self.clients.get(&consumer.0.client),
            arguments: consumer.0.arguments.clone(),
        });
        views.collect()
    }

    /// The store's figures.
    pub fn store_figures(&self) -> Figures {
        self.store.figures()
    }
}

/// The bindings that start at an exchange, in no order. The default exchange has one for each queue, which are not
/// among them.
pub fn bindings_from(exchange: &ExchangeRef) -> Vec<BindingView> {
    let bindings = exchange.bindings.read();
    let views = bindings.iter().map(|binding| BindingView {
        source: Arc::clone(&exchange.name),
        kind: match binding.destination {
            Target::Queue(_) => DestinationKind::Queue,
            Target::Exchange(_) => DestinationKind::Exchange,
        },
        destination: Arc::clone(binding.destination.name()),
        durable: exchange.settings.durable && binding.destination.is_durable(),
        key: binding.key,
        arguments: binding.arguments,
    });
    views.collect()
}

/// The bindings that end at a queue, the one from the default exchange left out.
pub fn bindings_to_queue(queue: &QueueRef) -> Vec<BindingView> {
    bindings_to(&queue.sources, DestinationKind::Queue, &queue.name)
}

/// The bindings that end at an exchange.
pub fn bindings_to_exchange(exchange: &ExchangeRef) -> Vec<BindingView> {
    bindings_to(&exchange.sources, DestinationKind::Exchange, &exchange.name)
}

fn bindings_to(sources: &Sources, kind: DestinationKind, name: &str) -> Vec<BindingView> {
    let all = sources.list();
    let all = all.iter().flat_map(bindings_from);
    all.filter(|binding| binding.kind == kind && *binding.destination == *name).collect()
}
