//! A run: brokers that start on what the one before left, clients that do things, a disk that has its troubles, and an
//! end that comes in this way or that. In the end everything is taken out and judged.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use leveret::broker::Broker;
use leveret::config::Config;
use leveret::message::Held as Burden;
use leveret::wire::{Method, basic};
use parking_lot::Mutex;

use crate::deeds::{self, Doer, LENGTH_MAX, Seat};
use crate::disk::{Crash, Trouble};
use crate::ground::{self, BEGIN_MS, Ground};
use crate::guest::{Answer, Guest, Held};
use crate::life::{Life, World};
use crate::random::Random;
use crate::strand::Strands;
use crate::witness::{FULL, HERE, Id, PASSING, PLACES, QueueNumber, SHORT, Witness};

/// Rounds in which everybody goes on once. When as many did not suffice, nobody comes to rest any more.
const ROUNDS_MAX: u32 = 3_000;

/// Bytes that messages may hold. They never do, but for what presses them above it.
const MEMORY_BYTES_MAX: usize = 1_000_000;

/// In so many steps the memory becomes short once, or is so no longer.
const ALARM_ONCE_IN: u64 = 400;

/// Bytes that may wait for the disk beside those that the inbox may have: what was begun when it was not full yet, by
/// each client a batch or a transaction, and what its channel leaves behind.
const INBOX_BEYOND_BYTES: usize = 50_000;

/// Whether reads fail too.
const READS_FAIL: bool = true;

/// So many rounds in which nobody did anything mean that nobody will.
const QUIET_ROUNDS: u32 = 4;

/// What outlives the brokers of a run.
struct Play {
    random: Random,
    world: Rc<World>,
    ground: Ground,
    config: Config,
    strands: Strands,
    deeds: u32,
    /// The disk failed so that the store may be given up.
    has_failed: bool,
    is_narrow: bool,
    /// What presses the memory above its limit.
    burden: Option<Burden>,
    /// How many messages a queue that refuses had when its broker started.
    restored: u64,
}

/// Plays what the seed says.
pub fn play(seed: u64, is_loud: bool) {
    let mut random = Random::new(seed);
    let mut witness = Witness::default();
    witness.is_loud = is_loud;
    let world = Rc::new(World {
        witness: RefCell::new(witness),
        now_ms: Cell::new(BEGIN_MS),
        last: Cell::new(0),
        deeds_left: Cell::new(0),
    });
    let config = config(&mut random);
    let strands = Strands::new(seed);
    let is_narrow = random.once_in(3);
    let deeds = if is_narrow { 2..16 } else { 10..70 };
    let deeds = random.within(deeds) as u32;
    let mut play = Play {
        random,
        world,
        ground: Ground::new(),
        config,
        strands,
        deeds,
        has_failed: false,
        is_narrow,
        burden: None,
        restored: 0,
    };
    for _ in 0..play.random.within(1..if is_narrow { 6 } else { 4 }) {
        play.live();
    }
    play.finish();
}

fn config(random: &mut Random) -> Config {
    let mut config = Config::default();
    let mut pick = |choices: &[u64]| choices[random.within(0..choices.len() as u64) as usize];
    config.amqp.outbox_bytes_max = pick(&[1_024, 4_096, 65_536]) as usize;
    config.store.segment_bytes_max = pick(&[1_000, 4_000, 30_000]);
    config.store.checkpoint_bytes = pick(&[500, 4_000, 100_000]);
    config.store.checkpoint_ms = pick(&[1, 100, 5_000]);
    config.store.inbox_bytes_max = pick(&[1_000, 10_000, 1_000_000]) as usize;
    config.store.queue_window_messages = pick(&[2, 4, 16, 1_000]) as usize;
    config.store.queue_window_bytes = pick(&[2_000, 100_000]) as usize;
    config.alarms.disk_free_bytes_min = 0;
    config.alarms.memory_bytes_max = MEMORY_BYTES_MAX as u64;
    config
}

impl Play {
    fn say(&self, text: impl FnOnce() -> String) {
        self.world.witness.borrow().say(text);
    }

