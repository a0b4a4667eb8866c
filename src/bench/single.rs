//! A load that the user asked for: declared, run, summed up, deleted.

use super::arguments::BrokerArguments;
use super::interrupt::Interrupt;
use super::load::Load;
use super::progress::Progress;
use super::run::{self, Surroundings};
use super::stage::Stage;
use super::summary::{Summary, show};

/// Whether what was declared stays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// It is deleted.
    Clear,
    /// It stays, with what is in it.
    Keep,
}

/// Runs a load and prints its summary.
///
/// # Errors
///
/// The first thing that went wrong; what was declared is deleted even then.
pub(super) fn run(
    bench: &'static str,
    broker: &BrokerArguments,
    load: &Load,
    afterwards: Afterwards,
) -> Result<(), String> {
    let interrupt = Interrupt::watch()?;
    let mut progress = Progress::for_quiet(broker.quiet);
    let uri = &broker.uri;
    let stage = Stage::set(uri, &load.topology)?;
    let surroundings = Surroundings { uri, interrupt: &interrupt, progress: &mut progress };
    let measured = run::run(load, surroundings);
    let cleared = match afterwards {
        Afterwards::Clear => stage.clear(),
        Afterwards::Keep => Ok(()),
    };
    let measured = measured?;
    show(broker, &Summary::new(bench, load, &measured), Summary::text)?;
    Ok(cleared?)
}
