//! Binding and unbinding queues and exchanges (specification 1.7.2.3, and RabbitMQ's `exchange.bind`).

use crate::broker::accounts::access::Action;
use crate::broker::actor::Actor;
use crate::broker::declaration::removal::Removal;
use crate::broker::pending::Pending;
use crate::broker::refusal::{Refusal, RefusalKind};
use crate::broker::resource::Resource;
use crate::broker::topology::exchange_handle::{ExchangeRef, Target};
use crate::broker::topology::vhost::{Counts, Topology};
use crate::routing::{Bound, canonical_arguments, check_arguments};
use crate::store::{BindingRecord, Change, DestinationKind};
use crate::wire::Table;

/// A request to bind or unbind.
#[derive(Debug, Clone, Copy)]
pub struct BindingRequest<'a> {
    /// The exchange that messages come from.
    pub source: &'a str,
    /// The queue or exchange that they go to.
    pub destination: &'a str,
    /// The routing key or pattern.
    pub routing_key: &'a str,
    /// Further arguments; a headers exchange matches them.
    pub arguments: &'a Table,
}

impl Actor {
    /// Binds a queue to an exchange.
    ///
    /// # Errors
    /// Access refused, not found, locked, limit reached or precondition failed, with RabbitMQ's texts.
    pub fn bind_queue(&self, request: &BindingRequest<'_>) -> Result<Pending, Refusal> {
        self.permit_binding(request, &self.queue_name(request.destination))?;
        self.bind(request, Noun::Queue)
    }

    /// Binds an exchange to an exchange.
    ///
    /// # Errors
    /// Access refused, not found, limit reached or precondition failed, with RabbitMQ's texts.
    pub fn bind_exchange(&self, request: &BindingRequest<'_>) -> Result<Pending, Refusal> {
        self.refuse_default(request.destination)?;
        self.permit_binding(request, &self.exchange_name(request.destination))?;
        self.bind(request, Noun::Exchange)
    }

    /// Removes a binding of a queue; one that is not there is as good as removed, also for want of its ends.
    ///
    /// # Errors
    /// Access refused or locked, with RabbitMQ's texts.
    pub fn unbind_queue(&self, request: &BindingRequest<'_>) -> Result<Pending, Refusal> {
        self.permit_binding(request, &self.queue_name(request.destination))?;
        self.unbind(request, Noun::Queue)
    }

    /// Removes a binding of an exchange; one that is not there is as good as removed, also for want of its ends.
    ///
    /// # Errors
    /// Access refused, with RabbitMQ's texts.
    pub fn unbind_exchange(&self, request: &BindingRequest<'_>) -> Result<Pending, Refusal> {
        self.refuse_default(request.destination)?;
        self.permit_binding(request, &self.exchange_name(request.destination))?;
        self.unbind(request, Noun::Exchange)
    }

    fn permit_binding(
        &self,
        request: &BindingRequest<'_>,
        destination: &Resource<'_>,
    ) -> Result<(), Refusal> {
        self.refuse_default(request.source)?;
        self.permit(Action::Write, destination)?;
        self.permit(Action::Read, &self.exchange_name(request.source))
    }

    fn destination(&self, name: &str, noun: Noun) -> Result<Target, Refusal> {
        match noun {
            Noun::Queue => self.queue(name).map(Target::Queue),
            Noun::Exchange => self.exchange(name).map(Target::Exchange),
        }
    }

    fn bind(&self, request: &BindingRequest<'_>, noun: Noun) -> Result<Pending, Refusal> {
        let mut topology = self.vhost.topology.lock();
        let destination = self.destination(request.destination, noun)?;
        let source = self.exchange(request.source)?;
        let (key, arguments) = (request.routing_key, request.arguments);
        if source.bindings.read().contains(key, arguments, &destination) {
            return Ok(Pending::NONE);
        }
        let refused = |text| Refusal::limit_reached(text);
        let one = Counts { bindings: 1, ..Counts::default() };
        topology
            .expect_room(&self.vhost, one, &self.broker.config.limits)
            .map_err(|full| refused(full.text(&self.vhost.name)))?;
        self.vhost
            .arguments
            .expect_room(arguments, &self.broker.config.limits)
            .map_err(|full| refused(format!("cannot bind exchange '{}': {full}", source.name)))?;
        check_arguments(source.kind(), arguments).map_err(|error| refused(error.to_string()))?;
        // The journal first, as for everything that is declared.
        let change = binding_change(&source, key, arguments, &destination);
        let pending = self.broker.commit(change.into_iter().collect());
        add_binding(&mut topology, &source, key, arguments, destination)?;
        Ok(pending)
    }

    fn unbind(&self, request: &BindingRequest<'_>, noun: Noun) -> Result<Pending, Refusal> {
        let mut topology = self.vhost.topology.lock();
        let destination = match self.destination(request.destination, noun) {
            Err(missing) if missing.kind == RefusalKind::NotFound => return Ok(Pending::NONE),
            found => found?,
        };
        let Some(source) = self.vhost.exchanges.get(request.source) else {
            return Ok(Pending::NONE);
        };
        let (key, arguments) = (request.routing_key, request.arguments);
        if !source.bindings.write().unbind(key, arguments, &destination) {
            return Ok(Pending::NONE);
        }
        topology.bindings -= 1;
        source.weigh();
        if !source.bindings.read().lead_to(&destination) {
            destination.sources().remove(&source);
        }
        let mut changes = Vec::new();
        if is_durable(&source, &destination) {
            let record = record(&source, key, arguments, &destination);
            changes.push(Change::DeleteBinding(record));
        }
        if source.goes_unbound() {
            let removal = Removal::of([source]);
            self.broker.remove_or_leave(&self.vhost, &mut topology, removal, &mut changes);
        }
        Ok(self.broker.commit(changes))
    }
}

#[derive(Clone, Copy)]
enum Noun {
    Queue,
    Exchange,
}

/// What the journal is to hold of a new binding, if it outlives a restart.
pub(in crate::broker) fn binding_change(
    source: &ExchangeRef,
    key: &str,
    arguments: &Table,
    destination: &Target,
) -> Option<Change> {
    is_durable(source, destination)
        .then(|| Change::PutBinding(record(source, key, arguments, destination)))
}

/// Adds a binding under the topology lock. If it is to be stored, its record is in the store's inbox already.
///
/// # Errors
/// Precondition failed for arguments that the exchange cannot match.
pub(in crate::broker) fn add_binding(
    topology: &mut Topology,
    source: &ExchangeRef,
    key: &str,
    arguments: &Table,
    destination: Target,
) -> Result<(), Refusal> {
    let bound = source.bindings.write().bind(key, arguments, destination.clone());
    let bound = bound.map_err(|error| Refusal::precondition_failed(error.to_string()))?;
    if bound == Bound::New {
        topology.bindings += 1;
        source.weigh();
        destination.sources().add(source);
    }
    Ok(())
}

/// A binding outlives a restart when both its ends do.
fn is_durable(source: &ExchangeRef, destination: &Target) -> bool {
    source.settings.durable && destination.is_durable()
}

fn record(
    source: &ExchangeRef,
    key: &str,
    arguments: &Table,
    destination: &Target,
) -> BindingRecord {
    BindingRecord {
        vhost: source.vhost.name.to_string(),
        source: source.name.to_string(),
        destination: destination.name().to_string(),
        destination_kind: match destination {
            Target::Queue(_) => DestinationKind::Queue,
            Target::Exchange(_) => DestinationKind::Exchange,
        },
        routing_key: key.to_owned(),
        arguments: canonical_arguments(arguments).to_bytes(),
    }
}
