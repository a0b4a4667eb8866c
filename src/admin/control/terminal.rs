//! Standard output as what it is: a terminal with a width, a height and colours, or a file or pipe, where
//! nothing is cut and nothing is coloured.

use std::io::{IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::text::escaped;
use crate::admin::failure::Failure;

/// The width of a terminal that does not tell its own.
const DEFAULT_COLUMNS: usize = 80;
/// The height of a terminal that does not tell its own.
const DEFAULT_ROWS: usize = 24;
/// No terminal is narrower.
const COLUMNS_MIN: usize = 10;

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Not at all.
    Plain,
    /// A heading.
    Strong,
    /// Less than the rest.
    Faint,
    /// All is well.
    Good,
    /// Something to look at.
    Warning,
    /// Something is wrong.
    Bad,
}

/// Whether colours are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// On a terminal that has them, and where `NO_COLOR` is not set.
    Shown,
    /// Everywhere else.
    Absent,
}

/// What standard output is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    /// Its width in columns; none when it is no terminal, and nothing needs to be cut.
    pub columns: Option<usize>,
    /// Its height in rows.
    pub rows: usize,
    /// Whether it shows colours.
    pub colours: Colours,
}

impl Terminal {
    /// What standard output is at the moment.
    pub fn of_standard_output() -> Self {
        let output = std::io::stdout();
        if !output.is_terminal() {
            return Self { columns: None, rows: DEFAULT_ROWS, colours: Colours::Absent };
        }
        let size = rustix::termios::tcgetwinsize(&output).ok();
        // A width that someone has set on purpose comes before what the terminal says.
        let wanted = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
        let told = |number: u16| (number > 0).then_some(usize::from(number));
        let columns = wanted.or_else(|| size.and_then(|size| told(size.ws_col)));
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let plain =
            is_set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            columns: Some(columns.unwrap_or(DEFAULT_COLUMNS).max(COLUMNS_MIN)),
            rows: size.and_then(|size| told(size.ws_row)).unwrap_or(DEFAULT_ROWS),
            colours: if plain { Colours::Absent } else { Colours::Shown },
        }
    }
}

impl Colours {
    /// A text in a tone.
    pub fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            _ if self == Self::Absent || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Writes to standard output. When nobody reads it any more, the program ends: its reader had enough.
///
/// # Errors
///
/// What the operating system says of the file or the disk.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::Failed(format!("cannot write to standard output: {error}"))),
    }
}

/// Says what was done, in one line that no name can break.
///
/// # Errors
///
/// As [`print`].
pub(super) fn say(line: &str) -> Result<(), Failure> {
    print(&format!("{}\n", escaped(line)))
}

/// The time, in milliseconds since 1970.
pub(super) fn now_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() * 1000.0
}
