//! What may stand behind `leveret bench`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};

use super::scenario::SCENARIOS;
use super::uri::Uri;

/// Seconds that a single measurement may take at most: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// Rounds of a comparison at most.
const ROUNDS_MAX: i64 = 1000;

/// The benches.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Run a fixed set of scenarios against several brokers in turn, and compare
    ///
    /// Each scenario is run for each broker in turn, A B A B, from a clean state: what a run declared is deleted, and
    /// the next begins when the broker answers quickly again. The figures are medians; the ratio is the first
    /// target's figure divided by the other's.
    Compare(CompareArguments),
}

/// What `leveret bench compare` takes.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// A broker and its name in the results; at least one, the one that ratios are of first
    #[arg(long, value_name = "NAME=URI", required = true)]
    pub target: Vec<Target>,

    /// Run this scenario only; may be repeated
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|s| s.name)))]
    pub scenario: Vec<String>,

    /// How often each scenario is run against each broker
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=ROUNDS_MAX))]
    pub rounds: u32,

    /// How long a run is measured, after a warm-up of a quarter of that or 2 s
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
fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('s').parse().map_err(|_| "write seconds, as in 10")?;
    if number > 0.0 && number <= SECONDS_MAX {
        Ok(number)
    } else {
        Err(format!("more than 0 and at most {SECONDS_MAX} seconds are possible"))
    }
}
