//! A round through the spans of a queue because entries in them expire: lane by lane, from the front to the tail, so
//! that what stands in front goes first. All of them are looked at for the same time, however long the round takes, and
//! a round begins at most once in an interval, because it reads what is in the journal alone.

use crate::queue::entry::NEVER_MS;

/// Where a round has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// It takes what expires at this time or earlier.
    pub(super) until_ms: u64,
    /// The lane that it is in. It goes from the highest to the lowest.
    pub(super) priority: u8,
    /// The spans of this lane below this number are done.
    pub(super) next: u64,
}

/// When rounds are made.
#[derive(Debug)]
pub(super) struct Rounds {
    current: Option<Round>,
    /// When the last one began.
    began_ms: Option<u64>,
    /// How many spans have entries that expire, and how many tails have some that wait for spans.
    places: usize,
    /// In none of them anything expires before this.
    earliest_ms: u64,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { current: None, began_ms: None, places: 0, earliest_ms: NEVER_MS }
    }
}

impl Rounds {
    /// The first entry in some place expires at another time than before; [`NEVER_MS`] if none does.
    pub(super) fn note(&mut self, before_ms: u64, at_ms: u64) {
        self.places += usize::from(at_ms != NEVER_MS);
        self.places -= usize::from(before_ms != NEVER_MS);
        self.earliest_ms = self.earliest_ms.min(at_ms);
    }

    /// Whether nothing that rounds care for expires by then.
    pub(super) fn are_idle(&self, at_ms: u64) -> bool {
        self.places == 0 || self.earliest_ms > at_ms
    }

    /// The round that is under way; if it is time for one, it begins.
    pub(super) fn current(&mut self, recall_ms: u64, highest: u8, now_ms: u64) -> Option<Round> {
        if self.current.is_none() && self.next_ms(recall_ms).is_some_and(|at_ms| at_ms <= now_ms) {
            self.began_ms = Some(now_ms);
            self.current = Some(Round { until_ms: now_ms, priority: highest, next: 0 });
        }
        self.current
    }

    /// The round that is under way.
    pub(super) fn under_way(&self) -> Option<Round> {
        self.current
    }

    /// A round has come farther.
    pub(super) fn go_on(&mut self, round: Round) {
        self.current = Some(round);
    }

    /// A round is over: nothing that remains expires before this.
    pub(super) fn end(&mut self, earliest_ms: u64) {
        self.current = None;
        self.earliest_ms = earliest_ms;
    }

    /// A round cannot go on. The next one begins from the start.
    pub(super) fn give_up(&mut self, now_ms: u64) {
        if self.current.take().is_some() {
            self.began_ms = Some(now_ms);
        }
    }

    /// When a round is to begin. Nothing while one is under way: what is loaded is followed by another look.
    pub(super) fn next_ms(&self, recall_ms: u64) -> Option<u64> {
        if self.current.is_some() || self.places == 0 {
            return None;
        }
        let rested_ms = self.began_ms.map_or(0, |began_ms| began_ms.saturating_add(recall_ms));
        Some(self.earliest_ms.max(rested_ms))
    }

    /// Fails if these are not the times of the places at which something expires.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self, times_ms: impl Iterator<Item = u64>) {
        let (mut places, mut earliest_ms) = (0, NEVER_MS);
        for at_ms in times_ms {
            places += 1;
            earliest_ms = earliest_ms.min(at_ms);
        }
        assert_eq!(self.places, places, "spans and tails in which something expires");
        assert!(self.earliest_ms <= earliest_ms, "something expires before a round looks");
    }
}
