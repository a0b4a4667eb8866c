//! Somebody at work in a virtual host: a user who may do there what the permissions say, over a connection or without
//! one. Whoever speaks a protocol to the broker, be it AMQP or HTTP, does what it does as such an actor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::broker::Broker;
use crate::broker::accounts::access::Action;
use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::broker::sink::Sink;
use crate::broker::topology::exchange_handle::ExchangeRef;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::vhost::Vhost;
use crate::message::Memory;

/// The tag of users who may name somebody else in `user-id`, as in RabbitMQ.
const IMPERSONATOR: &str = "impersonator";

/// A user in a virtual host.
pub struct Actor {
    pub(in crate::broker) broker: Arc<Broker>,
    pub(in crate::broker) vhost: Arc<Vhost>,
    /// Hears what became of its messages.
    pub(in crate::broker) sink: Arc<dyn Sink>,
    /// The connection that it works over, by the broker's number for it.
    pub(in crate::broker) connection: Option<u64>,
    /// Queues that go when the connection goes, by their numbers.
    exclusive_queues: Mutex<BTreeMap<u64, QueueRef>>,
    user: Arc<str>,
    is_impersonator: bool,
    writes: AtomicBool,
    /// Its messages pushed more out of full queues than was buried at once.
    pub(in crate::broker) mourns: AtomicBool,
}

impl Broker {
    /// Looks whether a user may work in a virtual host.
    ///
    /// # Errors
    /// Not allowed when there is no such virtual host or the user has no permission in it.
    pub(in crate::broker) fn admit(
        self: &Arc<Self>,
        user: &Arc<str>,
        vhost: &str,
        connection: Option<u64>,
        sink: Arc<dyn Sink>,
    ) -> Result<Actor, Refusal> {
        let Some(found) = self.vhosts.get(vhost) else {
            return Err(Refusal::not_allowed(format!("vhost {vhost} not found")));
        };
        let actor = Actor {
            broker: Arc::clone(self),
            vhost: found,
            sink,
            connection,
            exclusive_queues: Mutex::default(),
            is_impersonator: self.access.has_tag(user, IMPERSONATOR),
            user: Arc::clone(user),
            writes: AtomicBool::new(false),
            mourns: AtomicBool::new(false),
        };
        if actor.has_permission() { Ok(actor) } else { Err(actor.not_allowed()) }
    }
}

impl Actor {
    /// Whether the user has any permission in the virtual host.
    pub(in crate::broker) fn has_permission(&self) -> bool {
        self.broker.access.permission(&self.user, &self.vhost.name).is_some()
    }

    /// The user has no permission in the virtual host.
    pub(in crate::broker) fn not_allowed(&self) -> Refusal {
        let (vhost, user) = (&self.vhost.name, &self.user);
        Refusal::not_allowed(format!("access to vhost '{vhost}' refused for user '{user}'"))
    }

    /// What the messages that it publishes are to count in.
    pub fn memory(&self) -> &'static Memory {
        self.broker.memory()
    }

    /// See [`Broker::random_name`].
    ///
    /// # Errors
    /// Failed when there are no random numbers.
    pub fn random_name(&self, prefix: &str) -> Result<String, Refusal> {
        self.broker.random_name(prefix)
    }

    /// Notes a queue that goes when this connection goes.
    pub(in crate::broker) fn own(&self, queue: &QueueRef) {
        self.exclusive_queues.lock().insert(queue.id, Arc::clone(queue));
    }

    /// Forgets such a queue, which is gone.
    pub(in crate::broker) fn disown(&self, queue: &QueueRef) {
        self.exclusive_queues.lock().remove(&queue.id);
    }

    /// Takes the queues that go with this connection.
    pub(in crate::broker) fn take_exclusive_queues(&self) -> Vec<QueueRef> {
        std::mem::take(&mut *self.exclusive_queues.lock()).into_values().collect()
    }

    /// The user.
    pub fn user(&self) -> &Arc<str> {
        &self.user
    }

    /// Whether the user may publish in the name of others.
    pub fn is_impersonator(&self) -> bool {
        self.is_impersonator
    }

    /// The virtual host's name.
    pub fn vhost_name(&self) -> &Arc<str> {
        &self.vhost.name
    }

    /// Whether the last messages that it published have to be written to the journal: then a full store holds it back.
    pub fn writes(&self) -> bool {
        self.writes.load(Ordering::Relaxed)
    }

    /// Notes whether messages that were just published have to be written to the journal.
    pub(in crate::broker) fn note_writes(&self, writes: bool) {
        // Looked at first, because it hardly ever changes.
        if self.writes() != writes {
            self.writes.store(writes, Ordering::Relaxed);
        }
    }

    /// Whether the user may do this with the queue or exchange.
    ///
    /// # Errors
    /// Access refused with RabbitMQ's text.
    pub(in crate::broker) fn permit(
        &self,
        action: Action,
        resource: &Resource<'_>,
    ) -> Result<(), Refusal> {
        let permission = self.broker.access.permission(&self.user, &self.vhost.name);
        if permission.is_some_and(|permission| permission.allows(action, resource.name())) {
            return Ok(());
        }
        let text = format!(
            "{} access to {} refused for user '{}'",
            action.as_str(),
            resource.known_as(),
            self.user
        );
        Err(Refusal::access_refused(text))
    }

    /// A name of a queue of this virtual host, for texts and permissions.
    pub(in crate::broker) fn queue_name<'a>(&'a self, name: &'a str) -> Resource<'a> {
        Resource::queue(name, &self.vhost.name)
    }

    /// A name of an exchange of this virtual host, for texts and permissions.
    pub(in crate::broker) fn exchange_name<'a>(&'a self, name: &'a str) -> Resource<'a> {
        Resource::exchange(name, &self.vhost.name)
    }

    /// The queue of this name, if it may use it at all.
    ///
    /// # Errors
    /// Not found when there is none, locked when another connection owns it.
    pub(in crate::broker) fn queue(&self, name: &str) -> Result<QueueRef, Refusal> {
        let queue = self.vhost.queues.get(name).ok_or_else(|| self.queue_name(name).not_found())?;
        self.check_owner(&queue)?;
        Ok(queue)
    }

    /// Whether it may use a queue that may be exclusive.
    ///
    /// # Errors
    /// Locked.
    pub(in crate::broker) fn check_owner(&self, queue: &QueueRef) -> Result<(), Refusal> {
        match queue.lifetime.owner {
            Some(owner) if self.connection != Some(owner) => {
                Err(self.queue_name(&queue.name).locked())
            }
            _ => Ok(()),
        }
    }

    /// The exchange of this name.
    ///
    /// # Errors
    /// Not found.
    pub(in crate::broker) fn exchange(&self, name: &str) -> Result<ExchangeRef, Refusal> {
        self.vhost.exchanges.get(name).ok_or_else(|| self.exchange_name(name).not_found())
    }
}
