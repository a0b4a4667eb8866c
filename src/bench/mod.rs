//! `leveret bench`: a load generator for any AMQP 0-9-1 broker, and comparisons between brokers.
//!
//! Each publisher and each consumer is a connection with a thread of its own. Publishing writes prepared frames,
//! many with one call; deliveries are scanned by their fixed places, so that the generator takes little of the
//! machine that it may share with the broker.

mod arguments;
mod backlog;
mod chart;
mod churn;
mod compare;
mod comparison;
mod connection;
mod connections;
mod consumer;
mod course;
mod figure;
mod interrupt;
mod link;
mod load;
mod load_arguments;
mod outstanding;
mod progress;
mod publisher;
mod resident;
mod run;
mod scan;
mod scenario;
mod single;
mod stage;
mod summary;
mod template;
mod trouble;
mod uri;

use std::io::Write;

pub use arguments::BenchCommand;
use load::Load;
use load_arguments::LoadArguments;
use single::Afterwards;

/// Runs one of the benches, and prints what it found on standard output.
///
/// # Errors
///
/// One line that says what went wrong, and what to do where that is known.
pub fn run(command: &BenchCommand) -> Result<(), String> {
    match command {
        BenchCommand::Throughput(arguments) => {
            let load = load_arguments::throughput(arguments)?;
            loaded("throughput", &arguments.load, &load)
        }
        BenchCommand::Latency(arguments) => {
            let load = load_arguments::latency(arguments)?;
            loaded("latency", &arguments.load, &load)
        }
        BenchCommand::Fanout(arguments) => {
            let load = load_arguments::fanout(arguments)?;
            loaded("fanout", &arguments.load, &load)
        }
        BenchCommand::Topic(arguments) => {
            let load = load_arguments::topic(arguments)?;
            loaded("topic", &arguments.load, &load)
        }
        BenchCommand::Connections(arguments) => connections::connections(arguments),
        BenchCommand::Churn(arguments) => churn::churn(arguments),
        BenchCommand::Backlog(arguments) => backlog::backlog(arguments),
        BenchCommand::Compare(arguments) => compare::compare(arguments),
    }
}

fn loaded(bench: &'static str, arguments: &LoadArguments, load: &Load) -> Result<(), String> {
    let afterwards = if arguments.keep { Afterwards::Keep } else { Afterwards::Clear };
    single::run(bench, &arguments.broker, load, afterwards)
}

fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}
