//! Declaring and deleting exchanges (specification 1.6).

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::accounts::access::Action;
use crate::broker::actor::Actor;
use crate::broker::declaration::removal::Removal;
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::broker::topology::equivalence;
use crate::broker::topology::exchange_handle::{ExchangeHandle, ExchangeRef, ExchangeSettings};
use crate::broker::topology::vhost::{Counts, Topology, Vhost};
use crate::routing::Kind;
use crate::store::{Change, ExchangeRecord};
use crate::wire::{SHORTSTR_BYTES_MAX, Table};

/// Names that begin like this belong to the broker.
pub(in crate::broker) const RESERVED_PREFIX: &str = "amq.";

/// Exchanges that every virtual host has from its beginning.
pub(in crate::broker) const PREDECLARED: &[(&str, Kind, Internal)] = &[
    ("", Kind::Direct, Internal::No),
    ("amq.direct", Kind::Direct, Internal::No),
    ("amq.fanout", Kind::Fanout, Internal::No),
    ("amq.topic", Kind::Topic, Internal::No),
    ("amq.headers", Kind::Headers, Internal::No),
    ("amq.match", Kind::Headers, Internal::No),
    ("amq.rabbitmq.trace", Kind::Topic, Internal::Yes),
];

/// Whether clients may not publish to an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Internal {
    No,
    Yes,
}

/// Whether a declaration creates what is missing or only asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclareMode {
    /// Create it if it is missing, compare it if it is there.
    Active,
    /// Fail if it is missing; nothing is compared.
    Passive,
}

/// An `exchange.declare`.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeDeclaration<'a> {
    /// The exchange's name.
    pub name: &'a str,
    /// Its type.
    pub kind: &'a str,
    /// Whether to create it.
    pub mode: DeclareMode,
    /// Survives a restart.
    pub durable: bool,
    /// Deleted with its last binding.
    pub auto_delete: bool,
    /// Takes messages from other exchanges only.
    pub internal: bool,
    /// Further arguments; `alternate-exchange` has a meaning.
    pub arguments: &'a Table,
}

/// Conditions of an `exchange.delete`.
#[derive(Debug, Clone, Copy)]
pub struct DeleteExchange {
    /// Refuse while there are bindings.
    pub if_unused: bool,
}

impl Actor {
    /// Declares an exchange (specification 1.6.2.1).
    ///
    /// # Errors
    /// Access refused, not found (passive), limit reached or precondition failed, with RabbitMQ's texts.
    pub fn declare_exchange(
        &self,
        declaration: &ExchangeDeclaration<'_>,
    ) -> Result<Pending, Refusal> {
        let name = declaration.name;
        let resource = self.exchange_name(name);
        if declaration.mode == DeclareMode::Passive {
            self.refuse_default(name)?;
            return self.exchange(name).map(|_| Pending::NONE);
        }
        let settings = self.exchange_settings(declaration)?;
        self.refuse_default(name)?;
        self.permit(Action::Configure, &resource)?;
        let topology = self.vhost.topology.lock();
        if let Some(current) = self.vhost.exchanges.get(name) {
            compare(&current, &settings, &resource)?;
            return Ok(Pending::NONE);
        }
        topology.expect_vhost(&self.vhost.name)?;
        expect_name_fits("exchange", name)?;
        if name.starts_with(RESERVED_PREFIX) {
            let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::access_refused(text));
        }
        if let Some(alternate) = &settings.alternate {
            self.permit(Action::Read, &resource)?;
            self.permit(Action::Write, &self.exchange_name(alternate))?;
        }
        let one = Counts { exchanges: 1, ..Counts::default() };
        self.expect_room(&topology, one, declaration.arguments).map_err(|full| {
            let text = format!("cannot declare exchange '{name}': {full}");
            Refusal::limit_reached(text)
        })?;
        let exchange = self.broker.new_exchange(&self.vhost, Arc::from(name), settings);
        // The journal first: what is bound to it has to stand behind it there.
        let pending = if exchange.settings.durable {
            self.broker.commit(vec![Change::PutExchange(exchange.record())])
        } else {
            Pending::NONE
        };
        exchange.show();
        drop(topology);
        Ok(pending)
    }

    fn exchange_settings(
        &self,
        declaration: &ExchangeDeclaration<'_>,
    ) -> Result<ExchangeSettings, Refusal> {
        let Ok(kind) = declaration.kind.parse::<Kind>() else {
            let text = format!("unknown exchange type '{}'", declaration.kind);
            return Err(Refusal::precondition_failed(text));
        };
        let resource = self.exchange_name(declaration.name);
        let alternate = alternate_exchange(declaration.arguments, &resource)?;
        Ok(ExchangeSettings {
            kind,
            durable: declaration.durable,
            auto_delete: declaration.auto_delete,
            internal: declaration.internal,
            arguments: declaration.arguments.clone(),
            alternate,
        })
    }

    /// Whether the virtual host has room for what is to be declared, and for its arguments.
    ///
    /// # Errors
    /// The limit that is reached, in one line.
    pub(in crate::broker) fn expect_room(
        &self,
        topology: &Topology,
        more: Counts,
        arguments: &Table,
    ) -> Result<(), String> {
        let limits = &self.broker.config.limits;
        let room = topology.expect_room(&self.vhost, more, limits);
        room.map_err(|full| full.text(&self.vhost.name))?;
        self.vhost.arguments.expect_room(arguments, limits)
    }

    /// Nothing can be done to the default exchange but publishing.
    pub(in crate::broker) fn refuse_default(&self, name: &str) -> Result<(), Refusal> {
        if !name.is_empty() {
            return Ok(());
        }
        let text = "operation not permitted on the default exchange";
        Err(Refusal::access_refused(text))
    }

    /// Deletes an exchange; one that does not exist is as good as deleted (specification 1.6.2.3).
    ///
    /// # Errors
    /// Access refused for the broker's own exchanges and by permission, in use when it has bindings and was to be deleted only without.
    pub fn delete_exchange(
        &self,
        name: &str,
        condition: DeleteExchange,
    ) -> Result<Pending, Refusal> {
        self.refuse_default(name)?;
        let resource = self.exchange_name(name);
        if name.starts_with(RESERVED_PREFIX) {
            let text = format!("deletion of system {resource} not allowed");
            return Err(Refusal::access_refused(text));
        }
        self.permit(Action::Configure, &resource)?;
        let mut topology = self.vhost.topology.lock();
        let Some(exchange) = self.vhost.exchanges.get(name) else { return Ok(Pending::NONE) };
        if condition.if_unused && !exchange.bindings.read().is_empty() {
            return Err(resource.in_use());
        }
        let mut changes = Vec::new();
        let removal = Removal::of([exchange]);
        self.broker.remove_or_leave(&self.vhost, &mut topology, removal, &mut changes);
        Ok(self.broker.commit(changes))
    }
}

