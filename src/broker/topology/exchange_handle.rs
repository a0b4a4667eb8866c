//! One exchange as the broker holds it: its name, settings and bindings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::{Mutex, RwLock};

use crate::broker::topology::charge::Charge;
use crate::broker::topology::in_force::ExchangeInForce;
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::vhost::Vhost;
use crate::routing::{Bindings, Destination, Kind};
use crate::store::DestinationKind;
use crate::wire::Table;

/// A reference to an exchange. It stays usable after the exchange was deleted; it then routes nowhere.
pub type ExchangeRef = Arc<ExchangeHandle>;

/// Exchange numbers have this bit, queue numbers never: both stand in one set of destinations.
const EXCHANGE_ID_BIT: u64 = 1 << 63;

/// One exchange.
pub struct ExchangeHandle {
    pub(in crate::broker) id: u64,
    pub(in crate::broker) name: Arc<str>,
    pub(in crate::broker) vhost: Arc<Vhost>,
    pub(in crate::broker) settings: ExchangeSettings,
    pub(in crate::broker) in_force: ArcSwap<ExchangeInForce>,
    pub(in crate::broker) bindings: RwLock<Bindings<Target>>,
    /// The exchanges that have bindings to this one.
    pub(in crate::broker) sources: Sources,
    /// What its arguments and those of its bindings hold.
    charge: Mutex<Charge>,
    live: AtomicBool,
    entered: AtomicU64,
    left: AtomicU64,
}

/// Messages that went through an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Published to it.
    pub entered: u64,
    /// Copies that it gave to queues, through other exchanges too.
    pub left: u64,
}

/// What an exchange was declared with.
#[derive(Debug, Clone)]
pub struct ExchangeSettings {
    pub(in crate::broker) kind: Kind,
    pub(in crate::broker) durable: bool,
    pub(in crate::broker) auto_delete: bool,
    pub(in crate::broker) internal: bool,
    pub(in crate::broker) arguments: Table,
    /// Where messages go that no binding took, as it was declared.
    pub(in crate::broker) alternate: Option<Arc<str>>,
}

impl ExchangeHandle {
    pub(in crate::broker) fn new(
        number: u64,
        name: Arc<str>,
        vhost: Arc<Vhost>,
        settings: ExchangeSettings,
    ) -> Self {
        Self {
            id: number | EXCHANGE_ID_BIT,
            name,
            charge: Mutex::new(vhost.arguments.charge(settings.arguments.held_bytes())),
            bindings: RwLock::new(Bindings::new(settings.kind, vhost.hash)),
            vhost,
            in_force: ArcSwap::from_pointee(ExchangeInForce {
                alternate: settings.alternate.clone(),
            }),
            settings,
            sources: Sources::default(),
            live: AtomicBool::new(true),
            entered: AtomicU64::new(0),
            left: AtomicU64::new(0),
        }
    }

    /// The broker's number for it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The exchange's name; empty for the default exchange.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether the exchange still exists.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    /// The name of its virtual host.
    pub fn vhost_name(&self) -> &Arc<str> {
        &self.vhost.name
    }

    /// How it matches.
    pub fn kind(&self) -> Kind {
        self.settings.kind
    }

    /// Whether it survives a restart.
    pub fn is_durable(&self) -> bool {
        self.settings.durable
    }

    /// Whether it goes with its last binding.
    pub fn is_auto_delete(&self) -> bool {
        self.settings.auto_delete
    }

    /// Whether clients may not publish to it.
    pub fn is_internal(&self) -> bool {
        self.settings.internal
    }

    /// The arguments that it was declared with.
    pub fn arguments(&self) -> &Table {
        &self.settings.arguments
    }

    /// What is in force, as one: read without a lock.
    pub fn in_force(&self) -> Guard<Arc<ExchangeInForce>> {
        self.in_force.load()
    }

