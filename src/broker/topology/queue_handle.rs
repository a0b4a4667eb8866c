//! One queue as the broker holds it: its name and settings, and behind a lock the state machine with its
//! consumers. Nothing else is locked while this lock is held, save the outbox of a consumer.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use crate::broker::meeting::{Meeting, MeetingLock};
use crate::broker::topology::arguments::{QueueKind, QueueSettings};
use crate::broker::topology::charge::Charge;
use crate::broker::topology::dead_letters_waiting::Grave;
use crate::broker::topology::exchange_handle::Sources;
use crate::broker::topology::gate::Gate;
use crate::broker::topology::in_force::QueueInForce;
use crate::broker::topology::subscriber::Subscriber;
use crate::broker::topology::vhost::Vhost;
use crate::message::Message;
use crate::queue::{
    DeleteCondition, DeleteRefusal, Effects, Entry, Overflow, Position, Queue, QueueFull,
    Reservation, SpanId,
};
use crate::store::{Done, Lost};
use crate::wire::Table;

/// A reference to a queue. It stays usable after the queue was deleted: everything done to it is
/// then without effect.
pub type QueueRef = Arc<QueueHandle>;

/// Where a queue lives and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Declared durable.
    pub durable: bool,
    /// Deleted when its last consumer leaves.
    pub auto_delete: bool,
    /// The connection that alone may use it, and takes it along when it closes.
    pub owner: Option<u64>,
}

impl Lifetime {
    /// Whether it is written to the disk: an exclusive queue never outlives its connection.
    pub fn is_stored(&self) -> bool {
        self.durable && self.owner.is_none()
    }
}

/// One queue.
pub struct QueueHandle {
    pub(in crate::broker) id: u64,
    pub(in crate::broker) name: Arc<str>,
    pub(in crate::broker) vhost: Arc<Vhost>,
    pub(in crate::broker) lifetime: Lifetime,
    pub(in crate::broker) arguments: Table,
    /// What they hold.
    _charge: Charge,
    pub(in crate::broker) kind: QueueKind,
    in_force: ArcSwap<QueueInForce>,
    /// A full queue refuses messages. It stands there too, where it is asked for every message.
    refuses: AtomicBool,
    /// The exchanges that have bindings to this queue.
    pub(in crate::broker) sources: Sources,
    /// When the timers look at this queue next; `u64::MAX` when they do not.
    pub(in crate::broker) timer_ms: AtomicU64,
    /// Somebody is busy with what the timers found.
    pub(in crate::broker) tended: AtomicBool,
    next_position: AtomicU64,
    pub(in crate::broker) gate: Gate,
    /// Who waits for entries that are not in memory. Taken while `state` is locked, never the other way round.
    getters: Mutex<Vec<Done>>,
    /// What died here and is to be buried.
    pub(in crate::broker) grave: Grave,
    state: MeetingLock<Queue<Subscriber>>,
}

impl QueueHandle {
    pub(in crate::broker) fn new(
        id: u64,
        name: Arc<str>,
        vhost: Arc<Vhost>,
        lifetime: Lifetime,
        settings: QueueSettings,
        now_ms: u64,
    ) -> Self {
        let queue = Queue::new(settings.options.clone(), now_ms);
        let refuses = settings.options.overflow != Overflow::DropHead;
        let state = MeetingLock::new(&vhost.meet, Meeting::Queue, queue);
        Self {
            _charge: vhost.arguments.charge(settings.arguments.held_bytes()),
            id,
            name,
            vhost,
            lifetime,
            arguments: settings.arguments,
            kind: settings.kind,
            refuses: AtomicBool::new(refuses),
            in_force: ArcSwap::from_pointee(QueueInForce {
                options: settings.options,
                dead_letter: settings.dead_letter,
            }),
            sources: Sources::default(),
            timer_ms: AtomicU64::new(u64::MAX),
            tended: AtomicBool::new(false),
            next_position: AtomicU64::new(1),
            gate: Gate::default(),
            getters: Mutex::default(),
            grave: Grave::default(),
            state,
        }
    }

    /// The broker's number for it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The name of its virtual host.
    pub fn vhost_name(&self) -> &Arc<str> {
        &self.vhost.name
    }

    /// Where it lives and how long.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Its type.
    pub fn kind(&self) -> QueueKind {
        self.kind
    }

    /// The arguments that it was declared with.
    pub fn arguments(&self) -> &Table {
        &self.arguments
    }

    /// What is in force, as one: read without a lock.
    pub fn in_force(&self) -> Guard<Arc<QueueInForce>> {
        self.in_force.load()
    }

