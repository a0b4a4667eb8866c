//! What a broker stands on and what outlives it: the disk and the index's map. And how one is opened on them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leveret::broker::{
    Broker, Events, Meet, Meeting, MeetingHook, Stepped, Surroundings, import_hash,
};
use leveret::config::Config;
use leveret::entropy::Entropy;
use leveret::message::Memory;
use leveret::store::{self, PermissionRecord, Step, Steps, UserRecord};
use parking_lot::Mutex;

use crate::base::{MemoryBase, MemoryPlace};
use crate::disk::{Crash, MemoryDisk};
use crate::random::Random;
use crate::strand;

/// The user of all connections. The hash of its password is one that is verified fast: RabbitMQ's, of `x`.
pub const USER: &str = "sim";
const HASH: &str = "AAAAAMZjJ7xbC4uQN639Y8Kp8ZIs4hRKpROzkNSLw4euPr/2";

/// Everything starts at this time.
pub const BEGIN_MS: u64 = 1_700_000_000_000;

thread_local! {
    static MEMORY: &'static Memory = Memory::leaked();
}

/// What the messages of all brokers of this thread count in. At most one of them lives at a time.
pub fn memory() -> &'static Memory {
    MEMORY.with(|memory| *memory)
}

/// What outlives a broker.
#[derive(Clone)]
pub struct Ground {
    pub disk: MemoryDisk,
    base: MemoryBase,
}

/// An open broker.
pub struct Opened {
    pub broker: Arc<Broker>,
    pub steps: Steps,
}

/// The user may do everything in this virtual host.
pub fn permission(vhost: &str) -> PermissionRecord {
    let all = || ".*".to_owned();
    PermissionRecord {
        user: USER.to_owned(),
        vhost: vhost.to_owned(),
        configure: all(),
        write: all(),
        read: all(),
    }
}

/// Turns that publishing is cut into, in some brokers: so little is otherwise published at once that one is enough.
fn small_turns(seed: u64) -> Option<usize> {
    // Of numbers of its own, so that nothing else depends on it.
    let mut random = Random::new(seed ^ 0x7475_726e);
    random.once_in(4).then(|| [1, 3, 20][random.within(0..3) as usize])
}

/// Random numbers that follow from a seed.
struct Seeded(Mutex<Random>);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        let mut random = self.0.lock();
        bytes.iter_mut().for_each(|byte| *byte = random.within(0..256) as u8);
        Ok(())
    }
}

/// Where a broker finds the steps of its store.
type Slot = Arc<Mutex<Option<Steps>>>;

impl Ground {
    /// A directory with a user and nothing else in it.
    pub fn new() -> Self {
        static FIRST: OnceLock<Ground> = OnceLock::new();
        FIRST.get_or_init(Self::found).copy()
    }

    fn copy(&self) -> Self {
        Self { disk: self.disk.copy(), base: self.base.copy() }
    }

    fn found() -> Self {
        let ground = Self { disk: MemoryDisk::default(), base: MemoryBase::default() };
        let slot = Slot::default();
        let steps = Arc::clone(&slot);
        let hook = move |meeting| {
            if meeting == Meeting::Durable {
                steps.lock().as_mut().unwrap().committer(Duration::ZERO);
            }
        };
        let lost = Arc::new(AtomicBool::new(false));
        let broker =
            ground.open_with(Arc::new(hook), &slot, Config::default(), 0, &lost, BEGIN_MS).unwrap();
        let hash = import_hash(HASH, None).unwrap();
        let user = UserRecord {
            name: USER.to_owned(),
            password_hash: hash,
            tags: vec!["administrator".to_owned()],
        };
        drop(broker.put_user(user));
        drop(broker.set_permission(permission("/")).unwrap());
        broker.close();
        let mut steps = slot.lock().take().unwrap();
        while steps.reader() != Step::Ended || steps.committer(Duration::ZERO) != Step::Ended {}
        ground
    }

    /// Opens a broker whose strands meet, and whose store goes on by steps.
    pub fn open(
        &self,
        config: Config,
        seed: u64,
        lost: &Arc<AtomicBool>,
        now_ms: u64,
    ) -> Result<Opened, String> {
        let slot = Slot::default();
        let broker = self.open_with(Arc::new(strand::meet), &slot, config, seed, lost, now_ms)?;
        let steps = slot.lock().take().unwrap();
        Ok(Opened { broker, steps })
    }

    fn open_with(
        &self,
        hook: MeetingHook,
        slot: &Slot,
        config: Config,
        seed: u64,
        lost: &Arc<AtomicBool>,
        now_ms: u64,
    ) -> Result<Arc<Broker>, String> {
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded(Mutex::new(Random::new(seed))));
        let slot = Arc::clone(slot);
        let stepped = Stepped {
            store: store::Surroundings {
                disk: Arc::new(self.disk.clone()),
                index: Box::new(MemoryPlace(self.base.clone())),
                entropy: Arc::clone(&entropy),
            },
            take: Box::new(move |steps| *slot.lock() = Some(steps)),
        };
        let meet = Meet::new(hook);
        let mut surroundings = Surroundings {
            entropy,
            memory: memory(),
            meet,
            stepped: Some(stepped),
            ..Surroundings::of_the_machine()
        };
        if let Some(turn_work) = small_turns(seed) {
            surroundings.turn_work = turn_work;
        }
        let lost = Arc::clone(lost);
        let events = Events {
            room: Box::new(|| {}),
            alarm: Box::new(|| {}),
            deadline: Box::new(|| {}),
            errands: Box::new(|| {}),
            lost: Box::new(move |_| lost.store(true, Ordering::Release)),
        };
        let config = Config { data_dir: PathBuf::from("/simulated"), ..config };
        Broker::open(config, events, surroundings, now_ms).map_err(|error| error.to_string())
    }

    /// What is left of it when the machine stops at this moment.
    pub fn after(&self, crash: Crash, random: &mut Random) -> Self {
        Self { disk: self.disk.after(crash, random), base: self.base.after(crash, random) }
    }

    /// The same after a stop in good order.
    pub fn after_stop(&self) -> Self {
        self.copy()
    }
}
