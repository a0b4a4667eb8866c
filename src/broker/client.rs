//! One connection to the broker after its handshake: who it is, in which virtual host, and what it may do.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::broker::Broker;
use crate::broker::accounts::access::{Action, Identity};
use crate::broker::delivery::publish::Plan;
use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::broker::sink::Sink;
use crate::broker::topology::exchange_handle::ExchangeRef;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::ClientOutbox;
use crate::broker::topology::vhost::Vhost;
use crate::message::Memory;
use crate::outbox::Resume;
use crate::security::Security;
use crate::wire::{FRAME_BYTES_MIN, Table};

/// The tag of users who may name somebody else in `user-id`, as in RabbitMQ.
const IMPERSONATOR: &str = "impersonator";

/// The number of nobody's connection: those of connections begin with 1.
const NO_CLIENT: u64 = 0;

/// What a client said it can do (`capabilities` in its client properties).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// It understands a `basic.cancel` from the server.
    pub consumer_cancel_notify: bool,
    /// It understands `connection.blocked`.
    pub connection_blocked: bool,
    /// It wants a `connection.close` when its login fails.
    pub authentication_failure_close: bool,
}

/// How a connection came about and what was agreed on it, for whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The broker's address on it.
    pub local: SocketAddr,
    /// How the user logged in.
    pub mechanism: &'static str,
    /// Channels that it may have open.
    pub channel_max: u16,
    /// Bytes of its largest frame.
    pub frame_bytes_max: u32,
    /// Seconds between heartbeats; 0 for none.
    pub heartbeat_s: u16,
    /// When it was opened, in milliseconds since the Unix epoch.
    pub connected_ms: u64,
}

impl Terms {
    /// Those of somebody who has no connection.
    pub const NONE: Self = Self {
        local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        mechanism: "",
        channel_max: 1,
        frame_bytes_max: FRAME_BYTES_MIN,
        heartbeat_s: 0,
        connected_ms: 0,
    };
}

/// How an operator closes a connection.
pub type Closer = Box<dyn Fn(Refusal) + Send + Sync>;

/// A connection that asks to be let in.
pub struct NewClient {
    /// Who logged in.
    pub identity: Identity,
    /// The virtual host that it wants.
    pub vhost: String,
    /// Its address.
    pub peer: SocketAddr,
    /// What was agreed on it.
    pub terms: Terms,
    /// How it is secured.
    pub security: Security,
    /// Its name, `peer -> local`.
    pub name: String,
    /// What it understands.
    pub capabilities: Capabilities,
    /// What it said about itself.
    pub client_properties: Table,
    /// Where its deliveries go.
    pub outbox: Arc<ClientOutbox>,
    /// Hears the rest for it.
    pub sink: Arc<dyn Sink>,
    /// Closes it from outside.
    pub close: Closer,
}

/// A connection in a virtual host.
pub struct Client {
    pub(in crate::broker) id: u64,
    pub(in crate::broker) broker: Arc<Broker>,
    pub(in crate::broker) vhost: Arc<Vhost>,
    pub(in crate::broker) outbox: Arc<ClientOutbox>,
    pub(in crate::broker) sink: Arc<dyn Sink>,
    pub(in crate::broker) capabilities: Capabilities,
    /// Queues that go when this connection goes, by their numbers.
    exclusive_queues: Mutex<BTreeMap<u64, QueueRef>>,
    /// Scratch space of the connection's reader for a batch of messages.
    pub(in crate::broker) plan: Mutex<Plan>,
    user: Arc<str>,
    is_impersonator: bool,
    name: String,
    peer: SocketAddr,
    terms: Terms,
    security: Security,
    client_properties: Table,
    publishes: AtomicBool,
    writes: AtomicBool,
    /// Its messages pushed more out of full queues than was buried at once.
    pub(in crate::broker) mourns: AtomicBool,
    /// What the client was told last: whether it is blocked.
    told_blocked: Mutex<bool>,
    close: Closer,
}

impl Broker {
    /// Lets a connection into a virtual host.
    ///
    /// # Errors
    /// Not allowed when there is no such virtual host or the user has no permission in it.
    pub fn connect(self: &Arc<Self>, new: NewClient) -> Result<Arc<Client>, Refusal> {
        let client = Arc::new(Client { id: self.next_client_id(), ..self.admit(new)? });
        self.clients.insert(client.id, Arc::clone(&client));
        // Whoever deletes the virtual host or the user closes the connections that are on the list. This one may have
        // come onto it a moment later.
        let still =
            self.vhosts.get(&client.vhost.name).is_some_and(|one| Arc::ptr_eq(&one, &client.vhost))
                && self.access.permission(&client.user, &client.vhost.name).is_some();
        if !still {
            self.clients.remove(&client.id);
            return Err(refused(&client.vhost.name, &client.user));
        }
        // It has no consumers yet that could be offered anything.
        self.tell_frugality(&client, client.terms.connected_ms);
        Ok(client)
    }

