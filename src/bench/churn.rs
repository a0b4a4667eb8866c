//! `leveret bench churn`: connections, channels or queues that come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::arguments::{ChurnArguments, Churned};
use super::connection::{Connection, Heartbeats, Opening};
use super::course::processor_ns;
use super::figure::grouped;
use super::interrupt::Interrupt;
use super::load::{Histogram, Origin, Queue, histogram};
use super::stage::{declare_queue, delete_queue};
use super::summary::{Latency, show, thousandths};
use super::trouble::Trouble;
use super::uri::Uri;
use crate::wire::{Method, Table, channel};

/// Room for what a broker says.
const INPUT_BYTES: usize = 8 * 1024;

/// How often an end is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How it went.
#[derive(Debug, Serialize)]
struct Turnover {
    bench: &'static str,
    of: String,
    seconds: f64,
    per_second: f64,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle_ms: Option<Latency>,
    generator_cores: f64,
}

/// Opens and closes for a while, and prints how often that was possible.
///
/// # Errors
///
/// The first thing that went wrong.
pub(super) fn churn(arguments: &ChurnArguments) -> Result<(), String> {
    let interrupt = Interrupt::watch()?;
    let stop = AtomicBool::new(false);
    let (began, processor) = (Instant::now(), processor_ns());
    let limit = Duration::from_secs_f64(arguments.duration);
    let outcomes: Vec<Result<Histogram, Trouble>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads)
            .map(|number| {
                let (uri, stop) = (&arguments.broker.uri, &stop);
                scope.spawn(move || {
                    let outcome = cycles(arguments.of, uri, number, stop);
                    // One that failed ends them all.
                    stop.store(stop.load(Ordering::Relaxed) || outcome.is_err(), Ordering::Relaxed);
                    outcome
                })
            })
            .collect();
        while began.elapsed() < limit && !interrupt.came() && !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
        }
        stop.store(true, Ordering::Relaxed);
        let gone = || Err(Trouble::new("a thread of the bench ended before its time"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| gone())).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut times = histogram();
    for outcome in outcomes {
        // All have the same bounds, without which this could fail.
        times.add(&outcome?).unwrap_or_default();
    }
    let of = clap::ValueEnum::to_possible_value(&arguments.of);
    let turnover = Turnover {
        bench: "churn",
        of: of.map(|value| value.get_name().to_owned()).unwrap_or_default(),
        seconds: thousandths(seconds),
        per_second: (times.len() as f64 / seconds).round(),
        total: times.len(),
        cycle_ms: Latency::of(Some(&times)),
        generator_cores: thousandths((processor_ns() - processor) as f64 / 1e9 / seconds),
    };
    show(&arguments.broker, &turnover, text)
}

fn text(turnover: &Turnover) -> String {
    let (rate, total) = (grouped(turnover.per_second), grouped(turnover.total as f64));
    let mut text = format!("{}: {rate}/s opened and closed, {total} in all\n", turnover.of);
    if let Some(times) = &turnover.cycle_ms {
        text.push_str(&format!("open to closed: {}\n", times.shown()));
    }
    text.push_str(&format!("generator: {:.2} cores\n", turnover.generator_cores));
    text
}

/// Opens and closes until it is told to stop. Returns how long each cycle took.
fn cycles(of: Churned, uri: &Uri, thread: u32, stop: &AtomicBool) -> Result<Histogram, Trouble> {
    let mut times = histogram();
    let channels = if of == Churned::Channels { 0 } else { 1 };
    let heartbeats = Heartbeats::Off;
    let opening = Opening { channels, heartbeats, input_bytes: INPUT_BYTES };
    let mut standing = match of {
        Churned::Connections => None,
        _ => Some(Connection::open(uri, opening)?),
    };
    let queue = Queue {
        name: format!("leveret.bench.churn.{}.{thread}", std::process::id()),
        durable: of == Churned::DurableQueues,
        arguments: Table::new(),
        bindings: Vec::new(),
        origin: Origin::Ours,
    };
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        match &mut standing {
            None => Connection::open(uri, opening)?.close(),
            Some(connection) if of == Churned::Channels => cycle_channel(connection)?,
            Some(connection) => {
                declare_queue(connection, &queue)?;
                delete_queue(connection, &queue.name)?;
            }
        }
        times.saturating_record(began.elapsed().as_nanos() as u64);
    }
    if let Some(connection) = standing {
        connection.close();
    }
    Ok(times)
}

fn cycle_channel(connection: &mut Connection) -> Result<(), Trouble> {
    let open = Method::ChannelOpen(channel::Open {});
    connection.call(1, &open, |method| matches!(method, Method::ChannelOpenOk(_)).then_some(()))?;
    let close = Method::ChannelClose(channel::Close {
        reply_code: 200,
        reply_text: "goodbye",
        class_id: 0,
        method_id: 0,
    });
    connection.call(1, &close, |method| matches!(method, Method::ChannelCloseOk(_)).then_some(()))
}
