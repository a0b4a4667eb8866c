//! What is made of the command line itself: completions for shells, and manual pages.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::command_line::CommandLine;
use super::failure::Failure;

const NAME: &str = "leveret";

/// Prints what makes a shell complete the program's commands and options.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), NAME, &mut script);
    super::print(&String::from_utf8_lossy(&script))
}

/// Writes a manual page for each command.
///
/// # Errors
///
/// What the operating system says of the directory.
pub(super) fn pages(directory: &Path) -> Result<(), Failure> {
    let shown = directory.display();
    if !directory.is_dir() {
        return Err(format!("{shown} is no directory: make it first").into());
    }
    clap_mangen::generate_to(CommandLine::command(), directory)
        .map_err(|error| format!("cannot write manual pages to {shown}: {error}"))?;
    super::print(&format!(
        "the manual is in {shown}; `man {shown}/{NAME}.1` shows its first page\n"
    ))
}
