//! The broker is killed with SIGKILL at random moments under load, or stopped, and started again on what it left. Each
//! time, every confirmed message that nobody acknowledged is there, once and whole, in the order of its publisher; what
//! was transient is gone; what was purged or deleted stays away; and exchanges, bindings and queues are as they were
//! declared.
//!
//! A third of the rounds is played with the usual settings, a third with so small segments that checkpoints and
//! reclaiming never rest, and in the last third queues are mostly on the disk besides. `LEVERET_CRASH_ROUNDS` says how
//! often (20), `LEVERET_CRASH_SEED` with what choices; `benches/crash` plays two hundred rounds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod crash {
    pub mod clearing;
    pub mod ledger;
    pub mod letter;
    pub mod load;
    pub mod topology;
}

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crash::ledger::{History, Ledger};
use crash::load::{Load, Outcome};
use crash::topology;
use support::random::Random;
use support::server::Server;

const ROUNDS: u64 = 20;
const USUAL: &str = "";
/// A segment, and what is written between two checkpoints, is some fifty messages.
const SMALL_SEGMENTS: &str = "[store]\nsegment_bytes_max = 65536\ncheckpoint_bytes = 65536\n";
/// And so little of a queue is in memory that most messages are read back before they are delivered.
const SMALL_WINDOWS: &str =
    "[store]\nsegment_bytes_max = 65536\ncheckpoint_bytes = 65536\nqueue_window_messages = 16\n";

const LOAD_LIMIT: Duration = Duration::from_secs(120);

#[test]
fn what_was_confirmed_outlives_the_process() {
    let rounds = number("LEVERET_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("LEVERET_CRASH_SEED").unwrap_or_else(seed_of_now);
    eprintln!("LEVERET_CRASH_SEED={seed} LEVERET_CRASH_ROUNDS={rounds}");
    let mut random = Random::new(seed);
    let third = rounds / 3;
    let games = [(third, USUAL), (third, SMALL_SEGMENTS), (rounds - 2 * third, SMALL_WINDOWS)];
    for (rounds, config) in games {
        let mut server = Server::start_with(config);
        topology::declare(&server);
        let mut history = History::default();
        for round in 0..rounds {
            play(&mut server, u32::try_from(round).unwrap(), &mut history, random.part());
        }
        assert!(server.terminate().success(), "{}", server.log());
    }
}

/// One round: load, a death, a new start, and the account.
fn play(server: &mut Server, round: u32, history: &mut History, mut random: Random) {
    let ending = if random.once_in(5) { Ending::Stopped } else { Ending::Killed };
    let confirms = random.within(0..4000);
    topology::declare_transient(server);
    let load = Load::start(server.port(), round, confirms, &mut random);
    let early = load.reached(LOAD_LIMIT);
    load.expect_the_end();
    match ending {
        Ending::Killed => server.kill(),
        Ending::Stopped if early.is_ok() => assert!(server.terminate().success()),
        Ending::Stopped => {}
    }
    let outcomes = load.finish();
    if let Err(reason) = early {
        panic!("round {round}: {reason}\n{}\n{}", failures(&outcomes), server.log());
    }
    assert!(failures(&outcomes).is_empty(), "round {round}: {}", failures(&outcomes));

    let stopped = Instant::now();
    server.restart();
    let started = stopped.elapsed();
    topology::check(server);
    let is_there = outcomes.iter().find_map(|outcome| outcome.deleted_is_there);
    assert!(is_there.is_none_or(|is_there| is_there == topology::has_deleted(server)));
    let ledger = Ledger::new(round, outcomes);
    let found = ledger.check(history, |queue| topology::drain(server, queue));
    eprintln!(
        "round {round}: {ending:?} after {confirms} confirms, up again in {} ms, {found}",
        started.as_millis()
    );
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Killed,
    Stopped,
}

fn failures(outcomes: &[Outcome]) -> String {
    let failures = outcomes.iter().filter_map(|outcome| outcome.failure.clone());
    failures.collect::<Vec<_>>().join("\n")
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}
