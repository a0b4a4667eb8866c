//! Exchanges and bindings that go. Clients build chains and stars of any size out of them, and one deletion may take all
//! along; so what is to be done is a list and no recursion, and is gone through in slices. In the journal the bindings
//! go with what they start or end at. A stop in the middle leaves exchanges without bindings, which go when they are
//! deleted or lose a binding again.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::exchange_handle::{ExchangeRef, Target};
use crate::broker::topology::vhost::{Topology, Vhost};
use crate::routing::Bindings;
use crate::store::Change;

/// Exchanges and bindings that are removed at once.
const SLICE: usize = 1000;

/// One thing to be done.
enum Work {
    /// An exchange goes, with all bindings from it and to it.
    Remove(ExchangeRef),
    /// The bindings of an exchange to a destination that is gone go, and the exchange with the last, if it wanted to.
    Detach(ExchangeRef, Target),
    /// The bindings of an exchange that is gone go, and what they led to forgets it.
    Forget(ExchangeRef, Box<Bindings<Target>>, Vec<Target>),
}

/// What is still to be removed from a virtual host.
#[derive(Default)]
pub(in crate::broker) struct Removal(Vec<Work>);

impl Removal {
    /// Exchanges that go.
    pub(in crate::broker) fn of(exchanges: impl IntoIterator<Item = ExchangeRef>) -> Self {
        Self(exchanges.into_iter().map(Work::Remove).collect())
    }

    /// All bindings to a destination that goes.
    pub(in crate::broker) fn of_bindings_to(destination: &Target) -> Self {
        let sources = destination.sources().take();
        Self(sources.map(|source| Work::Detach(source, destination.clone())).collect())
    }

    pub(in crate::broker) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// Does a slice under the topology lock. The caller commits the changes.
    pub(in crate::broker) fn slice(&mut self, topology: &mut Topology, changes: &mut Vec<Change>) {
        let mut left = SLICE;
        while left > 0
            && let Some(work) = self.0.pop()
        {
            left -= 1;
            match work {
                Work::Remove(exchange) => self.remove(exchange, topology, changes),
                Work::Detach(source, destination) => {
                    let removed = source.bindings.write().remove_some(&destination, left + 1);
                    topology.bindings -= removed as u64;
                    source.weigh();
                    left = (left + 1).saturating_sub(removed.max(1));
                    if source.bindings.read().lead_to(&destination) {
                        self.0.push(Work::Detach(source, destination));
                    } else if source.goes_unbound() {
                        self.0.push(Work::Remove(source));
                    }
                }
                Work::Forget(exchange, mut bindings, mut targets) => {
                    let Some(target) = targets.pop() else { continue };
                    let removed = bindings.remove_some(&target, left + 1);
                    left = (left + 1).saturating_sub(removed.max(1));
                    if bindings.lead_to(&target) {
                        targets.push(target);
                    } else {
                        target.sources().remove(&exchange);
                    }
                    self.0.push(Work::Forget(exchange, bindings, targets));
                }
            }
        }
    }

    fn remove(
        &mut self,
        exchange: ExchangeRef,
        topology: &mut Topology,
        changes: &mut Vec<Change>,
    ) {
        if !exchange.retire() {
            return;
        }
        let vhost = &exchange.vhost;
        vhost.exchanges.remove(&*exchange.name);
        if exchange.settings.durable {
            changes.push(Change::DeleteExchange {
                vhost: vhost.name.to_string(),
                name: exchange.name.to_string(),
            });
        }
        let bindings = exchange.take_bindings();
        topology.bindings -= bindings.len() as u64;
        let targets = bindings.destinations().cloned().collect();
        let to_it = Self::of_bindings_to(&Target::Exchange(Arc::clone(&exchange)));
        self.0.extend(to_it.0);
        self.0.push(Work::Forget(exchange, Box::new(bindings), targets));
    }
}

/// The rest of a removal.
struct Rest {
    vhost: Arc<Vhost>,
    removal: Removal,
}

impl Errand for Rest {
    fn step(&mut self, broker: &Broker, _now_ms: u64) -> Progress {
        broker.remove_slice(&self.vhost, &mut self.removal);
        if self.removal.is_over() { Progress::Over } else { Progress::More }
    }

    fn finish(&mut self, broker: &Broker) {
        while !self.removal.is_over() {
            broker.remove_slice(&self.vhost, &mut self.removal);
        }
    }
}

impl Broker {
    /// Removes what can be removed at once, and leaves the rest for later. The caller holds the topology lock and
    /// commits the changes.
    pub(in crate::broker) fn remove_or_leave(
        &self,
        vhost: &Arc<Vhost>,
        topology: &mut Topology,
        mut removal: Removal,
        changes: &mut Vec<Change>,
    ) {
        removal.slice(topology, changes);
        if !removal.is_over() {
            self.errands.add(Box::new(Rest { vhost: Arc::clone(vhost), removal }));
        }
    }

    /// Does one slice of a removal, and nothing else while it holds the topology lock.
    pub(in crate::broker) fn remove_slice(&self, vhost: &Vhost, removal: &mut Removal) {
        let mut topology = vhost.topology.lock();
        let mut changes = Vec::new();
        removal.slice(&mut topology, &mut changes);
        // In a virtual host that was deleted meanwhile all is gone, and there may be another of the same name already.
        if !topology.gone {
            // Nobody waits for it: what asked for it was answered.
            drop(self.commit(changes));
        }
    }
}
