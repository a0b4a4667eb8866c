//! A store without threads on a disk in memory: what it does is one row of steps that a seed decides, with a crash, a
//! full disk or a failing one between any two of them. What it promised holds, and it says nothing that is not so.
//!
//! `STEPPED_SEEDS=FROM..TO cargo test --test store_stepped` runs more seeds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod memory;
mod store_support;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret::message::LoadedMessage;
use leveret::store::{
    Change, Events, Operation, Options, Recovered, Step, Steps, Store, VhostRecord,
};
use memory::{Access, Dice, Ground};
use store_support::{enqueue, queue, returned, settle};

const SEEDS: u64 = 300;
const ACTIONS: u64 = 150;
const QUEUES: u64 = 3;

/// What is known of a message.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Somebody relies on it.
    promised: bool,
    /// Its end was asked for.
    settling: bool,
}

/// A place in a queue.
type Place = (u64, u64);

/// What was asked of the store, in order, with what it answered.
type Answers = Arc<Mutex<Vec<(u64, bool)>>>;

struct World {
    seed: u64,
    dice: Dice,
    ground: Ground,
    store: Option<(Store, Steps)>,
    now: Duration,
    messages: BTreeMap<Place, Known>,
    /// Ends that somebody relies on: these may not come back.
    gone: BTreeSet<Place>,
    next: u64,
    asked: BTreeMap<u64, Vec<Operation>>,
    answers: Answers,
    number: u64,
    lost: Arc<Mutex<Option<String>>>,
    may_be_lost: bool,
    stopped_well: bool,
}

