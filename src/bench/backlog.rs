//! `leveret bench backlog`: a queue that nobody consumes, how fast it fills, and what it costs.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::arguments::BacklogArguments;
use super::figure::{grouped, significant};
use super::interrupt::Interrupt;
use super::load::{Acks, End, Exchange, Load, Origin, Queue, Topology};
use super::load_arguments::table;
use super::progress::Progress;
use super::resident::resident_bytes;
use super::run::{self, Surroundings};
use super::stage::{self, Stage};
use super::summary::{show, thousandths};

/// Unconfirmed messages at most.
const WINDOW: u64 = 1000;

/// A broker that was just filled may still be tidying up; its memory is read after this.
const REST: Duration = Duration::from_secs(2);

/// What is in the queue is looked for this long, for it may be there a moment after its confirm.
const DEPTH_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a backlog costs.
#[derive(Debug, Serialize)]
struct Cost {
    bench: &'static str,
    queue: String,
    published: u64,
    confirmed: u64,
    seconds: f64,
    per_second: f64,
    /// How many are in the queue, as the broker says.
    depth: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes_after: Option<u64>,
    generator_cores: f64,
}

/// Fills a queue and prints what came of it.
///
/// # Errors
///
/// What went wrong; the queue is deleted even then, unless it is to be kept.
pub(super) fn backlog(arguments: &BacklogArguments) -> Result<(), String> {
    let resident = || arguments.pid.map(resident_bytes).transpose();
    let before = resident()?;
    let interrupt = Interrupt::watch()?;
    let mut progress = Progress::for_quiet(arguments.broker.quiet);
    let uri = &arguments.broker.uri;
    let load = load(arguments);
    let stage = Stage::set(uri, &load.topology)?;
    let outcome = (|| {
        let surroundings = Surroundings { uri, interrupt: &interrupt, progress: &mut progress };
        let measured = run::run(&load, surroundings)?;
        let depth = depth_of(arguments, measured.totals.published.count)?;
        if arguments.pid.is_some() && !interrupt.came() {
            thread::sleep(REST);
        }
        Ok::<_, String>((measured, depth, resident()?))
    })();
    let cleared = if arguments.keep { Ok(()) } else { stage.clear() };
    let (measured, depth, after) = outcome?;
    let rate = if arguments.transient { measured.published } else { measured.confirmed };
    let cost = Cost {
        bench: "backlog",
        queue: arguments.queue.clone(),
        published: measured.totals.published.count,
        confirmed: measured.totals.confirmed.count,
        seconds: thousandths(measured.seconds),
        per_second: rate.round(),
        depth,
        resident_bytes_before: before,
        resident_bytes_after: after,
        generator_cores: thousandths(measured.cores),
    };
    show(&arguments.broker, &cost, text)?;
    Ok(cleared?)
}

fn load(arguments: &BacklogArguments) -> Load {
    let queue = Queue {
        name: arguments.queue.clone(),
        durable: !arguments.transient,
        arguments: table(&arguments.queue_argument),
        bindings: Vec::new(),
        origin: Origin::Users,
    };
    Load {
        topology: Topology {
            exchange: Exchange::Default,
            keys: vec![queue.name.clone()],
            queues: vec![queue],
        },
        publishers: 1,
        consumers: 0,
        channels: 1,
        body_bytes: arguments.size,
        persistent: !arguments.transient,
        mandatory: false,
        window: (!arguments.transient).then_some(WINDOW),
        prefetch: 0,
        acks: Acks::Automatic,
        rate: None,
        end: End { after: None, messages: Some(arguments.messages) },
        warm_up: Duration::ZERO,
        timed: false,
    }
}

/// How many messages are in the queue, as soon as it is as many as were published.
fn depth_of(arguments: &BacklogArguments, published: u64) -> Result<u64, String> {
    let began = Instant::now();
    loop {
        let depth = stage::depth(&arguments.broker.uri, &arguments.queue)?.unwrap_or(0);
        if depth >= published || began.elapsed() > DEPTH_WITHIN {
            return Ok(depth);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn text(cost: &Cost) -> String {
    let mut text = format!(
        "{}: {} messages published in {} s, {}/s; {} in the queue\n",
        cost.queue,
        grouped(cost.published as f64),
        significant(cost.seconds),
        grouped(cost.per_second),
        grouped(cost.depth as f64)
    );
    if let (Some(before), Some(after)) = (cost.resident_bytes_before, cost.resident_bytes_after) {
        text.push_str(&format!(
            "broker's resident memory: {} MB before, {} MB after\n",
            significant(before as f64 / 1e6),
            significant(after as f64 / 1e6)
        ));
    }
    text.push_str(&format!("generator: {:.2} cores\n", cost.generator_cores));
    text
}
