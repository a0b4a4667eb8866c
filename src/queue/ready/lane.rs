//! The ready entries of one priority, in order of position. A shallow lane is its front, a line in memory. Behind a
//! front that has grown to the queue's window, entries gather at the tail; what is there is sealed as a span from
//! time to time, and evicted. Every entry in front of a span has a lower position than all in it.

use std::collections::VecDeque;

use super::line::Line;
use super::span::{Body, Span};
use crate::message::Position;
use crate::message::Run;
use crate::queue::entry::{Entry, NEVER_MS};
use crate::queue::options::Window;

/// Ready entries of one priority.
#[derive(Default)]
pub(in crate::queue) struct Lane {
    front: Line,
    spans: VecDeque<Span>,
    tail: Line,
    /// The earliest of the entries at the tail that have expired and wait for those in spans before them to expire first.
    late_ms: Option<u64>,
}

/// Where an entry was put.
pub(super) enum Location {
    /// Into one of the lines.
    Line,
    /// At the tail, which is to be sealed now.
    FullTail,
    /// Into a span, in which nothing expired before this until then.
    Span { before_ms: u64 },
}

/// What came of putting more in front.
pub(super) enum Refill {
    /// Nothing needs to be: there is enough in front, or nothing behind it.
    Enough,
    /// The first span was asked for and is not there yet.
    Loading,
    /// The first span has to be asked for; this is its number.
    Evicted(u64),
    /// A span was put in front; its first entry expires at this time.
    Opened { earliest_ms: u64 },
}

/// Where an entry comes from that is put in front.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Span,
    Tail,
}

