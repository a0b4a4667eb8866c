//! The broker and its store in one thread, under one seed and a clock of its own: no sockets, bytes in and bytes out.
//!
//! One simulation compares them with a plain model of every queue (`model`, `world`, `peer`): after each step the two
//! must agree: who got what, in which order, marked as redelivered or not; what is confirmed; how many are ready; that
//! nothing waits which could be delivered. Now and then the broker stops, in good order or as if killed, and goes on
//! from its directory.
//!
//! The other (`play`) lets many things happen at once. Clients, committer, reader, errands and the clock are strands
//! (`strand`), and wherever two connections can meet the seed says who goes on. The disk and the index's map are in
//! memory (`disk`, `base`); the disk delays, fills, fails, tears, and loses in a crash what was not synced. The broker
//! crashes or stops at any step, and another starts on what is left (`ground`, `life`). A witness (`witness`) knows what
//! clients did and heard (`guest`, `deeds`), and says what must be there and what may not come: no confirm without its
//! message, order for each publisher and queue, nothing that was settled, nobody who waits for what nobody does. A virtual
//! host comes and goes under its clients, and something presses the memory above its limit and lets go. Limits are
//! looked at after each step (what waits for the disk, memory, a queue that refuses), at each delivery (prefetch), and at
//! rest (a queue that drops, and how much each queue has at least and at most).
//!
//! That it finds what it is for was seen when mends were taken out of the broker, in `broker/declaration/queue_declaration.rs`, with seeds 0 to
//! 599. `queue.show()` in `create_queue` before `commit`, so that a queue can be found before its record is in the
//! store's inbox: 7 fail, 49 first, since the store gives itself up. In `delete_queue`, a look with `may_close` under
//! `with_queue`, and then `remove_queue` without conditions: 5 lose confirmed messages, 43 first.
//!
//! The seed of a failure is printed. `LEVERET_SIMULATION_SEED` plays it alone and tells what happens;
//! `LEVERET_SIMULATION_STEPS` says how many steps the first takes, `LEVERET_SIMULATION_FIRST` and
//! `LEVERET_SIMULATION_COUNT` which seeds the second plays, and `LEVERET_SIMULATION_THREADS` on how many threads. `benches/simulate` plays many.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "simulation/base.rs"]
mod base;
#[path = "simulation/deeds.rs"]
mod deeds;
#[path = "simulation/disk.rs"]
mod disk;
#[path = "simulation/ground.rs"]
mod ground;
#[path = "simulation/guest.rs"]
mod guest;
#[path = "simulation/life.rs"]
mod life;
#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/peer.rs"]
mod peer;
#[path = "simulation/play.rs"]
mod play;
#[allow(dead_code, unreachable_pub)]
#[path = "support/random.rs"]
mod random;
#[path = "simulation/strand.rs"]
mod strand;
#[path = "simulation/witness.rs"]
mod witness;
#[path = "simulation/world.rs"]
mod world;

use std::time::{SystemTime, UNIX_EPOCH};

use leveret::wire::{Method, Table, basic};
use model::{Id, QUEUES};
use peer::Consumer;
use random::Random;
use world::{COPIED, Stop, World};

const RUNS: u64 = 4;
const STEPS: u64 = 1_000;
const CONSUMERS_MAX: usize = 3;

#[test]
fn the_broker_does_what_a_plain_model_of_it_does() {
    let given = number("LEVERET_SIMULATION_SEED");
    let steps = number("LEVERET_SIMULATION_STEPS").unwrap_or(STEPS);
    let runs = if given.is_some() { 1 } else { RUNS };
    let first = given.unwrap_or_else(seed_of_now);
    for seed in first..first + runs {
        println!("LEVERET_SIMULATION_SEED={seed} LEVERET_SIMULATION_STEPS={steps}");
        let mut simulation =
            Simulation { world: World::new(), random: Random::new(seed), next: 1, trace: false };
        simulation.trace = given.is_some();
        for _ in 0..steps {
            simulation.step();
        }
        simulation.world.finish();
    }
}

/// Seeds that are played by every `cargo test`.
const SEEDS: u64 = 1_000;

#[test]
fn nothing_confirmed_is_lost_whoever_meets_whom_and_whatever_the_disk_does() {
    if let Some(seed) = number("LEVERET_SIMULATION_SEED") {
        return play::play(seed, true);
    }
    let first = number("LEVERET_SIMULATION_FIRST").unwrap_or(0);
    let count = number("LEVERET_SIMULATION_COUNT").unwrap_or(SEEDS);
    let threads = number("LEVERET_SIMULATION_THREADS").map(|threads| threads as usize);
    let failed = play::play_all(first..first + count, threads);
    assert!(failed.is_empty(), "LEVERET_SIMULATION_SEED={} fails, of {failed:?}", failed[0]);
}

struct Simulation {
    world: World,
    random: Random,
    /// Numbers for messages and consumers.
    next: u64,
    trace: bool,
}

