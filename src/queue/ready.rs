//! The messages that wait for a consumer: one lane for each priority, the highest served first, with their
//! count, their bytes, and the times at which they expire.

use super::effects::Effects;
use super::entry::{Entry, NEVER_MS};
use super::expiry::{Mark, Schedule};
use super::lane::{Lane, Next, Spot, Whence};
use super::line::Line;
use super::options::Window;
use super::paging::{Stored, Ticket, Wanted};
use super::priorities::PrioritySet;
use super::round::{Round, Rounds};
use super::span::{Absent, Rest, Span};

/// So many spans may be on their way at once when one is asked for because its entries expire.
const RECALLED_MAX: usize = 4;

/// Spans are numbered from here: upwards behind those that are there, downwards in front of them.
const MIDDLE_SPAN: u64 = 1 << 63;

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
    /// The rounds through what is not on the schedule: spans, and what waits for them at tails.
    rounds: Rounds,
    window: Option<Window>,
    /// Spans that were asked for.
    coming: usize,
    /// The lowest and the highest number that a span ever had.
    first_span: u64,
    last_span: u64,
    leaving: Vec<Ticket>,
    wanted: Vec<Wanted>,
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
            rounds: Rounds::default(),
            window,
            coming: 0,
            first_span: MIDDLE_SPAN,
            last_span: MIDDLE_SPAN,
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
        self.lanes.iter().map(Lane::slots).sum::<usize>() + self.schedule.slots()
    }

    /// Puts an entry in the place that its priority and position give it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let priority = self.limit_priority(entry.message.facts().priority);
        let (at_ms, position) = (entry.expires_at_ms, entry.position);
        self.len += 1;
        self.bytes += entry.bytes();
        self.occupied.insert(priority);
        let spot = self.lanes[usize::from(priority)].insert(entry, self.window.as_ref());
        if let Spot::Span { before_ms } = spot {
            return self.rounds.note(before_ms, before_ms.min(at_ms));
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
        let lane = &mut self.lanes[usize::from(priority)];
        self.rounds.note(lane.late_ms(), NEVER_MS);
        let span = lane.seal(self.last_span);
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
        self.rounds.note(NEVER_MS, span.earliest_ms);
    }

    /// Makes spans of what has come back to the fronts of the lanes and is too much there. To be called when what has
    /// expired is out.
    pub(super) fn pack(&mut self) {
        let Some(window) = self.window.clone() else { return };
        for priority in 0..self.lanes.len() {
            if !self.lanes[priority].is_crowded(&window) {
                continue;
            }
            for line in self.lanes[priority].split_front(&window).into_iter().rev() {
                self.first_span -= 1;
                let ticket = Ticket { priority: priority as u8, span: self.first_span };
                self.expiring -=
                    line.iter().filter(|entry| entry.expires_at_ms != NEVER_MS).count();
                let span = self.lanes[priority].seal_first(self.first_span, line);
                self.rounds.note(NEVER_MS, span.earliest_ms);
                if let Rest::Leaving(_) = span.rest {
                    self.leaving.push(ticket);
                }
            }
        }
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
            if !live {
                continue;
            }
            let lane = &mut self.lanes[usize::from(mark.priority)];
            let late_ms = lane.late_ms();
            if !self.rounds.are_idle(mark.at_ms) && lane.hold_back(mark.at_ms, mark.position) {
                self.rounds.note(late_ms, lane.late_ms());
                continue;
            }
            if let Some(entry) = lane.remove(mark.position) {
                self.forget(mark.priority, &entry);
                return Some(entry);
            }
        }
        None
    }

    /// Goes on with a round through spans, if it is time for one, to the next that may have entries that have expired, or
    /// to what waits for that at a tail; takes these out. Nothing when there is none, or when it is not in memory: then it is
    /// waited for, and some more are asked for. To be called when [`Ready::pop_due`] has no more.
    pub(super) fn take_due_of_spans(&mut self, now_ms: u64) -> Option<Vec<Entry>> {
        let (recall_ms, highest) = (self.recall_ms(), (self.lanes.len() - 1) as u8);
        while let Some(round) = self.rounds.current(recall_ms, highest, now_ms) {
            let lane = &self.lanes[usize::from(round.priority)];
            let span = lane.spans_from(round.next).find(|span| span.earliest_ms <= round.until_ms);
            match span.map(|span| (span.number, &span.rest)) {
                Some((_, Rest::Away(_) | Rest::Coming(_))) => {
                    self.call_for(round);
                    return None;
                }
                Some((number, Rest::Nothing | Rest::Leaving(_))) => {
                    self.rounds.go_on(Round { next: number + 1, ..round });
                    return Some(
                        self.visit(Ticket { priority: round.priority, span: number }, round),
                    );
                }
                None => {
                    let late = self.take_late(round);
                    self.leave_lane(round);
                    if !late.is_empty() {
                        return Some(late);
                    }
                }
            }
        }
        None
    }

    /// Takes out of a span what has expired.
    fn visit(&mut self, ticket: Ticket, round: Round) -> Vec<Entry> {
        let lane = &mut self.lanes[usize::from(ticket.priority)];
        let Some(span) = lane.span_mut(ticket.span) else { return Vec::new() };
        let before_ms = span.earliest_ms;
        let taken = span.take_due(round.until_ms);
        self.rounds.note(before_ms, span.earliest_ms);
        drop(span.end_visit());
        taken.iter().for_each(|entry| self.uncount(entry));
        self.review(ticket);
        taken
    }

    /// Takes out of a tail what has expired and waited for the spans of its lane.
    fn take_late(&mut self, round: Round) -> Vec<Entry> {
        let Round { until_ms, priority, .. } = round;
        let lane = &mut self.lanes[usize::from(priority)];
        let late_ms = lane.late_ms();
        if late_ms > until_ms || late_ms == NEVER_MS {
            return Vec::new();
        }
        self.rounds.note(late_ms, NEVER_MS);
        let schedule = &mut self.schedule;
        let taken = lane.take_late(until_ms, |entry| {
            schedule.push(Mark { at_ms: entry.expires_at_ms, position: entry.position, priority });
        });
        self.expiring -= taken.len();
        taken.iter().for_each(|entry| self.uncount(entry));
        self.review_lane(priority);
        taken
    }

    /// A lane is through: the round goes on with the next.
    fn leave_lane(&mut self, round: Round) {
        match round.priority.checked_sub(1) {
            Some(priority) => self.rounds.go_on(Round { priority, next: 0, ..round }),
            None => {
                let earliest_ms = self.lanes.iter().map(Lane::earliest_behind_ms).min();
                self.rounds.end(earliest_ms.unwrap_or(NEVER_MS));
            }
        }
    }

    /// Asks for the spans that a round comes to next.
    fn call_for(&mut self, round: Round) {
        let mut away = Vec::new();
        let room = RECALLED_MAX.saturating_sub(self.coming);
        let mut next = round.next;
        for (priority, lane) in
            self.lanes.iter().enumerate().take(usize::from(round.priority) + 1).rev()
        {
            let due = lane.spans_from(next).filter(|span| span.earliest_ms <= round.until_ms);
            let due = due.filter(|span| matches!(span.rest, Rest::Away(_)));
            away.extend(
                due.map(|span| Ticket { priority: priority as u8, span: span.number })
                    .take(room - away.len()),
            );
            if away.len() == room {
                break;
            }
            next = 0;
        }
        away.into_iter().for_each(|ticket| self.call(ticket));
    }

    /// Whether some of what is counted may have expired, and will be taken out as soon as it has arrived.
    pub(super) fn is_recalling(&self) -> bool {
        self.rounds.under_way().is_some()
    }

    /// When the next entry expires, or earlier if that entry has left meanwhile.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let line = self.schedule.next().filter(|_| self.expiring > 0).map(|mark| mark.at_ms);
        line.into_iter().chain(self.rounds.next_ms(self.recall_ms())).min()
    }

    /// By priority, the lowest first.
    pub(super) fn lanes(&self) -> impl DoubleEndedIterator<Item = &Lane> {
        self.lanes.iter()
    }

    /// When the oldest message at the head of a priority was accepted, in Unix milliseconds.
    pub(super) fn oldest_accepted_ms(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::accepted_ms).min()
    }

    /// Removes every entry in one move; they are in the lanes that are returned.
    pub(super) fn take_all(&mut self) -> Vec<Lane> {
        let fresh = self.lanes.iter().map(|_| Lane::default()).collect();
        let lanes = std::mem::replace(&mut self.lanes, fresh);
        self.occupied = PrioritySet::default();
        self.len = 0;
        self.bytes = 0;
        self.expiring = 0;
        self.schedule.clear();
        self.rounds = Rounds::default();
        self.coming = 0;
        self.leaving.clear();
        self.wanted.clear();
        lanes
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

    /// A span's entries were read. They stay if they are wanted in front, or by a round that comes to them. Answers how
    /// many messages are given up.
    pub(super) fn arrived(&mut self, ticket: Ticket, mut entries: Vec<Entry>) -> u64 {
        let Ticket { priority, span: number } = ticket;
        let Some(absent) = self.take_coming(ticket) else { return 0 };
        debug_assert!(
            absent.positions.len() >= entries.len() as u64,
            "more messages of a span were read than were in it"
        );
        let lost = absent.positions.len().saturating_sub(entries.len() as u64);
        self.len -= lost;
        self.bytes -= absent.bytes;
        self.bytes += entries.iter().map(Entry::bytes).sum::<u64>();
        absent.remind(&mut entries);
        let mut line = Line::default();
        entries.into_iter().for_each(|entry| line.insert(entry));
        let lane = &mut self.lanes[usize::from(priority)];
        let in_front =
            lane.is_first(number) && self.window.as_ref().is_some_and(|window| lane.is_low(window));
        let Some(span) = lane.span_mut(number) else { return lost };
        let before_ms = span.earliest_ms;
        span.land(line);
        self.rounds.note(before_ms, span.earliest_ms);
        if in_front {
            self.refill(priority);
        } else {
            span.visiting = true;
            let awaited = self.rounds.under_way().is_some_and(|round| {
                round.until_ms >= span.earliest_ms
                    && (priority < round.priority
                        || priority == round.priority && number >= round.next)
            });
            if !awaited {
                // What can leave is dropped here: the journal has it.
                drop(span.end_visit());
            }
            self.review(ticket);
        }
        lost
    }

    /// A span could not be read now.
    pub(super) fn missed(&mut self, ticket: Ticket, now_ms: u64) {
        if let Some(absent) = self.take_coming(ticket)
            && let Some(span) = self.span_mut(ticket)
        {
            span.rest = Rest::Away(absent);
            self.rounds.give_up(now_ms);
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
        let before_ms = span.earliest_ms;
        span.earliest_ms = before_ms.min(expires_at_ms);
        self.rounds.note(before_ms, span.earliest_ms);
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
            let schedule_one = |entry: &Entry, whence: Whence| {
                let (at_ms, position) = (entry.expires_at_ms, entry.position);
                *expiring += usize::from(whence == Whence::Span);
                schedule.push(Mark { at_ms, position, priority });
            };
            let lane = &mut self.lanes[usize::from(priority)];
            let late_ms = lane.late_ms();
            let next = lane.refill(window, schedule_one);
            self.rounds.note(late_ms, lane.late_ms());
            match next {
                Next::Opened { earliest_ms } => self.rounds.note(earliest_ms, NEVER_MS),
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
                self.coming += 1;
                self.wanted.push(Wanted { ticket, positions });
            }
            other => span.rest = other,
        }
    }

    /// Ends the wait for a span that is still there.
    fn take_coming(&mut self, ticket: Ticket) -> Option<Absent> {
        let span = self.span_mut(ticket)?;
        match std::mem::replace(&mut span.rest, Rest::Nothing) {
            Rest::Coming(absent) => {
                self.coming -= 1;
                Some(absent)
            }
            other => {
                span.rest = other;
                None
            }
        }
    }

    /// Looks again at a span whose entries have changed: it goes when nothing is left in it.
    fn review(&mut self, ticket: Ticket) {
        if self.span_mut(ticket).is_some_and(|span| span.is_empty()) {
            self.lanes[usize::from(ticket.priority)].remove_span(ticket.span);
            self.review_lane(ticket.priority);
        }
    }

    /// Something has left a lane from behind its front.
    fn review_lane(&mut self, priority: u8) {
        let lane = &self.lanes[usize::from(priority)];
        if lane.is_empty() {
            self.occupied.remove(priority);
        } else if lane.head().is_none() {
            self.refill(priority);
        }
    }

    fn recall_ms(&self) -> u64 {
        self.window.as_ref().map_or(0, |window| window.recall_ms)
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
