//! Entries in memory, in order of position. Nearly every entry is appended at the tail and taken from the head; the
//! few that come back, come late, or leave from the middle cost at most logarithmic time.

use std::collections::{BTreeMap, VecDeque};

use super::capacity;
use super::entry::{Entry, Position};

/// An entry this close to either end of the line is put in by moving its neighbours; farther in, it is kept aside.
const MOVED_SLOTS_MAX: usize = 64;

/// Slots in a line may be empty up to half of them, plus this many.
const EMPTY_SLOTS_MIN: usize = 64;

const _: () = assert!(std::mem::size_of::<Slot>() <= std::mem::size_of::<Entry>() + 8);

/// A stretch of a lane that is in memory.
#[derive(Default)]
pub(super) struct Line {
    /// Ascending positions. The first slot is never empty.
    line: VecDeque<Slot>,
    /// Empty slots in the line.
    empty: usize,
    /// Bytes of memory that its messages hold.
    held_bytes: usize,
    /// Entries whose place is far inside the line. The head is the lower of the two heads.
    aside: BTreeMap<Position, Entry>,
}

enum Slot {
    Held(Entry),
    /// An entry left from the middle. The position stays, so that the line can be searched.
    Empty(Position),
}

impl Slot {
    fn held(&self) -> Option<&Entry> {
        match self {
            Self::Held(entry) => Some(entry),
            Self::Empty(_) => None,
        }
    }

    fn position(&self) -> Position {
        match self {
            Self::Held(entry) => entry.position,
            Self::Empty(position) => *position,
        }
    }
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.aside.is_empty()
    }

    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.line.capacity() + self.aside.len()
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.line.len() - self.empty + self.aside.len()
    }

    /// Bytes of memory that its messages hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The highest position in it, or that of an entry which left from there.
    pub(super) fn last(&self) -> Option<Position> {
        let aside = self.aside.last_key_value().map(|(position, _)| *position);
        self.line.back().map(Slot::position).max(aside)
    }

    /// The entries of the line, in order of position.
    pub(super) fn line(&self) -> impl Iterator<Item = &Entry> {
        self.line.iter().filter_map(Slot::held)
    }

    /// The entries beside the line, in order of position.
    pub(super) fn aside(&self) -> impl Iterator<Item = &Entry> {
        self.aside.values()
    }

    /// The entries, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.line.iter().filter_map(Slot::held).chain(self.aside.values())
    }

    /// Puts an entry in its place. Its position must not be taken.
    pub(super) fn insert(&mut self, entry: Entry) {
        let position = entry.position;
        self.held_bytes += entry.message.held();
        if self.line.back().is_none_or(|last| last.position() < position) {
            return self.line.push_back(Slot::Held(entry));
        }
        let index = self.line.partition_point(|slot| slot.position() < position);
        if index.min(self.line.len() - index) <= MOVED_SLOTS_MAX {
            self.line.insert(index, Slot::Held(entry));
        } else {
            self.aside.insert(position, entry);
        }
    }

    /// The entry with the lowest position.
    pub(super) fn head(&self) -> Option<&Entry> {
        let aside = self.aside.first_key_value().map(|(_, entry)| entry);
        let Some(Slot::Held(first)) = self.line.front() else { return aside };
        Some(aside.filter(|entry| entry.position < first.position).unwrap_or(first))
    }

    /// Takes the entry with the lowest position.
    pub(super) fn pop_head(&mut self) -> Option<Entry> {
        if let Some(aside) = self.aside.first_entry()
            && self.line.front().is_none_or(|first| *aside.key() < first.position())
        {
            let entry = aside.remove();
            self.held_bytes -= entry.message.held();
            return Some(entry);
        }
        let slot = self.line.pop_front()?;
        self.trim();
        let Slot::Held(entry) = slot else { return None };
        self.held_bytes -= entry.message.held();
        Some(entry)
    }

    pub(super) fn get(&self, position: Position) -> Option<&Entry> {
        match self.line.binary_search_by_key(&position, Slot::position) {
            Ok(index) => match self.line.get(index) {
                Some(Slot::Held(entry)) => Some(entry),
                _ => None,
            },
            Err(_) => self.aside.get(&position),
        }
    }

    /// Takes an entry from wherever it stands.
    pub(super) fn remove(&mut self, position: Position) -> Option<Entry> {
        let Ok(index) = self.line.binary_search_by_key(&position, Slot::position) else {
            let entry = self.aside.remove(&position)?;
            self.held_bytes -= entry.message.held();
            return Some(entry);
        };
        let slot = std::mem::replace(self.line.get_mut(index)?, Slot::Empty(position));
        let Slot::Held(entry) = slot else { return None };
        self.held_bytes -= entry.message.held();
        self.empty += 1;
        self.trim();
        Some(entry)
    }

    /// Removes every entry, in order of position.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Entry)) {
        while let Some(entry) = self.pop_head() {
            each(entry);
        }
    }

    /// Takes an entry, of a line that is let go: nothing else is kept true.
    pub(super) fn shed(&mut self) -> Option<Entry> {
        while let Some(slot) = self.line.pop_front() {
            if let Slot::Held(entry) = slot {
                return Some(entry);
            }
        }
        self.aside.pop_first().map(|(_, entry)| entry)
    }

    /// Adds all of another line, which lies behind this one.
    pub(super) fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            *self = other;
        } else {
            other.drain(|entry| self.insert(entry));
        }
    }

    /// Takes out what has expired by `now_ms`, in order of position.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Vec<Entry> {
        let due = self.iter().filter(|entry| entry.is_due(now_ms)).map(|entry| entry.position);
        let mut due: Vec<Position> = due.collect();
        due.sort_unstable();
        due.into_iter().filter_map(|position| self.remove(position)).collect()
    }

    /// Restores the rule that the line begins with an entry, and gives memory back.
    fn trim(&mut self) {
        while let Some(Slot::Empty(_)) = self.line.front() {
            self.line.pop_front();
            self.empty -= 1;
        }
        if self.empty > self.line.len() / 2 + EMPTY_SLOTS_MIN {
            self.line.retain(|slot| matches!(slot, Slot::Held(_)));
            self.empty = 0;
        }
        if let Some(fit) = capacity::shrunk(self.line.len(), self.line.capacity()) {
            self.line.shrink_to(fit);
        }
    }
}
