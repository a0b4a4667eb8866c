//! The messages that wait for a consumer, in three parts with one owner each: the entries in their lanes (`lanes`), the
//! times at which they expire (`deadlines`), and what of them is evicted and loaded (`pager`). What concerns more than
//! one of these is here.

mod deadlines;
mod lane;
mod lanes;
mod line;
mod packed;
mod pager;
mod priorities;
mod rounds;
mod schedule;
mod span;

pub(super) use lane::Lane;
pub use pager::{LoadRequest, SpanId};

use deadlines::Deadlines;
use lane::{Location, Refill};
use lanes::Lanes;
use pager::Pager;
use rounds::Round;
use schedule::Expiry;
use span::{Body, Span};

use super::entry::{Entry, NEVER_MS};
use super::options::Window;
use crate::message::StoredMessage;

/// Debug builds count anew, when everything is removed, what is counted by hand; where there are at most so many ready
/// entries they do so after every call.
#[cfg(any(test, debug_assertions))]
const RECOUNTED_MAX: u64 = 32;

/// Ready entries of all priorities, the highest served first.
pub(super) struct Ready {
    lanes: Lanes,
    deadlines: Deadlines,
    pager: Pager,
}

impl Ready {
    pub(super) fn new(priority_max: u8, window: Option<Window>) -> Self {
        Self {
            lanes: Lanes::new(priority_max),
            deadlines: Deadlines::default(),
            pager: Pager::new(window),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.lanes.len()
    }

    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.lanes.bytes()
    }

    /// Whether there is more than one priority.
    #[inline]
    pub(super) fn has_priorities(&self) -> bool {
        self.lanes.priority_max() > 0
    }

