//! The messages that wait for a consumer: one lane for each priority, the highest served first, with their
//! count, their bytes, and the times at which they expire.

use super::effects::Effects;
use super::entry::{Entry, NEVER_MS};
use super::expiry::{Mark, Schedule};
use super::lane::{Lane, Next, Spot};
use super::line::Line;
use super::options::Window;
use super::packed::Run;
use super::paging::{Stored, Ticket, Wanted};
use super::priorities::PrioritySet;
use super::span::{Absent, Rest, Span};

/// So many spans may be on their way at once when one is asked for because its entries expire.
const RECALLED_MAX: usize = 4;

/// Ready entries of all priorities.
pub(super) struct Ready {
    /// By priority; at least one.
    lanes: Vec<Lane>,
    occupied: PrioritySet,
    len: u64,
    bytes: u64,
    /// How many of the entries in lines expire.
    expiring: usize,
    schedule: Schedule,
    /// How many spans have entries that expire and are not on their way.
    spans_expiring: usize,
    /// When spans have to be looked at. Their marks have the span's number as position.
    span_schedule: Schedule,
    window: Option<Window>,
    /// Spans that were asked for.
    coming: usize,
    /// How many of them may have entries that have expired.
    recalled: usize,
    last_span: u64,
    leaving: Vec<Ticket>,
    wanted: Vec<Wanted>,
}

/// What came of an arrival.
#[derive(Default)]
pub(super) struct Landed {
    /// Entries that had expired.
    pub(super) due: Vec<Entry>,
    /// How many messages are given up.
    pub(super) lost: u64,
}

impl Ready {
    pub(super) fn new(priority_max: u8, window: Option<Window>) -> Self {
        Self {
            lanes: (0..=priority_max).map(|_| Lane::default()).collect(),
            occupied: PrioritySet::default(),
            len: 0,
            bytes: 0,
            expiring: 0,
            schedule: Schedule::default(),
            spans_expiring: 0,
            span_schedule: Schedule::default(),
            window,
            coming: 0,
            recalled: 0,
            last_span: 0,
            leaving: Vec::new(),
            wanted: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is more than one priority.
    pub(super) fn has_priorities(&self) -> bool {
        self.lanes.len() > 1
    }

    /// Slots for which memory is held, in all its buffers.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        let schedules = self.schedule.slots() + self.span_schedule.slots();
        self.lanes.iter().map(Lane::slots).sum::<usize>() + schedules
    }

    /// Puts an entry in the place that its priority and position give it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let priority = self.limit_priority(entry.message.facts().priority);
        let (at_ms, position) = (entry.expires_at_ms, entry.position);
        self.len += 1;
        self.bytes += entry.bytes();
        self.occupied.insert(priority);
        let spot = self.lanes[usize::from(priority)].insert(entry, self.window.as_ref());
        if let Spot::Span(span) = spot {
            return self.watch_span(Ticket { priority, span }, at_ms);
        }
        if at_ms != NEVER_MS {
            self.expiring += 1;
            self.schedule.push(Mark { at_ms, position, priority });
            if self.schedule.is_stale(self.expiring) {
                let lanes = &self.lanes;
                self.schedule.sweep(|mark| is_live(lanes, mark));
            }
        }
        if let Spot::Full = spot {
            self.seal(priority);
        }
    }

    /// Makes a span of a lane's tail, which may leave memory.
    fn seal(&mut self, priority: u8) {
        self.last_span += 1;
        let ticket = Ticket { priority, span: self.last_span };
        let span = self.lanes[usize::from(priority)].seal(self.last_span);
        if let Rest::Leaving(_) = span.rest {
            self.leaving.push(ticket);
        }
        if self.expiring == 0 {
            return;
        }
        let line = match &span.rest {
            Rest::Leaving(line) => line,
            _ => &span.here,
        };
        self.expiring -= line.iter().filter(|entry| entry.expires_at_ms != NEVER_MS).count();
        let earliest_ms = span.earliest_ms();
        self.watch_span(ticket, earliest_ms);
    }

    /// The next to be delivered: the oldest of the highest priority. `None` also when it is not in memory.
    pub(super) fn head(&self) -> Option<&Entry> {
        self.lanes[usize::from(self.occupied.highest()?)].head()
    }

