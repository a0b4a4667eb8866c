//! Settings that are put in force while a queue or an exchange is at work.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::thread;

use leveret::broker::{Broker, DeadLetterTarget, ExchangeInForce, QueueInForce, QueueRef};
use leveret::queue::{Options, Overflow};
use leveret::wire::{Frame, Method, Table};
use support::inside::{Connection, now_ms, open};

fn change(broker: &Broker, queue: &QueueRef, change: impl FnOnce(&mut QueueInForce)) {
    let mut settings = QueueInForce::clone(&queue.in_force());
    change(&mut settings);
    broker.put_queue_in_force(queue, settings, now_ms());
}

#[test]
fn a_lower_limit_sends_what_is_too_much_where_dead_letters_go_from_now_on() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let connection = Connection::new(&broker);
    connection.declare("dead", |_| ());
    connection.declare("q", |queue| queue.durable = true);
    connection.publish_persistent("q", 1..=10);
    let queue = broker.queue("/", "q").unwrap();
    change(&broker, &queue, |settings| {
        settings.options.length_max = Some(4);
        settings.dead_letter = Some(DeadLetterTarget {
            exchange: Arc::from(""),
            routing_key: Some(Arc::from("dead")),
        });
    });
    assert_eq!(connection.counts("q"), Some((4, 0)));
    assert_eq!(connection.counts("dead"), Some((6, 0)));
    change(&broker, &queue, |settings| *settings = QueueInForce::default());
    connection.publish_persistent("q", 11..=20);
    assert_eq!(connection.counts("q"), Some((14, 0)));
    broker.close();
}

#[test]
fn an_alternate_exchange_that_is_put_in_force_takes_what_nothing_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let direct = broker.exchange("/", "amq.direct").unwrap();
    assert_eq!(direct.in_force().alternate, None);
    let alternate = Some(Arc::from("amq.fanout"));
    broker.put_exchange_in_force(&direct, ExchangeInForce { alternate });
    let explained = broker.explain(&direct, "nowhere", &Table::new());
    assert_eq!(explained.alternate.as_deref(), Some("amq.fanout"));
    broker.close();
}

/// Publishers are on their way, with places reserved or not, while the overflow changes all the time.
#[test]
fn places_stay_straight_while_the_overflow_changes_under_publishers() {
    const LENGTH_MAX: u32 = 50;
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let connection = Connection::new(&broker);
    connection.declare("q", |_| ());
    let queue = broker.queue("/", "q").unwrap();
    let turn_to = |overflow| {
        change(&broker, &queue, |settings| {
            settings.options =
                Options { length_max: Some(LENGTH_MAX.into()), overflow, ..Options::default() };
        });
    };
    thread::scope(|scope| {
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let publisher = Connection::new(&broker);
                    (0..1_000_u64)
                        .for_each(|round| publisher.publish("q", [2 * round, 2 * round + 1]));
                    publisher.end();
                })
            })
            .collect();
        while publishers.iter().any(|publisher| !publisher.is_finished()) {
            turn_to(Overflow::RejectPublish);
            turn_to(Overflow::DropHead);
        }
    });
    turn_to(Overflow::RejectPublish);
    connection.client.purge_queue("q", now_ms()).unwrap();
    // All places were given back: as many messages as may be are taken, and not one more.
    connection.publish("q", 1..=u64::from(LENGTH_MAX) + 10);
    assert_eq!(connection.counts("q"), Some((LENGTH_MAX, 0)));
    let refused = connection
        .received(|frame| matches!(frame, Frame::Method { method: Method::BasicNack(_), .. }));
    assert!(refused > 0);
    broker.close();
}
