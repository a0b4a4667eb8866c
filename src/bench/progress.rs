//! How far a run is: one line that is written over on a terminal, a line a second elsewhere.

use std::io::{IsTerminal, Write};

use super::course::{Course, Snapshot};
use super::figure::grouped;

/// Nanoseconds between two looks that are shown.
const SHOW_EVERY_NS: u64 = 1_000_000_000;

/// Where progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Terminal,
    Lines,
}

/// Tells how far a run is, on standard error.
pub(super) struct Progress {
    place: Place,
    title: String,
    began_at: u64,
    last: Snapshot,
}

impl Progress {
    /// On standard error, one line or many; nowhere when the user wants it quiet.
    pub fn for_quiet(quiet: bool) -> Self {
        Self::at(match quiet {
            true => Place::Nowhere,
            false if std::io::stderr().is_terminal() => Place::Terminal,
            false => Place::Lines,
        })
    }

    /// On a terminal only: a log gets a line from somebody else when a run is over.
    pub fn shown_on_terminal() -> Self {
        let place = if std::io::stderr().is_terminal() { Place::Terminal } else { Place::Nowhere };
        Self::at(place)
    }

    fn at(place: Place) -> Self {
        Self { place, title: String::new(), began_at: 0, last: Snapshot::default() }
    }

    /// What stands in front of each line from now on.
    pub fn set_title(&mut self, title: impl Into<String>) {
        self.title = title.into();
    }

    pub(super) fn begin(&mut self, now: &Snapshot) {
        self.began_at = now.at;
        self.last = *now;
    }

    pub(super) fn look(&mut self, course: &Course) {
        if self.place == Place::Nowhere {
            return;
        }
        let now = course.snapshot();
        if now.at.saturating_sub(self.last.at) < SHOW_EVERY_NS {
            return;
        }
        let line = self.line(&now);
        self.last = now;
        // Progress that cannot be shown is no reason to end.
        let mut out = std::io::stderr();
        let _ = match self.place {
            Place::Terminal => write!(out, "\r\x1b[K{line}").and_then(|()| out.flush()),
            _ => writeln!(out, "{line}"),
        };
    }

    pub(super) fn end(&mut self) {
        if self.place == Place::Terminal {
            // As above.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, now: &Snapshot) -> String {
        let time = (now.at - self.last.at) as f64 / 1e9;
        let rate = |new: u64, old: u64| grouped((new - old) as f64 / time);
        let seconds = (now.at - self.began_at) / 1_000_000_000;
        let mut line = format!("{}{seconds} s", self.title);
        if now.published.count > 0 {
            let published = rate(now.published.count, self.last.published.count);
            line.push_str(&format!("  published {published}/s"));
        }
        if now.confirmed.count > 0 {
            let confirmed = rate(now.confirmed.count, self.last.confirmed.count);
            line.push_str(&format!("  confirmed {confirmed}/s"));
        }
        let delivered = rate(now.delivered.count, self.last.delivered.count);
        line.push_str(&format!("  delivered {delivered}/s"));
        for (count, what) in [(now.refused, "refused"), (now.returned, "returned")] {
            if count > 0 {
                line.push_str(&format!("  {what} {count}"));
            }
        }
        if now.blocked > 0 {
            line.push_str("  (blocked by the broker)");
        }
        line
    }
}
