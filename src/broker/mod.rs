//! The broker: virtual hosts with their exchanges, queues and bindings, the clients, and everything that they
//! ask for. It does no I/O of its own and never waits; the time comes in, and what has to be durable goes to the
//! store, which says when it is.
//!
//! Lock order: a virtual host's topology, then the ids of queues, then an exchange's bindings, then a queue, then an
//! outbox. A queue's lock is never held while another queue's is taken.

mod accounts;
mod actor;
mod client;
mod declaration;
mod definitions;
mod delivery;
mod errands;
mod meeting;
mod operator;
mod pending;
mod refusal;
mod registry;
mod resource;
mod sink;
mod surroundings;
mod topology;
mod watch;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::MutexGuard;

pub use accounts::access::{
    HashError, Identity, Login, Verification, hash as hash_password, import_hash, shown_hash,
};
pub use accounts::users::Put;
pub use actor::Actor;
pub use client::{Capabilities, Client, Closer, NewClient, Terms};
pub use declaration::binding::BindingRequest;
pub use declaration::exchange_declaration::{DeclareMode, DeleteExchange, ExchangeDeclaration};
pub use declaration::queue_declaration::{DeclaredQueue, DeleteQueue, QueueDeclaration};
pub use definitions::json::{
    from_json as table_from_json, object as object_from_json, to_json as table_to_json,
};
pub use definitions::recovery::Census;
pub use definitions::user_to_json;
pub use delivery::consume::{Consume, Exclusivity, Fetch};
pub use delivery::leaving::{ClosingChannel, Unfinished};
pub use delivery::publish::{Batch, Outcome, Publish, Publishes};
pub use delivery::settling::Settlement;
pub use delivery::settling::{Allowance, POSITIONS_PER_TURN, Settling};
pub use errands::Remaining;
pub use meeting::{Meet, Meeting, MeetingHook};
pub use operator::{Fetched, Peeked, Published};
pub use pending::Pending;
pub use refusal::{Refusal, RefusalKind};
pub use sink::{Shortage, Sink};
pub use surroundings::{Stepped, Surroundings};
pub use topology::arguments::{DeadLetterTarget, EXPIRY_MS_MAX, QueueKind};
pub use topology::exchange_handle::{ExchangeHandle, ExchangeRef, Passed};
pub use topology::in_force::{ExchangeInForce, QueueInForce};
pub use topology::queue_handle::{Lifetime, QueueHandle, QueueRef};
pub use topology::reply_address::{PREFIX as REPLY_TO_PREFIX, QUEUE as REPLY_TO_QUEUE};
pub use topology::subscriber::{ClientOutbox, Consumer};
pub use watch::alarms::Uncommitted;
pub use watch::arrivals::{Reserved, Room, Turn};
pub use watch::departed::{BrokerTotals, ByKind};
pub use watch::explain::{Explained, Explanation};
pub use watch::listing::{
    BindingView, ConsumerView, QueueFigures, bindings_from, bindings_to_exchange, bindings_to_queue,
};

use accounts::access::Access;
use delivery::dead_lettering::Mourning;
use delivery::reply_to::ReplyAddresses;
use delivery::returning::Returns;
use delivery::timers::Timers;
use errands::Errands;
use meeting::{MeetingLock, MeetingStore};
use operator::Operators;
use registry::Registry;
use topology::vhost::Vhost;
use watch::alarms::Alarms;
use watch::arrivals::Arrivals;
use watch::departed::Departed;
use watch::frugality::Frugality;

use crate::config::Config;
use crate::entropy::Entropy;
use crate::message::Memory;
use crate::routing::KeyHash;
use crate::store::{self, Change, Operation, StoreError};

/// Something that the outside wants to know of. Called from any thread; it must be quick.
pub type Hook = Box<dyn Fn() + Send + Sync>;

/// What the broker tells the outside.
pub struct Events {
    /// The store has room again, or fewer dead messages wait to be buried: readers may go on.
    pub room: Hook,
    /// An alarm went on or off.
    pub alarm: Hook,
    /// A queue wants to be looked at sooner than [`Broker::tick`] said.
    pub deadline: Hook,
    /// There is something for [`Broker::run_errands`] to do.
    pub errands: Hook,
    /// The store failed: nothing can be promised any more and the program should end.
    pub lost: Box<dyn Fn(&str) + Send + Sync>,
}