/// The name in `alternate-exchange`, if there is one.
///
/// # Errors
/// Precondition failed when it is not a string.
pub(in crate::broker) fn alternate_exchange(
    arguments: &Table,
    name: &Resource<'_>,
) -> Result<Option<Arc<str>>, Refusal> {
    const KEY: &str = "alternate-exchange";
    let Some(value) = arguments.get(KEY) else { return Ok(None) };
    match value.as_str() {
        Some(alternate) => Ok(Some(Arc::from(alternate))),
        None => {
            let text = format!("invalid type '{}' for arg '{KEY}' in {name}", value.type_name());
            Err(Refusal::precondition_failed(text))
        }
    }
}

fn compare(
    current: &ExchangeHandle,
    received: &ExchangeSettings,
    name: &Resource<'_>,
) -> Result<(), Refusal> {
    let settings = &current.settings;
    equivalence::field("type", &settings.kind.as_str(), &received.kind.as_str(), name)?;
    equivalence::field("durable", &settings.durable, &received.durable, name)?;
    equivalence::field("auto_delete", &settings.auto_delete, &received.auto_delete, name)?;
    equivalence::field("internal", &settings.internal, &received.internal, name)?;
    let key = "alternate-exchange";
    equivalence::argument(key, settings.arguments.get(key), received.arguments.get(key), name)
}

impl ExchangeHandle {
    /// Whether it has no binding left and wanted to go with the last.
    pub(in crate::broker) fn goes_unbound(&self) -> bool {
        self.settings.auto_delete && self.bindings.read().is_empty()
    }

    /// Lets others find a new exchange. If it is durable, its record is in the store's inbox already.
    pub(in crate::broker) fn show(self: &Arc<Self>) {
        self.vhost.exchanges.insert(Arc::clone(&self.name), Arc::clone(self));
    }

    pub(in crate::broker) fn record(&self) -> ExchangeRecord {
        ExchangeRecord {
            vhost: self.vhost.name.to_string(),
            name: self.name.to_string(),
            kind: self.settings.kind.as_str().to_owned(),
            auto_delete: self.settings.auto_delete,
            internal: self.settings.internal,
            arguments: self.settings.arguments.to_bytes(),
        }
    }
}

impl Broker {
    /// Gives a new virtual host the exchanges that each has.
    pub(in crate::broker) fn predeclare(&self, vhost: &Arc<Vhost>) {
        for (name, kind, internal) in PREDECLARED {
            let settings = ExchangeSettings {
                kind: *kind,
                durable: true,
                auto_delete: false,
                internal: *internal == Internal::Yes,
                arguments: Table::default(),
                alternate: None,
            };
            self.new_exchange(vhost, Arc::from(*name), settings).show();
        }
    }

    /// An exchange that nobody sees yet: see [`ExchangeHandle::show`].
    pub(in crate::broker) fn new_exchange(
        &self,
        vhost: &Arc<Vhost>,
        name: Arc<str>,
        settings: ExchangeSettings,
    ) -> ExchangeRef {
        let number = self.next_exchange_id();
        Arc::new(ExchangeHandle::new(number, name, Arc::clone(vhost), settings))
    }
}

/// A name has to fit a short string of the protocol. Only what comes over HTTP can be longer.
pub(in crate::broker) fn expect_name_fits(kind: &str, name: &str) -> Result<(), Refusal> {
    if name.len() <= SHORTSTR_BYTES_MAX {
        return Ok(());
    }
    let text = format!("the {kind} name is longer than {SHORTSTR_BYTES_MAX} bytes");
    Err(Refusal::precondition_failed(text))
}
