//! Declares, deletes, binds, publishes and consumes from many connections at once, on few names, so that they
//! meet. Afterwards nothing is left that should not be, and a restart finds what memory had. And counts what was
//! confirmed while queues came and went (`counting`).
//!
//! The seed is printed; `LEVERET_STRESS_SEED` sets it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "stress/counting.rs"]
mod counting;
mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leveret::broker::{
    BindingRequest, Broker, Capabilities, Client, ClientOutbox, Consume, DeclareMode,
    DeleteExchange, DeleteQueue, Events, ExchangeDeclaration, Exclusivity, Login, NewClient,
    Publish, QueueDeclaration, Refusal, RefusalKind, Surroundings, Terms,
};
use leveret::config::Config;
use leveret::message::AckMode;
use leveret::message::{Facts, Message};
use leveret::outbox::{Buffer, ChannelKey, Limits, Outbox};
use leveret::wire::Table;

use support::random::Random;

const QUEUES: &[&str] = &["a", "b", "c", "d", "e"];
const EXCHANGES: &[(&str, &str)] =
    &[("t1", "topic"), ("t2", "topic"), ("f", "fanout"), ("d", "direct")];
const KEYS: &[&str] = &["one", "one.two", "*", "#", "one.#"];
const THREADS: u64 = 8;
const STEPS: u64 = 1500;
const BINDINGS_MAX: usize = 300;
const FRAME_BYTES_MAX: u32 = 131_072;
/// Longer than this means that threads wait for each other.
const HANG: Duration = Duration::from_secs(120);

#[test]
fn changes_from_many_connections_at_once_leave_a_consistent_broker() {
    let seed = seed();
    println!("LEVERET_STRESS_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let before = {
        let broker = open(directory.path());
        storm(&broker, seed);
        let probe = Connection::new(&broker);
        let map = probe.map();
        broker.disconnect(&probe.client, now_ms());
        broker.close();
        map
    };
    let broker = open(directory.path());
    let probe = Connection::new(&broker);
    assert_eq!(probe.map(), before, "after a restart, seed {seed}");
    probe.clear();
    probe.check_that_no_binding_is_left();
    broker.disconnect(&probe.client, now_ms());
    assert_eq!(broker.client_count(), 0);
    broker.close();
}

/// Runs all threads to their end, or fails when they do not end.
fn storm(broker: &Arc<Broker>, seed: u64) {
    let (sender, receiver) = channel();
    for number in 0..THREADS {
        let (broker, sender) = (Arc::clone(broker), sender.clone());
        thread::spawn(move || {
            let connection = Connection::new(&broker);
            let mut random = Random::new(seed.wrapping_add(number));
            for _ in 0..STEPS {
                connection.step(&mut random);
            }
            connection.client.close_channel(connection.key, Vec::new(), now_ms());
            broker.disconnect(&connection.client, now_ms());
            sender.send(()).unwrap();
        });
    }
    drop(sender);
    for _ in 0..THREADS {
        match receiver.recv_timeout(HANG) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => panic!("threads wait for each other, seed {seed}"),
            Err(RecvTimeoutError::Disconnected) => panic!("a thread panicked, seed {seed}"),
        }
    }
}

struct Connection {
    broker: Arc<Broker>,
    client: Arc<Client>,
    outbox: Arc<ClientOutbox>,
    key: ChannelKey,
    arguments: Table,
}