/// The broker could not be opened. One line that says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first virtual host and user could not be made.
    #[error("the data directory cannot be set up: {0}")]
    Setup(String),
    /// The definitions file cannot be applied.
    #[error("definitions file {path}: {why}", path = path.display())]
    Definitions {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        why: String,
    },
}

/// A running broker.
pub struct Broker {
    config: Config,
    entropy: Arc<dyn Entropy>,
    memory: &'static Memory,
    meet: Meet,
    /// How much one turn of a publisher does.
    turn_work: usize,
    /// How names and keys that clients choose are hashed.
    hash: KeyHash,
    store: MeetingStore,
    /// What the store's callbacks find the broker by.
    me: OnceLock<Weak<Self>>,
    /// How often messages were asked of the store that have not arrived yet.
    reads: AtomicUsize,
    /// The store gives nothing back any more.
    reading_ended: Arc<AtomicBool>,
    alarm_hook: Hook,
    vhosts: Registry<Arc<str>, Arc<Vhost>>,
    access: Access,
    clients: Registry<u64, Arc<Client>>,
    replies: ReplyAddresses,
    timers: Timers,
    errands: Errands,
    mourning: Mourning,
    returns: Returns,
    /// Connections that were held back may look again.
    room_hook: Arc<Hook>,
    alarms: Alarms,
    arrivals: Arc<Arrivals>,
    frugality: Frugality,
    departed: Departed,
    operators: Arc<Operators>,
    /// Held while users and permissions change, so that their order in memory is their order in the journal.
    accounts: MeetingLock<()>,
    census: Census,
    /// The highest id that a queue ever had; see [`Broker::queue_ids`].
    last_queue_id: MeetingLock<u64>,
    last_exchange_id: AtomicU64,
    last_consumer_id: AtomicU64,
    last_client_id: AtomicU64,
}

impl Broker {
    /// Opens the data directory, in the surroundings that are given, and brings back what is in it.
    ///
    /// # Errors
    /// When the directory cannot be used: locked by another process, not writable, of a newer format.
    pub fn open(
        config: Config,
        events: Events,
        surroundings: Surroundings,
        now_ms: u64,
    ) -> Result<Arc<Self>, OpenError> {
        let Events { room, alarm, deadline, errands, lost } = events;
        let Surroundings { entropy, memory, meet, turn_work, stepped } = surroundings;
        let options = store_options(&config, memory);
        let (room_hook, room) = for_two(room);
        let reading_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&reading_ended);
        let lost = Box::new(move |why: &str| {
            ended.store(true, Ordering::Release);
            lost(why);
        });
        let hash = surroundings::key_hash(&*entropy).map_err(OpenError::Setup)?;
        let listeners = store::Events { room, lost };
        let (store, recovered) = surroundings::open_store(stepped, options, listeners)?;
        let alarms = Alarms::new(&config.alarms, memory);
        let mut broker = Self {
            access: Access::new(&config.access, &*entropy, hash),
            arrivals: Arrivals::new(alarms.arriving_bytes_max()),
            frugality: Frugality::default(),
            alarms,
            config,
            store: MeetingStore::new(store, meet.clone()),
            me: OnceLock::new(),
            reads: AtomicUsize::new(0),
            reading_ended,
            alarm_hook: alarm,
            vhosts: Registry::new(&meet, hash),
            clients: Registry::new(&meet, hash),
            replies: ReplyAddresses::new(&meet, hash),
            timers: Timers::new(deadline),
            errands: Errands::new(errands),
            mourning: Mourning::default(),
            returns: Returns::default(),
            room_hook,
            departed: Departed::default(),
            operators: Arc::default(),
            accounts: MeetingLock::new(&meet, Meeting::Accounts, ()),
            census: Census::default(),
            last_queue_id: MeetingLock::new(&meet, Meeting::QueueIds, recovered.queue_id_max),
            last_exchange_id: AtomicU64::new(0),
            last_consumer_id: AtomicU64::new(0),
            last_client_id: AtomicU64::new(0),
            entropy,
            memory,
            meet,
            turn_work,
            hash,
        };
        for note in &recovered.notes {
            log::warn!("{note}");
        }
        let is_new = recovered.vhosts.is_empty() && recovered.users.is_empty();
        broker.census = broker.restore(recovered, now_ms)?;
        if is_new {
            broker.found()?;
        }
        if let Some(path) = broker.config.definitions.clone() {
            broker.apply_definitions(&path, now_ms)?;
        }
        let broker = Arc::new(broker);
        broker.me.get_or_init(|| Arc::downgrade(&broker));
        Ok(broker)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was there when the broker was opened.
    pub fn census(&self) -> Census {
        self.census
    }

