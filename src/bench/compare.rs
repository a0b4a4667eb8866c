//! `leveret bench compare`: the fixed set against several brokers in turn, A B A B, each time from a clean state.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::arguments::{CompareArguments, OutputFormat, Target};
use super::chart;
use super::comparison::{Comparison, Sample};
use super::figure::{grouped, milliseconds, significant};
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::run::{self, Measured, Surroundings};
use super::scenario::{Figure, SCENARIOS, Scenario};
use super::stage::{self, Stage};
use super::trouble::Trouble;

/// Before a round the broker is given this long to become quiet; then it is measured as it is.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// A broker is quiet when so many round trips in a row were no slower than the limit.
const QUICK_TRIPS: u32 = 5;
const QUICK_TRIP_MAX: Duration = Duration::from_millis(20);

/// Between round trips, so that they are no load.
const TRIP_EVERY: Duration = Duration::from_millis(20);

/// The queue that round trips go through.
const PROBE: &str = "leveret.bench.probe";

/// Runs the set, prints the table, and writes the files that were asked for.
///
/// # Errors
///
/// What is wrong with the targets, or went wrong at one.
pub(super) fn compare(arguments: &CompareArguments) -> Result<(), String> {
    let files = [&arguments.markdown, &arguments.json, &arguments.svg];
    for path in files.into_iter().flatten() {
        check_writable(path)?;
    }
    check_targets(&arguments.target)?;
    let interrupt = Interrupt::watch()?;
    let mut progress = Progress::shown_on_terminal();
    let time = Duration::from_secs_f64(arguments.seconds);
    let mut comparison = Comparison::new(
        arguments.target.iter().map(|target| target.name.clone()).collect(),
        arguments.rounds,
        arguments.seconds,
    );
    let chosen = |scenario: &&Scenario| {
        arguments.scenario.is_empty() || arguments.scenario.iter().any(|n| n == scenario.name)
    };
    'all: for scenario in SCENARIOS.iter().filter(chosen) {
        for round in 1..=arguments.rounds {
            for target in &arguments.target {
                let title = format!(
                    "{}, round {round} of {}, {}: ",
                    scenario.name, arguments.rounds, target.name
                );
                progress.set_title(title.clone());
                let told = |trouble: Trouble| format!("{title}{}", trouble.text);
                settle(&arguments.target, &interrupt).map_err(told)?;
                let sample =
                    one(scenario, target, time, &interrupt, &mut progress).map_err(told)?;
                let Some((sample, cores)) = sample else { break 'all };
                eprintln!("{title}{} (generator: {cores:.2} cores)", shown(&sample));
                comparison.add(scenario, &target.name, sample);
            }
        }
    }
    tell(&comparison, arguments)
}

fn tell(comparison: &Comparison, arguments: &CompareArguments) -> Result<(), String> {
    let write = |path: &Option<std::path::PathBuf>, text: &str| match path {
        Some(path) => fs::write(path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display())),
        None => Ok(()),
    };
    write(&arguments.markdown, &comparison.markdown())?;
    write(&arguments.json, &comparison.json()?)?;
    write(&arguments.svg, &chart::svg(comparison))?;
    match arguments.format {
        OutputFormat::Text => super::print(&comparison.markdown()),
        OutputFormat::Json => super::print(&comparison.json()?),
    }
}

fn shown(sample: &Sample) -> String {
    match sample {
        Sample::Rate(rate) => format!("{} messages/s", grouped(*rate)),
        Sample::Latency { p50, p99, p999 } => format!(
            "p50 {} ms, p99 {} ms, p99.9 {} ms",
            significant(*p50),
            significant(*p99),
            significant(*p999)
        ),
    }
}

/// One scenario once at one broker, and how many processors the generator took. `None` when the user ended it.
fn one(
    scenario: &Scenario,
    target: &Target,
    time: Duration,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> Result<Option<(Sample, f64)>, Trouble> {
    let uri = &target.uri;
    let acts = scenario.acts(time);
    let stage = Stage::set(uri, &acts.measured.topology)?;
    let outcome = (|| {
        if let Some(filling) = &acts.filling {
            let progress = &mut *progress;
            run::run(filling, Surroundings { uri, interrupt, progress })?;
            if interrupt.came() {
                return Ok(None);
            }
        }
        run::run(&acts.measured, Surroundings { uri, interrupt, progress }).map(Some)
    })();
    let cleared = stage.clear();
    let measured = outcome?;
    cleared?;
    Ok(measured
        .filter(|_| !interrupt.came())
        .map(|measured| (sample(scenario, &measured), measured.cores)))
}

fn sample(scenario: &Scenario, measured: &Measured) -> Sample {
    match scenario.figure {
        Figure::Delivered => Sample::Rate(measured.delivered),
        Figure::Confirmed => Sample::Rate(measured.confirmed),
        Figure::Latency => {
            let at = |quantile| {
                let latency = measured.latency.as_ref();
                latency.map_or(0.0, |all| milliseconds(all.value_at_quantile(quantile)))
            };
            Sample::Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
        }
    }
}

/// Waits until no broker has anything to do any more, so that no run pays for the one before.
fn settle(targets: &[Target], interrupt: &Interrupt) -> Result<(), Trouble> {
    for target in targets {
        settle_one(target, interrupt)?;
    }
    // What a broker on this machine wrote without a sync would be written during the next run, and syncs of another
    // broker would wait for it.
    rustix::fs::sync();
    Ok(())
}

/// Waits until the broker answers quickly: what the last run left is deleted, but may still be cleaned up.
fn settle_one(target: &Target, interrupt: &Interrupt) -> Result<(), Trouble> {
    let began = Instant::now();
    let mut quick = 0;
    while quick < QUICK_TRIPS && began.elapsed() < SETTLE_MAX && !interrupt.came() {
        let trip = Instant::now();
        stage::round_trip(&target.uri, PROBE)?;
        quick = if trip.elapsed() <= QUICK_TRIP_MAX { quick + 1 } else { 0 };
        thread::sleep(TRIP_EVERY);
    }
    Ok(())
}

/// Says before the first run, not after the last, that a file cannot be written. What is in it stays until then.
fn check_writable(path: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Each name once, and everybody there.
fn check_targets(targets: &[Target]) -> Result<(), String> {
    if targets.is_empty() {
        return Err("there is nothing to compare; name a broker as in \
                    --target leveret=amqp://127.0.0.1:5672"
            .to_owned());
    }
    for (place, target) in targets.iter().enumerate() {
        if targets[..place].iter().any(|other| other.name == target.name) {
            return Err(format!("two targets are called {}; give each its own name", target.name));
        }
        stage::round_trip(&target.uri, PROBE)
            .map_err(|trouble| format!("{}: {}", target.name, trouble.text))?;
    }
    Ok(())
}
