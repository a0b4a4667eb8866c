//! What the clients of a round know, compared with what the broker still has after it was started again.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::clearing::Clearing;
use super::letter::{Letter, Name};
use super::load::Outcome;
use super::topology::{DEAD, DELETED, QUEUES, THIRD};

/// A message in a queue.
type Place = (&'static str, Name);

/// What was found in the queues after the rounds so far. All of it was acknowledged then, but the acknowledgement may
/// have been lost with the next death; what was not found once must never come back.
#[derive(Default)]
pub struct History(HashSet<Place>);

/// The account of one round.
pub struct Ledger {
    round: u32,
    /// With the time just before each was sent.
    published: HashMap<Name, (Letter, u64)>,
    /// With the time just after each was confirmed.
    confirmed: HashMap<Name, u64>,
    acknowledged: HashSet<Place>,
    refused: HashSet<Place>,
    clearings: Vec<Clearing>,
    /// When the last message was sent that is known to be on the disk.
    synced: u64,
}

/// How much there was to compare.
pub struct Found {
    confirmed: usize,
    settled: usize,
    /// How often a queue was purged or deleted.
    clearings: usize,
    there: usize,
    there_although_settled: usize,
    older: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} confirmed, {} settled, ", self.confirmed, self.settled)?;
        write!(f, "{} times cleared, ", self.clearings)?;
        write!(
            f,
            "{} there, {} of them although settled, ",
            self.there, self.there_although_settled
        )?;
        write!(f, "{} from an earlier round", self.older)
    }
}

impl Ledger {
    pub fn new(round: u32, outcomes: Vec<Outcome>) -> Self {
        let mut ledger = Self {
            round,
            published: HashMap::new(),
            confirmed: HashMap::new(),
            acknowledged: HashSet::new(),
            refused: HashSet::new(),
            clearings: Vec::new(),
            synced: 0,
        };
        for outcome in outcomes {
            let published = outcome.published.into_iter();
            ledger.published.extend(published.map(|(letter, sent)| (letter.name, (letter, sent))));
            ledger.confirmed.extend(outcome.confirmed);
            ledger.acknowledged.extend(outcome.acknowledged);
            ledger.refused.extend(outcome.refused);
            ledger.clearings.extend(outcome.clearings);
        }
        let synced = ledger.confirmed.keys().map(|name| &ledger.published[name]);
        let synced = synced.filter(|(letter, _)| letter.persistent && letter.route.is_lasting());
        ledger.synced = synced.map(|(_, sent)| *sent).max().unwrap_or(0);
        ledger
    }

    /// Compares with all that the queues hold, which becomes the history.
    ///
    /// # Panics
    ///
    /// When a message is lost, there twice, changed, out of order, or should not be there.
    pub fn check(&self, history: &mut History, drain: impl Fn(&str) -> Vec<Letter>) -> Found {
        let mut there = HashSet::new();
        for queue in QUEUES {
            let letters = drain(queue);
            self.check_order(queue, &letters);
            for letter in letters {
                self.check_letter(queue, &letter, history);
                let twice = !there.insert((queue, letter.name));
                // An old one may have been refused in two rounds.
                let excused = queue == DEAD && letter.name.round < self.round;
                assert!(!twice || excused, "{letter:?} is in {queue} twice");
            }
        }
        self.check_confirmed(&there);
        let older = there.iter().filter(|(_, name)| name.round < self.round).count();
        let settled = self.acknowledged.union(&self.refused);
        let found = Found {
            confirmed: self.confirmed.len(),
            settled: settled.clone().count(),
            clearings: self.clearings.len(),
            there: there.len(),
            there_although_settled: settled.filter(|place| there.contains(*place)).count(),
            older,
        };
        history.0 = there;
        found
    }

    /// A promise was kept for every message that nobody settled.
    fn check_confirmed(&self, there: &HashSet<Place>) {
        for &name in self.confirmed.keys() {
            let (letter, sent) = &self.published[&name];
            for &queue in letter.route.queues() {
                let refused = self.refused.contains(&(queue, name));
                let kept = there.contains(&(queue, name))
                    || (refused && there.contains(&(DEAD, name)))
                    || self.acknowledged.contains(&(queue, name))
                    || self.may_be_cleared(queue, *sent);
                assert!(
                    kept || !letter.persistent,
                    "{letter:?} was confirmed, and is not in {queue} (refused there: {refused})"
                );
            }
        }
    }

    /// Whether a message that was sent at this time may have been thrown away, or found no queue.
    fn may_be_cleared(&self, queue: &str, sent: u64) -> bool {
        self.clearings_of(queue).any(|clearing| clearing.ended.is_none_or(|ended| ended > sent))
    }

    /// Whether a message that was there at this time must have been thrown away: its queue was deleted later, or
    /// purged, and what came after the purge is on the disk.
    fn must_be_cleared(&self, queue: &str, there: u64) -> bool {
        self.clearings_of(queue).any(|clearing| {
            let is_done = |ended| queue == DELETED || self.synced > ended;
            clearing.begun > there && clearing.ended.is_some_and(is_done)
        })
    }

    fn clearings_of(&self, queue: &str) -> impl Iterator<Item = &Clearing> {
        self.clearings.iter().filter(move |clearing| clearing.queue == queue)
    }

    /// A message may be where it is.
    fn check_letter(&self, queue: &'static str, letter: &Letter, history: &History) {
        let name = letter.name;
        assert!(letter.persistent, "{letter:?} is transient, and in {queue} after a restart");
        if name.round < self.round {
            let was_here = history.0.contains(&(queue, name));
            let was_refused = queue == DEAD && history.0.contains(&(THIRD, name));
            assert!(was_here || was_refused, "{letter:?} is in {queue} again, after it was gone");
            return;
        }
        let published = self.published.get(&name).map(|(letter, _)| letter);
        assert_eq!(published, Some(letter), "as found in {queue}");
        if let Some(confirmed) = self.confirmed.get(&name) {
            let is_back = self.must_be_cleared(queue, *confirmed);
            assert!(!is_back, "{letter:?} is in {queue} again, after it was thrown away");
        }
        let meant = letter.route.queues().contains(&queue);
        let refused = queue == DEAD && self.refused.contains(&(THIRD, name));
        assert!(meant || refused, "{letter:?} is in {queue}");
    }

    /// The messages of one publisher are in the order in which it sent them.
    fn check_order(&self, queue: &str, letters: &[Letter]) {
        if queue == DEAD {
            return;
        }
        let mut newest: HashMap<u32, Name> = HashMap::new();
        for letter in letters {
            if let Some(before) = newest.insert(letter.name.publisher, letter.name) {
                assert!(
                    before < letter.name,
                    "{:?} comes after {before:?} in {queue}",
                    letter.name
                );
            }
        }
    }
}
