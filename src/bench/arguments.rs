//! What may stand behind `leveret bench`: its commands, and the options that are not about a load.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};

use super::load_arguments::{LoadArguments, RouteArguments};
use super::scenario::SCENARIOS;
use super::uri::Uri;
use crate::wire::Value;

/// Seconds that a single measurement may take at most: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// Rounds of a comparison at most.
const ROUNDS_MAX: i64 = 1000;

/// Connections, publishers, consumers or threads at most. Beyond this one machine has no ports left.
pub(super) const CONNECTIONS_MAX: i64 = 50_000;

/// Bytes of a body at most: what RabbitMQ takes by default.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The benches.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Publish and consume as fast as possible, or at a rate
    ///
    /// Each publisher and each consumer is a connection. Queues are declared, and deleted in the end, unless they were
    /// there before and were named with --queue.
    Throughput(ThroughputArguments),
    /// Time messages from publish to delivery, at a rate (by default 1,000 a second of 1 KiB)
    ///
    /// A message that the broker keeps from being sent in time counts from when it was due.
    Latency(ThroughputArguments),
    /// Publish to a fanout exchange with several queues, by default 10, with a consumer each
    Fanout(FanoutArguments),
    /// Publish with changing keys to a topic exchange with many wildcard bindings, by default 1,000
    Topic(TopicArguments),
    /// Open many connections and let them idle; with --pid say what they cost in memory
    Connections(ConnectionsArguments),
    /// Open and close connections, channels or queues again and again
    Churn(ChurnArguments),
    /// Fill a queue that nobody consumes; with --pid say what it costs in memory
    Backlog(BacklogArguments),
    /// Run a fixed set of scenarios against several brokers in turn, and compare
    ///
    /// Each scenario is run for each broker in turn, A B A B, from a clean state: what a run declared is deleted, and
    /// the next begins when all brokers answer quickly again. The figures are medians; the ratio is the first
    /// target's figure divided by the other's.
    Compare(CompareArguments),
}

/// What `throughput` and `latency` take.
#[derive(Debug, Args)]
pub struct ThroughputArguments {
    /// The load.
    #[command(flatten)]
    pub load: LoadArguments,
    /// Where messages go.
    #[command(flatten)]
    pub route: RouteArguments,
}

/// What `fanout` takes.
#[derive(Debug, Args)]
pub struct FanoutArguments {
    /// The load.
    #[command(flatten)]
    pub load: LoadArguments,
}

/// What `topic` takes.
#[derive(Debug, Args)]
pub struct TopicArguments {
    /// The load.
    #[command(flatten)]
    pub load: LoadArguments,

    /// Wildcard bindings, of which each key matches one
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub bindings: u32,
}

/// Which broker, and how results are printed.
#[derive(Debug, Args)]
pub struct BrokerArguments {
    /// The broker
    #[arg(
        long,
        value_name = "URI",
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://127.0.0.1:5672"
    )]
    pub uri: Uri,

    /// How the results are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: OutputFormat,

    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

/// What `connections` takes.
#[derive(Debug, Args)]
pub struct ConnectionsArguments {
    /// The broker.
    #[command(flatten)]
    pub broker: BrokerArguments,

    /// Connections
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=CONNECTIONS_MAX))]
    pub connections: u32,

    /// Channels on each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=2047))]
    pub channels: u16,

    /// How long they are kept open when all are there
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub hold: f64,

    /// The broker's process on this machine, to tell its memory
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
}

/// What `churn` takes.
#[derive(Debug, Args)]
pub struct ChurnArguments {
    /// The broker.
    #[command(flatten)]
    pub broker: BrokerArguments,

    /// What comes and goes
    #[arg(long, value_name = "WHAT", default_value = "connections")]
    pub of: Churned,

    /// Threads, each of which does so with a connection at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub threads: u32,

    /// How long
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub duration: f64,
}

/// What comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Churned {
    /// Connect, log in, open a channel, close.
    Connections,
    /// Open a channel, close it.
    Channels,
    /// Declare a transient queue, delete it.
    Queues,
    /// Declare a durable queue, delete it.
    DurableQueues,
}

