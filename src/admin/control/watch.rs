//! Showing something again and again: in place on a terminal, one after the other elsewhere, until someone has
//! seen enough.

use std::io::PipeReader;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};

use super::options::Format;
use super::terminal::{Terminal, Tone, now_ms, print};
use super::text::fitted;
use crate::admin::failure::Failure;

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";
const TO_THE_TOP: &str = "\u{1b}[H";
const CLEAR_SCREEN: &str = "\u{1b}[2J";
const CLEAR_TO_END_OF_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

/// Draws every so often until Ctrl-C or SIGTERM, which is a good end. What goes wrong later than at the first time
/// is shown, and tried again: a broker that restarts is worth waiting for.
///
/// # Errors
///
/// What went wrong at the first time.
pub(super) fn repeat(
    seconds: u64,
    format: Format,
    what: &str,
    mut draw: impl FnMut(&Terminal) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let signals = Signals::new()
        .map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    let first = draw(&Terminal::of_standard_output())?;
    let in_place = format == Format::Table && Terminal::of_standard_output().columns.is_some();
    let _cursor = if in_place { Some(HiddenCursor::new()?) } else { None };
    let mut text = first;
    loop {
        let terminal = Terminal::of_standard_output();
        if in_place {
            let head = format!("{what}, every {seconds} s at {} UTC, Ctrl-C ends", time_of_day());
            print(&frame(&head, &text, &terminal))?;
        } else {
            let between = if format == Format::Json { "" } else { "\n" };
            print(&format!("{text}{between}"))?;
        }
        match signals.wait(Duration::from_secs(seconds)) {
            Wake::End => return Ok(()),
            Wake::Time | Wake::Resized => {}
        }
        text = match draw(&Terminal::of_standard_output()) {
            Ok(text) => text,
            Err(failure) if in_place => {
                format!("{}\n", terminal.colours.paint(failure.text(), Tone::Bad))
            }
            Err(failure) => return Err(failure),
        };
    }
}

/// One picture: it covers the one before, and no more than the terminal shows.
fn frame(head: &str, text: &str, terminal: &Terminal) -> String {
    let columns = terminal.columns.unwrap_or(usize::MAX);
    let mut lines = vec![terminal.colours.paint(&fitted(head, columns), Tone::Faint)];
    let body: Vec<&str> = text.lines().collect();
    let room = terminal.rows.saturating_sub(lines.len());
    if body.len() > room {
        let shown = room.saturating_sub(1);
        lines.extend(body[..shown].iter().map(|&line| line.to_owned()));
        lines.push(
            terminal.colours.paint(&format!("and {} lines more", body.len() - shown), Tone::Faint),
        );
    } else {
        lines.extend(body.iter().map(|&line| line.to_owned()));
    }
    let lines: Vec<String> =
        lines.iter().map(|line| format!("{line}{CLEAR_TO_END_OF_LINE}")).collect();
    format!("{TO_THE_TOP}{}{CLEAR_BELOW}", lines.join("\r\n"))
}

fn time_of_day() -> String {
    // A float's whole part fits: milliseconds since 1970 are far from the end of what it can tell apart.
    let seconds = (now_ms() / 1000.0) % 86_400.0;
    let part = |value: f64| value.floor();
    let (hours, rest) = (part(seconds / 3600.0), seconds % 3600.0);
    format!("{hours:02.0}:{:02.0}:{:02.0}", part(rest / 60.0), part(rest % 60.0))
}

/// A terminal whose cursor is hidden; it is shown again, below the last picture, when this is dropped.
struct HiddenCursor;

impl HiddenCursor {
    fn new() -> Result<Self, Failure> {
        print(&format!("{HIDE_CURSOR}{CLEAR_SCREEN}"))?;
        Ok(Self)
    }
}

impl Drop for HiddenCursor {
    fn drop(&mut self) {
        // Nobody is left to be told when the terminal is gone.
        let _ = print(&format!("{SHOW_CURSOR}\r\n"));
    }
}

/// Why a wait was over.
enum Wake {
    Time,
    Resized,
    End,
}

/// The signals that end a watch, and the one that says that the terminal has another size.
struct Signals {
    end: PipeReader,
    resized: PipeReader,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (end, end_writer) = std::io::pipe()?;
        let (resized, resized_writer) = std::io::pipe()?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, end_writer.try_clone()?)?;
        }
        signal_hook::low_level::pipe::register(SIGWINCH, resized_writer)?;
        Ok(Self { end, resized })
    }

    fn wait(&self, limit: Duration) -> Wake {
        let limit = Timespec::try_from(limit).ok();
        let mut ready =
            [PollFd::new(&self.end, PollFlags::IN), PollFd::new(&self.resized, PollFlags::IN)];
        // Interrupted by a signal, its pipe has something; the next look finds it.
        let found = loop {
            match poll(&mut ready, limit.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                found => break found.unwrap_or(0),
            }
        };
        if found == 0 {
            return Wake::Time;
        }
        if !ready[0].revents().is_empty() {
            return Wake::End;
        }
        // Many changes of the size are one.
        let mut taken = [0; 64];
        let _ = rustix::io::read(&self.resized, &mut taken);
        Wake::Resized
    }
}

#[cfg(test)]
mod tests {
    use super::frame;
    use crate::admin::control::terminal::{Colours, Terminal};

    #[test]
    fn a_picture_is_no_higher_than_the_terminal() {
        let check = |rows: usize, expected: &[&str]| {
            let terminal = Terminal { columns: Some(10), rows, colours: Colours::Absent };
            let shown = frame("queues of a broker", "a\nb\nc\nd\n", &terminal);
            let shown = shown.trim_start_matches("\u{1b}[H").trim_end_matches("\u{1b}[J");
            let lines: Vec<&str> =
                shown.split("\r\n").map(|line| line.trim_end_matches("\u{1b}[K")).collect();
            assert_eq!(lines, expected);
        };
        check(24, &["queues of…", "a", "b", "c", "d"]);
        check(5, &["queues of…", "a", "b", "c", "d"]);
        check(4, &["queues of…", "a", "b", "and 2 lines more"]);
    }
}