    /// Starts a login; see [`Login`].
    pub fn login(&self, user: &str, password: &[u8], peer: IpAddr) -> Login {
        self.access.login(user, password, peer)
    }

    /// Logs in a user whom somebody else vouches for, such as a certificate.
    ///
    /// # Errors
    /// Why not, for the log.
    pub fn login_vouched(&self, user: &str, peer: IpAddr) -> Result<Identity, String> {
        self.access.login_vouched(user, peer)
    }

    /// Lets those log in again whose failures are long enough ago. Called a few times a second.
    pub fn forget_failed_logins(&self, now_ms: u64) {
        self.access.forget_failures(now_ms);
    }

    /// Whether as much waits for the disk as may: who publishes to it is not read until the `room` event.
    pub fn store_is_full(&self) -> bool {
        self.store.is_full()
    }

    /// Bytes that wait for the disk.
    pub fn store_waiting_bytes(&self) -> usize {
        self.store.inbox_bytes()
    }

    /// Connections that are open.
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// Makes everything durable and closes the store. Connections have ended before.
    pub fn close(&self) {
        self.end_reading();
        self.finish_errands();
        self.store.close();
    }

    /// Hands topology changes to the store, as one record.
    fn commit(&self, changes: Vec<Change>) -> Pending {
        if changes.is_empty() {
            return Pending::NONE;
        }
        let (pending, done) = Pending::new();
        self.store.append(vec![Operation::Topology(changes)], Some(done));
        pending
    }

    /// New ids for queues. Whoever holds this puts the records of its queues into the store's inbox before it lets
    /// go: so ids ascend in the journal, and the store can tell a queue that it has never heard of from one that is
    /// gone.
    fn queue_ids(&self) -> QueueIds<'_> {
        QueueIds(self.last_queue_id.lock())
    }

    fn next_exchange_id(&self) -> u64 {
        next(&self.last_exchange_id)
    }

    fn next_consumer_id(&self) -> u64 {
        next(&self.last_consumer_id)
    }

    fn next_client_id(&self) -> u64 {
        next(&self.last_client_id)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.vhosts.values().iter().for_each(|vhost| vhost.take_apart());
    }
}

/// The right to give ids to queues.
struct QueueIds<'a>(MutexGuard<'a, u64>);

impl QueueIds<'_> {
    fn next(&mut self) -> u64 {
        *self.0 += 1;
        *self.0
    }
}

/// A hook that two call.
fn for_two(hook: Hook) -> (Arc<Hook>, Hook) {
    let hook = Arc::new(hook);
    let other = Arc::clone(&hook);
    (hook, Box::new(move || other()))
}

fn next(last: &AtomicU64) -> u64 {
    last.fetch_add(1, Ordering::Relaxed) + 1
}

fn store_options(config: &Config, memory: &'static Memory) -> store::Options {
    let settings = &config.store;
    store::Options {
        directory: PathBuf::from(&config.data_dir),
        segment_bytes_max: settings.segment_bytes_max,
        checkpoint_bytes: settings.checkpoint_bytes,
        checkpoint_ms: settings.checkpoint_ms,
        inbox_bytes_max: settings.inbox_bytes_max,
        index_cache_bytes: settings.index_cache_bytes,
        memory,
        slice: store::Slice::default(),
    }
}