impl Connection {
    fn new(broker: &Arc<Broker>) -> Self {
        let limits = Limits {
            bytes_max: 1 << 20,
            unacked_per_channel_max: 100,
            unacked_bytes_per_channel_max: usize::MAX,
        };
        let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, FRAME_BYTES_MAX, || {}));
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = match broker.login("guest", b"guest", local) {
            Login::Welcome(identity) => identity,
            Login::Verify(verification) => verification.run().unwrap(),
            Login::Refused(why) => panic!("{why}"),
        };
        let client = broker
            .connect(NewClient {
                identity,
                vhost: "/".to_owned(),
                peer: SocketAddr::new(local, 1),
                terms: Terms::NONE,
                security: leveret::security::Security::Plain,
                name: "stress".to_owned(),
                capabilities: Capabilities::default(),
                client_properties: Table::new(),
                outbox: Arc::clone(&outbox),
                sink: outbox.clone(),
                close: Box::new(|_| {}),
            })
            .unwrap();
        let key = outbox.open_channel(1);
        Self { broker: Arc::clone(broker), client, outbox, key, arguments: Table::new() }
    }

    fn step(&self, random: &mut Random) {
        let queue = one_of(random, QUEUES);
        let (exchange, kind) = one_of(random, EXCHANGES);
        let (source, _) = one_of(random, EXCHANGES);
        let key = one_of(random, KEYS);
        let bind = |destination| self.binding(exchange, destination, key);
        match random.within(0..12) {
            0 | 1 => allow(self.declare_queue(queue, DeclareMode::Active), &[]),
            2 => {
                let conditions = DeleteQueue { if_unused: false, if_empty: false };
                allow(self.client.delete_queue(queue, conditions, now_ms()), &[]);
            }
            3 | 4 => allow(self.declare_exchange(exchange, kind, DeclareMode::Active), &[]),
            5 => {
                let condition = DeleteExchange { if_unused: random.once_in(2) };
                let in_use = [RefusalKind::InUse];
                allow(self.client.delete_exchange(exchange, condition), &in_use);
            }
            6 | 7 => allow(self.client.bind_queue(&bind(queue)), MISSING_OR_FULL),
            8 => allow(self.client.unbind_queue(&bind(queue)), MISSING),
            9 => {
                let request = self.binding(source, exchange, key);
                allow(self.client.bind_exchange(&request), MISSING_OR_FULL);
            }
            10 => self.publish(exchange, key),
            _ => self.consume(queue),
        }
        self.drain();
    }

    fn binding<'a>(
        &'a self,
        source: &'a str,
        destination: &'a str,
        key: &'a str,
    ) -> BindingRequest<'a> {
        BindingRequest { source, destination, routing_key: key, arguments: &self.arguments }
    }

    fn declare_queue(&self, name: &str, mode: DeclareMode) -> Result<u32, Refusal> {
        let declaration = QueueDeclaration {
            name,
            mode,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: &self.arguments,
        };
        let declared = self.client.declare_queue(&declaration, now_ms())?;
        declared.pending.wait_blocking().unwrap();
        Ok(declared.messages)
    }

    fn declare_exchange(&self, name: &str, kind: &str, mode: DeclareMode) -> Result<(), Refusal> {
        let declaration = ExchangeDeclaration {
            name,
            kind,
            mode,
            durable: true,
            auto_delete: name == "t2",
            internal: false,
            arguments: &self.arguments,
        };
        self.client.declare_exchange(&declaration).map(drop)
    }

    fn publish(&self, exchange: &str, key: &str) {
        let exchange = match self.client.target(exchange) {
            Ok(exchange) => exchange,
            Err(refusal) => return allow::<()>(Err(refusal), MISSING),
        };
        let facts = Facts { persistent: true, accepted_ms: now_ms(), ..Facts::default() };
        let message = Arc::new(Message::new(
            self.client.memory(),
            exchange.name(),
            key,
            &[0, 0],
            b"body",
            facts,
        ));
        let publish = Publish {
            key: self.key,
            message,
            extra_keys: Vec::new(),
            mandatory: false,
            confirm: None,
        };
        assert!(self.client.publish(&mut (exchange, publish).into(), now_ms()).failed.is_empty());
    }

    /// Takes what the queue has and acknowledges half of it; the rest goes back.
    fn consume(&self, queue: &str) {
        let consume = Consume {
            queue,
            tag: "c",
            acks: AckMode::Manual,
            exclusive: Exclusivity::Shared,
            arguments: &self.arguments,
            prefetch: 10,
        };
        let consumer = match self.client.consume(self.key, consume, now_ms()) {
            Ok(consumer) => consumer,
            Err(refusal) => return allow::<()>(Err(refusal), MISSING),
        };
        self.client.start(&consumer, now_ms());
        self.client.cancel(&consumer, now_ms());
        let mut settled = self.outbox.take_through(self.key, 0).unwrap();
        let rest = settled.unacked.drain(settled.unacked.len() / 2..).collect();
        use leveret::broker::Settlement::{Acknowledge, Requeue};
        self.client.settle(settled, Acknowledge, now_ms());
        let rest = leveret::outbox::Settled { unacked: rest, resume: Vec::new() };
        self.client.settle(rest, Requeue, now_ms());
    }

    fn drain(&self) {
        let stalled = self.outbox.drain(&mut Buffer::default());
        self.broker.resume(stalled, now_ms());
    }

    /// What there is: each queue with its depth, each exchange, and where each exchange leads to.
    fn map(&self) -> Vec<String> {
        let mut map = Vec::new();
        for queue in QUEUES {
            let depth = self.declare_queue(queue, DeclareMode::Passive);
            map.push(format!("queue {queue}: {:?}", depth.map_err(|refusal| refusal.text)));
        }
        for (exchange, kind) in EXCHANGES {
            let there = self.declare_exchange(exchange, kind, DeclareMode::Passive);
            map.push(format!("exchange {exchange}: {:?}", there.map_err(|refusal| refusal.text)));
            for key in ["one", "one.two", "one.two.three", ""] {
                map.push(format!("{exchange} {key}: {:?}", self.reached(exchange, key)));
            }
        }
        map
    }

    /// The queues that a message reaches, shown by a transient one: a restart forgets it.
    fn reached(&self, exchange: &str, key: &str) -> Vec<&'static str> {
        let Ok(exchange) = self.client.target(exchange) else { return Vec::new() };
        let depth = |queue: &&str| self.declare_queue(queue, DeclareMode::Passive).ok();
        let before: Vec<_> = QUEUES.iter().map(depth).collect();
        let message = Message::new(
            self.client.memory(),
            exchange.name(),
            key,
            &[0, 0],
            b"",
            Facts::default(),
        );
        let publish = Publish {
            key: self.key,
            message: Arc::new(message),
            extra_keys: Vec::new(),
            mandatory: false,
            confirm: None,
        };
        assert!(self.client.publish(&mut (exchange, publish).into(), now_ms()).failed.is_empty());
        let after: Vec<_> = QUEUES.iter().map(depth).collect();
        let changed = QUEUES.iter().zip(before.iter().zip(&after));
        changed.filter(|(_, (before, after))| before != after).map(|(queue, _)| *queue).collect()
    }

    fn clear(&self) {
        for queue in QUEUES {
            let conditions = DeleteQueue { if_unused: false, if_empty: false };
            allow(self.client.delete_queue(queue, conditions, now_ms()), &[]);
        }
        for (exchange, _) in EXCHANGES {
            allow(self.client.delete_exchange(exchange, DeleteExchange { if_unused: false }), &[]);
        }
    }

    /// As many bindings as are allowed can be made, so that none is left from before.
    fn check_that_no_binding_is_left(&self) {
        self.declare_queue("a", DeclareMode::Active).unwrap();
        for number in 0..BINDINGS_MAX {
            let key = number.to_string();
            let pending = self.client.bind_queue(&self.binding("amq.direct", "a", &key)).unwrap();
            pending.wait_blocking().unwrap();
        }
        let refusal = self.client.bind_queue(&self.binding("amq.direct", "a", "more")).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::LimitReached);
    }
}

const MISSING: &[RefusalKind] = &[RefusalKind::NotFound];
const MISSING_OR_FULL: &[RefusalKind] = &[RefusalKind::NotFound, RefusalKind::LimitReached];

fn allow<T>(result: Result<T, Refusal>, kinds: &[RefusalKind]) {
    if let Err(refusal) = result {
        assert!(kinds.contains(&refusal.kind), "{refusal}");
    }
}

fn open(directory: &Path) -> Arc<Broker> {
    let mut config = Config { data_dir: directory.to_owned(), ..Config::default() };
    config.limits.bindings_per_vhost_max = BINDINGS_MAX;
    let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
    let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
    let events =
        Events { room: quiet(), alarm: quiet(), deadline: quiet(), errands: quiet(), lost };
    Broker::open(config, events, Surroundings::of_the_machine(), now_ms()).unwrap()
}

fn seed() -> u64 {
    std::env::var("LEVERET_STRESS_SEED").map_or_else(|_| now_ms(), |seed| seed.parse().unwrap())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn one_of<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.within(0..choices.len() as u64) as usize]
}
