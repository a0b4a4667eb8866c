//! A stretch of a lane behind its head whose durable messages need not be in memory: the journal has them. What is
//! left of them here is where they stand.

use super::entry::{Entry, NEVER_MS, Position};
use super::line::Line;
use super::packed::{Packed, Run};

/// A stretch of a lane.
pub(super) struct Span {
    /// Its number, unique in the queue. Those in a lane ascend.
    pub(super) number: u64,
    /// No entry in front of this position belongs to it.
    pub(super) first: Position,
    /// Its highest position.
    pub(super) last: Position,
    /// What stays in memory: transient entries, and those that came late or came back behind the front.
    pub(super) here: Line,
    /// Everything else.
    pub(super) rest: Rest,
    /// It came for a round that has yet to take what has expired. Then it leaves again: the journal has it.
    pub(super) visiting: bool,
    /// No entry in it expires before this.
    pub(super) earliest_ms: u64,
    /// When its first message was accepted, in Unix milliseconds.
    pub(super) accepted_ms: u64,
}

/// Where the durable part of a span is.
pub(super) enum Rest {
    /// There is none.
    Nothing,
    /// In memory until the journal has been written.
    Leaving(Line),
    /// In the journal.
    Away(Absent),
    /// In the journal, and asked for.
    Coming(Absent),
}

/// Messages that are in the journal alone.
#[derive(Default)]
pub(super) struct Absent {
    pub(super) positions: Packed,
    /// Bytes of their bodies.
    pub(super) bytes: u64,
    /// Of those that came back, how many times: the journal may hear of it later than of what is read from it.
    returned: Vec<(Position, u32)>,
}

impl Absent {
    fn push(&mut self, entry: &Entry) {
        self.positions.push(entry.position);
        self.bytes += entry.bytes();
        if entry.returns > 0 {
            self.returned.push((entry.position, entry.returns));
        }
    }

    /// Gives entries that were read what is known of them here.
    pub(super) fn remind(&self, entries: &mut [Entry]) {
        if self.returned.is_empty() {
            return;
        }
        for entry in entries {
            if let Ok(index) = self.returned.binary_search_by_key(&entry.position, |one| one.0) {
                entry.returns = entry.returns.max(self.returned[index].1);
                entry.redelivered = true;
            }
        }
    }
}

impl Span {
    /// Makes a span of entries that are all in memory. There must be one.
    pub(super) fn seal(number: u64, line: Line) -> Self {
        let head = line.head();
        let position = head.map_or(0, |entry| entry.position);
        let mut span = Self {
            number,
            first: position,
            last: line.last().unwrap_or(position),
            accepted_ms: head.map_or(0, |entry| entry.message.facts().accepted_ms),
            here: Line::default(),
            rest: Rest::Nothing,
            visiting: false,
            earliest_ms: NEVER_MS,
        };
        span.earliest_ms = earliest_ms(&line);
        if line.iter().any(can_leave) {
            span.rest = Rest::Leaving(line);
        } else {
            span.here = line;
        }
        span
    }

    /// An empty span of messages that are in the journal alone.
    pub(super) fn absent(number: u64, first: Position, accepted_ms: u64) -> Self {
        Self {
            number,
            first,
            last: first,
            accepted_ms,
            here: Line::default(),
            rest: Rest::Away(Absent::default()),
            visiting: false,
            earliest_ms: NEVER_MS,
        }
    }

    /// Whether nothing is left in it.
    pub(super) fn is_empty(&self) -> bool {
        let rest = match &self.rest {
            Rest::Nothing => true,
            Rest::Leaving(line) => line.is_empty(),
            Rest::Away(absent) | Rest::Coming(absent) => absent.positions.len() == 0,
        };
        rest && self.here.is_empty()
    }

    /// Puts in an entry that came late or came back.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.last = self.last.max(entry.position);
        self.earliest_ms = self.earliest_ms.min(entry.expires_at_ms);
        self.here.insert(entry);
    }

    /// The journal has what was leaving: it is in memory no longer. Answers what is to be dropped, which is
    /// better done without a lock.
    pub(super) fn leave(&mut self) -> Vec<Entry> {
        let Rest::Leaving(line) = std::mem::replace(&mut self.rest, Rest::Nothing) else {
            return Vec::new();
        };
        self.rest = Rest::Away(Absent::default());
        self.part(line)
    }

    /// Divides entries into those that stay and those that are kept as positions, which are returned.
    pub(super) fn part(&mut self, mut line: Line) -> Vec<Entry> {
        let mut gone = Vec::with_capacity(line.len());
        let mut absent = Absent::default();
        line.drain(|entry| {
            if can_leave(&entry) {
                absent.push(&entry);
                gone.push(entry);
            } else {
                self.here.insert(entry);
            }
        });
        absent.positions.shrink();
        absent.returned.shrink_to_fit();
        self.rest = if gone.is_empty() { Rest::Nothing } else { Rest::Away(absent) };
        gone
    }

    /// What is away has been read: all of the span is in memory.
    pub(super) fn land(&mut self, line: Line) {
        self.earliest_ms = earliest_ms(&self.here).min(earliest_ms(&line));
        self.rest = Rest::Leaving(line);
    }

    /// Takes out what has expired by `until_ms`, in the order in which it stands. All of the span must be in memory.
    pub(super) fn take_due(&mut self, until_ms: u64) -> Vec<Entry> {
        let mut due = self.here.take_due(until_ms);
        self.earliest_ms = earliest_ms(&self.here);
        if let Rest::Leaving(line) = &mut self.rest {
            due.extend(line.take_due(until_ms));
            due.sort_unstable_by_key(|entry| entry.position);
            self.earliest_ms = self.earliest_ms.min(earliest_ms(line));
        }
        due
    }

    /// What came for a round leaves memory again. Answers what is to be dropped.
    pub(super) fn end_visit(&mut self) -> Vec<Entry> {
        if std::mem::take(&mut self.visiting) { self.leave() } else { Vec::new() }
    }

    /// Everything in it, if it is all in memory.
    pub(super) fn into_line(mut self) -> Line {
        let Rest::Leaving(mut line) = std::mem::replace(&mut self.rest, Rest::Nothing) else {
            return self.here;
        };
        self.here.drain(|entry| line.insert(entry));
        line
    }

    /// Removes everything: entries that are in memory, and the positions of the others.
    pub(super) fn drain(self, each: &mut impl FnMut(Entry), runs: &mut Vec<Run>) {
        let Self { mut here, rest, .. } = self;
        here.drain(&mut *each);
        match rest {
            Rest::Nothing => {}
            Rest::Leaving(mut line) => line.drain(each),
            Rest::Away(absent) | Rest::Coming(absent) => runs.extend(absent.positions.runs()),
        }
    }
}

/// When the first entry of a line expires.
pub(super) fn earliest_ms(line: &Line) -> u64 {
    line.iter().map(|entry| entry.expires_at_ms).min().unwrap_or(NEVER_MS)
}

/// Whether the journal can give an entry back.
fn can_leave(entry: &Entry) -> bool {
    entry.durable
}