/// What `backlog` takes.
#[derive(Debug, Args)]
pub struct BacklogArguments {
    /// The broker.
    #[command(flatten)]
    pub broker: BrokerArguments,

    /// Messages
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: u64,

    /// Bytes in a body; k and M stand for 1,024 and its square
    #[arg(long, value_name = "BYTES", default_value = "1k", value_parser = bytes)]
    pub size: usize,

    /// Messages that do not survive a restart, in a queue that does not either, without confirms
    #[arg(long)]
    pub transient: bool,

    /// The queue's name
    #[arg(long, value_name = "NAME", default_value = "leveret.bench.backlog")]
    pub queue: String,

    /// An argument of the queue, such as x-queue-mode=lazy; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = argument)]
    pub queue_argument: Vec<(String, Value)>,

    /// The broker's process on this machine, to tell its memory
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// Leave the queue and its messages there
    #[arg(long)]
    pub keep: bool,
}

/// What `compare` takes.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// A broker and its name in the results; at least one, the one that ratios are of first
    #[arg(long, value_name = "NAME=URI")]
    pub target: Vec<Target>,

    /// Run this scenario only; may be repeated
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|s| s.name)))]
    pub scenario: Vec<String>,

    /// How often each scenario is run against each broker
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=ROUNDS_MAX))]
    pub rounds: u32,

    /// How long a run is measured, after a warm-up of a quarter of that, at most 2 s
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = seconds)]
    pub seconds: f64,

    /// Write the table to this file
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,

    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write a chart to this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// How the results are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: OutputFormat,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// As one JSON object.
    Json,
}

/// A broker with the name that it has in the results.
#[derive(Debug, Clone)]
pub struct Target {
    /// The name.
    pub name: String,
    /// Where it is.
    pub uri: Uri,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, uri)) if !name.is_empty() && !name.contains(['|', '\n']) => {
                Ok(Self { name: name.to_owned(), uri: uri.parse()? })
            }
            _ => Err("write a name and an address, as in leveret=amqp://127.0.0.1:5672".to_owned()),
        }
    }
}

/// A time in seconds, such as `10` or `0.5`.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write seconds, as in 10")?;
    if number > 0.0 && number <= SECONDS_MAX {
        Ok(number)
    } else {
        Err(format!("more than 0 and at most {SECONDS_MAX} seconds are possible"))
    }
}

/// A size in bytes, such as `16`, `4k` or `1M`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1024),
        Some(b'M') => (&text[..text.len() - 1], 1024 * 1024),
        _ => (text, 1),
    };
    let number: usize = digits.parse().map_err(|_| "write bytes, as in 16, 4k or 1M")?;
    match number.checked_mul(unit) {
        Some(bytes) if bytes <= BODY_BYTES_MAX => Ok(bytes),
        _ => Err(format!("at most {BODY_BYTES_MAX} bytes are possible")),
    }
}

/// An argument of a queue or exchange: an integer, `true`, `false`, or else a text.
pub(super) fn argument(text: &str) -> Result<(String, Value), String> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err("write a name and a value, as in x-max-length=1000".to_owned());
    };
    let value = match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        other => other.parse().map_or_else(|_| other.into(), Value::I64),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_or_none() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("16", Some(16));
        check("4k", Some(4096));
        check("16M", Some(16 * 1024 * 1024));
        check("17M", None);
        check("18446744073709551615k", None);
        check("", None);
        check("k", None);
        check("-1", None);
        check("1é", None);
    }

    #[test]
    fn a_time_is_positive_and_at_most_a_day() {
        let check = |text: &str, expected: Option<f64>| {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        };
        check("10", Some(10.0));
        check("0.5", Some(0.5));
        check("0", None);
        check("-1", None);
        check("NaN", None);
        check("1e9", None);
        check("soon", None);
    }

    #[test]
    fn an_argument_has_the_type_that_its_value_looks_like() {
        let check = |text: &str, expected: Value| assert_eq!(argument(text).unwrap().1, expected);
        check("x-max-length=1000", Value::I64(1000));
        check("x-single-active-consumer=true", Value::Bool(true));
        check("x-overflow=reject-publish", "reject-publish".into());
        check("x-dead-letter-routing-key=", "".into());
        assert!(argument("x-max-length").is_err() && argument("=1").is_err());
    }
}