    /// A broker starts, all kinds of things happen, and it ends.
    fn live(&mut self) {
        let life = self.open();
        let clients = 2 + self.random.within(0..3) as u32;
        for number in 0..clients {
            self.seat(&life, number);
        }
        self.world.deeds_left.set(self.deeds);
        self.stir(&life);
        if !life.is_lost() && self.random.once_in(2) {
            self.ground.disk.suffer(Trouble::default());
            if self.burden.is_some() && self.random.once_in(2) {
                // Whoever does not publish comes to rest, the alarm notwithstanding.
                self.rest(&life);
            }
            self.burden = None;
            self.rest(&life);
            if self.random.once_in(2) {
                self.check(&life);
            }
            life.go_on();
        }
        if self.random.once_in(2) {
            self.burden = None;
        }
        self.end(&life);
        self.burden = None;
    }

    /// Everybody goes on as the seed says, until all is done or something happens.
    fn stir(&mut self, life: &Rc<Life>) {
        let steps = [200, 1_000, 4_000][self.random.within(0..3) as usize];
        let has_troubles = self.random.once_in(2);
        for _ in 0..steps {
            if life.is_lost() {
                break;
            }
            if has_troubles && self.random.once_in(60) {
                let trouble = self.trouble();
                self.say(|| format!("{trouble:?}"));
                self.has_failed |= trouble.fails();
                self.ground.disk.suffer(trouble);
            }
            if self.random.once_in(ALARM_ONCE_IN) {
                self.press();
            }
            self.strands.step();
            self.expect_limits(life);
        }
    }

    /// Something else than messages takes the memory, or gives it back.
    fn press(&mut self) {
        self.burden = match self.burden.take() {
            Some(_) => None,
            None => Some(ground::memory().hold(MEMORY_BYTES_MAX)),
        };
        self.say(|| format!("memory is short: {}", self.burden.is_some()));
    }

    /// What has a limit is within it.
    fn expect_limits(&self, life: &Rc<Life>) {
        let broker = &life.broker;
        let most = self.config.store.inbox_bytes_max + INBOX_BEYOND_BYTES;
        let waiting = broker.store_waiting_bytes();
        assert!(waiting <= most, "{waiting} bytes wait for the disk, at most {most} may");
        let burden = self.burden.as_ref().map_or(0, |_| MEMORY_BYTES_MAX);
        let held = broker.memory().held_bytes() - burden;
        assert!(held <= MEMORY_BYTES_MAX, "messages hold {held} bytes");
        let Some(queue) = broker.queue("/", PLACES[FULL].name) else { return };
        let figures = queue.figures();
        // What was there before comes back whatever the limit says.
        let most = self.restored.max(LENGTH_MAX as u64) + figures.totals.returned;
        let ready = figures.counts.ready;
        assert!(ready <= most, "{ready} messages in a queue that refuses more than {LENGTH_MAX}");
    }

    fn trouble(&mut self) -> Trouble {
        let mut trouble = Trouble { slow: self.random.once_in(2), ..Trouble::default() };
        match self.random.within(0..10) {
            0..3 => trouble.room = Some(self.random.within(0..2_000)),
            3 if READS_FAIL => trouble.read = Some(self.random.within(0..4) as u32),
            4 if self.random.once_in(4) => trouble.write = Some(self.random.within(0..20) as u32),
            5 if self.random.once_in(4) => trouble.sync = Some(self.random.within(0..20) as u32),
            _ => {}
        }
        trouble.for_good = self.random.once_in(3);
        trouble
    }

    fn open(&mut self) -> Rc<Life> {
        self.has_failed = false;
        let lost = Arc::new(AtomicBool::new(false));
        let seed = self.random.within(0..u64::MAX);
        let now_ms = self.world.now_ms.get();
        self.say(|| "a broker starts".to_owned());
        let opened = self.ground.open(self.config.clone(), seed, &lost, now_ms).expect("it opens");
        self.world.witness.borrow_mut().starts += 1;
        let life = Life::new(opened.broker, &self.world, &lost);
        life.spawn(&mut self.strands, opened.steps.split(), &mut self.random);
        self.check_least(&life.broker);
        let full = life.broker.queue("/", PLACES[FULL].name);
        self.restored = full.map_or(0, |queue| queue.figures().counts.ready);
        let guest = Rc::new(Guest::connect(&life, "/").expect("a new connection"));
        self.use_alone(&life, &guest, |guest| {
            deeds::settle_in(guest).expect("what is to last is declared");
        });
        life
    }

