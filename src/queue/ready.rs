//! The messages that wait for a consumer: one lane for each priority, the highest served first, with their
//! count, their bytes, and the times at which they expire.

use super::entry::{Entry, NEVER_MS};
use super::expiry::{Mark, Schedule};
use super::lane::Lane;

/// Ready entries of all priorities.
pub(super) struct Ready {
    /// By priority; at least one.
    lanes: Vec<Lane>,
    occupied: PrioritySet,
    len: u64,
    bytes: u64,
    /// How many of the entries expire.
    expiring: usize,
    schedule: Schedule,
}

impl Ready {
    pub(super) fn new(priority_max: u8) -> Self {
        Self {
            lanes: (0..=priority_max).map(|_| Lane::default()).collect(),
            occupied: PrioritySet::default(),
            len: 0,
            bytes: 0,
            expiring: 0,
            schedule: Schedule::default(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Slots for which memory is held, in all its buffers.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.lanes.iter().map(Lane::slots).sum::<usize>() + self.schedule.slots()
    }

    /// Puts an entry in the place that its priority and position give it.
    pub(super) fn insert(&mut self, entry: Entry) {
        let priority = self.priority_of(&entry);
        let (at_ms, position) = (entry.expires_at_ms, entry.position);
        self.len += 1;
        self.bytes += entry.bytes();
        self.occupied.insert(priority);
        self.lanes[usize::from(priority)].insert(entry);
        if at_ms != NEVER_MS {
            self.expiring += 1;
            self.schedule.push(Mark { at_ms, position, priority });
            if self.schedule.is_stale(self.expiring) {
                let lanes = &self.lanes;
                self.schedule.sweep(|mark| is_live(lanes, mark));
            }
        }
    }

    /// The next to be delivered: the oldest of the highest priority.
    pub(super) fn head(&self) -> Option<&Entry> {
        self.lanes[usize::from(self.occupied.highest()?)].head()
    }

    /// Takes [`Ready::head`].
    pub(super) fn pop_head(&mut self) -> Option<Entry> {
        self.pop(self.occupied.highest()?)
    }

    /// Takes the next to be dropped for want of room: the oldest of the lowest priority.
    pub(super) fn pop_least(&mut self) -> Option<Entry> {
        self.pop(self.occupied.lowest()?)
    }

    /// Takes an entry that expires at `now_ms` or earlier, the earliest first.
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

    /// When the next entry expires, or earlier if that entry has left meanwhile.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.schedule.next().map(|mark| mark.at_ms).filter(|_| self.expiring > 0)
    }

    /// By priority, the lowest first.
    pub(super) fn lanes(&self) -> impl DoubleEndedIterator<Item = &Lane> {
        self.lanes.iter()
    }

    /// The oldest entry of each priority.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Entry> {
        self.lanes.iter().filter_map(Lane::head)
    }

    /// Removes every entry, in the order in which they would be delivered.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Entry)) {
        for lane in self.lanes.iter_mut().rev() {
            lane.drain(&mut each);
        }
        self.occupied = PrioritySet::default();
        self.len = 0;
        self.bytes = 0;
        self.expiring = 0;
        self.schedule.clear();
    }

    fn pop(&mut self, priority: u8) -> Option<Entry> {
        let entry = self.lanes[usize::from(priority)].pop_head()?;
        self.forget(priority, &entry);
        Some(entry)
    }

    /// Takes an entry that has left its lane out of the figures.
    fn forget(&mut self, priority: u8, entry: &Entry) {
        self.len -= 1;
        self.bytes -= entry.bytes();
        if entry.expires_at_ms != NEVER_MS {
            self.expiring -= 1;
        }
        if self.lanes[usize::from(priority)].is_empty() {
            self.occupied.remove(priority);
        }
    }

    fn priority_of(&self, entry: &Entry) -> u8 {
        let highest = (self.lanes.len() - 1) as u8;
        entry.message.facts().priority.min(highest)
    }
}

fn is_live(lanes: &[Lane], mark: &Mark) -> bool {
    lanes[usize::from(mark.priority)]
        .get(mark.position)
        .is_some_and(|entry| entry.expires_at_ms == mark.at_ms)
}

/// A set of priorities whose highest and lowest are found without a search.
#[derive(Default)]
struct PrioritySet {
    words: [u64; 4],
}

impl PrioritySet {
    fn insert(&mut self, priority: u8) {
        self.words[usize::from(priority / 64)] |= 1 << (priority % 64);
    }

    fn remove(&mut self, priority: u8) {
        self.words[usize::from(priority / 64)] &= !(1 << (priority % 64));
    }

    fn highest(&self) -> Option<u8> {
        let word = self.words.iter().rposition(|word| *word != 0)?;
        Some((word * 64) as u8 + self.words[word].ilog2() as u8)
    }

    fn lowest(&self) -> Option<u8> {
        let word = self.words.iter().position(|word| *word != 0)?;
        Some((word * 64) as u8 + self.words[word].trailing_zeros() as u8)
    }
}
