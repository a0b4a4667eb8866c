//! What is fuzzed: each target takes any bytes and panics when a rule is broken, and knows how to change an input
//! so that it stays interesting. `tests/fuzz.rs` runs them briefly, `fuzz/` for as long as one likes.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod frame;
mod journal;
mod language;
mod listener;
#[path = "../grammar/model.rs"]
mod model;
#[path = "../support/random.rs"]
pub mod random;
mod session;
mod story;
mod table;

use random::Random;

/// One thing that is fuzzed.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Runs an input. Panics when a rule is broken.
    pub run: fn(&[u8]),
    /// Changes an input at random.
    pub change: fn(&mut Vec<u8>, &mut Random),
}

/// Frames: cutting, parsing, and writing them.
pub const FRAME: Target = Target { name: "frame", run: frame::run, change: frame::change };

/// Field tables and message properties.
pub const TABLE: Target = Target { name: "table", run: table::run, change: table::change };

/// Two connections to one broker, from their first bytes.
pub const SESSION: Target = Target { name: "session", run: session::run, change: session::change };

/// Opening a data directory, whatever is in its journal.
pub const JOURNAL: Target = Target { name: "journal", run: journal::run, change: journal::change };

/// A directory for a broker: where the variable says, or in memory where that can be had.
fn directory() -> tempfile::TempDir {
    let parent = std::env::var("LEVERET_FUZZ_DIRECTORY").unwrap_or_else(|_| "/dev/shm".to_owned());
    let found = tempfile::Builder::new().prefix("leveret-fuzz-").tempdir_in(parent);
    found.or_else(|_| tempfile::tempdir()).expect("a directory")
}
