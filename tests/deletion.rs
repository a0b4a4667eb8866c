//! A queue is deleted and declared again while others publish to it, consume from it and settle what they got. Every
//! publish is confirmed all the same, nobody waits for ever, and nothing stays in memory.
//!
//! This file has one test: the count of bytes that messages hold is the process's.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use leveret::broker::{
    Broker, Capabilities, Client, ClientOutbox, Consume, DeclareMode, DeleteQueue, Events,
    Exclusivity, Login, NewClient, Publish, QueueDeclaration, RefusalKind, Settlement,
    Surroundings, Terms,
};
use leveret::config::Config;
use leveret::message::AckMode;
use leveret::message::{Facts, Message};
use leveret::outbox::{Buffer, ChannelKey, Limits, Outbox};
use leveret::wire::{Frame, Method, Table, next_frame};

const PUBLISHERS: u64 = 3;
const BATCHES: u64 = 1_500;
const BATCH: u64 = 10;
const CONSUMERS: u64 = 3;
const FRAME_BYTES_MAX: u32 = 131_072;
/// Longer than this means that somebody waits for ever.
const HANG: Duration = Duration::from_secs(120);

#[test]
fn a_queue_that_goes_while_it_is_used_takes_everything_along() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let over = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel();
    let start = |work: fn(&Connection, &AtomicBool)| {
        let (broker, over, sender) = (Arc::clone(&broker), Arc::clone(&over), sender.clone());
        thread::spawn(move || {
            let connection = Connection::new(&broker);
            work(&connection, &over);
            connection.end();
            sender.send(()).unwrap();
        });
    };
    (0..CONSUMERS).for_each(|_| start(consume));
    start(delete);
    (0..PUBLISHERS).for_each(|_| start(publish));
    let wait_for = |ends: u64| {
        for _ in 0..ends {
            match receiver.recv_timeout(HANG) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => panic!("somebody waits for ever"),
                Err(RecvTimeoutError::Disconnected) => panic!("a thread panicked"),
            }
        }
    };
    wait_for(PUBLISHERS);
    over.store(true, Ordering::Release);
    wait_for(CONSUMERS + 1);
    let last = Connection::new(&broker);
    last.delete();
    last.end();
    assert_eq!(broker.client_count(), 0);
    broker.close();
    assert_eq!(broker.memory().held_bytes(), 0, "messages outlive their queue");
}

fn publish(connection: &Connection, _over: &AtomicBool) {
    let exchange = connection.client.target("").unwrap();
    let facts = Facts { persistent: true, ..Facts::default() };
    for batch in 0..BATCHES {
        let message = || {
            Arc::new(Message::new(connection.client.memory(), "", "q", &[0, 0], &[7; 100], facts))
        };
        let numbers = batch * BATCH + 1..=(batch + 1) * BATCH;
        let publish = |number| Publish {
            key: connection.key,
            message: message(),
            extra_keys: Vec::new(),
            mandatory: false,
            confirm: Some(number),
        };
        let publishes = numbers.map(|number| (Arc::clone(&exchange), publish(number)));
        let mut publishes = publishes.collect();
        assert!(connection.client.publish(&mut publishes, now_ms()).failed.is_empty());
    }
    let began = Instant::now();
    let mut confirmed = 0;
    while confirmed < BATCHES * BATCH {
        assert!(began.elapsed() < HANG, "only {confirmed} are confirmed");
        confirmed = connection.confirmed().unwrap_or(confirmed);
        thread::yield_now();
    }
}

fn consume(connection: &Connection, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        let none = Table::new();
        let consume = Consume {
            queue: "q",
            tag: "c",
            acks: AckMode::Manual,
            exclusive: Exclusivity::Shared,
            arguments: &none,
            prefetch: 20,
        };
        let consumer = match connection.client.consume(connection.key, consume, now_ms()) {
            Ok(consumer) => consumer,
            Err(refusal) => {
                assert_eq!(refusal.kind, RefusalKind::NotFound);
                continue;
            }
        };
        connection.client.start(&consumer, now_ms());
        for how in [Settlement::Acknowledge, Settlement::Requeue, Settlement::Reject] {
            connection.drain();
            if let Ok(settled) = connection.outbox.take_through(connection.key, 0) {
                connection.client.settle(settled, how, now_ms());
            }
        }
        connection.client.cancel(&consumer, now_ms());
    }
}

fn delete(connection: &Connection, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        connection.declare();
        thread::yield_now();
        connection.delete();
    }
}

struct Connection {
    broker: Arc<Broker>,
    client: Arc<Client>,
    outbox: Arc<ClientOutbox>,
    key: ChannelKey,
}

impl Connection {
    fn new(broker: &Arc<Broker>) -> Self {
        let limits = Limits {
            bytes_max: 1 << 20,
            unacked_per_channel_max: 100,
            unacked_bytes_per_channel_max: usize::MAX,
        };
        let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, FRAME_BYTES_MAX, || {}));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = match broker.login("guest", b"guest", here) {
            Login::Welcome(identity) => identity,
            Login::Verify(verification) => verification.run().unwrap(),
            Login::Refused(why) => panic!("{why}"),
        };
        let new = NewClient {
            identity,
            vhost: "/".to_owned(),
            peer: SocketAddr::new(here, 1),
            terms: Terms::NONE,
            security: leveret::security::Security::Plain,
            name: "deletion".to_owned(),
            capabilities: Capabilities::default(),
            client_properties: Table::new(),
            outbox: Arc::clone(&outbox),
            sink: outbox.clone(),
            close: Box::new(|_| {}),
        };
        let client = broker.connect(new).unwrap();
        let key = outbox.open_channel(1);
        Self { broker: Arc::clone(broker), client, outbox, key }
    }

    fn declare(&self) {
        let none = Table::new();
        let declaration = QueueDeclaration {
            name: "q",
            mode: DeclareMode::Active,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: &none,
        };
        let declared = self.client.declare_queue(&declaration, now_ms()).unwrap();
        declared.pending.wait_blocking().unwrap();
    }

    fn delete(&self) {
        let conditions = DeleteQueue { if_unused: false, if_empty: false };
        let (_, pending) = self.client.delete_queue("q", conditions, now_ms()).unwrap();
        pending.wait_blocking().unwrap();
    }

    fn drain(&self) -> Vec<u8> {
        let mut buffer = Buffer::default();
        let stalled = self.outbox.drain(&mut buffer);
        self.broker.resume(stalled, now_ms());
        buffer.parts().flatten().copied().collect()
    }

    /// The highest number that was confirmed since the last time. Confirms leave in order.
    fn confirmed(&self) -> Option<u64> {
        let bytes = self.drain();
        let mut rest = bytes.as_slice();
        let mut confirmed = None;
        while !rest.is_empty() {
            let (frame, used) = next_frame(rest, FRAME_BYTES_MAX).unwrap().unwrap();
            if let Frame::Method { method: Method::BasicAck(ack), .. } = frame {
                confirmed = Some(ack.delivery_tag);
            }
            rest = &rest[used..];
        }
        confirmed
    }

    fn end(&self) {
        self.client.close_channel(self.key, Vec::new(), now_ms());
        self.broker.disconnect(&self.client, now_ms());
    }
}

fn open(directory: &std::path::Path) -> Arc<Broker> {
    let mut config = Config { data_dir: directory.to_owned(), ..Config::default() };
    config.alarms.disk_free_bytes_min = 0;
    let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
    let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
    let events =
        Events { room: quiet(), alarm: quiet(), deadline: quiet(), errands: quiet(), lost };
    Broker::open(config, events, Surroundings::of_the_machine(), now_ms()).unwrap()
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}
