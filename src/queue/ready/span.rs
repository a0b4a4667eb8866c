//! A stretch of a lane behind its front whose durable messages need not be in memory: the journal has them. What
//! memory keeps of those are their positions.

use super::line::Line;
use super::packed::PackedPositions;
use crate::message::Position;
use crate::message::Run;
use crate::queue::entry::{Entry, NEVER_MS};

/// A stretch of a lane.
pub(super) struct Span {
    /// Its number, unique in the queue. Those in a lane ascend.
    pub(super) number: u64,
    /// No entry in front of this position belongs to it.
    pub(super) first: Position,
    /// Its highest position.
    pub(super) last: Position,
    /// What stays in memory: transient entries, and those that came late or came back behind the front.
    pub(super) resident: Line,
    /// The others.
    pub(super) body: Body,
    /// It was loaded for a round that has yet to take what has expired. Then it is evicted again: the journal has it.
    pub(super) visiting: bool,
    /// No entry in it expires before this.
    pub(super) earliest_ms: u64,
    /// When its first message was accepted, in Unix milliseconds.
    pub(super) accepted_ms: u64,
}

/// Where the part of a span is that memory can do without.
pub(super) enum Body {
    /// There is none.
    Empty,
    /// In memory. The durable entries in it are evicted when the journal has been written.
    Loaded(Line),
    /// In the journal alone.
    Evicted(Evicted),
    /// In the journal alone, and asked for.
    Loading(Evicted),
}

/// What memory keeps of messages that are in the journal alone.
#[derive(Default)]
pub(super) struct Evicted {
    pub(super) positions: PackedPositions,
    /// Bytes of their bodies.
    pub(super) bytes: u64,
    /// Of those that came back, how many times: the journal may hear of it later than of what is read from it.
    returned: Vec<(Position, u32)>,
}

impl Evicted {
    fn push(&mut self, entry: &Entry) {
        self.positions.push(entry.position);
        self.bytes += entry.bytes();
        if entry.returns > 0 {
            self.returned.push((entry.position, entry.returns));
        }
    }

    /// Gives entries that were loaded the counts of returns that memory has kept.
    pub(super) fn restore_returns(&self, entries: &mut [Entry]) {
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
        let first = head.map_or(0, |entry| entry.position);
        let accepted_ms = head.map_or(0, |entry| entry.message.facts().accepted_ms);
        let last = line.last().unwrap_or(first);
        let earliest_ms = earliest_ms(&line);
        let (resident, body) = if line.iter().any(is_evictable) {
            (Line::default(), Body::Loaded(line))
        } else {
            (line, Body::Empty)
        };
        Self { number, first, last, resident, body, visiting: false, earliest_ms, accepted_ms }
    }

    /// An empty span for messages that are in the journal alone.
    pub(super) fn evicted(number: u64, first: Position, accepted_ms: u64) -> Self {
        Self {
            number,
            first,
            last: first,
            resident: Line::default(),
            body: Body::Evicted(Evicted::default()),
            visiting: false,
            earliest_ms: NEVER_MS,
            accepted_ms,
        }
    }

    /// Whether nothing is left in it.
    pub(super) fn is_empty(&self) -> bool {
        let body_is_empty = match &self.body {
            Body::Empty => true,
            Body::Loaded(line) => line.is_empty(),
            Body::Evicted(evicted) | Body::Loading(evicted) => evicted.positions.len() == 0,
        };
        body_is_empty && self.resident.is_empty()
    }

    /// Whether it has entries that are to be evicted.
    pub(super) fn is_evictable(&self) -> bool {
        matches!(self.body, Body::Loaded(_))
    }

    /// Its entries that are in memory, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        let body = match &self.body {
            Body::Loaded(line) => Some(line),
            _ => None,
        };
        self.resident.iter().chain(body.into_iter().flat_map(Line::iter))
    }

    /// Fails if the counts of its lines are not those of their entries.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        self.resident.check();
        if let Body::Loaded(line) = &self.body {
            line.check();
        }
    }

    /// Puts in an entry that came late or came back.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.last = self.last.max(entry.position);
        self.earliest_ms = self.earliest_ms.min(entry.expires_at_ms);
        self.resident.insert(entry);
    }

    /// The journal has the durable entries: they are evicted. Returns them, because dropping them is better done
    /// without a lock.
    pub(super) fn evict(&mut self) -> Vec<Entry> {
        let mut line = match std::mem::replace(&mut self.body, Body::Empty) {
            Body::Loaded(line) => line,
            other => {
                self.body = other;
                return Vec::new();
            }
        };
        let mut entries = Vec::with_capacity(line.len());
        let mut evicted = Evicted::default();
        line.drain(|entry| {
            if is_evictable(&entry) {
                evicted.push(&entry);
                entries.push(entry);
            } else {
                self.resident.insert(entry);
            }
        });
        evicted.positions.shrink();
        evicted.returned.shrink_to_fit();
        if !entries.is_empty() {
            self.body = Body::Evicted(evicted);
        }
        entries
    }

    /// What was evicted has been read: all of the span is in memory.
    pub(super) fn load(&mut self, line: Line) {
        self.earliest_ms = earliest_ms(&self.resident).min(earliest_ms(&line));
        self.body = Body::Loaded(line);
    }

    /// Takes out what has expired by `until_ms`, in order of position. All of the span must be in memory.
    pub(super) fn take_due(&mut self, until_ms: u64) -> Vec<Entry> {
        let mut due = self.resident.take_due(until_ms);
        self.earliest_ms = earliest_ms(&self.resident);
        if let Body::Loaded(line) = &mut self.body {
            due.extend(line.take_due(until_ms));
            due.sort_unstable_by_key(|entry| entry.position);
            self.earliest_ms = self.earliest_ms.min(earliest_ms(line));
        }
        due
    }

    /// What was loaded for a round is evicted again. Returns what is to be dropped.
    pub(super) fn end_visit(&mut self) -> Vec<Entry> {
        if std::mem::take(&mut self.visiting) { self.evict() } else { Vec::new() }
    }

    /// Everything in it, if it is all in memory.
    pub(super) fn into_line(mut self) -> Line {
        let Body::Loaded(mut line) = self.body else { return self.resident };
        self.resident.drain(|entry| line.insert(entry));
        line
    }

    /// Removes everything: entries that are in memory, and the positions of the others.
    pub(super) fn drain(self, each: &mut impl FnMut(Entry), runs: &mut Vec<Run>) {
        let Self { mut resident, body, .. } = self;
        resident.drain(&mut *each);
        match body {
            Body::Empty => {}
            Body::Loaded(mut line) => line.drain(each),
            Body::Evicted(evicted) | Body::Loading(evicted) => {
                runs.extend(evicted.positions.runs())
            }
        }
    }
}

/// When the first entry of a line expires.
fn earliest_ms(line: &Line) -> u64 {
    line.iter().map(|entry| entry.expires_at_ms).min().unwrap_or(NEVER_MS)
}

/// Whether the journal can give an entry back.
fn is_evictable(entry: &Entry) -> bool {
    entry.durable
}
