//! The command line: what it may say, what each command does, and how the program ends. A failure is one
//! line on standard error; the exit code is 1, or 2 when the command line itself was wrong.

mod check_config;
mod command_line;
mod control;
mod failure;
mod logging;
mod manual;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};
use log::{info, warn};

use crate::config::{self, Config, Loaded, Overrides};
use command_line::{Command, CommandLine};
use failure::{Failure, USAGE_EXIT};

/// Runs the program with its arguments, the name of the program first, and says how it ended. `serve` runs the
/// broker until it is shut down.
pub fn run<E: Display>(
    arguments: impl IntoIterator<Item = OsString>,
    serve: impl FnOnce(Config) -> Result<(), E>,
) -> ExitCode {
    let line = match parse(arguments) {
        Ok(line) => line,
        Err(error) => return end_without_command(&error),
    };
    match perform(&line, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(failure.text());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn perform<E: Display>(
    line: &CommandLine,
    serve: impl FnOnce(Config) -> Result<(), E>,
) -> Result<(), Failure> {
    let overrides = line.overrides()?;
    match &line.command {
        None | Some(Command::Serve { .. }) => run_broker(&overrides, serve)?,
        Some(Command::CheckConfig { format, .. }) => {
            check_config::check_config(&overrides, *format)?;
        }
        Some(Command::Admin(control)) => {
            let Loaded { config, warnings, .. } = load(&overrides)?;
            for warning in warnings {
                complain(&format!("warning: {warning}"));
            }
            control::run(control, &config)?;
        }
        Some(Command::Completions { shell }) => manual::completions(*shell)?,
        Some(Command::Man { directory }) => manual::pages(directory)?,
        Some(Command::Bench(command)) => crate::bench::run(command)?,
    }
    Ok(())
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, clap::Error> {
    let matches = CommandLine::command().try_get_matches_from(arguments)?;
    CommandLine::from_arg_matches(&matches)
}

fn run_broker<E: Display>(
    overrides: &Overrides,
    serve: impl FnOnce(Config) -> Result<(), E>,
) -> Result<(), String> {
    logging::start();
    let Loaded { config, file, warnings } = load(overrides)?;
    info!("Leveret {}, process {}", env!("CARGO_PKG_VERSION"), std::process::id());
    match file {
        Some(file) => info!("configuration from {}", absolute(&file)),
        None => info!("no configuration file, so every setting is at its default"),
    }
    for warning in warnings {
        warn!("{warning}");
    }
    serve(config).map_err(|error| error.to_string())
}

fn load(overrides: &Overrides) -> Result<Loaded, String> {
    config::load(overrides, std::env::vars_os()).map_err(|error| error.to_string())
}

fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).display().to_string()
}

/// Help and version go to standard output; a command line that makes no sense is one line on standard error.
fn end_without_command(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody is left to be told when standard output cannot be written.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Standard error is where this goes by itself.
            let _ = error.print();
            ExitCode::from(USAGE_EXIT)
        }
        _ => {
            let (fault, command) = (usage_fault(error), command_of(error));
            complain(&format!("{fault}; `{command} --help` shows what there is"));
            ExitCode::from(USAGE_EXIT)
        }
    }
}

/// What clap found wrong, and what it thinks was meant, without its layout.
fn usage_fault(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let mut fault = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    if let (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    {
        fault = format!("missing: {}", missing.join(", "));
    }
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand];
    for kind in suggested.into_iter().chain([ContextKind::SuggestedValue]) {
        let meant = match error.get(kind) {
            Some(ContextValue::String(one)) => one.clone(),
            Some(ContextValue::Strings(all)) if !all.is_empty() => all.join(" or "),
            _ => continue,
        };
        fault.push_str(&format!(" (did you mean {meant}?)"));
    }
    fault
}

/// The command that was being read, such as `leveret admin queues`.
fn command_of(error: &clap::Error) -> String {
    let text = error.to_string();
    let usage = text.lines().find_map(|line| line.trim().strip_prefix("Usage: "));
    let is_name = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_lowercase());
    let words: Vec<&str> = usage.unwrap_or("leveret").split(' ').take_while(is_name).collect();
    words.join(" ")
}

/// Writes to standard output; a reader that has had enough is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says in one line on standard error why the program ends.
fn complain(fault: &str) {
    let line = logging::on_one_line(fault);
    // Nobody is left to be told when standard error cannot be written.
    let _ = writeln!(std::io::stderr(), "leveret: {line}");
}