impl Simulation {
    fn step(&mut self) {
        let peer = self.random.within(0..self.world.peers.len() as u64) as usize;
        let action = self.random.within(0..400);
        if self.trace {
            println!("{action} by {peer} at {}", self.world.now_ms);
        }
        match action {
            0..110 => self.publish(peer),
            110..160 => self.consume(peer),
            160..180 => self.cancel(peer),
            180..280 => self.settle(peer),
            280..310 => return self.get(peer),
            310..320 => self.recover(peer),
            320..340 => self.limit(peer),
            340..350 => self.reopen(peer),
            350..358 => self.world.lose(peer),
            358..362 => {
                let queue = self.queue();
                self.world.purge(queue);
            }
            362..364 => self.world.restart(Stop::Death),
            364..366 => self.world.restart(Stop::Clean),
            _ => {
                let steps_ms = [0, 1, 100, 350, 700, 1_500];
                let at = self.random.within(0..steps_ms.len() as u64) as usize;
                self.world.pass(steps_ms[at]);
            }
        }
        self.world.settle(None);
    }

    fn queue(&mut self) -> usize {
        self.random.within(0..QUEUES.len() as u64) as usize
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn publish(&mut self, peer: usize) {
        let mut messages: Vec<(&str, &str, Id, bool, usize)> = Vec::new();
        for _ in 0..self.random.within(1..12) {
            let (id, persistent) = (self.number(), !self.random.once_in(3));
            let size = self.random.within(0..1200) as usize;
            let now_ms = self.world.now_ms;
            if self.random.once_in(4) {
                messages.push(("all", "", id, persistent, size));
                for queue in COPIED {
                    self.world.model.publish(*queue, id, persistent, now_ms);
                }
            } else {
                let queue = self.queue();
                messages.push(("", QUEUES[queue].name, id, persistent, size));
                self.world.model.publish(queue, id, persistent, now_ms);
            }
        }
        self.world.peers[peer].publish(&messages, self.world.now_ms);
    }

    fn consume(&mut self, peer: usize) {
        let queue = self.queue();
        let (since, no_ack) = (self.number(), self.random.once_in(6));
        let peer = &mut self.world.peers[peer];
        if !QUEUES[queue].consumed || peer.consumers.len() >= CONSUMERS_MAX {
            return;
        }
        let tag = format!("c{since}");
        let consumer = Consumer { queue, prefetch: peer.prefetch, no_ack, since };
        peer.consumers.insert(tag.clone(), consumer);
        let consume = basic::Consume {
            queue: QUEUES[queue].name,
            consumer_tag: &tag,
            no_local: false,
            no_ack,
            exclusive: false,
            no_wait: false,
            arguments: Table::new(),
        };
        peer.say(&Method::BasicConsume(consume), self.world.now_ms);
    }

    fn cancel(&mut self, peer: usize) {
        let peer = &mut self.world.peers[peer];
        let Some((consumer_tag, _)) = peer.consumers.pop_first() else { return };
        let cancel = basic::Cancel { consumer_tag: &consumer_tag, no_wait: false };
        peer.say(&Method::BasicCancel(cancel), self.world.now_ms);
    }

    /// Acknowledges, rejects or returns one delivery, or all up to one.
    fn settle(&mut self, peer: usize) {
        let held = self.world.model.held_by(peer);
        if held.is_empty() {
            return;
        }
        let at = self.random.within(0..held.len() as u64) as usize;
        let multiple = self.random.once_in(3);
        let settled = if multiple { &held[..=at] } else { &held[at..=at] };
        let (now_ms, delivery_tag) = (self.world.now_ms, held[at].1);
        let method = match self.random.within(0..5) {
            0 => {
                self.world.model.requeue(settled, now_ms);
                Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue: true })
            }
            1 => {
                settled.iter().for_each(|holder| self.world.model.reject(*holder, now_ms));
                Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue: false })
            }
            _ => {
                settled.iter().for_each(|holder| self.world.model.acknowledge(*holder));
                Method::BasicAck(basic::Ack { delivery_tag, multiple })
            }
        };
        settled.iter().for_each(|holder| self.world.let_go(*holder));
        self.world.peers[peer].say(&method, now_ms);
    }

    fn get(&mut self, peer: usize) {
        let queue = self.queue();
        let get = basic::Get { queue: QUEUES[queue].name, no_ack: false };
        self.world.peers[peer].say(&Method::BasicGet(get), self.world.now_ms);
        self.world.settle(Some(queue));
    }

    fn recover(&mut self, peer: usize) {
        self.world.give_back(peer);
        let recover = basic::Recover { requeue: true };
        self.world.peers[peer].say(&Method::BasicRecover(recover), self.world.now_ms);
    }

    fn limit(&mut self, peer: usize) {
        let (prefetch_count, global) = (self.random.within(0..4) as u16, self.random.once_in(2));
        let peer = &mut self.world.peers[peer];
        if global {
            peer.channel_prefetch = prefetch_count;
        } else {
            peer.prefetch = prefetch_count;
        }
        let qos = basic::Qos { prefetch_size: 0, prefetch_count, global };
        peer.say(&Method::BasicQos(qos), self.world.now_ms);
    }

    fn reopen(&mut self, peer: usize) {
        self.world.give_back(peer);
        self.world.peers[peer].reopen_channel(self.world.now_ms);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}
