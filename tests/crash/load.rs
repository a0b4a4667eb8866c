//! The load of one round: publishers that wait for confirms, and consumers that acknowledge, give back, refuse or just
//! hold what they get, each a thread with a connection of its own, until the broker is gone.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clearing::{self, Clearing};
use super::letter::{Letter, Name, Route};
use super::topology::{EXCHANGE, FIRST, SECOND, THIRD};
use crate::support::peer::{Acknowledging, Delivery, Event, Peer, Routing, publication};
use crate::support::random::Random;

const PUBLISHERS: u32 = 4;
/// connection.close at the end of a clean stop.
const SHUT_DOWN: u16 = 320;

/// What one thread did before the broker went away.
#[derive(Default)]
pub struct Outcome {
    /// All that was sent, in order, each with the time just before.
    pub published: Vec<(Letter, u64)>,
    /// What the broker promised to keep, and since when that is known.
    pub confirmed: Vec<(Name, u64)>,
    /// What was acknowledged, each with its queue; the broker may not have read that any more.
    pub acknowledged: Vec<(&'static str, Name)>,
    /// What was refused for good, likewise.
    pub refused: Vec<(&'static str, Name)>,
    /// When queues were purged and deleted.
    pub clearings: Vec<Clearing>,
    /// Whether the queue that is deleted now and then was left in place, if this thread knows.
    pub deleted_is_there: Option<bool>,
    /// What must not happen, whatever becomes of the broker.
    pub failure: Option<String>,
}

/// The order in which the threads of a round did things.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A time later than all before, and earlier than all to come.
    pub fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// Threads at work.
pub struct Load {
    threads: Vec<JoinHandle<Outcome>>,
    reached: Receiver<Reached>,
    ending: Arc<AtomicBool>,
}

enum Reached {
    Confirms,
    Failure,
}

/// How the threads tell that there were enough confirms.
#[derive(Clone)]
struct Goal {
    confirms: u64,
    seen: Arc<AtomicU64>,
    clock: Clock,
    tell: Sender<Reached>,
    /// The broker is about to go, so that connections may end.
    ending: Arc<AtomicBool>,
}

impl Load {
    /// Starts the threads of a round.
    pub fn start(port: u16, round: u32, confirms: u64, random: &mut Random) -> Self {
        let (tell, reached) = channel();
        let ending = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(AtomicU64::new(0));
        let clock = Clock::default();
        // Nothing else happens at the first moment.
        clock.tick();
        let goal = Goal { confirms, seen, clock, tell, ending: Arc::clone(&ending) };
        let mut threads = Vec::new();
        for publisher in 0..PUBLISHERS {
            let (goal, random) = (goal.clone(), random.part());
            threads.push(worker(goal, move |goal, outcome| {
                publish(port, Name { round, publisher, sequence: 0 }, random, goal, outcome)
            }));
        }
        let consumers = [
            (FIRST, Habit { give_back_once_in: 50, refuse_once_in: 0, hold_once_in: 3 }),
            (FIRST, Habit { give_back_once_in: 20, refuse_once_in: 0, hold_once_in: 0 }),
            (SECOND, Habit { give_back_once_in: 0, refuse_once_in: 0, hold_once_in: 1 }),
            (THIRD, Habit { give_back_once_in: 0, refuse_once_in: 2, hold_once_in: 3 }),
        ];
        for (queue, habit) in consumers {
            let random = random.part();
            threads.push(worker(goal.clone(), move |_, outcome| {
                consume(port, queue, habit, random, outcome)
            }));
        }
        let (purging, deleting) = (random.part(), random.part());
        threads.push(worker(goal.clone(), move |goal, outcome| {
            clearing::purge(port, purging, &goal.clock, outcome)
        }));
        threads.push(worker(goal, move |goal, outcome| {
            clearing::delete(port, deleting, &goal.clock, outcome)
        }));
        Self { threads, reached, ending }
    }

    /// Waits until the broker has confirmed as many messages as it was to.
    pub fn reached(&self, limit: Duration) -> Result<(), String> {
        match self.reached.recv_timeout(limit) {
            Ok(Reached::Confirms) => Ok(()),
            Ok(Reached::Failure) => Err("a client could not go on".to_owned()),
            Err(_) => Err(format!("not as many confirms in {limit:?} as there were to be")),
        }
    }

    /// Says that the broker is about to be ended; until then, the end of a connection is a failure.
    pub fn expect_the_end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    /// Waits until the threads have noticed that the broker is gone.
    pub fn finish(self) -> Vec<Outcome> {
        self.threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    }
}

fn worker(
    goal: Goal,
    work: impl FnOnce(&Goal, &mut Outcome) -> io::Result<String> + Send + 'static,
) -> JoinHandle<Outcome> {
    thread::spawn(move || {
        let mut outcome = Outcome::default();
        let failure = match work(&goal, &mut outcome) {
            Ok(failure) => failure,
            Err(_) if goal.ending.load(Ordering::SeqCst) => return outcome,
            Err(error) => format!("a connection ended: {error}"),
        };
        outcome.failure = Some(failure);
        let _ = goal.tell.send(Reached::Failure);
        outcome
    })
}

/// Publishes until the connection ends, which is an error; what it returns is a failure.
fn publish(
    port: u16,
    mut name: Name,
    mut random: Random,
    goal: &Goal,
    outcome: &mut Outcome,
) -> io::Result<String> {
    let mut peer = Peer::connect(port)?;
    peer.select_confirms()?;
    let window = [1, 10, 100, 300][random.within(0..4) as usize];
    let mut open = BTreeMap::new();
    let mut tag = 0;
    if goal.confirms == 0 {
        let _ = goal.tell.send(Reached::Confirms);
    }
    loop {
        if open.len() < window {
            let letter = Letter {
                name,
                route: Route::by_number(random.within(0..6)),
                persistent: !random.once_in(10),
                filling_bytes: filling_bytes(&mut random),
            };
            tag += 1;
            name.sequence += 1;
            outcome.published.push((letter, goal.clock.tick()));
            open.insert(tag, letter.name);
            let delivery =
                if letter.persistent { Delivery::Persistent } else { Delivery::Transient };
            let (key, body) = (letter.route.key(), letter.body());
            peer.send(&publication(EXCHANGE, key, Routing::Optional, delivery, &body))?;
            continue;
        }
        match peer.event()? {
            Event::Confirmed { tag, multiple, accepted: true } => {
                let later = open.split_off(&(tag + 1));
                let mut named = std::mem::replace(&mut open, later);
                if !multiple {
                    let one = named.remove(&tag);
                    open.append(&mut named);
                    named.extend(one.map(|name| (tag, name)));
                }
                if named.is_empty() {
                    return Ok(format!("the tag {tag} was confirmed a second time"));
                }
                let now = goal.clock.tick();
                outcome.confirmed.extend(named.values().map(|name| (*name, now)));
                goal.count(named.len() as u64);
            }
            Event::Closed { code: SHUT_DOWN, .. } => {
                return Err(io::Error::other("the broker was stopped"));
            }
            other => return Ok(format!("a publisher was told {other:?}")),
        }
    }
}

fn filling_bytes(random: &mut Random) -> u32 {
    let most = if random.once_in(100) { 300_000 } else { 2_000 };
    random.within(0..most) as u32
}

impl Goal {
    fn count(&self, confirms: u64) {
        let before = self.seen.fetch_add(confirms, Ordering::Relaxed);
        if before < self.confirms && before + confirms >= self.confirms {
            let _ = self.tell.send(Reached::Confirms);
        }
    }
}

/// What a consumer does with a delivery, each once in so many, or never for 0; otherwise it acknowledges.
#[derive(Clone, Copy)]
struct Habit {
    hold_once_in: u64,
    give_back_once_in: u64,
    refuse_once_in: u64,
}

/// Consumes until the connection ends, which is an error; what it returns is a failure.
fn consume(
    port: u16,
    queue: &'static str,
    habit: Habit,
    mut random: Random,
    outcome: &mut Outcome,
) -> io::Result<String> {
    let mut peer = Peer::connect(port)?;
    let prefetch = [1, 20, 200][random.within(0..3) as usize];
    peer.prefetch(prefetch)?;
    peer.consume(queue, Acknowledging::ByConsumer)?;
    let mut held = Vec::new();
    let mut newest: HashMap<(u32, u32), u32> = HashMap::new();
    loop {
        let (tag, redelivered, body) = match peer.event()? {
            Event::Delivered { tag, redelivered, body } => (tag, redelivered, body),
            Event::Closed { code: SHUT_DOWN, .. } => {
                return Err(io::Error::other("the broker was stopped"));
            }
            other => return Ok(format!("a consumer was told {other:?}")),
        };
        let name = Letter::read(&body).name;
        if !redelivered {
            let before = newest.insert((name.round, name.publisher), name.sequence);
            if before.is_some_and(|before| before >= name.sequence) {
                return Ok(format!("{name:?} came from {queue} after number {before:?}"));
            }
        }
        let mut does = |times| times > 0 && random.once_in(times);
        if does(habit.hold_once_in) {
            held.push((tag, name));
            // All but what the prefetch still allows is held; the oldest makes room.
            if held.len() < usize::from(prefetch) {
                continue;
            }
            let (oldest, name) = held.remove(0);
            outcome.acknowledged.push((queue, name));
            peer.acknowledge(oldest)?;
        } else if does(habit.give_back_once_in) {
            peer.requeue(tag)?;
        } else if does(habit.refuse_once_in) {
            outcome.refused.push((queue, name));
            peer.reject(tag)?;
        } else {
            outcome.acknowledged.push((queue, name));
            peer.acknowledge(tag)?;
        }
    }
}
