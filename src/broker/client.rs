//! One connection to the broker after its handshake: who works over it, what was agreed on it, and whether it may publish.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::broker::Broker;
use crate::broker::accounts::access::Identity;
use crate::broker::actor::Actor;
use crate::broker::delivery::publish::Plan;
use crate::broker::refusal::Refusal;
use crate::broker::sink::Sink;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::ClientOutbox;
use crate::outbox::Resume;
use crate::security::Security;
use crate::wire::{FRAME_BYTES_MIN, Table};

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
    /// Those of a program that holds the broker itself.
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

/// A connection in a virtual host, and who works over it.
pub struct Client {
    actor: Actor,
    pub(in crate::broker) id: u64,
    pub(in crate::broker) outbox: Arc<ClientOutbox>,
    pub(in crate::broker) capabilities: Capabilities,
    /// Scratch space of the connection's reader for a batch of messages.
    pub(in crate::broker) plan: Mutex<Plan>,
    name: String,
    peer: SocketAddr,
    terms: Terms,
    security: Security,
    client_properties: Table,
    publishes: AtomicBool,
    /// What the client was told last: whether it is blocked.
    told_blocked: Mutex<bool>,
    close: Closer,
}

impl Deref for Client {
    type Target = Actor;

    #[inline]
    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl Broker {
    /// Lets a connection into a virtual host.
    ///
    /// # Errors
    /// Not allowed when there is no such virtual host or the user has no permission in it.
    pub fn connect(self: &Arc<Self>, new: NewClient) -> Result<Arc<Client>, Refusal> {
        let id = self.next_client_id();
        let actor = self.admit(&new.identity.user, &new.vhost, Some(id), new.sink)?;
        let client = Arc::new(Client {
            actor,
            id,
            outbox: new.outbox,
            capabilities: new.capabilities,
            plan: Mutex::new(Plan::new(self.config.limits.routing_steps_max)),
            name: new.name,
            peer: new.peer,
            terms: new.terms,
            security: new.security,
            client_properties: new.client_properties,
            publishes: AtomicBool::new(false),
            told_blocked: Mutex::new(false),
            close: new.close,
        });
        self.clients.insert(id, Arc::clone(&client));
        // Whoever deletes the virtual host or the user closes the connections that are on the list. This one may have
        // come onto it a moment later.
        let vhost = self.vhosts.get(&client.vhost.name);
        let is_there = vhost.is_some_and(|one| Arc::ptr_eq(&one, &client.vhost));
        if !is_there || !client.has_permission() {
            self.clients.remove(&id);
            return Err(client.not_allowed());
        }
        // It has no consumers yet that could be offered anything.
        self.tell_frugality(&client, client.terms.connected_ms);
        Ok(client)
    }
}

impl Client {
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

    /// Where its deliveries go.
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