    /// Slots for which memory is held, in all its buffers.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.lanes.iter().map(Lane::slots).sum::<usize>() + self.deadlines.slots()
    }

    /// Puts an entry in the place that its priority and position give it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let priority = entry.message.facts().priority.min(self.lanes.priority_max());
        let (at_ms, position) = (entry.expires_at_ms, entry.position);
        let location = self.lanes.insert(entry, priority, self.pager.window());
        if let Location::Span { before_ms } = location {
            return self.deadlines.note(before_ms, before_ms.min(at_ms));
        }
        self.deadlines.add(Expiry { at_ms, position, priority }, &self.lanes);
        if let Location::FullTail = location {
            self.seal_tail(priority);
        }
    }

    /// Makes a span of a lane's tail, which may be evicted.
    fn seal_tail(&mut self, priority: u8) {
        let lane = self.lanes.lane_mut(priority);
        self.deadlines.note(lane.late_ms(), NEVER_MS);
        let span = lane.seal(self.pager.number_last());
        self.deadlines.seal(span);
        self.pager.offer(priority, span);
    }

    /// Makes spans of what has come back to the fronts of the lanes and is too much there. To be called when what has
    /// expired is out.
    pub(super) fn pack(&mut self) {
        let Some(window) = self.pager.window().cloned() else { return };
        for priority in 0..=self.lanes.priority_max() {
            let lane = self.lanes.lane_mut(priority);
            if !lane.is_crowded(&window) {
                continue;
            }
            for line in lane.split_front(&window).into_iter().rev() {
                let span = lane.seal_first(self.pager.number_first(), line);
                self.deadlines.seal(span);
                self.pager.offer(priority, span);
            }
        }
    }

    /// The next to be delivered: the oldest of the highest priority. `None` also when it is not in memory.
    #[inline]
    pub(super) fn head(&self) -> Option<&Entry> {
        self.lanes.head()
    }

    /// The entries in the order in which they would be delivered, up to one that is not in memory.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        self.lanes.in_order()
    }

    /// Takes [`Ready::head`]. When it is not in memory it is asked for.
    pub(super) fn pop_head(&mut self) -> Option<Entry> {
        self.pop(self.lanes.highest()?)
    }

    /// Asks for [`Ready::head`] if it is not in memory.
    pub(super) fn request_head(&mut self) {
        if let Some(priority) = self.lanes.highest() {
            self.refill(priority);
        }
    }

    /// Takes the next to be dropped for want of room: the oldest of the lowest priority. When it is not in memory it
    /// is asked for.
    pub(super) fn pop_least(&mut self) -> Option<Entry> {
        self.pop(self.lanes.lowest()?)
    }

    /// Takes an entry out of a line that expires at `now_ms` or earlier, the earliest first.
    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<Entry> {
        let Expiry { priority, position, .. } = self.deadlines.pop_due(&mut self.lanes, now_ms)?;
        let entry = self.lanes.remove(priority, position)?;
        self.removed_from_line(priority, &entry);
        Some(entry)
    }

    /// Goes on with a round through spans, if it is time for one, to the next that may have entries that have expired, or
    /// to what waits for that at a tail; takes these out. Nothing when there is none, or when it is not in memory: then it is
    /// waited for, and some more are asked for. To be called when [`Ready::pop_due`] has no more.
    pub(super) fn take_due_of_spans(&mut self, now_ms: u64) -> Option<Vec<Entry>> {
        let (recall_ms, highest) = (self.pager.recall_ms(), self.lanes.priority_max());
        while let Some(round) = self.deadlines.round(recall_ms, highest, now_ms) {
            let lane = self.lanes.lane(round.priority);
            let span = lane.spans_from(round.next).find(|span| span.earliest_ms <= round.until_ms);
            match span.map(|span| (span.number, &span.body)) {
                Some((_, Body::Evicted(_) | Body::Loading(_))) => {
                    self.request_due(round);
                    return None;
                }
                Some((number, Body::Empty | Body::Loaded(_))) => {
                    self.deadlines.go_on(Round { next: number + 1, ..round });
                    return Some(self.visit(SpanId { priority: round.priority, number }, round));
                }
                None => {
                    let late = self.deadlines.take_late(&mut self.lanes, round);
                    self.deadlines.finish_lane(round, &self.lanes);
                    if !late.is_empty() {
                        self.removed_behind_front(round.priority);
                        return Some(late);
                    }
                }
            }
        }
        None
    }

    /// Takes out of a span what has expired.
    fn visit(&mut self, id: SpanId, round: Round) -> Vec<Entry> {
        let SpanId { priority, number } = id;
        let Some(span) = self.lanes.span_mut(priority, number) else { return Vec::new() };
        let before_ms = span.earliest_ms;
        let due = self.lanes.take_due_of_span(priority, number, round.until_ms);
        if let Some(span) = self.lanes.span_mut(priority, number) {
            self.deadlines.note(before_ms, span.earliest_ms);
            drop(span.end_visit());
        }
        self.review_span(id);
        due
    }

    /// Asks for the spans that a round comes to next.
    fn request_due(&mut self, round: Round) {
        let mut due_ids = Vec::new();
        let room = self.pager.recall_room();
        let mut next = round.next;
        for priority in (0..=round.priority).rev() {
            let due = self.lanes.lane(priority).spans_from(next);
            let due = due.filter(|span| span.earliest_ms <= round.until_ms);
            let due = due.filter(|span| matches!(span.body, Body::Evicted(_)));
            let ids = due.map(|span| SpanId { priority, number: span.number });
            due_ids.extend(ids.take(room - due_ids.len()));
            if due_ids.len() == room {
                break;
            }
            next = 0;
        }
        due_ids.into_iter().for_each(|id| self.pager.request(&mut self.lanes, id));
    }

    /// Whether some of what is counted may have expired, and will be taken out as soon as it is loaded.
    pub(super) fn is_recalling(&self) -> bool {
        self.deadlines.round_under_way().is_some()
    }

    /// When the next entry expires, or earlier if that entry has been taken out meanwhile.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.deadlines.next_ms(self.pager.recall_ms())
    }

    /// When the oldest message at the head of a priority was accepted, in Unix milliseconds.
    pub(super) fn oldest_accepted_ms(&self) -> Option<u64> {
        self.lanes.oldest_accepted_ms()
    }

    /// Removes every entry in one move; they are in the lanes that are returned.
    pub(super) fn take_all(&mut self) -> Vec<Lane> {
        #[cfg(any(test, debug_assertions))]
        self.check();
        self.deadlines = Deadlines::default();
        self.pager.forget_all();
        self.lanes.take_all()
    }

    /// Hands over what has to be asked of the outside: which spans may be evicted, and which are to be loaded.
    #[inline]
    pub(super) fn take_requests(
        &mut self,
        evictable: &mut Vec<SpanId>,
        requests: &mut Vec<LoadRequest>,
    ) {
        #[cfg(any(test, debug_assertions))]
        if self.len() <= RECOUNTED_MAX {
            self.check();
        }
        self.pager.take_requests(evictable, requests);
    }

    /// The journal has been written: a span's durable entries are evicted. Returns them, to be dropped.
    pub(super) fn evict(&mut self, id: SpanId) -> Vec<Entry> {
        let span = self.lanes.span_mut(id.priority, id.number);
        span.map(Span::evict).unwrap_or_default()
    }

    /// A span's entries were read. They stay if they are wanted in front, or by a round that comes to them. Returns the
    /// number of messages that are lost.
    pub(super) fn load(&mut self, id: SpanId, mut entries: Vec<Entry>) -> u64 {
        let SpanId { priority, number } = id;
        let Some(evicted) = self.pager.end_request(&mut self.lanes, id) else { return 0 };
        evicted.restore_returns(&mut entries);
        let replaced = (evicted.positions.len(), evicted.bytes);
        let before_ms = self.lanes.span_mut(priority, number).map(|span| span.earliest_ms);
        let lost = self.lanes.load(priority, number, replaced, entries);
        let lane = self.lanes.lane_mut(priority);
        let in_front =
            lane.is_first(number) && self.pager.window().is_some_and(|window| lane.is_low(window));
        let Some(span) = lane.span_mut(number) else { return lost };
        self.deadlines.note(before_ms.unwrap_or(NEVER_MS), span.earliest_ms);
        if in_front {
            self.refill(priority);
            // Everything in the lane may have been lost.
            self.lanes.review(priority);
        } else {
            span.visiting = true;
            let is_awaited = self.deadlines.round_under_way().is_some_and(|round| {
                round.until_ms >= span.earliest_ms
                    && (priority < round.priority
                        || priority == round.priority && number >= round.next)
            });
            if !is_awaited {
                // The journal has what is dropped here.
                drop(span.end_visit());
            }
            self.review_span(id);
        }
        lost
    }

    /// A span could not be read now.
    pub(super) fn fail_load(&mut self, id: SpanId, now_ms: u64) {
        if let Some(evicted) = self.pager.end_request(&mut self.lanes, id)
            && let Some(span) = self.lanes.span_mut(id.priority, id.number)
        {
            span.body = Body::Evicted(evicted);
            self.deadlines.give_up_round(now_ms);
        }
    }

    /// Takes note of a message that is in the journal.
    pub(super) fn restore(&mut self, stored: StoredMessage, expires_at_ms: u64) {
        let Some(window) = self.pager.window() else { return };
        let priority = stored.priority.min(self.lanes.priority_max());
        let body_bytes = u64::from(stored.body_bytes);
        let lane = self.lanes.lane_mut(priority);
        if lane.growing(window).is_none() {
            let number = self.pager.number_last();
            lane.push_span(Span::evicted(number, stored.position, stored.accepted_ms));
        }
        let Some(span) = self.pager.window().and_then(|window| lane.growing(window)) else {
            return;
        };
        span.last = stored.position;
        if let Body::Evicted(evicted) = &mut span.body {
            evicted.positions.push(stored.position);
            evicted.bytes += body_bytes;
        }
        let before_ms = span.earliest_ms;
        span.earliest_ms = before_ms.min(expires_at_ms);
        self.deadlines.note(before_ms, span.earliest_ms);
        self.lanes.count_stored(priority, body_bytes);
    }

    fn pop(&mut self, priority: u8) -> Option<Entry> {
        if self.lanes.lane(priority).head().is_none() {
            self.refill(priority);
        }
        let entry = self.lanes.pop_head(priority)?;
        self.removed_from_line(priority, &entry);
        Some(entry)
    }

    /// An entry was taken out of a line.
    #[inline]
    fn removed_from_line(&mut self, priority: u8, entry: &Entry) {
        self.deadlines.remove(entry);
        if self.lanes.lane(priority).is_shallow() {
            self.lanes.review(priority);
        } else {
            self.refill(priority);
        }
    }

    /// Something was taken out of a lane from behind its front.
    fn removed_behind_front(&mut self, priority: u8) {
        self.lanes.review(priority);
        let lane = self.lanes.lane(priority);
        if !lane.is_empty() && lane.head().is_none() {
            self.refill(priority);
        }
    }

    /// Looks again at a span whose entries have changed: it goes when nothing is left in it.
    fn review_span(&mut self, id: SpanId) {
        let lane = self.lanes.lane_mut(id.priority);
        if lane.span_mut(id.number).is_some_and(|span| span.is_empty()) {
            lane.remove_span(id.number);
            self.removed_behind_front(id.priority);
        }
    }

    /// Puts what comes next in front of a lane, or asks for it, if the front is low.
    fn refill(&mut self, priority: u8) {
        let Some(window) = self.pager.window() else { return };
        loop {
            let lane = self.lanes.lane_mut(priority);
            let late_ms = lane.late_ms();
            let deadlines = &mut self.deadlines;
            let refill = lane.refill(window, |entry, origin| {
                deadlines.add_refilled(entry, priority, origin);
            });
            self.deadlines.note(late_ms, lane.late_ms());
            match refill {
                Refill::Opened { earliest_ms } => self.deadlines.note(earliest_ms, NEVER_MS),
                Refill::Evicted(number) => {
                    return self.pager.request(&mut self.lanes, SpanId { priority, number });
                }
                Refill::Enough | Refill::Loading => break,
            }
        }
    }

    /// Fails if what is counted by hand is not what is there.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        self.lanes.check();
        self.deadlines.check(&self.lanes);
        self.pager.check(&self.lanes);
    }
}