fn options() -> Options {
    Options {
        directory: PathBuf::from("/data"),
        segment_bytes_max: 1_500,
        checkpoint_bytes: 2_500,
        checkpoint_ms: 50,
        ..Options::default()
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            dice: Dice::new(seed),
            ground: Ground::new(seed),
            store: None,
            now: Duration::ZERO,
            messages: BTreeMap::new(),
            gone: BTreeSet::new(),
            next: 0,
            asked: BTreeMap::new(),
            answers: Answers::default(),
            number: 0,
            lost: Arc::default(),
            may_be_lost: false,
            stopped_well: true,
        };
        world.open();
        world
    }

    /// Opens the store and compares what it holds with what is known.
    fn open(&mut self) {
        (self.lost, self.may_be_lost) = (Arc::default(), false);
        let lost = Arc::clone(&self.lost);
        let tell = move |reason: &str| *lost.lock().unwrap() = Some(reason.to_owned());
        let events = Events { lost: Box::new(tell), ..Events::default() };
        let (store, recovered, steps) =
            Store::open_stepped(options(), events, self.ground.surroundings())
                .unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        self.store = Some((store, steps));
        self.now = Duration::ZERO;
        self.check_notes(&recovered);
        self.compare();
        if recovered.queues.len() < QUEUES as usize {
            let vhost = Change::PutVhost(VhostRecord { name: "/".into() });
            let changes = [vhost].into_iter().chain((1..=QUEUES).map(queue)).collect();
            self.ask(vec![Operation::Topology(changes)]);
            self.run_until_idle();
        }
    }

    fn check_notes(&self, recovered: &Recovered) {
        for note in &recovered.notes {
            let expected = note.contains("torn tail") || note.contains("never begun");
            assert!(expected && !self.stopped_well, "seed {}: {note}", self.seed);
        }
    }

    /// What is there was once put there and did not end for good; what was promised and did not end is there.
    fn compare(&mut self) {
        let (seed, mut there) = (self.seed, BTreeSet::new());
        for queue in 1..=QUEUES {
            let (store, _) = self.store.as_ref().unwrap();
            let visit = &mut |found: leveret::message::StoredMessage| {
                there.insert((queue, found.position));
            };
            store.survey(queue, visit).unwrap();
        }
        for place in &there {
            assert!(!self.gone.contains(place), "seed {seed}: {place:?} came back from its end");
            assert!(self.messages.contains_key(place), "seed {seed}: {place:?} came from nowhere");
        }
        for (place, known) in &self.messages {
            let must_be_there = known.promised && !known.settling;
            assert!(there.contains(place) || !must_be_there, "seed {seed}: {place:?} is lost");
        }
        // Whatever is there has been synced by now, and is relied upon.
        let known =
            there.into_iter().map(|place| (place, Known { promised: true, settling: false }));
        self.messages = known.collect();
        for queue in 1..=QUEUES {
            self.read_all(queue);
        }
    }

    /// Reads all of a queue, and expects each message to be what was put there.
    fn read_all(&mut self, queue: u64) {
        let alive =
            self.messages.iter().filter(|(place, known)| place.0 == queue && !known.settling);
        let positions: Vec<u64> = alive.map(|(place, _)| place.1).collect();
        let found = Arc::new(Mutex::new(None));
        let (store, steps) = self.store.as_mut().unwrap();
        let give = Arc::clone(&found);
        store.read(
            queue,
            positions.clone(),
            Box::new(move |reads| *give.lock().unwrap() = Some(reads)),
        );
        while steps.reader() == Step::Worked {}
        let found = found.lock().unwrap().take().expect("the reader has answered");
        let seed = self.seed;
        let bodies: BTreeMap<u64, String> = found
            .into_iter()
            .map(|read| {
                let LoadedMessage { position, message, .. } = read.unwrap_or_else(|unread| {
                    panic!("seed {seed}: of queue {queue} cannot be read: {unread:?}")
                });
                (position, String::from_utf8(message.body().to_vec()).unwrap())
            })
            .collect();
        let expected = positions.into_iter().map(|position| (position, body(position)));
        assert_eq!(bodies, expected.collect(), "seed {seed}, queue {queue}");
    }

    fn ask(&mut self, operations: Vec<Operation>) {
        self.number += 1;
        self.asked.insert(self.number, operations.clone());
        let (number, answers) = (self.number, Arc::clone(&self.answers));
        let done =
            move |answer: Result<(), _>| answers.lock().unwrap().push((number, answer.is_ok()));
        self.store.as_ref().unwrap().0.append(operations, Some(Box::new(done)));
    }

    fn step(&mut self) -> Step {
        self.now += Duration::from_millis(self.dice.below(10));
        let now = self.now;
        let (_, steps) = self.store.as_mut().unwrap();
        let step = steps.committer(now);
        self.hear();
        if step == Step::Ended {
            let lost = self.lost.lock().unwrap().clone();
            assert!(lost.is_none() || self.may_be_lost, "seed {}: {lost:?}", self.seed);
        }
        step
    }

    fn run_until_idle(&mut self) {
        while self.step() == Step::Worked {}
    }

    fn hear(&mut self) {
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        for (number, is_done) in answers {
            let operations = self.asked.remove(&number).expect("answered once");
            if !is_done {
                assert!(self.lost.lock().unwrap().is_some(), "seed {}: refused", self.seed);
                continue;
            }
            for operation in operations {
                match operation {
                    Operation::Enqueue { places, .. } => {
                        for place in places {
                            let place = (place.queue, place.position);
                            if let Some(known) = self.messages.get_mut(&place) {
                                known.promised = true;
                            }
                        }
                    }
                    Operation::Settle { queue, positions } => {
                        for position in positions {
                            self.messages.remove(&(queue, position));
                            self.gone.insert((queue, position));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn publish(&mut self) {
        self.next += 1;
        let position = self.next;
        let first = 1 + self.dice.below(QUEUES);
        let mut places = vec![(first, position)];
        if self.dice.once_in(4) {
            places.push((1 + first % QUEUES, position));
        }
        for place in &places {
            self.messages.insert(*place, Known::default());
        }
        self.ask(vec![enqueue(&body(position), &places)]);
    }

    /// Ends some messages, or gives one back.
    fn settle(&mut self) {
        let alive: Vec<Place> = self
            .messages
            .iter()
            .filter(|(_, known)| !known.settling)
            .map(|(place, _)| *place)
            .collect();
        if alive.is_empty() {
            return;
        }
        let start = self.dice.below(alive.len() as u64) as usize;
        let (queue, position) = alive[start];
        if self.dice.once_in(5) {
            self.ask(vec![returned(queue, position, 1)]);
            return;
        }
        let count = 1 + self.dice.below(8) as usize;
        let ends = alive[start..].iter().filter(|place| place.0 == queue).take(count);
        let positions: Vec<u64> = ends.map(|place| place.1).collect();
        for position in &positions {
            self.messages.get_mut(&(queue, *position)).unwrap().settling = true;
        }
        if self.dice.once_in(2) {
            self.ask(vec![settle(queue, &positions)]);
        } else {
            self.store.as_ref().unwrap().0.append(vec![settle(queue, &positions)], None);
        }
    }

    fn crash(&mut self) {
        self.store = None;
        self.asked.clear();
        self.answers.lock().unwrap().clear();
        self.ground.disk.leave_alone();
        self.ground.disk.limit(None);
        self.ground.crash(&mut self.dice);
        self.stopped_well = false;
        self.open();
    }

    fn stop(&mut self) {
        self.ground.disk.leave_alone();
        self.ground.disk.limit(None);
        self.store.as_ref().unwrap().0.close();
        let mut steps = 0;
        while self.step() != Step::Ended {
            steps += 1;
            assert!(steps < 10_000, "seed {}: the stop never ends", self.seed);
        }
        assert_eq!(self.store.as_mut().unwrap().1.reader(), Step::Ended);
        let is_lost = self.lost.lock().unwrap().is_some();
        assert!(is_lost || self.asked.is_empty(), "seed {}: not all was answered", self.seed);
        self.store = None;
        self.asked.clear();
        if is_lost {
            self.ground.crash(&mut self.dice);
        } else {
            // All that was asked for holds, promised or not.
            for (place, known) in std::mem::take(&mut self.messages) {
                match known.settling {
                    true => drop(self.gone.insert(place)),
                    false => drop(self.messages.insert(place, Known { promised: true, ..known })),
                }
            }
        }
        self.stopped_well = !is_lost;
        self.open();
    }

    fn fail(&mut self, access: Access, times: u64) {
        let mut left = times;
        self.ground.disk.watch(move |what, _| {
            if what == access && left > 0 {
                left -= 1;
                return Err(io::Error::other("told to fail"));
            }
            Ok(())
        });
    }

    fn act(&mut self) {
        match self.dice.below(100) {
            0..30 => self.publish(),
            30..45 => self.settle(),
            45..85 => drop(self.step()),
            85..88 => {
                let queue = 1 + self.dice.below(QUEUES);
                if self.step() == Step::Idle && self.lost.lock().unwrap().is_none() {
                    self.read_all(queue);
                }
            }
            88..90 => {
                let room = self.ground.disk.used() + self.dice.below(600);
                self.ground.disk.limit(Some(room));
            }
            90..92 => self.ground.disk.limit(None),
            92 => {
                let access =
                    [Access::Sync, Access::Append, Access::Create][self.dice.below(3) as usize];
                self.may_be_lost = true;
                self.fail(access, 1);
            }
            93..96 => self.crash(),
            96..98 => self.stop(),
            _ => self.run_until_idle(),
        }
    }
}

fn body(position: u64) -> String {
    format!("{position}{}", "x".repeat((position % 90) as usize))
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("STEPPED_SEEDS") else { return 0..SEEDS };
    let (from, to) = range.split_once("..").expect("FROM..TO");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn whatever_happens_between_two_steps_promises_are_kept() {
    for seed in seeds() {
        let mut world = World::new(seed);
        for _ in 0..ACTIONS {
            world.act();
        }
        world.crash();
        world.stop();
    }
}
