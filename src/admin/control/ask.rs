//! The question before something is lost.

use std::io::{BufRead, IsTerminal, Write};

use super::options::Confirmation;
use super::text::escaped;
use crate::admin::failure::Failure;

/// Goes on when `--yes` was given, or when someone at the terminal says yes to what is about to happen.
///
/// # Errors
///
/// When they say no, or nobody can be asked.
pub(super) fn before(what: &str, confirmation: &Confirmation) -> Result<(), Failure> {
    if confirmation.yes {
        return Ok(());
    }
    let what = escaped(what);
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "{what}. Nobody is here to be asked, so nothing was done: --yes does it"
        )
        .into());
    }
    let mut errors = std::io::stderr();
    let asked = write!(errors, "{what}. Go on? [y/N] ").and_then(|()| errors.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    read.map_err(|error| format!("cannot ask: {error}"))?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err("nothing was done".into())
}

/// A number of things in words: `no consumers`, `1 consumer`, `12,450 messages`.
pub(super) fn several(number: u64, one: &str) -> String {
    match number {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        // Precise as far as a broker can count.
        #[allow(clippy::cast_precision_loss)]
        number => format!("{} {one}s", super::numbers::count(number as f64)),
    }
}