    /// Takes [`Ready::head`]. When it is not in memory it is asked for.
    pub(super) fn pop_head(&mut self) -> Option<Entry> {
        self.pop(self.occupied.highest()?)
    }

    /// Asks for [`Ready::head`] if it is not in memory.
    pub(super) fn call_head(&mut self) {
        if let Some(priority) = self.occupied.highest() {
            self.refill(priority);
        }
    }

    /// Takes the next to be dropped for want of room: the oldest of the lowest priority. When it is not in memory it
    /// is asked for.
    pub(super) fn pop_least(&mut self) -> Option<Entry> {
        self.pop(self.occupied.lowest()?)
    }

    /// Takes an entry out of a line that expires at `now_ms` or earlier, the earliest first.
    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<Entry> {
        while let Some(mark) = self.schedule.next() {
            let live = is_live(&self.lanes, &mark);
            if live && mark.at_ms > now_ms {
                return None;
            }
            self.schedule.pop();
            if live
                && let Some(entry) = self.lanes[usize::from(mark.priority)].remove(mark.position)
            {
                self.forget(mark.priority, &entry);
                return Some(entry);
            }
        }
        None
    }

    /// Takes the entries out of spans that expire at `now_ms` or earlier, and asks for spans that are not in memory
    /// and have such entries.
    pub(super) fn take_due_of_spans(&mut self, now_ms: u64) -> Vec<Entry> {
        let mut due = Vec::new();
        while let Some(mark) = self.span_schedule.next() {
            if mark.at_ms > now_ms || self.coming >= RECALLED_MAX {
                break;
            }
            self.span_schedule.pop();
            let ticket = Ticket { priority: mark.priority, span: mark.position };
            let span = self.lanes[usize::from(mark.priority)].span_mut(mark.position);
            if let Some(span) = span.filter(|span| span.due_ms == mark.at_ms) {
                span.due_ms = NEVER_MS;
                self.spans_expiring -= 1;
                let taken = span.take_due(now_ms);
                taken.iter().for_each(|entry| self.uncount(entry));
                due.extend(taken);
                self.recall(ticket);
                self.review(ticket, now_ms);
            }
        }
        due
    }

    /// Whether some of what is counted may have expired, and will be taken out as soon as it has arrived.
    pub(super) fn is_recalling(&self) -> bool {
        self.recalled > 0
    }