    /// Messages that went through it since the broker was started.
    pub fn passed(&self) -> Passed {
        Passed {
            entered: self.entered.load(Ordering::Relaxed),
            left: self.left.load(Ordering::Relaxed),
        }
    }

    pub(in crate::broker) fn note_passed(&self, passed: Passed) {
        self.entered.fetch_add(passed.entered, Ordering::Relaxed);
        self.left.fetch_add(passed.left, Ordering::Relaxed);
    }

    /// Whether this is the default exchange, which routes to the queue named by the routing key.
    pub(in crate::broker) fn is_default(&self) -> bool {
        self.name.is_empty()
    }

    /// Marks the exchange as gone; true for the one caller that did it.
    pub(in crate::broker) fn retire(&self) -> bool {
        self.live.swap(false, Ordering::AcqRel)
    }

    /// Takes all bindings off the exchange. One that has gone keeps none: whoever still holds it would else hold
    /// what it led to as well, and so on along a chain of any length, to be dropped one inside the other.
    pub(in crate::broker) fn take_bindings(&self) -> Bindings<Target> {
        let bindings = self.bindings.write().take();
        self.weigh();
        bindings
    }

    /// Counts what the arguments hold after bindings have come or gone. The caller holds the topology lock.
    pub(in crate::broker) fn weigh(&self) {
        let bytes = self.settings.arguments.held_bytes() + self.bindings.read().argument_bytes();
        self.charge.lock().set(bytes);
    }
}

impl PartialEq for ExchangeHandle {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ExchangeHandle {}

impl std::fmt::Debug for ExchangeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExchangeHandle").field("name", &self.name).finish()
    }
}

/// The exchanges that have bindings to a queue or exchange, by their numbers. Changed under the virtual host's
/// topology lock.
#[derive(Default)]
pub(in crate::broker) struct Sources(Mutex<BTreeMap<u64, ExchangeRef>>);

impl Sources {
    pub(in crate::broker) fn add(&self, exchange: &ExchangeRef) {
        self.0.lock().entry(exchange.id).or_insert_with(|| ExchangeRef::clone(exchange));
    }

    pub(in crate::broker) fn remove(&self, exchange: &ExchangeHandle) {
        self.0.lock().remove(&exchange.id);
    }

    /// All of them, the oldest first.
    pub(in crate::broker) fn list(&self) -> Vec<ExchangeRef> {
        self.0.lock().values().cloned().collect()
    }

    /// Takes them all out.
    pub(in crate::broker) fn take(&self) -> impl Iterator<Item = ExchangeRef> + use<> {
        std::mem::take(&mut *self.0.lock()).into_values()
    }
}

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a queue.
    Queue(QueueRef),
    /// To another exchange.
    Exchange(ExchangeRef),
}

impl Destination for Target {
    fn id(&self) -> u64 {
        match self {
            Self::Queue(queue) => queue.id,
            Self::Exchange(exchange) => exchange.id,
        }
    }
}

impl Target {
    /// The queue or exchange of this name.
    pub(in crate::broker) fn find(
        vhost: &Vhost,
        kind: DestinationKind,
        name: &str,
    ) -> Option<Self> {
        match kind {
            DestinationKind::Queue => vhost.queues.get(name).map(Self::Queue),
            DestinationKind::Exchange => vhost.exchanges.get(name).map(Self::Exchange),
        }
    }

    pub(in crate::broker) fn is_durable(&self) -> bool {
        match self {
            Self::Queue(queue) => queue.is_stored(),
            Self::Exchange(exchange) => exchange.settings.durable,
        }
    }

    pub(in crate::broker) fn name(&self) -> &Arc<str> {
        match self {
            Self::Queue(queue) => &queue.name,
            Self::Exchange(exchange) => &exchange.name,
        }
    }

    pub(in crate::broker) fn sources(&self) -> &Sources {
        match self {
            Self::Queue(queue) => &queue.sources,
            Self::Exchange(exchange) => &exchange.sources,
        }
    }
}
