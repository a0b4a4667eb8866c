//! How fast the store is. Figures, not rules: run with `cargo test --test store_speed -- --ignored
//! --nocapture`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use leveret::message::{Facts, Memory, Message};
use leveret::store::{Operation, Place};
use store_support::*;
use tempfile::tempdir;

static MEMORY: Memory = Memory::new();

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
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    for first in (0..count).step_by(batch as usize) {
        while store.is_full() {
            std::thread::yield_now();
        }
        let mut operations: Vec<Operation> = (first..first + batch)
            .map(|position| {
                let facts = Facts { persistent: true, ..Facts::default() };
                let message = Message::new(&MEMORY, "", "key", &[0x10, 0, 2], &body, facts);
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

const DEEP_DIRECTORY: &str = "LEVERET_DEEP_DIRECTORY";
const DEEP_COUNT: &str = "LEVERET_DEEP_COUNT";

/// What a queue of `LEVERET_DEEP_COUNT` messages (a million when it is not set) costs: memory after filling, and
/// starting after a stop and after a kill, each in a process of its own.
#[test]
#[ignore = "prints figures"]
fn a_deep_queue() {
    let count = std::env::var(DEEP_COUNT).map_or(1_000_000, |count| count.parse().unwrap());
    if let Some(directory) = std::env::var_os(DEEP_DIRECTORY) {
        deep_process(directory.as_ref(), count);
        return;
    }
    let directory =
        tempfile::tempdir_in(std::env::var_os("LEVERET_DEEP_BELOW").unwrap_or(".".into())).unwrap();
    for doing in [
        "filled and killed",
        "opened and closed",
        "opened and closed",
        "opened and killed",
        "opened and closed",
    ] {
        println!("{doing}:");
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_deep_queue", "--ignored", "--nocapture"])
            .env(DEEP_DIRECTORY, directory.path())
            .env("LEVERET_DEEP_DOING", doing)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

fn deep_process(directory: &std::path::Path, count: u64) {
    let doing = std::env::var("LEVERET_DEEP_DOING").unwrap();
    let start = Instant::now();
    let (store, recovered) = open(options(directory));
    println!("    open {:?}, resident {} KiB", start.elapsed(), resident_kib());
    let start = Instant::now();
    let mut live = 0_u64;
    store.survey(1, &mut |_| live += 1).unwrap();
    println!("    survey of {live} {:?}, resident {} KiB", start.elapsed(), resident_kib());
    if recovered.new {
        commit(&store, vec![queues([1])]).unwrap();
        let start = Instant::now();
        fill(&store, count);
        println!(
            "    filled in {:?}, resident {} KiB, {:?}",
            start.elapsed(),
            resident_kib(),
            store.figures()
        );
    } else {
        let start = Instant::now();
        for first in (0..100_000).step_by(1000) {
            assert_eq!(reread(&store, 1, (first..first + 1000).collect()).len(), 1000);
        }
        println!("    read 100,000 in {:?}, resident {} KiB", start.elapsed(), resident_kib());
    }
    if doing.ends_with("killed") {
        std::process::exit(0);
    }
    let start = Instant::now();
    store.close();
    println!("    closed in {:?}", start.elapsed());
}

fn fill(store: &leveret::store::Store, count: u64) {
    let body = vec![7; 1024];
    for first in (0..count).step_by(100) {
        while store.is_full() {
            std::thread::yield_now();
        }
        let enqueue = |position| {
            let facts = Facts {
                persistent: true,
                accepted_ms: 1_700_000_000_000 + first / 300,
                ..Facts::default()
            };
            let message = Message::new(&MEMORY, "", "key", &[0x10, 0, 2], &body, facts);
            let places = [Place { queue: 1, position }].into_iter().collect();
            Operation::Enqueue { message: Arc::new(message), places }
        };
        store.append((first..first + 100).map(enqueue).collect(), None);
    }
    commit(store, Vec::new()).unwrap();
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
