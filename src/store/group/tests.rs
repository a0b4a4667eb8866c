//! Tests of what a group takes out of itself before it is written.

use std::sync::Arc;

use super::*;
use crate::message::{Facts, Memory, Message};

static MEMORY: Memory = Memory::new();

fn enqueue(places: &[(u64, u64)]) -> Operation {
    let message = Arc::new(Message::new(&MEMORY, "", "k", &[], &[], Facts::default()));
    let places = places.iter().map(|&(queue, position)| Place { queue, position }).collect();
    Operation::Enqueue { message, places }
}

fn settle(queue: u64, positions: &[u64]) -> Operation {
    Operation::Settle { queue, positions: positions.to_vec() }
}

fn returned(queue: u64, position: u64) -> Operation {
    Operation::Returned { queue, position, count: 1 }
}

fn describe(operation: &Operation) -> String {
    match operation {
        Operation::Enqueue { places, .. } => {
            let places: Vec<_> = places.iter().map(|p| (p.queue, p.position)).collect();
            format!("enqueue {places:?}")
        }
        Operation::Settle { queue, positions } => format!("settle {queue} {positions:?}"),
        Operation::Returned { queue, position, .. } => format!("returned {queue} {position}"),
        Operation::SettleRuns { queue, runs } => format!("settle runs {queue} {runs:?}"),
        Operation::Topology(changes) => format!("topology {}", changes.len()),
    }
}

/// Each operation is a batch of its own.
fn check(group: Vec<Operation>, expected: &[&str], places: u64) {
    let mut group: Vec<Batch> = group
        .into_iter()
        .map(|operation| Batch { operations: vec![operation], done: None, written: None, bytes: 0 })
        .collect();
    assert_eq!(elide(&mut group), places);
    let left: Vec<String> =
        group.iter().flat_map(|batch| &batch.operations).map(describe).collect();
    assert_eq!(left, expected);
}

#[test]
fn a_message_settled_in_its_own_group_is_taken_out() {
    check(vec![enqueue(&[(1, 1)]), settle(1, &[1])], &[], 1);
    check(vec![enqueue(&[(1, 1)]), returned(1, 1), settle(1, &[1])], &[], 1);
    check(vec![enqueue(&[(1, 1), (2, 5)]), settle(2, &[5]), settle(1, &[1])], &[], 2);
}

#[test]
fn what_is_left_is_still_written() {
    check(
        vec![enqueue(&[(1, 1), (2, 1)]), settle(1, &[0, 1]), returned(2, 1)],
        &["enqueue [(2, 1)]", "settle 1 [0]", "returned 2 1"],
        1,
    );
    check(vec![settle(1, &[4]), returned(1, 5)], &["settle 1 [4]", "returned 1 5"], 0);
    check(vec![enqueue(&[(1, 1)]), settle(1, &[2])], &["enqueue [(1, 1)]", "settle 1 [2]"], 0);
}

#[test]
fn what_says_nothing_is_taken_out() {
    check(vec![enqueue(&[]), settle(1, &[]), Operation::Topology(Vec::new())], &[], 0);
}
