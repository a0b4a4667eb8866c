//! How fast the store is. Figures, not rules: run with `cargo test --test store_speed -- --ignored
//! --nocapture`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use leveret::message::{Facts, Message};
use leveret::store::{Operation, Place};
use store_support::*;
use tempfile::tempdir;

#[test]
#[ignore = "prints figures"]
fn time_to_open_an_empty_directory() {
    for _ in 0..5 {
        let directory = tempdir().unwrap();
        let start = Instant::now();
        let (store, _) = open(options(directory.path()));
        let opened = start.elapsed();
        drop(store);
        let closed = start.elapsed();
        let (store, _) = open(options(directory.path()));
        println!(
            "open {opened:?}, close {:?}, reopen {:?}",
            closed - opened,
            start.elapsed() - closed
        );
        drop(store);
    }
}

/// Publishes `count` messages in batches of `batch`, acknowledging those `behind` places back.
fn publish(count: u64, batch: u64, body_bytes: usize, behind: Option<u64>) {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1])]).unwrap();
    let body = vec![7; body_bytes];
    let exchange: Arc<str> = Arc::from("");
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    for first in (0..count).step_by(batch as usize) {
        while store.is_full() {
            std::thread::yield_now();
        }
        let mut operations: Vec<Operation> = (first..first + batch)
            .map(|position| {
                let facts = Facts { persistent: true, ..Facts::default() };
                let message = Message::new(exchange.clone(), "key", &[0x10, 0, 2], &body, facts);
                let places = [Place { queue: 1, position }].into_iter().collect();
                Operation::Enqueue { message: Arc::new(message), places }
            })
            .collect();
        if let Some(settled) = behind.and_then(|behind| first.checked_sub(behind)) {
            let positions: Vec<u64> = (settled..settled + batch).collect();
            operations.push(settle(1, &positions));
        }
        let sender = sender.clone();
        store.append(operations, Some(Box::new(move |_| sender.send(()).unwrap())));
    }
    for _ in 0..count.div_ceil(batch) {
        receiver.recv().unwrap();
    }
    let elapsed = start.elapsed();
    println!(
        "{count} messages of {body_bytes} B, batches of {batch}, settled behind {behind:?}: {:.0}/s, {:?}",
        count as f64 / elapsed.as_secs_f64(),
        store.figures()
    );
    let start = Instant::now();
    store.close();
    print!("    close {:?}, ", start.elapsed());
    let start = Instant::now();
    let (store, _) = open(options(directory.path()));
    let live = store.figures().entries;
    println!("reopen with {live} messages {:?}", start.elapsed());
}

#[test]
#[ignore = "prints figures"]
fn messages_per_second() {
    publish(500_000, 100, 1024, None);
    publish(500_000, 100, 1024, Some(100));
    publish(500_000, 100, 1024, Some(50_000));
    publish(1_000_000, 100, 16, None);
    publish(1_000_000, 100, 16, Some(50_000));
    publish(200_000, 1, 1024, Some(1_000));
}