impl Lane {
    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.is_shallow()
    }

    /// Whether all of it is in the front line.
    pub(super) fn is_shallow(&self) -> bool {
        self.spans.is_empty() && self.tail.is_empty()
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        let spans = self.spans.iter().map(|span| {
            let body = match &span.body {
                Body::Loaded(line) => line.slots(),
                _ => 0,
            };
            span.resident.slots() + body
        });
        self.front.slots() + self.tail.slots() + spans.sum::<usize>() + self.spans.capacity()
    }

    /// Puts an entry in its place. Its position must not be taken.
    pub(super) fn insert(&mut self, entry: Entry, window: Option<&Window>) -> Location {
        let Some(window) = window else {
            self.front.insert(entry);
            return Location::Line;
        };
        if self.is_shallow() {
            let fits = self.front.len() < window.messages && self.front.held_bytes() < window.bytes;
            if fits || self.front.last().is_some_and(|last| entry.position < last) {
                self.front.insert(entry);
                return Location::Line;
            }
        }
        self.insert_behind(entry, window)
    }

    fn insert_behind(&mut self, entry: Entry, window: &Window) -> Location {
        let position = entry.position;
        let in_front = match (self.spans.front(), self.tail.head()) {
            (Some(span), _) => position < span.first,
            (None, Some(tail)) => position < tail.position,
            (None, None) => false,
        };
        if in_front {
            self.front.insert(entry);
            return Location::Line;
        }
        if self.spans.back().is_some_and(|last| position < last.last) {
            let index = self.spans.partition_point(|span| span.first <= position) - 1;
            let before_ms = self.spans[index].earliest_ms;
            self.spans[index].insert(entry);
            return Location::Span { before_ms };
        }
        self.tail.insert(entry);
        let full = self.tail.len() >= window.span_messages()
            || self.tail.held_bytes() >= window.span_bytes();
        if full { Location::FullTail } else { Location::Line }
    }

    /// Whether so much has come back to the front that some of it is to be evicted again.
    pub(super) fn is_crowded(&self, window: &Window) -> bool {
        self.front.len() >= window.messages + 2 * window.span_messages()
            || self.front.len() > 1
                && self.front.held_bytes() >= window.bytes + 2 * window.span_bytes()
    }

    /// Leaves a window in front, and takes out what is behind it, in stretches that are to become spans.
    pub(super) fn split_front(&mut self, window: &Window) -> Vec<Line> {
        let mut front = Line::default();
        let mut rest: Vec<Line> = Vec::new();
        self.front.drain(|entry| {
            let fits = front.len() < window.messages && front.held_bytes() < window.bytes;
            if rest.is_empty() && (fits || front.is_empty()) {
                return front.insert(entry);
            }
            let full = |line: &Line| {
                line.len() >= window.span_messages() || line.held_bytes() >= window.span_bytes()
            };
            match rest.last_mut().filter(|line| !full(line)) {
                Some(line) => line.insert(entry),
                None => {
                    let mut line = Line::default();
                    line.insert(entry);
                    rest.push(line);
                }
            }
        });
        self.front = front;
        rest
    }

    /// Makes a span right behind the front, in front of all others. Its number must be lower than theirs.
    pub(super) fn seal_first(&mut self, number: u64, line: Line) -> &Span {
        self.spans.push_front(Span::seal(number, line));
        &self.spans[0]
    }

    /// Makes a span of the tail.
    pub(super) fn seal(&mut self, number: u64) -> &Span {
        self.late_ms = None;
        let span = Span::seal(number, std::mem::take(&mut self.tail));
        self.spans.push_back(span);
        &self.spans[self.spans.len() - 1]
    }

    /// The entry with the lowest position; `None` also when it is not in memory.
    pub(super) fn head(&self) -> Option<&Entry> {
        self.front.head()
    }

    /// When its oldest message was accepted, in Unix milliseconds.
    pub(super) fn accepted_ms(&self) -> Option<u64> {
        let head = self.front.head().map(|entry| entry.message.facts().accepted_ms);
        head.or_else(|| self.spans.front().map(|span| span.accepted_ms))
    }

    /// Takes the entry with the lowest position, if it is in memory.
    pub(super) fn pop_head(&mut self) -> Option<Entry> {
        self.front.pop_head()
    }

    /// An entry in the front or at the tail.
    pub(super) fn get(&self, position: Position) -> Option<&Entry> {
        self.front.get(position).or_else(|| self.tail.get(position))
    }

    /// Takes an entry out of the front or the tail.
    pub(super) fn remove(&mut self, position: Position) -> Option<Entry> {
        self.front.remove(position).or_else(|| self.tail.remove(position))
    }

    /// An entry has expired. Returns whether it is at the tail and has to wait there, for entries in spans or with others
    /// that do.
    pub(super) fn hold_back(&mut self, entry_at_ms: u64, position: Position) -> bool {
        let in_tail = self.tail.head().is_some_and(|first| first.position <= position);
        let waits = in_tail
            && (self.late_ms.is_some_and(|late_ms| late_ms <= entry_at_ms)
                || self.spans.iter().any(|span| span.earliest_ms <= entry_at_ms));
        if waits {
            self.late_ms = Some(self.late_ms.map_or(entry_at_ms, |ms| ms.min(entry_at_ms)));
        }
        waits
    }

    /// When the first of those expired that wait at the tail; [`NEVER_MS`] if none does.
    pub(super) fn late_ms(&self) -> u64 {
        self.late_ms.unwrap_or(NEVER_MS)
    }

    /// Takes what has expired by `until_ms` out of the tail. What remains waits no longer; `schedule` sees those of it that
    /// expire.
    pub(super) fn take_late(&mut self, until_ms: u64, schedule: impl FnMut(&Entry)) -> Vec<Entry> {
        self.late_ms = None;
        let late = self.tail.take_due(until_ms);
        expiring(&self.tail).for_each(schedule);
        late
    }

    /// Nothing in its spans, and nothing that waits at its tail, expires before this.
    pub(super) fn earliest_behind_ms(&self) -> u64 {
        let spans = self.spans.iter().map(|span| span.earliest_ms);
        spans.chain(self.late_ms).min().unwrap_or(NEVER_MS)
    }

    /// The spans from this number on.
    pub(super) fn spans_from(&self, number: u64) -> impl Iterator<Item = &Span> {
        let first = self.spans.partition_point(|span| span.number < number);
        self.spans.range(first..)
    }

    /// Whether the front is running out, so that more has to be put there.
    pub(super) fn is_low(&self, window: &Window) -> bool {
        self.front.len() < window.span_messages() && self.front.held_bytes() < window.span_bytes()
    }

    /// Puts what comes next into the front, if it is low. `open` sees those of its entries that expire and are not on
    /// the schedule, and is told whether they come from a span.
    pub(super) fn refill(
        &mut self,
        window: &Window,
        mut open: impl FnMut(&Entry, Origin),
    ) -> Refill {
        if self.is_shallow() || !self.is_low(window) {
            return Refill::Enough;
        }
        match self.spans.front().map(|span| &span.body) {
            None => {
                if self.late_ms.take().is_some() {
                    expiring(&self.tail).for_each(|entry| open(entry, Origin::Tail));
                }
                self.front.append(std::mem::take(&mut self.tail));
                Refill::Enough
            }
            Some(Body::Loading(_)) => Refill::Loading,
            Some(Body::Evicted(_)) => Refill::Evicted(self.spans[0].number),
            Some(Body::Empty | Body::Loaded(_)) => {
                let Some(span) = self.spans.pop_front() else { return Refill::Enough };
                let earliest_ms = span.earliest_ms;
                let line = span.into_line();
                if earliest_ms != NEVER_MS {
                    expiring(&line).for_each(|entry| open(entry, Origin::Span));
                }
                self.front.append(line);
                Refill::Opened { earliest_ms }
            }
        }
    }

    /// Fails if the counts of its lines are not those of their entries.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        self.front.check();
        self.tail.check();
        self.spans.iter().for_each(Span::check);
    }

    /// The entries of its front, in order of position.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        self.front.in_order()
    }

    /// All its spans.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter()
    }

    /// The entries of its two lines, in no particular order.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn in_lines(&self) -> impl Iterator<Item = &Entry> {
        self.front.iter().chain(self.tail.iter())
    }

    pub(super) fn span_mut(&mut self, number: u64) -> Option<&mut Span> {
        let index = self.index_of(number)?;
        self.spans.get_mut(index)
    }

    /// Forgets a span, which is empty.
    pub(super) fn remove_span(&mut self, number: u64) {
        if let Some(index) = self.index_of(number) {
            self.spans.remove(index);
        }
    }

    /// Whether a span is the first of all.
    pub(super) fn is_first(&self, number: u64) -> bool {
        self.spans.front().is_some_and(|span| span.number == number)
    }

    /// The last span, if more can be restored into it.
    pub(super) fn growing(&mut self, window: &Window) -> Option<&mut Span> {
        self.spans.back_mut().filter(|span| match &span.body {
            Body::Evicted(evicted) => {
                (evicted.positions.len() as usize) < window.span_messages()
                    && evicted.bytes < window.span_bytes() as u64
            }
            _ => false,
        })
    }

    /// Adds a span at the end.
    pub(super) fn push_span(&mut self, span: Span) {
        self.spans.push_back(span);
    }

    /// Removes up to so many entries, a span at a time: those in memory are handed over, of the others the positions.
    /// False when there are no more. Nothing else is to be done with the lane afterwards.
    pub(in crate::queue) fn remove_some(
        &mut self,
        remaining: &mut usize,
        each: &mut impl FnMut(Entry),
        runs: &mut Vec<Run>,
    ) -> bool {
        while *remaining > 0 {
            if let Some(entry) = self.front.remove_any() {
                each(entry);
            } else if let Some(span) = self.spans.pop_front() {
                let mut each = |entry| {
                    *remaining = remaining.saturating_sub(1);
                    each(entry);
                };
                span.drain(&mut each, runs);
            } else if let Some(entry) = self.tail.remove_any() {
                each(entry);
            } else {
                return false;
            }
            *remaining = remaining.saturating_sub(1);
        }
        true
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        self.spans.binary_search_by_key(&number, |span| span.number).ok()
    }
}

fn expiring(line: &Line) -> impl Iterator<Item = &Entry> {
    line.iter().filter(|entry| entry.expires_at_ms != NEVER_MS)
}
