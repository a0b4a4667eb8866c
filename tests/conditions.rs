//! A condition is looked at in the same breath as what depends on it, whoever else is at work: queues that are deleted
//! if they are empty, when their last consumer leaves, or when nobody uses them, and consumers of a queue that goes.
//!
//! Each test lets two threads meet many times.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use leveret::broker::{DeleteQueue, Meet, Meeting, RefusalKind, Surroundings};
use leveret::wire::{Frame, Method, Table, Value};
use support::inside::{Connection, now_ms, open, open_in};

const ROUNDS: usize = 2_000;
/// Messages that are published at once.
const BATCH: usize = 50;
const EXPIRES_MS: i32 = 1_000;

const ANYHOW: DeleteQueue = DeleteQueue { if_unused: false, if_empty: false };
const IF_EMPTY: DeleteQueue = DeleteQueue { if_unused: false, if_empty: true };

#[test]
fn a_message_that_is_confirmed_is_not_deleted_with_a_queue_that_was_to_go_if_it_was_empty() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let (publisher, other) = (Connection::new(&broker), Connection::new(&broker));
    let mut lost = 0;
    for round in 0..ROUNDS {
        other.declare("q", |_| ());
        let first = (round * BATCH + 1) as u64;
        let deleted = meet(
            || publisher.publish("q", first..first + BATCH as u64),
            || other.delete("q", IF_EMPTY).is_ok(),
        );
        let returned = publisher.received(|frame| match frame {
            Frame::Method { method, .. } => matches!(method, Method::BasicReturn(_)),
            _ => false,
        });
        let held = other.counts("q").map_or(0, |(messages, _)| messages as usize);
        lost += BATCH - returned - held;
        assert!(deleted.1 || held > 0, "round {round}: it is there, and it is empty");
        other.delete("q", ANYHOW).unwrap();
    }
    assert_eq!(lost, 0, "of {} messages", ROUNDS * BATCH);
}

#[test]
fn whoever_consumes_from_an_auto_delete_queue_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let (leaving, coming) = (Connection::new(&broker), Connection::new(&broker));
    let mut lost = 0;
    for _ in 0..ROUNDS {
        leaving.declare("q", |declaration| declaration.auto_delete = true);
        let last = leaving.consume("q", "leaving").unwrap();
        let ((), consumer) =
            meet(|| leaving.client.cancel(&last, now_ms()), || coming.consume("q", "coming"));
        match consumer {
            Ok(consumer) => {
                lost += usize::from(coming.counts("q") != Some((0, 1)));
                coming.client.cancel(&consumer, now_ms());
            }
            Err(refusal) => assert_eq!(refusal.kind, RefusalKind::NotFound),
        }
        assert_eq!(coming.counts("q"), None);
    }
    assert_eq!(lost, 0, "consumers lost their queue");
}

#[test]
fn a_queue_that_is_declared_does_not_expire_a_moment_later() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let (clock, user) = (Connection::new(&broker), Connection::new(&broker));
    let arguments: Table = [("x-expires".to_owned(), Value::I32(EXPIRES_MS))].into_iter().collect();
    let mut lost = 0;
    let mut later_ms = now_ms();
    for _ in 0..ROUNDS {
        user.declare_at("q", &arguments, later_ms);
        later_ms += u64::from(EXPIRES_MS.unsigned_abs()) + 1;
        meet(|| clock.broker.tick(later_ms), || user.declare_at("q", &arguments, later_ms));
        lost += usize::from(user.counts("q").is_none());
    }
    assert_eq!(lost, 0, "queues expired that had just been declared");
}

#[test]
fn a_consumer_hears_of_the_end_of_its_queue_however_early_that_comes() {
    let directory = tempfile::tempdir().unwrap();
    let broker = open(directory.path());
    let (deleting, consuming) = (Connection::new(&broker), Connection::new(&broker));
    let mut unheard = 0;
    for round in 0..ROUNDS {
        deleting.declare("q", |_| ());
        let tag = format!("c{round}");
        let (_, consumer) =
            meet(|| deleting.delete("q", ANYHOW).unwrap(), || consuming.consume("q", &tag));
        let told = consuming.received(|frame| match frame {
            Frame::Method { method, .. } => matches!(method, Method::BasicCancel(_)),
            _ => false,
        });
        match consumer {
            Ok(_) if told == 1 => {}
            Ok(_) => unheard += 1,
            Err(refusal) => assert_eq!((refusal.kind, told), (RefusalKind::NotFound, 0)),
        }
        let channels = consuming.outbox.channels();
        assert_eq!(channels[0].consumers, 0, "round {round}: it is counted still");
    }
    assert_eq!(unheard, 0, "consumers wait for ever");
}

/// The journal has a message before its queue does. A publisher that were told then could ask for it in vain.
#[test]
fn a_message_is_confirmed_when_it_stands_in_its_queue_too() {
    let directory = tempfile::tempdir().unwrap();
    let (publisher, early) =
        (Arc::<OnceLock<Connection>>::default(), Arc::<OnceLock<usize>>::default());
    let (publishing, told) = (Arc::clone(&publisher), Arc::clone(&early));
    let is_confirm = |frame: &Frame<'_>| match frame {
        Frame::Method { method, .. } => matches!(method, Method::BasicAck(_)),
        _ => false,
    };
    let once = AtomicBool::new(true);
    let meet = Meet::new(Arc::new(move |meeting| {
        let Some(connection) = publishing.get() else { return };
        if meeting == Meeting::Appended && once.swap(false, Ordering::AcqRel) {
            connection.client.barrier().wait_blocking().unwrap();
            told.set(connection.received(is_confirm)).unwrap();
        }
    }));
    let broker = open_in(directory.path(), Surroundings { meet, ..Surroundings::of_the_machine() });
    let other = Connection::new(&broker);
    other.declare("q", |declaration| declaration.durable = true);
    assert!(publisher.set(Connection::new(&broker)).is_ok());
    let publisher = publisher.get().unwrap();
    publisher.publish_persistent("q", 1..=1);
    assert_eq!(early.get(), Some(&0), "it is on the disk, and not in its queue");
    assert_eq!((other.counts("q"), publisher.received(is_confirm)), (Some((1, 0)), 1));
}

/// Does two things at the same time.
fn meet<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    let ready = AtomicUsize::new(0);
    let wait = || {
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < 2 {
            hint::spin_loop();
        }
    };
    thread::scope(|scope| {
        let one = scope.spawn(|| {
            wait();
            one()
        });
        wait();
        let other = other();
        (one.join().unwrap(), other)
    })
}