    /// Puts other settings in force. The caller holds the lock of the state machine, which has them.
    pub(in crate::broker) fn set_in_force(&self, settings: QueueInForce) {
        self.refuses.store(settings.options.overflow != Overflow::DropHead, Ordering::Relaxed);
        self.in_force.store(Arc::new(settings));
    }

    /// Whether the queue still exists.
    pub fn is_live(&self) -> bool {
        !self.gate.is_shut()
    }

    /// Whether messages that ask for it survive a restart in this queue.
    pub(in crate::broker) fn is_stored(&self) -> bool {
        self.lifetime.is_stored()
    }

    /// Whether this message would survive a restart in this queue.
    pub(in crate::broker) fn keeps(&self, message: &Message) -> bool {
        self.is_stored() && (message.facts().persistent || self.kind == QueueKind::Quorum)
    }

    /// Promises a place to a message, if the queue has one.
    pub(in crate::broker) fn reserve(&self, message: &Message) -> Result<Reservation, QueueFull> {
        if !self.refuses.load(Ordering::Relaxed) {
            return Ok(Reservation::Nothing);
        }
        self.state.lock().reserve(message)
    }

    /// The next free place at the tail.
    pub(in crate::broker) fn next_position(&self) -> Position {
        self.next_position.fetch_add(1, Ordering::Relaxed)
    }

    /// Places from here on are free: a restart found others taken.
    pub(in crate::broker) fn start_at(&self, position: Position) {
        self.next_position.store(position, Ordering::Relaxed);
    }

    /// Entries are evicted from memory. Returns what is to be dropped.
    pub(in crate::broker) fn evicted(&self, span: SpanId) -> Vec<Entry> {
        self.state.lock().evicted(span)
    }

    /// Notes somebody who waits for entries to be loaded. To be called under the lock of the queue, in
    /// [`QueueHandle::with`], so that none is loaded in between.
    pub(in crate::broker) fn add_getter(&self, getter: Done) {
        self.getters.lock().push(getter);
    }

    /// Tells those who wait for entries that some were loaded, or that none will be.
    pub(in crate::broker) fn tell_getters(&self, outcome: Result<(), Lost>) {
        let getters = std::mem::take(&mut *self.getters.lock());
        for getter in getters {
            getter(outcome);
        }
    }

    /// Works on the state machine under its lock. What has to happen outside stands in `effects`
    /// afterwards; the answer is the time at which the queue wants to be looked at again.
    pub(in crate::broker) fn with<T>(
        &self,
        effects: &mut Effects<Subscriber>,
        work: impl FnOnce(&mut Queue<Subscriber>, &mut Effects<Subscriber>) -> T,
    ) -> (T, Option<u64>) {
        let mut queue = self.state.lock();
        let answer = (work(&mut queue, effects), queue.next_deadline_ms());
        drop(queue);
        self.vhost.meet.at(Meeting::QueueLeft);
        answer
    }

    /// Reads the state machine under its lock.
    pub(in crate::broker) fn read<T>(&self, look: impl FnOnce(&Queue<Subscriber>) -> T) -> T {
        look(&self.state.lock())
    }

    /// Shuts the queue if these conditions are met: it takes no messages and no consumers any more. What is in it is
    /// left to [`Queue::close`]. Only one caller succeeds.
    pub(in crate::broker) fn shut_if(
        &self,
        conditions: &[DeleteCondition],
        now_ms: u64,
    ) -> Result<(), DeleteRefusal> {
        let mut queue = self.state.lock();
        queue.may_close(conditions, now_ms)?;
        if !conditions.contains(&DeleteCondition::Empty) {
            self.gate.shut();
        } else if !self.gate.shut_if_quiet() {
            return Err(DeleteRefusal::NotEmpty);
        }
        queue.shut();
        Ok(())
    }
}

impl PartialEq for QueueHandle {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for QueueHandle {}

impl std::fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueHandle").field("id", &self.id).field("name", &self.name).finish()
    }
}

/// A publisher on its way into a queue.
#[derive(Debug)]
pub(in crate::broker) struct Passage(QueueRef);

impl Passage {
    /// Announces a publisher. Nothing when the queue is being deleted: it is as good as not there.
    pub(in crate::broker) fn into(queue: &QueueRef) -> Option<Self> {
        queue.gate.enter().then(|| Self(Arc::clone(queue)))
    }

    /// Announces one more on the same way: somebody is in the gate, so that this one is let in too.
    pub(in crate::broker) fn another(&self) -> Self {
        self.0.gate.follow();
        Self(Arc::clone(&self.0))
    }
}

impl Deref for Passage {
    type Target = QueueRef;

    fn deref(&self) -> &QueueRef {
        &self.0
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.gate.leave();
    }
}
