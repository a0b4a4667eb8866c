//! `leveret bench connections`: many connections that do nothing, and what they cost.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use super::arguments::ConnectionsArguments;
use super::connection::{Connection, Heartbeats, Opening};
use super::figure::{grouped, significant};
use super::interrupt::Interrupt;
use super::link::Filled;
use super::resident::resident_bytes;
use super::summary::{show, thousandths};

/// Room for what a broker says to a connection that does nothing.
const INPUT_BYTES: usize = 8 * 1024;

/// Files besides the connections' sockets.
const OTHER_FILES: u64 = 64;

/// How often an end is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What connections cost.
#[derive(Debug, Serialize)]
struct Cost {
    bench: &'static str,
    /// How many there were.
    connections: usize,
    channels: u16,
    /// Seconds until all were open.
    seconds: f64,
    per_second: f64,
    /// How many the broker closed while they idled.
    lost: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes_per_connection: Option<f64>,
}

/// Opens connections, holds them, and prints what they cost.
///
/// # Errors
///
/// Why a connection could not be opened; those before it are closed.
pub(super) fn connections(arguments: &ConnectionsArguments) -> Result<(), String> {
    allow_files(u64::from(arguments.connections) + OTHER_FILES)?;
    let interrupt = Interrupt::watch()?;
    let resident = || arguments.pid.map(resident_bytes).transpose();
    let before = resident()?;
    let opening = Opening {
        channels: arguments.channels,
        heartbeats: Heartbeats::Off,
        input_bytes: INPUT_BYTES,
    };
    let began = Instant::now();
    let mut open = Vec::new();
    while open.len() < arguments.connections as usize && !interrupt.came() {
        let connection = Connection::open(&arguments.broker.uri, opening).map_err(|trouble| {
            format!("connection {} of {}: {}", open.len() + 1, arguments.connections, trouble.text)
        })?;
        open.push(connection);
    }
    let seconds = began.elapsed().as_secs_f64();
    let held = Instant::now();
    while held.elapsed().as_secs_f64() < arguments.hold && !interrupt.came() {
        thread::sleep(LOOK_EVERY);
    }
    let after = resident()?;
    let lost = open.iter_mut().map(is_lost).filter(|&is_lost| is_lost).count();
    let count = open.len();
    for connection in open {
        connection.close();
    }
    let per_connection = before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before) as f64 / count.max(1) as f64);
    let cost = Cost {
        bench: "connections",
        connections: count,
        channels: arguments.channels,
        seconds: thousandths(seconds),
        per_second: (count as f64 / seconds).round(),
        lost,
        resident_bytes_before: before,
        resident_bytes_after: after,
        resident_bytes_per_connection: per_connection.map(f64::round),
    };
    show(&arguments.broker, &cost, text)
}

fn text(cost: &Cost) -> String {
    let mut text = format!(
        "{} connections with {} channels each: opened in {} s, {}/s\n",
        grouped(cost.connections as f64),
        cost.channels,
        significant(cost.seconds),
        grouped(cost.per_second)
    );
    if cost.lost > 0 {
        text.push_str(&format!("closed by the broker: {}\n", cost.lost));
    }
    if let (Some(before), Some(after), Some(each)) =
        (cost.resident_bytes_before, cost.resident_bytes_after, cost.resident_bytes_per_connection)
    {
        text.push_str(&format!(
            "broker's resident memory: {} MB before, {} MB with them, {} KB each\n",
            significant(before as f64 / 1e6),
            significant(after as f64 / 1e6),
            significant(each / 1e3)
        ));
    }
    text
}

/// Whether the broker ended a connection: it says so, or the socket is closed.
fn is_lost(connection: &mut Connection) -> bool {
    !matches!(connection.link.fill(), Ok(Filled::Nothing))
}

/// Raises the limit for open files as far as it may be raised.
fn allow_files(wanted: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(wanted.min(most)), maximum: limit.maximum };
    if wanted > most || setrlimit(Resource::Nofile, raised).is_err() {
        return Err(format!(
            "{wanted} files cannot be open at once here; raise `ulimit -n`, or open fewer connections"
        ));
    }
    Ok(())
}
