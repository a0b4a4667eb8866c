//! The ready entries: a lane for each priority, which of them have entries, and how many entries and bytes that is.
//! Whatever adds or takes entries does it here, so that the counts stay true.

use super::lane::{Lane, Location};
use super::priorities::PrioritySet;
use super::span::Span;
use crate::message::Position;
use crate::queue::entry::Entry;
use crate::queue::options::Window;

/// Ready entries of all priorities.
pub(super) struct Lanes {
    /// By priority; at least one.
    by_priority: Vec<Lane>,
    occupied: PrioritySet,
    len: u64,
    bytes: u64,
}

impl Lanes {
    pub(super) fn new(priority_max: u8) -> Self {
        Self {
            by_priority: (0..=priority_max).map(|_| Lane::default()).collect(),
            occupied: PrioritySet::default(),
            len: 0,
            bytes: 0,
        }
    }

    /// How many entries there are, in memory or not.
    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of their bodies.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The highest priority that there may be; higher ones count as this one.
    #[inline]
    pub(super) fn priority_max(&self) -> u8 {
        (self.by_priority.len() - 1) as u8
    }

    /// The highest priority that has entries.
    #[inline]
    pub(super) fn highest(&self) -> Option<u8> {
        self.occupied.highest()
    }

    /// The lowest priority that has entries.
    #[inline]
    pub(super) fn lowest(&self) -> Option<u8> {
        self.occupied.lowest()
    }

    #[inline]
    pub(super) fn lane(&self, priority: u8) -> &Lane {
        &self.by_priority[usize::from(priority)]
    }

    /// A lane to be changed in ways that neither add nor take entries.
    #[inline]
    pub(super) fn lane_mut(&mut self, priority: u8) -> &mut Lane {
        &mut self.by_priority[usize::from(priority)]
    }

    /// By priority, the lowest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Lane> + ExactSizeIterator {
        self.by_priority.iter()
    }

    pub(super) fn span_mut(&mut self, priority: u8, number: u64) -> Option<&mut Span> {
        self.lane_mut(priority).span_mut(number)
    }

    /// The next to be delivered: the oldest of the highest priority. `None` also when it is not in memory.
    #[inline]
    pub(super) fn head(&self) -> Option<&Entry> {
        self.lane(self.highest()?).head()
    }

    /// Puts an entry in the place that its priority and position give it.
    pub(super) fn insert(
        &mut self,
        entry: Entry,
        priority: u8,
        window: Option<&Window>,
    ) -> Location {
        self.len += 1;
        self.bytes += entry.bytes();
        self.occupied.insert(priority);
        self.lane_mut(priority).insert(entry, window)
    }

    /// Takes note of a message that is in the journal, and stands in the lane already.
    pub(super) fn count_stored(&mut self, priority: u8, body_bytes: u64) {
        self.len += 1;
        self.bytes += body_bytes;
        self.occupied.insert(priority);
    }

    /// Takes the oldest entry of a priority, if it is in memory.
    pub(super) fn pop_head(&mut self, priority: u8) -> Option<Entry> {
        let entry = self.lane_mut(priority).pop_head()?;
        self.uncount(&entry);
        Some(entry)
    }

    /// Takes an entry out of a line.
    pub(super) fn remove(&mut self, priority: u8, position: Position) -> Option<Entry> {
        let entry = self.lane_mut(priority).remove(position)?;
        self.uncount(&entry);
        Some(entry)
    }

    /// Takes what has expired by `until_ms` out of a span, all of which must be in memory.
    pub(super) fn take_due_of_span(
        &mut self,
        priority: u8,
        number: u64,
        until_ms: u64,
    ) -> Vec<Entry> {
        let Some(span) = self.span_mut(priority, number) else { return Vec::new() };
        let due = span.take_due(until_ms);
        due.iter().for_each(|entry| self.uncount(entry));
        due
    }

    /// Takes what has expired by `until_ms` out of a tail. `schedule` sees those that are left there and expire.
    pub(super) fn take_late(
        &mut self,
        priority: u8,
        until_ms: u64,
        schedule: impl FnMut(&Entry),
    ) -> Vec<Entry> {
        let late = self.lane_mut(priority).take_late(until_ms, schedule);
        late.iter().for_each(|entry| self.uncount(entry));
        late
    }

    /// Puts what was read of a span into it, in place of so many messages with so many bytes. Returns the number of
    /// messages that are lost.
    pub(super) fn load(
        &mut self,
        priority: u8,
        number: u64,
        (messages, bytes): (u64, u64),
        entries: Vec<Entry>,
    ) -> u64 {
        debug_assert!(
            messages >= entries.len() as u64,
            "more messages of a span were read than were in it"
        );
        let lost = messages.saturating_sub(entries.len() as u64);
        self.len -= lost;
        self.bytes -= bytes;
        self.bytes += entries.iter().map(Entry::bytes).sum::<u64>();
        if let Some(span) = self.span_mut(priority, number) {
            span.load(entries.into_iter().collect());
        }
        lost
    }

    #[inline]
    fn uncount(&mut self, entry: &Entry) {
        self.len -= 1;
        self.bytes -= entry.bytes();
    }

    /// A lane may have become empty.
    #[inline]
    pub(super) fn review(&mut self, priority: u8) {
        if self.lane(priority).is_empty() {
            self.occupied.remove(priority);
        }
    }

    /// When the oldest message at the head of a priority was accepted, in Unix milliseconds.
    pub(super) fn oldest_accepted_ms(&self) -> Option<u64> {
        self.by_priority.iter().filter_map(Lane::accepted_ms).min()
    }

    /// The entries in the order in which they would be delivered, up to one that is not in memory.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let mut whole = true;
        let lanes = self.by_priority.iter().rev().take_while(move |lane| {
            let before = whole;
            whole &= lane.is_shallow();
            before
        });
        lanes.flat_map(Lane::in_order)
    }

    /// Removes every entry in one move; they are in the lanes that are returned.
    pub(super) fn take_all(&mut self) -> Vec<Lane> {
        let empty = Self::new(self.priority_max());
        std::mem::replace(self, empty).by_priority
    }

    /// Fails if the counts are not those of the entries.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        use super::span::Body;
        let spans = || self.by_priority.iter().flat_map(Lane::spans);
        let evicted = || {
            spans().filter_map(|span| match &span.body {
                Body::Evicted(evicted) | Body::Loading(evicted) => Some(evicted),
                _ => None,
            })
        };
        let in_memory = || {
            let in_lines = self.by_priority.iter().flat_map(Lane::in_lines);
            in_lines.chain(spans().flat_map(Span::iter))
        };
        let len = in_memory().count() as u64
            + evicted().map(|evicted| evicted.positions.recount()).sum::<u64>();
        let bytes = in_memory().map(Entry::bytes).sum::<u64>()
            + evicted().map(|evicted| evicted.bytes).sum::<u64>();
        assert_eq!((self.len, self.bytes), (len, bytes), "ready entries and their bytes");
        self.by_priority.iter().for_each(Lane::check);
        for (priority, lane) in (0..=self.priority_max()).zip(&self.by_priority) {
            assert_eq!(
                self.occupied.has(priority),
                !lane.is_empty(),
                "whether priority {priority} has entries"
            );
        }
    }
}
