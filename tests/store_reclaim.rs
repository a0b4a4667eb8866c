//! That the journal stays small: dead segments go, survivors are copied forward, and neither changes
//! what is there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::fs;
use std::path::Path;

use leveret::store::{Events, Store};
use store_support::*;
use tempfile::tempdir;

/// Sends messages through queue 2 while queue 1 keeps its own, one for each thousand bytes or so.
fn churn(store: &Store, rounds: std::ops::Range<u64>) {
    for position in rounds {
        if position % 10 == 0 {
            let operations = vec![
                enqueue(&format!("kept {position}"), &[(1, position)]),
                returned(1, position, 2),
            ];
            commit(store, operations).unwrap();
        }
        commit(store, vec![enqueue(&format!("passing {position:200}"), &[(2, position)])]).unwrap();
        commit(store, vec![settle(2, &[position])]).unwrap();
    }
}

fn kept(rounds: std::ops::Range<u64>) -> Vec<(u64, String, u32)> {
    rounds.filter(|position| position % 10 == 0).map(|p| (p, format!("kept {p}"), 2)).collect()
}

#[test]
fn a_journal_whose_messages_are_all_gone_is_one_segment() {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues([1])]).unwrap();
    for position in 0..200 {
        commit(&store, vec![enqueue("passing", &[(1, position)])]).unwrap();
        commit(&store, vec![settle(1, &[position])]).unwrap();
    }
    store.close();
    assert_eq!(segments(directory.path()).len(), 1);
    assert_eq!(store.figures().entries, 0);
}

#[test]
fn survivors_are_copied_forward_and_their_segments_go() {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues([1, 2])]).unwrap();
    churn(&store, 0..300);
    assert!(store.figures().checkpoints > 10);
    assert!(store.journal_bytes() < 40_000, "{:?}", store.figures());
    rest(&store);
    let crash = crashed(directory.path());
    store.close();
    for directory in [&crash, &directory] {
        let (store, recovered) = open(tiny(directory.path()));
        assert_eq!(contents(&store, 1), kept(0..300));
        assert_eq!(contents(&store, 2), []);
        assert_eq!(recovered.notes, Vec::<String>::new());
        churn(&store, 300..330);
        drop(store);
        let (store, _) = open(tiny(directory.path()));
        assert_eq!(contents(&store, 1), kept(0..330));
    }
}

#[test]
fn a_message_in_many_queues_survives_for_the_queues_that_still_hold_it() {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues(1..=5)]).unwrap();
    commit(&store, vec![enqueue("shared", &[(3, 1), (4, 9), (5, 4)])]).unwrap();
    commit(&store, vec![settle(4, &[9])]).unwrap();
    let first = segments(directory.path()).remove(0);
    churn(&store, 0..100);
    assert!(!first.exists());
    store.close();
    let (store, _) = open(tiny(directory.path()));
    assert_eq!(contents(&store, 3), [(1, "shared".into(), 0)]);
    assert_eq!(contents(&store, 4), []);
    assert_eq!(contents(&store, 5), [(4, "shared".into(), 0)]);
}

/// What the journal alone says after the index is gone.
fn from_journal_alone(directory: &Path) -> Store {
    fs::remove_dir_all(directory.join("index")).unwrap();
    let (store, recovered) = Store::open(tiny(directory), Events::default()).unwrap();
    assert!(recovered.notes.iter().any(|note| note.contains("rebuilt")), "{:?}", recovered.notes);
    store
}

#[test]
fn the_journal_alone_gives_the_same_after_segments_went() {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues([1, 2])]).unwrap();
    churn(&store, 0..300);
    rest(&store);
    let crash = crashed(directory.path());
    store.close();
    for directory in [&crash, &directory] {
        let store = from_journal_alone(directory.path());
        assert_eq!(contents(&store, 1), kept(0..300));
        assert_eq!(contents(&store, 2), []);
    }
}

#[test]
fn messages_settled_in_a_segment_that_went_stay_gone_when_an_older_segment_stays() {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues([1, 2])]).unwrap();
    // The first segment stays, because queue 1 keeps most of it.
    for position in 0..8 {
        commit(&store, vec![enqueue(&format!("kept {position:50}"), &[(1, position)])]).unwrap();
    }
    commit(&store, vec![enqueue("settled", &[(2, 0)])]).unwrap();
    let first = segments(directory.path()).remove(0);
    let begin = fs::read(&first).unwrap();
    assert!(begin.windows(7).any(|part| part == b"settled"));
    // Its settlement is in a later segment, which goes.
    for position in 1..30 {
        commit(&store, vec![enqueue(&format!("{position:200}"), &[(2, position)])]).unwrap();
        commit(&store, vec![settle(2, &[position - 1])]).unwrap();
    }
    store.close();
    assert!(first.exists());
    assert!(segments(directory.path()).len() < 6);
    let store = from_journal_alone(directory.path());
    assert_eq!(bodies(&store, 1).len(), 8);
    assert_eq!(bodies(&store, 2), [format!("{:200}", 29)]);
}

#[test]
fn a_deleted_queue_gives_its_segments_back() {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues([1])]).unwrap();
    for position in 0..100 {
        commit(&store, vec![enqueue(&format!("{position:200}"), &[(1, position)])]).unwrap();
    }
    assert!(segments(directory.path()).len() > 10);
    let delete =
        leveret::store::Change::DeleteQueue { vhost: "/".into(), name: "q1".into(), id: 1 };
    commit(&store, vec![leveret::store::Operation::Topology(vec![delete])]).unwrap();
    store.close();
    assert_eq!(segments(directory.path()).len(), 1);
    let (store, recovered) = open(tiny(directory.path()));
    assert!(store.figures().entries == 0 && recovered.clean);
}