    /// After a start at least everything is there that must be.
    fn check_least(&self, broker: &Arc<Broker>) {
        for (number, place) in PLACES.iter().enumerate() {
            let counts = |number: QueueNumber| {
                let queue = broker.queue(PLACES[number].vhost, PLACES[number].name);
                let counts = queue.map(|queue| queue.figures().counts).unwrap_or_default();
                counts.ready + counts.unacknowledged
            };
            let there = counts(number) + place.heir.map_or(0, counts);
            let least = self.world.witness.borrow().least(number) as u64;
            assert!(there >= least, "{} has {there} messages, not {least}", place.name);
        }
    }

    /// Lets one client do something while nobody else does.
    fn use_alone(
        &mut self,
        life: &Rc<Life>,
        guest: &Rc<Guest>,
        work: impl FnOnce(&Guest) + 'static,
    ) {
        let seat: Seat = Rc::new(RefCell::new(Some(Rc::clone(guest))));
        let done = Rc::new(Cell::new(false));
        let (hears, at, ends) = (Rc::clone(life), Rc::clone(&seat), Rc::clone(&done));
        self.strands.spawn("ear".to_owned(), move || deeds::listen(&hears, &at, &ends));
        let (works, ends) = (Rc::clone(guest), Rc::clone(&done));
        self.strands.spawn("hand".to_owned(), move || {
            work(&works);
            works.end();
            ends.set(true);
        });
        self.strands.calm(true);
        let mut rounds = 0;
        while !done.get() {
            self.strands.round();
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "somebody waits for ever: {:?}", self.strands.names());
        }
        self.strands.round();
        self.strands.calm(false);
    }

    fn seat(&mut self, life: &Rc<Life>, number: u32) {
        let seat = Seat::default();
        life.seats.borrow_mut().push(Rc::clone(&seat));
        let done = Rc::new(Cell::new(false));
        let (hears, at, ends) = (Rc::clone(life), Rc::clone(&seat), Rc::clone(&done));
        self.strands.spawn(format!("ear {number}"), move || deeds::listen(&hears, &at, &ends));
        let is_builder = number == 0 || self.random.once_in(2);
        let doer = Doer {
            life: Rc::clone(life),
            random: self.random.part(),
            seat,
            is_builder,
            is_narrow: self.is_narrow,
        };
        self.strands.spawn(format!("hand {number}"), move || {
            doer.run();
            done.set(true);
        });
    }

    /// Nobody begins anything, and everything under way is done.
    fn rest(&mut self, life: &Rc<Life>) {
        life.pause();
        self.strands.calm(true);
        let (mut quiet, mut rounds) = (0, 0);
        while quiet < QUIET_ROUNDS && !life.is_lost() {
            quiet = if self.strands.round() { 0 } else { quiet + 1 };
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "nobody comes to rest: {:?}", self.strands.names());
        }
        self.strands.calm(false);
        let is_held = |seat: &&Seat| seat.borrow().as_ref().is_some_and(|one| one.is_held.get());
        let held = match self.burden {
            Some(_) => life.seats.borrow().iter().filter(is_held).count() as u32,
            None => 0,
        };
        let parked = life.parked.get() + held == life.guests.get();
        assert!(parked || life.is_lost(), "a client waits for what nobody does");
    }

    /// Nothing waits that could go on, and the broker counts right.
    fn check(&self, life: &Rc<Life>) {
        self.check_least(&life.broker);
        let seats = life.seats.borrow();
        let guests: Vec<Rc<Guest>> =
            seats.iter().filter_map(|seat| seat.borrow().clone()).collect();
        for guest in &guests {
            let channel = guest.channel.borrow();
            assert!(channel.unconfirmed.is_empty(), "{:?} wait for ever", channel.unconfirmed);
            assert!(!guest.is_blocked.get(), "nobody was told that the alarm is over");
        }
        for (number, place) in PLACES.iter().enumerate() {
            let Some(queue) = life.broker.queue(place.vhost, place.name) else { continue };
            let counts = queue.figures().counts;
            let (mut held, mut taps) = (0, 0);
            for guest in &guests {
                let channel = guest.channel.borrow();
                held += channel.held.values().filter(|held| held.queue == number).count() as u64;
                for (tag, tap) in channel.taps.iter().filter(|(_, tap)| tap.queue == number) {
                    taps += 1;
                    let is_own = |held: &&Held| held.consumer.as_ref() == Some(tag);
                    let own = channel.held.values().filter(is_own).count();
                    let (all, most) = (channel.held.len(), usize::from(channel.prefetch_in_all));
                    let has_credit = tap.no_ack
                        || (tap.prefetch == 0 || own < tap.prefetch.into())
                            && (most == 0 || all < most);
                    let waiting = counts.ready;
                    assert!(
                        !has_credit || waiting == 0,
                        "{waiting} wait in {} for {tag}",
                        place.name
                    );
                }
            }
            assert_eq!(counts.consumers, taps, "consumers of {}", place.name);
            let unacked = counts.unacknowledged;
            let is_right = unacked == held || place.is_volatile && unacked < held;
            assert!(is_right, "{} says {unacked} are unacknowledged, not {held}", place.name);
            let length = counts.ready;
            assert!(number != SHORT || length <= LENGTH_MAX as u64, "{length} in a short queue");
            let there = counts.ready + unacked;
            let most =
                self.world.witness.borrow().most(number).map_or(u64::MAX, |most| most as u64);
            assert!(there <= most, "{} says {there} are there, but at most {most}", place.name);
        }
    }

    /// The broker ends, in good order or not, and leaves what it leaves.
    fn end(&mut self, life: &Rc<Life>) {
        assert!(!life.is_lost() || self.has_failed, "the store is lost, and nothing failed");
        let is_clean = !life.is_lost() && self.random.once_in(2);
        if is_clean {
            if !self.random.once_in(4) {
                self.ground.disk.suffer(Trouble::default());
            }
            self.say(|| "it is told to stop".to_owned());
            life.stop();
            let mut steps = 0;
            while !self.strands.is_empty() && !life.is_lost() && steps < 50_000 {
                self.strands.step();
                steps += 1;
            }
        }
        if is_clean && life.has_stopped() && self.strands.is_empty() {
            self.say(|| "it has stopped".to_owned());
            self.ground = self.ground.after_stop();
            self.world.witness.borrow_mut().ended();
            return;
        }
        let crash = if self.random.once_in(2) { Crash::Process } else { Crash::Power };
        self.say(|| format!("it crashes: {crash:?}"));
        let mut random = self.random.part();
        self.ground = self.ground.after(crash, &mut random);
        life.cut_off();
        let mut rounds = 0;
        while !self.strands.is_empty() {
            self.strands.round();
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "who is cut off hangs: {:?}", self.strands.names());
        }
        let mut witness = self.world.witness.borrow_mut();
        witness.crashes += 1;
        witness.ended();
    }

    /// Takes everything out of every queue, and judges.
    fn finish(&mut self) {
        let life = self.open();
        let found: Rc<RefCell<BTreeMap<QueueNumber, Vec<Id>>>> = Rc::default();
        for (vhost, numbers) in [("/", 0..HERE), (PASSING, HERE..PLACES.len())] {
            if !life.broker.has_vhost(vhost) {
                continue;
            }
            let guest = Rc::new(Guest::connect(&life, vhost).expect("a new connection"));
            let out = Rc::clone(&found);
            self.use_alone(&life, &guest, move |guest| {
                // A crash may have left the virtual host without the permission to use it.
                let Ok(()) = guest.begin(false) else { return };
                for number in numbers {
                    let ids = take_out(guest, number);
                    out.borrow_mut().insert(number, ids);
                }
            });
        }
        self.world.witness.borrow_mut().judge(&found.borrow());
        self.end(&life);
    }
}

fn take_out(guest: &Guest, number: QueueNumber) -> Vec<Id> {
    let mut ids = Vec::new();
    if !guest.channel.borrow().is_open {
        guest.open_channel(false).expect("a channel");
    }
    loop {
        guest.channel.borrow_mut().fetching = Some(number);
        let get = basic::Get { queue: PLACES[number].name, no_ack: false };
        match guest.try_request(&Method::BasicGet(get)).expect("an answer") {
            Answer::Done(id) => ids.push(id),
            Answer::Empty | Answer::Refused(_) => return ids,
        }
    }
}

/// Plays seeds, on as many threads as there are processors where nothing is said. Returns those that failed.
pub fn play_all(seeds: Range<u64>, threads: Option<usize>) -> Vec<u64> {
    let of_the_machine = || thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or_else(of_the_machine);
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    if panic::catch_unwind(|| play(seed, false)).is_err() {
                        println!("LEVERET_SIMULATION_SEED={seed} fails");
                        failed.lock().push(seed);
                    }
                }
            });
        }
    });
    failed.into_inner()
}
