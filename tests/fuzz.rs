//! Every fuzzing target runs its corpus, and then changed inputs for a short while. Coverage-guided fuzzing of the
//! same targets is in `fuzz/`.
//!
//! A failing input is printed in hexadecimal; `LEVERET_FUZZ_INPUT=target:hex` runs it alone. The seed of the changes is
//! printed; `LEVERET_FUZZ_SEED` sets it, and `LEVERET_FUZZ_RUNS` says how many changed inputs each target gets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use targets::random::Random;
use targets::{FRAME, JOURNAL, SESSION, TABLE, Target};

/// Changes that are made to one input of the corpus before another one is taken.
const GENERATIONS: u64 = 8;

#[test]
fn frames_that_were_found_and_changed_ones_are_cut_or_refused() {
    fuzz(&FRAME, 20_000);
}

#[test]
fn tables_that_were_found_and_changed_ones_are_read_or_refused() {
    fuzz(&TABLE, 20_000);
}

#[test]
fn connections_that_were_found_and_changed_ones_disturb_nothing() {
    fuzz(&SESSION, 1_000);
}

#[test]
fn journals_that_were_found_and_changed_ones_are_recovered_or_refused() {
    fuzz(&JOURNAL, 40);
}

fn fuzz(target: &Target, runs: u64) {
    if let Ok(wanted) = std::env::var("LEVERET_FUZZ_INPUT") {
        if let Some((name, hex)) = wanted.split_once(':')
            && name == target.name
        {
            (target.run)(&from_hex(hex));
        }
        return;
    }
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "no corpus for {}", target.name);
    for input in &corpus {
        run(target, input);
    }
    let seed = number("LEVERET_FUZZ_SEED").unwrap_or_else(seed_of_now);
    let runs = number("LEVERET_FUZZ_RUNS").unwrap_or(runs);
    println!("LEVERET_FUZZ_SEED={seed} LEVERET_FUZZ_RUNS={runs}");
    let mut random = Random::new(seed);
    let mut input = Vec::new();
    for number in 0..runs {
        if number % GENERATIONS == 0 {
            input.clone_from(&corpus[random.within(0..corpus.len() as u64) as usize]);
        }
        (target.change)(&mut input, &mut random);
        run(target, &input);
    }
}

/// Runs an input, and prints it when it breaks a rule.
fn run(target: &Target, input: &[u8]) {
    if let Err(broken) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        println!("LEVERET_FUZZ_INPUT={}:{}", target.name, to_hex(input));
        resume_unwind(broken);
    }
}

/// The inputs in `fuzz/corpus`, in order of their names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