    /// Looks whether somebody may work in a virtual host, who has no number yet and is on no list.
    ///
    /// # Errors
    /// Not allowed when there is no such virtual host or the user has no permission in it.
    pub(in crate::broker) fn admit(self: &Arc<Self>, new: NewClient) -> Result<Client, Refusal> {
        let Some(vhost) = self.vhosts.get(new.vhost.as_str()) else {
            let text = format!("vhost {} not found", new.vhost);
            return Err(Refusal::not_allowed(text));
        };
        let user = new.identity.user;
        if self.access.permission(&user, &vhost.name).is_none() {
            return Err(refused(&vhost.name, &user));
        }
        Ok(Client {
            id: NO_CLIENT,
            broker: Arc::clone(self),
            vhost,
            outbox: new.outbox,
            sink: new.sink,
            capabilities: new.capabilities,
            exclusive_queues: Mutex::default(),
            plan: Mutex::new(Plan::new(self.config.limits.routing_steps_max)),
            is_impersonator: self.access.has_tag(&user, IMPERSONATOR),
            user,
            name: new.name,
            peer: new.peer,
            terms: new.terms,
            security: new.security,
            client_properties: new.client_properties,
            publishes: AtomicBool::new(false),
            writes: AtomicBool::new(false),
            mourns: AtomicBool::new(false),
            told_blocked: Mutex::new(false),
            close: new.close,
        })
    }
}

/// Not allowed: a user has no permission in a virtual host.
fn refused(vhost: &str, user: &str) -> Refusal {
    let text = format!("access to vhost '{vhost}' refused for user '{user}'");
    Refusal::not_allowed(text)
}

impl Client {
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

    /// The broker's number for this connection.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The connection's name, `peer -> local`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The peer's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What was agreed on the connection.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// How the connection is secured.
    pub fn security(&self) -> &Security {
        &self.security
    }

    /// Whether it has published since it was opened.
    pub fn is_publisher(&self) -> bool {
        self.publishes.load(Ordering::Acquire)
    }

    /// What the client said about itself.
    pub fn client_properties(&self) -> &Table {
        &self.client_properties
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

    /// Where everything for this connection goes.
    pub fn outbox(&self) -> &Arc<ClientOutbox> {
        &self.outbox
    }

    /// Closes the connection from outside, for example because an operator asked for it.
    pub fn close(&self, refusal: Refusal) {
        (self.close)(refusal);
    }

    /// Takes note that this connection publishes: alarms stop it from now on.
    pub fn mark_publisher(&self) {
        if !self.publishes.swap(true, Ordering::AcqRel) {
            self.tell_alarms();
        }
    }

    /// Whether the connection may publish nothing for now: until an alarm ends, or until fewer of those wait for their
    /// burial that messages like its own pushed out of full queues.
    pub fn must_pause(&self) -> bool {
        (self.publishes.load(Ordering::Acquire) && self.broker.alarms.is_on()) || self.must_mourn()
    }

    /// Whether it may publish though memory is short: it holds messages that others want the memory of, and has published
    /// no more than `arrears_bytes` beyond what it gave back.
    pub fn may_finish_work(&self, arrears_bytes: u64) -> bool {
        self.broker.alarms.lets_workers_publish(arrears_bytes)
            && !self.must_mourn()
            && self.outbox.has_unacked()
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

    fn must_mourn(&self) -> bool {
        if !self.mourns.load(Ordering::Relaxed) {
            return false;
        }
        let waits = self.broker.is_mourning();
        if !waits {
            self.mourns.store(false, Ordering::Relaxed);
        }
        waits
    }

    /// Tells the client that it is blocked, or no longer, when it does not know the state of the alarms.
    pub fn tell_alarms(&self) {
        if !self.publishes.load(Ordering::Acquire) || !self.capabilities.connection_blocked {
            return;
        }
        // The state is read under the lock: of two that come at once the later one tells what is true now.
        let mut told_blocked = self.told_blocked.lock();
        let reason = self.broker.alarms.reason();
        if *told_blocked == reason.is_some() {
            return;
        }
        *told_blocked = reason.is_some();
        match reason {
            Some(shortage) => self.sink.blocked(shortage),
            None => self.sink.unblocked(),
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

    /// The queue of this name, if this connection may use it at all.
    ///
    /// # Errors
    /// Not found when there is none, locked when another connection owns it.
    pub(in crate::broker) fn queue(&self, name: &str) -> Result<QueueRef, Refusal> {
        let queue = self.vhost.queues.get(name).ok_or_else(|| self.queue_name(name).not_found())?;
        self.check_owner(&queue)?;
        Ok(queue)
    }

    /// Whether this connection may use a queue that may be exclusive.
    ///
    /// # Errors
    /// Locked.
    pub(in crate::broker) fn check_owner(&self, queue: &QueueRef) -> Result<(), Refusal> {
        match queue.lifetime.owner {
            Some(owner) if owner != self.id => Err(self.queue_name(&queue.name).locked()),
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

    /// Offers messages to consumers that had found no room or credit and may have it now.
    pub fn resume(&self, consumers: Vec<Resume<QueueRef>>, now_ms: u64) {
        self.broker.resume(consumers, now_ms);
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("name", &self.name).finish()
    }
}
