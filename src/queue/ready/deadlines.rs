//! When ready entries expire. Those in lines stand on a schedule, each with its time. Those in spans are found by rounds,
//! because they may have to be read for it, and so are those at a tail that have to wait for spans in front of them.

use super::lane::{Lane, Origin};
use super::lanes::Lanes;
use super::rounds::{Round, Rounds};
use super::schedule::{Expiry, Schedule};
use super::span::Span;
use crate::queue::entry::{Entry, NEVER_MS};

/// The times at which ready entries expire.
#[derive(Default)]
pub(super) struct Deadlines {
    /// How many of the entries in lines expire.
    in_lines: usize,
    schedule: Schedule,
    rounds: Rounds,
}

impl Deadlines {
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.schedule.slots()
    }

    /// An entry was put into a line.
    #[inline]
    pub(super) fn add(&mut self, expiry: Expiry, lanes: &Lanes) {
        if expiry.at_ms == NEVER_MS {
            return;
        }
        self.in_lines += 1;
        self.schedule.push(expiry);
        if self.schedule.is_stale(self.in_lines) {
            self.schedule.sweep(|expiry| stands(lanes, expiry));
        }
    }

    /// An entry was taken out of a line.
    #[inline]
    pub(super) fn remove(&mut self, entry: &Entry) {
        if entry.expires_at_ms != NEVER_MS {
            self.in_lines -= 1;
        }
    }

    /// An entry was put in front which was not on the schedule.
    pub(super) fn add_refilled(&mut self, entry: &Entry, priority: u8, origin: Origin) {
        // What waited at the tail was in a line before.
        self.in_lines += usize::from(origin == Origin::Span);
        self.schedule.push(expiry_of(entry, priority));
    }

    /// The first entry in some span or late tail expires at another time than before; [`NEVER_MS`] if none does.
    pub(super) fn note(&mut self, before_ms: u64, at_ms: u64) {
        self.rounds.note(before_ms, at_ms);
    }

    /// Entries of a line have become a span.
    pub(super) fn seal(&mut self, span: &Span) {
        if self.in_lines > 0 {
            self.in_lines -= expiring(span.iter()).count();
        }
        self.rounds.note(NEVER_MS, span.earliest_ms);
    }

    /// Takes the next off the schedule that has expired by `now_ms`; its entry stands in a line. Those that have to wait
    /// for spans in front of them are left to a round.
    pub(super) fn pop_due(&mut self, lanes: &mut Lanes, now_ms: u64) -> Option<Expiry> {
        while let Some(expiry) = self.schedule.next() {
            let stands = stands(lanes, &expiry);
            if stands && expiry.at_ms > now_ms {
                return None;
            }
            self.schedule.pop();
            if stands && !self.hold_back(lanes.lane_mut(expiry.priority), &expiry) {
                return Some(expiry);
            }
        }
        None
    }

    fn hold_back(&mut self, lane: &mut Lane, expiry: &Expiry) -> bool {
        if self.rounds.are_idle(expiry.at_ms) {
            return false;
        }
        let late_ms = lane.late_ms();
        let is_held_back = lane.hold_back(expiry.at_ms, expiry.position);
        self.rounds.note(late_ms, lane.late_ms());
        is_held_back
    }

    /// The round that is under way; if it is time for one, it begins.
    pub(super) fn round(&mut self, recall_ms: u64, highest: u8, now_ms: u64) -> Option<Round> {
        self.rounds.current(recall_ms, highest, now_ms)
    }

    /// The round that is under way.
    pub(super) fn round_under_way(&self) -> Option<Round> {
        self.rounds.under_way()
    }

    /// A round has come farther.
    pub(super) fn go_on(&mut self, round: Round) {
        self.rounds.go_on(round);
    }

    /// The round has gone through a lane: it goes on with the next, or ends.
    pub(super) fn finish_lane(&mut self, round: Round, lanes: &Lanes) {
        match round.priority.checked_sub(1) {
            Some(priority) => self.rounds.go_on(Round { priority, next: 0, ..round }),
            None => {
                let earliest_ms = lanes.iter().map(Lane::earliest_behind_ms).min();
                self.rounds.end(earliest_ms.unwrap_or(NEVER_MS));
            }
        }
    }

    /// The round cannot go on. The next one begins from the start.
    pub(super) fn give_up_round(&mut self, now_ms: u64) {
        self.rounds.give_up(now_ms);
    }

    /// Takes out of the tail of a round's lane what has expired and waited for the spans of that lane.
    pub(super) fn take_late(&mut self, lanes: &mut Lanes, round: Round) -> Vec<Entry> {
        let Round { until_ms, priority, .. } = round;
        let late_ms = lanes.lane(priority).late_ms();
        if late_ms > until_ms || late_ms == NEVER_MS {
            return Vec::new();
        }
        self.rounds.note(late_ms, NEVER_MS);
        let schedule = &mut self.schedule;
        let taken =
            lanes.take_late(priority, until_ms, |entry| schedule.push(expiry_of(entry, priority)));
        self.in_lines -= taken.len();
        taken
    }

    /// When the next entry expires, or earlier if that entry has been taken out meanwhile.
    pub(super) fn next_ms(&self, recall_ms: u64) -> Option<u64> {
        let line = self.schedule.next().filter(|_| self.in_lines > 0).map(|expiry| expiry.at_ms);
        line.into_iter().chain(self.rounds.next_ms(recall_ms)).min()
    }

    /// Fails if the counts are not those of the entries, or if an entry expires without anybody looking.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self, lanes: &Lanes) {
        let in_lines = lanes.iter().flat_map(|lane| expiring(lane.in_lines())).count();
        assert_eq!(self.in_lines, in_lines, "entries in lines that expire");
        let spans = lanes.iter().flat_map(Lane::spans).map(|span| span.earliest_ms);
        let late = lanes.iter().map(Lane::late_ms);
        self.rounds.check(spans.chain(late).filter(|at_ms| *at_ms != NEVER_MS));
    }
}

/// Those of some entries that expire.
fn expiring<'a>(entries: impl Iterator<Item = &'a Entry>) -> impl Iterator<Item = &'a Entry> {
    entries.filter(|entry| entry.expires_at_ms != NEVER_MS)
}

fn expiry_of(entry: &Entry, priority: u8) -> Expiry {
    Expiry { at_ms: entry.expires_at_ms, position: entry.position, priority }
}

/// Whether the entry for which an expiry stands is still in its line.
fn stands(lanes: &Lanes, expiry: &Expiry) -> bool {
    let entry = lanes.lane(expiry.priority).get(expiry.position);
    entry.is_some_and(|entry| entry.expires_at_ms == expiry.at_ms)
}