    /// When the next entry expires, or earlier if that entry has left meanwhile.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let line = self.schedule.next().filter(|_| self.expiring > 0);
        if self.spans_expiring == 0 || self.coming >= RECALLED_MAX {
            // What arrives is followed by another look.
            return line.map(|mark| mark.at_ms);
        }
        let span = self.span_schedule.next();
        line.into_iter().chain(span).map(|mark| mark.at_ms).min()
    }

    /// By priority, the lowest first.
    pub(super) fn lanes(&self) -> impl DoubleEndedIterator<Item = &Lane> {
        self.lanes.iter()
    }

    /// When the oldest message at the head of a priority was accepted, in Unix milliseconds.
    pub(super) fn oldest_accepted_ms(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::accepted_ms).min()
    }

    /// Removes every entry, in the order in which they would be delivered; those that are not in memory as runs.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Entry), runs: &mut Vec<Run>) {
        for lane in self.lanes.iter_mut().rev() {
            lane.drain(&mut each, runs);
        }
        self.occupied = PrioritySet::default();
        self.len = 0;
        self.bytes = 0;
        self.expiring = 0;
        self.schedule.clear();
        self.spans_expiring = 0;
        self.span_schedule.clear();
        self.coming = 0;
        self.recalled = 0;
        self.leaving.clear();
        self.wanted.clear();
    }

    /// Hands over what has to be asked of the outside.
    pub(super) fn take_requests<R>(&mut self, fx: &mut Effects<R>) {
        if !self.leaving.is_empty() {
            fx.leaving.append(&mut self.leaving);
        }
        if !self.wanted.is_empty() {
            fx.wanted.append(&mut self.wanted);
        }
    }

    /// A span's durable entries leave memory.
    pub(super) fn left(&mut self, ticket: Ticket) -> Vec<Entry> {
        self.span_mut(ticket).map(Span::leave).unwrap_or_default()
    }

    /// A span's entries were read. They stay if they are wanted in front.
    pub(super) fn arrived(&mut self, ticket: Ticket, entries: Vec<Entry>, now_ms: u64) -> Landed {
        let Ticket { priority, span: number } = ticket;
        let Some(absent) = self.take_coming(ticket) else { return Landed::default() };
        let lost = absent.positions.len().saturating_sub(entries.len() as u64);
        self.len -= lost;
        self.bytes -= absent.bytes;
        self.bytes += entries.iter().map(Entry::bytes).sum::<u64>();
        let mut line = Line::default();
        entries.into_iter().for_each(|entry| line.insert(entry));
        let lane = &mut self.lanes[usize::from(priority)];
        let in_front =
            lane.is_first(number) && self.window.as_ref().is_some_and(|window| lane.is_low(window));
        let Some(span) = lane.span_mut(number) else { return Landed::default() };
        let mut due = Vec::new();
        if in_front {
            span.rest = Rest::Leaving(line);
            self.review(ticket, now_ms);
            self.refill(priority);
        } else {
            due = line.take_due(now_ms);
            due.extend(span.take_due(now_ms));
            let earliest_ms = line.iter().map(|entry| entry.expires_at_ms).min();
            // What can leave is dropped here: the journal has it.
            drop(span.part(line));
            let earliest_ms = earliest_ms.unwrap_or(NEVER_MS).min(span.earliest_ms());
            due.iter().for_each(|entry| self.uncount(entry));
            self.review_at(ticket, earliest_ms, now_ms);
        }
        Landed { due, lost }
    }

    /// A span could not be read now.
    pub(super) fn missed(&mut self, ticket: Ticket, now_ms: u64) {
        if let Some(absent) = self.take_coming(ticket)
            && let Some(span) = self.span_mut(ticket)
        {
            span.rest = Rest::Away(absent);
            // It may have entries that expire: nobody knows when.
            self.review_at(ticket, now_ms, now_ms);
        }
    }

    /// Takes note of a message that is in the journal.
    pub(super) fn restore(&mut self, stored: Stored, expires_at_ms: u64) {
        let Some(window) = &self.window else { return };
        let priority = self.limit_priority(stored.priority);
        self.len += 1;
        self.bytes += u64::from(stored.body_bytes);
        self.occupied.insert(priority);
        let lane = &mut self.lanes[usize::from(priority)];
        if lane.growing(window).is_none() {
            self.last_span += 1;
            lane.push_span(Span::absent(self.last_span, stored.position, stored.accepted_ms));
        }
        let Some(span) = lane.growing(window) else { return };
        span.last = stored.position;
        if let Rest::Away(absent) = &mut span.rest {
            absent.positions.push(stored.position);
            absent.bytes += u64::from(stored.body_bytes);
        }
        let ticket = Ticket { priority, span: span.number };
        self.watch_span(ticket, expires_at_ms);
    }

    fn pop(&mut self, priority: u8) -> Option<Entry> {
        if self.lanes[usize::from(priority)].head().is_none() {
            self.refill(priority);
        }
        let entry = self.lanes[usize::from(priority)].pop_head()?;
        self.forget(priority, &entry);
        Some(entry)
    }

    /// Takes an entry that has left a line out of the figures.
    fn forget(&mut self, priority: u8, entry: &Entry) {
        self.uncount(entry);
        if entry.expires_at_ms != NEVER_MS {
            self.expiring -= 1;
        }
        let lane = &self.lanes[usize::from(priority)];
        if !lane.is_shallow() {
            self.refill(priority);
        } else if lane.is_empty() {
            self.occupied.remove(priority);
        }
    }

    fn uncount(&mut self, entry: &Entry) {
        self.len -= 1;
        self.bytes -= entry.bytes();
    }

    /// Puts what comes next in front of a lane, or asks for it, if the front is low.
    fn refill(&mut self, priority: u8) {
        let Some(window) = &self.window else { return };
        loop {
            let (schedule, expiring) = (&mut self.schedule, &mut self.expiring);
            let schedule_one = |entry: &Entry| {
                if entry.expires_at_ms != NEVER_MS {
                    let (at_ms, position) = (entry.expires_at_ms, entry.position);
                    *expiring += 1;
                    schedule.push(Mark { at_ms, position, priority });
                }
            };
            match self.lanes[usize::from(priority)].refill(window, schedule_one) {
                Next::Opened { due_ms } => {
                    self.spans_expiring -= usize::from(due_ms != NEVER_MS);
                }
                Next::Away(span) => return self.call(Ticket { priority, span }),
                Next::Enough | Next::Coming => break,
            }
        }
    }

    /// Asks for a span that is not in memory.
    fn call(&mut self, ticket: Ticket) {
        let Some(span) = self.span_mut(ticket) else { return };
        match std::mem::replace(&mut span.rest, Rest::Nothing) {
            Rest::Away(absent) => {
                let positions = absent.positions.positions();
                span.rest = Rest::Coming(absent);
                let due_ms = std::mem::replace(&mut span.due_ms, NEVER_MS);
                span.recalled = due_ms != NEVER_MS;
                self.recalled += usize::from(due_ms != NEVER_MS);
                self.spans_expiring -= usize::from(due_ms != NEVER_MS);
                self.coming += 1;
                self.wanted.push(Wanted { ticket, positions });
            }
            other => span.rest = other,
        }
    }

    /// Asks for a span because entries in it have expired.
    fn recall(&mut self, ticket: Ticket) {
        self.call(ticket);
        if let Some(span) = self.span_mut(ticket)
            && matches!(span.rest, Rest::Coming(_))
            && !std::mem::replace(&mut span.recalled, true)
        {
            self.recalled += 1;
        }
    }

    /// Ends the wait for a span that is still there.
    fn take_coming(&mut self, ticket: Ticket) -> Option<Absent> {
        let span = self.span_mut(ticket)?;
        match std::mem::replace(&mut span.rest, Rest::Nothing) {
            Rest::Coming(absent) => {
                let recalled = std::mem::take(&mut span.recalled);
                self.recalled -= usize::from(recalled);
                self.coming -= 1;
                Some(absent)
            }
            other => {
                span.rest = other;
                None
            }
        }
    }

    /// Looks again at a span whose entries have changed: it goes when nothing is left in it, otherwise it is looked
    /// at when the next entry in memory expires.
    fn review(&mut self, ticket: Ticket, now_ms: u64) {
        if let Some(earliest_ms) = self.span_mut(ticket).map(|span| span.earliest_ms()) {
            self.review_at(ticket, earliest_ms, now_ms);
        }
    }

    fn review_at(&mut self, ticket: Ticket, earliest_ms: u64, now_ms: u64) {
        let recall_ms = self.window.as_ref().map_or(0, |window| window.recall_ms);
        let Some(span) = self.span_mut(ticket) else { return };
        let is_empty = span.is_empty();
        let before_ms = std::mem::replace(&mut span.due_ms, NEVER_MS);
        self.spans_expiring -= usize::from(before_ms != NEVER_MS);
        if !is_empty {
            let at_ms = earliest_ms.max(now_ms.saturating_add(recall_ms));
            return self.watch_span(ticket, at_ms);
        }
        let lane = &mut self.lanes[usize::from(ticket.priority)];
        lane.remove_span(ticket.span);
        if lane.is_empty() {
            self.occupied.remove(ticket.priority);
        } else if lane.head().is_none() {
            self.refill(ticket.priority);
        }
    }

    /// Sees to it that a span is looked at by this time.
    fn watch_span(&mut self, ticket: Ticket, at_ms: u64) {
        let Some(span) = self.span_mut(ticket) else { return };
        if at_ms >= span.due_ms {
            return;
        }
        let before_ms = std::mem::replace(&mut span.due_ms, at_ms);
        self.spans_expiring += usize::from(before_ms == NEVER_MS);
        let Ticket { priority, span } = ticket;
        self.span_schedule.push(Mark { at_ms, position: span, priority });
        if self.span_schedule.is_stale(self.spans_expiring) {
            let lanes = &self.lanes;
            self.span_schedule.sweep(|mark| {
                let span = lanes[usize::from(mark.priority)].span(mark.position);
                span.is_some_and(|span| span.due_ms == mark.at_ms)
            });
        }
    }

    fn span_mut(&mut self, ticket: Ticket) -> Option<&mut Span> {
        self.lanes[usize::from(ticket.priority)].span_mut(ticket.span)
    }

    fn limit_priority(&self, priority: u8) -> u8 {
        priority.min((self.lanes.len() - 1) as u8)
    }
}

fn is_live(lanes: &[Lane], mark: &Mark) -> bool {
    lanes[usize::from(mark.priority)]
        .get(mark.position)
        .is_some_and(|entry| entry.expires_at_ms == mark.at_ms)
}
