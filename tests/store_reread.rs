//! Reading messages back from a running store.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::sync::mpsc;

use leveret::store::{Operation, Run, Store};
use store_support::*;
use tempfile::tempdir;

/// A store with many small segments, in which queue 1 holds so many messages.
fn filled(directory: &std::path::Path, count: u64) -> Store {
    let (store, _) = open(tiny(directory));
    commit(&store, vec![queues([1, 2])]).unwrap();
    for position in 0..count {
        store.append(vec![enqueue(&format!("body {position}"), &[(1, position)])], None);
    }
    commit(&store, Vec::new()).unwrap();
    store
}

fn read_positions(store: &Store, asked: Vec<u64>) -> Vec<u64> {
    reread(store, 1, asked)
        .into_iter()
        .map(|reread| reread.map_or_else(|unread| unread.position, |loaded| loaded.position))
        .collect()
}

#[test]
fn messages_are_read_back_in_the_order_asked_without_the_settled_ones() {
    let directory = tempdir().unwrap();
    let store = filled(directory.path(), 300);
    commit(&store, vec![settle(1, &[7, 250])]).unwrap();
    let asked = vec![250, 299, 0, 7, 8, 1000, 130];
    assert_eq!(read_positions(&store, asked), [299, 0, 8, 130]);
    assert_eq!(contents(&store, 1).len(), 298);
    assert!(reread(&store, 3, vec![1]).is_empty(), "an unknown queue");
}

#[test]
fn what_is_written_can_be_read_before_it_is_synced() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1])]).unwrap();
    let (sender, receiver) = mpsc::channel();
    store.append(vec![enqueue("a", &[(1, 1)])], None);
    store.when_written(Box::new(move || sender.send(()).unwrap()));
    receiver.recv().unwrap();
    assert_eq!(read_positions(&store, vec![1]), [1]);
}

#[test]
fn asking_whether_something_is_written_costs_no_sync() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1]), enqueue("a", &[(1, 1)])]).unwrap();
    let syncs = store.figures().syncs;
    for _ in 0..10 {
        let (sender, receiver) = mpsc::channel();
        store.append(vec![returned(1, 1, 1)], None);
        store.when_written(Box::new(move || sender.send(()).unwrap()));
        receiver.recv().unwrap();
    }
    assert_eq!(store.figures().syncs, syncs);
}

#[test]
fn a_closed_store_reads_nothing() {
    let directory = tempdir().unwrap();
    let store = filled(directory.path(), 3);
    store.close();
    assert!(reread(&store, 1, vec![0, 1, 2]).is_empty());
    let (sender, receiver) = mpsc::channel::<()>();
    store.when_written(Box::new(move || sender.send(()).unwrap()));
    assert!(receiver.recv().is_err(), "it was dropped");
}

#[test]
fn a_deep_queue_is_purged_in_runs() {
    let directory = tempdir().unwrap();
    let store = filled(directory.path(), 1000);
    let runs = vec![Run { first: 600, count: 399 }, Run { first: 0, count: 500 }];
    commit(&store, vec![Operation::SettleRuns { queue: 1, runs }]).unwrap();
    let expected: Vec<u64> = (500..600).chain([999]).collect();
    assert_eq!(positions(&store, 1), expected);
    rest(&store);
    let crash = crashed(directory.path());
    store.close();
    for directory in [&directory, &crash] {
        let (store, _) = open(tiny(directory.path()));
        assert_eq!(positions(&store, 1), expected);
        assert_eq!(read_positions(&store, expected.clone()), expected);
    }
}

#[test]
fn messages_are_found_where_they_were_copied_while_segments_go() {
    let directory = tempdir().unwrap();
    let store = filled(directory.path(), 0);
    for position in 0..400 {
        if position % 10 == 0 {
            store.append(vec![enqueue(&format!("kept {position}"), &[(1, position)])], None);
        }
        let passing = format!("passing {position:200}");
        store.append(vec![enqueue(&passing, &[(2, position)])], None);
        store.append(vec![settle(2, &[position])], None);
        if position % 7 == 0 {
            commit(&store, Vec::new()).unwrap();
            let (asked, found) = (positions(&store, 1), contents(&store, 1));
            assert!(asked.iter().eq(found.iter().map(|(position, _, _)| position)));
        }
    }
}

#[test]
fn a_segment_that_cannot_be_opened_just_now_loses_nothing() {
    let directory = tempdir().unwrap();
    let store = filled(directory.path(), 300);
    let (segment, aside) =
        (directory.path().join("journal/00000000000000000001.log"), directory.path().join("aside"));
    std::fs::rename(&segment, &aside).unwrap();
    // Like a process without a file to spare: the segment is there, and opening it fails.
    std::os::unix::fs::symlink(&segment, &segment).unwrap();
    let (sender, receiver) = mpsc::channel();
    store.read(1, vec![0, 1], Box::new(move |rereads| sender.send(rereads.len()).unwrap()));
    commit(&store, Vec::new()).unwrap();
    commit(&store, vec![enqueue("later", &[(1, 300)])]).unwrap();
    store.close();
    assert_eq!(receiver.recv(), Ok(0), "nothing is said of messages that could not be looked for");
    std::fs::remove_file(&segment).unwrap();
    std::fs::rename(&aside, &segment).unwrap();
    let (store, recovered) = open(tiny(directory.path()));
    assert_eq!(recovered.notes, Vec::<String>::new());
    assert_eq!(read_positions(&store, vec![0, 1, 300]), [0, 1, 300]);
}
