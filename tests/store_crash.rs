//! A process that is killed in the middle of its work: what it was told is durable is there afterwards,
//! in order.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use leveret::store::{Options, Store};
use store_support::*;
use tempfile::tempdir;

const DIRECTORY: &str = "LEVERET_TEST_DIRECTORY";
const ROUNDS: u64 = 20;

fn crash_options(directory: &Path) -> Options {
    Options { segment_bytes_max: 20_000, checkpoint_bytes: 30_000, ..options(directory) }
}

/// Works until it is killed: publishes, says on standard output what has become durable, and settles
/// all but each tenth.
fn work(directory: &Path) {
    let (store, recovered) = open(crash_options(directory));
    if recovered.new {
        commit(&store, vec![queues([1])]).unwrap();
    }
    let entries = contents(&store, 1);
    let start = entries.last().map_or(0, |(position, _, _)| position + 1);
    for position in start.. {
        let say = move |verb: &'static str, position: u64| {
            Box::new(move |result: Result<(), _>| {
                assert!(result.is_ok());
                let line = format!("{verb} {position}\n");
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            })
        };
        let body = format!("{position:>0$}", 10 + position as usize % 300);
        store.append(vec![enqueue(&body, &[(1, position)])], Some(say("durable", position)));
        if position % 10 != 0 {
            store.append(vec![settle(1, &[position])], Some(say("settled", position)));
        }
        if position % 7 == 0 {
            commit(&store, Vec::new()).unwrap();
        }
        settle_old(&store, start, position);
    }
}

/// Keeps the number of messages small: the tenths are settled a thousand positions later.
fn settle_old(store: &Store, start: u64, position: u64) {
    if position >= start + 1000 && position.is_multiple_of(10) {
        store.append(vec![settle(1, &[position - 1000])], None);
    }
}

#[test]
fn what_was_durable_survives_sigkill() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        work(directory.as_ref());
        return;
    }
    let directory = tempdir().unwrap();
    for round in 0..ROUNDS {
        let said = run_and_kill(directory.path(), 200 + round * 37 % 400);
        assert!(!said.is_empty());
        let (store, recovered) = open(crash_options(directory.path()));
        assert!(recovered.notes.iter().all(|note| note.contains("torn tail")), "{recovered:?}");
        let found: BTreeMap<u64, String> =
            contents(&store, 1).into_iter().map(|(position, body, _)| (position, body)).collect();
        let last = said.iter().map(|(_, position)| *position).max().unwrap_or(0);
        for (verb, position) in &said {
            match verb.as_str() {
                "durable" if position % 10 == 0 && position + 900 > last => {
                    assert_eq!(found[position].trim(), position.to_string(), "round {round}");
                }
                "settled" => assert!(!found.contains_key(position), "{position} came back"),
                _ => {}
            }
        }
    }
}

/// Runs the worker until it has said so many lines. Returns everything that it said.
fn run_and_kill(directory: &Path, lines: u64) -> Vec<(String, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_was_durable_survives_sigkill", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..lines {
        output.read_line(&mut text).unwrap();
    }
    child.kill().unwrap();
    output.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(verb, _)| matches!(*verb, "durable" | "settled"))
        .filter_map(|(verb, position)| Some((verb.to_owned(), position.parse().ok()?)))
        .collect()
}
