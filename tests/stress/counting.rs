//! Queues are declared, imported and deleted while others publish to them, on threads of their own, and what was
//! confirmed is counted: after each stop in good order all of it is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use leveret::broker::{Actor, Broker, DeclareMode, DeleteQueue, QueueDeclaration};
use leveret::message::{Facts, Message};
use leveret::wire::Table;
use parking_lot::Mutex;

use crate::support::random::Random;
use crate::{now_ms, open, seed};

const ROUNDS: u64 = 3;
/// Queues that a round declares, and as many that it imports.
const QUEUES: u64 = 200;
/// Queues of one import.
const IMPORTED: u64 = 10;
const PUBLISHERS: u64 = 3;
const MESSAGES: u64 = 2_000;

/// How many messages were confirmed, by queue.
type Confirmed = Mutex<BTreeMap<String, u64>>;

/// How far the queues of a round have come: those declared, imported, and deleted when they are empty.
#[derive(Default)]
struct Newest {
    declared: AtomicU64,
    imported: AtomicU64,
    passing: AtomicU64,
}

#[test]
fn what_was_confirmed_while_queues_came_and_went_is_there_after_each_restart() {
    let seed = seed();
    println!("LEVERET_STRESS_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let confirmed = Confirmed::default();
    for round in 0..ROUNDS {
        let broker = open(directory.path());
        expect_all(&broker, &confirmed);
        let newest = Newest::default();
        thread::scope(|scope| {
            let (broker, newest, confirmed) = (&broker, &newest, &confirmed);
            scope.spawn(move || declare_all(broker, round, newest));
            scope.spawn(move || import_all(broker, round, newest));
            scope.spawn(move || delete_what_is_empty(broker, round, newest));
            for number in 0..PUBLISHERS {
                let random = Random::new(seed ^ (round * PUBLISHERS + number));
                scope.spawn(move || publish(broker, round, newest, confirmed, random));
            }
        });
        broker.close();
    }
    expect_all(&open(directory.path()), &confirmed);
}

fn operator(broker: &Arc<Broker>) -> Actor {
    broker.operator(&Arc::from("guest"), "/").unwrap()
}

fn declare(client: &Actor, name: &str) {
    let declaration = QueueDeclaration {
        name,
        mode: DeclareMode::Active,
        durable: true,
        exclusive: false,
        auto_delete: false,
        arguments: &Table::new(),
    };
    let declared = client.declare_queue(&declaration, now_ms()).unwrap();
    declared.pending.wait_blocking().unwrap();
}

fn declare_all(broker: &Arc<Broker>, round: u64, newest: &Newest) {
    let client = operator(broker);
    for number in 0..QUEUES {
        newest.declared.store(number, Ordering::Relaxed);
        declare(&client, &format!("declared-{round}-{number}"));
    }
}

fn import_all(broker: &Arc<Broker>, round: u64, newest: &Newest) {
    for first in (0..QUEUES).step_by(IMPORTED as usize) {
        newest.imported.store(first, Ordering::Relaxed);
        let queues: Vec<String> = (first..first + IMPORTED)
            .map(|number| {
                format!(
                    r#"{{"name": "imported-{round}-{number}", "vhost": "/", "durable": true,
                        "auto_delete": false, "arguments": {{}}}}"#
                )
            })
            .collect();
        let text = format!(r#"{{"queues": [{}]}}"#, queues.join(","));
        let pending = broker.import_definitions(text.as_bytes(), now_ms()).unwrap();
        pending.wait_blocking().unwrap();
    }
}

/// Declares queues and deletes each if it is empty, again and again until it is not.
fn delete_what_is_empty(broker: &Arc<Broker>, round: u64, newest: &Newest) {
    let client = operator(broker);
    let conditions = DeleteQueue { if_unused: false, if_empty: true };
    for _ in 0..QUEUES {
        let name = format!("passing-{round}-{}", newest.passing.load(Ordering::Relaxed));
        declare(&client, &name);
        match client.delete_queue(&name, conditions, now_ms()) {
            Ok((ready, pending)) => {
                assert_eq!(ready, 0, "messages of {name} went with it");
                pending.wait_blocking().unwrap();
            }
            Err(_) => _ = newest.passing.fetch_add(1, Ordering::Relaxed),
        }
    }
}

fn publish(
    broker: &Arc<Broker>,
    round: u64,
    newest: &Newest,
    confirmed: &Confirmed,
    mut random: Random,
) {
    let client = operator(broker);
    let exchange = client.target("").unwrap();
    for _ in 0..MESSAGES {
        let ahead = random.within(0..2);
        let name = match random.within(0..3) {
            0 => format!("declared-{round}-{}", newest.declared.load(Ordering::Relaxed) + ahead),
            1 => {
                let number = newest.imported.load(Ordering::Relaxed) + random.within(0..IMPORTED);
                format!("imported-{round}-{number}")
            }
            _ => format!("passing-{round}-{}", newest.passing.load(Ordering::Relaxed)),
        };
        let facts = Facts { persistent: true, accepted_ms: now_ms(), ..Facts::default() };
        let message = Message::new(client.memory(), "", &name, &[0, 0], b"body", facts);
        let published = client.publish_one(&exchange, message, Vec::new(), now_ms()).unwrap();
        if published.routed {
            published.pending.wait_blocking().unwrap();
            *confirmed.lock().entry(name).or_default() += 1;
        }
    }
}

fn expect_all(broker: &Arc<Broker>, confirmed: &Confirmed) {
    for (name, count) in &*confirmed.lock() {
        let ready = broker.queue("/", name).map(|queue| queue.figures().counts.ready);
        assert_eq!(ready, Some(*count), "messages in {name}");
    }
}
