//! `leveret bench`: a load generator for any AMQP 0-9-1 broker, and comparisons between brokers.
//!
//! Each publisher and each consumer is a connection with a thread of its own. Publishing writes prepared frames,
//! many with one call; deliveries are scanned by their fixed places, so that the generator takes little of the
//! machine that it may share with the broker.

mod arguments;
mod chart;
mod compare;
mod comparison;
mod connection;
mod consumer;
mod course;
mod figure;
mod interrupt;
mod link;
mod load;
mod outstanding;
mod progress;
mod publisher;
mod run;
mod scan;
mod scenario;
mod stage;
mod template;
mod trouble;
mod uri;

use std::io::Write;

pub use arguments::BenchCommand;

/// Runs one of the benches, and prints what it found on standard output.
///
/// # Errors
///
/// One line that says what went wrong, and what to do where that is known.
pub fn run(command: &BenchCommand) -> Result<(), String> {
    match command {
        BenchCommand::Compare(arguments) => compare::compare(arguments),
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}
