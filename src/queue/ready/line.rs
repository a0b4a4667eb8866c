//! Entries in memory, in order of position. Nearly every entry is appended at the tail and taken from the head; the
//! few that come back, come late, or leave from the middle cost at most logarithmic time.

use std::collections::{BTreeMap, VecDeque};

use crate::message::Position;
use crate::queue::capacity;
use crate::queue::entry::Entry;

/// An entry this close to either end of the line is put in by moving its neighbours; farther in, it is kept aside.
const MOVED_SLOTS_MAX: usize = 64;

/// Slots in a line may be empty up to half of them, plus this many.
const EMPTY_SLOTS_MIN: usize = 64;

const _: () = assert!(std::mem::size_of::<LineSlot>() <= std::mem::size_of::<Entry>() + 8);

/// A stretch of a lane that is in memory.
#[derive(Default)]
pub(super) struct Line {
    /// Ascending positions. The first slot is never empty.
    line: VecDeque<LineSlot>,
    /// Empty slots in the line.
    empty: usize,
    /// Bytes of memory that its messages hold.
    held_bytes: usize,
    /// Entries whose place is far inside the line. The head is the lower of the two heads.
    aside: BTreeMap<Position, Entry>,
}

enum LineSlot {
    Held(Entry),
    /// An entry was taken from the middle. The position stays, so that the line can be searched.
    Empty(Position),
}

impl LineSlot {
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

    /// The highest position in it, or that of an entry which was taken from there.
    pub(super) fn last(&self) -> Option<Position> {
        let aside = self.aside.last_key_value().map(|(position, _)| *position);
        self.line.back().map(LineSlot::position).max(aside)
    }

    /// The entries in order of position: those of the line and those beside it, merged.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let mut line = self.line.iter().filter_map(LineSlot::held).peekable();
        let mut aside = self.aside.values().peekable();
        std::iter::from_fn(move || match (line.peek(), aside.peek()) {
            (Some(one), Some(other)) if other.position < one.position => aside.next(),
            (None, _) => aside.next(),
            (Some(_), _) => line.next(),
        })
    }

    /// The entries, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.line.iter().filter_map(LineSlot::held).chain(self.aside.values())
    }

    /// Puts an entry in its place. Its position must not be taken.
    pub(super) fn insert(&mut self, entry: Entry) {
        let position = entry.position;
        self.held_bytes += entry.message.held();
        if self.line.back().is_none_or(|last| last.position() < position) {
            return self.line.push_back(LineSlot::Held(entry));
        }
        let index = self.line.partition_point(|slot| slot.position() < position);
        if index.min(self.line.len() - index) <= MOVED_SLOTS_MAX {
            self.line.insert(index, LineSlot::Held(entry));
        } else {
            self.aside.insert(position, entry);
        }
    }

    /// The entry with the lowest position.
    pub(super) fn head(&self) -> Option<&Entry> {
        let aside = self.aside.first_key_value().map(|(_, entry)| entry);
        let Some(LineSlot::Held(first)) = self.line.front() else { return aside };
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
        let LineSlot::Held(entry) = slot else { return None };
        self.held_bytes -= entry.message.held();
        Some(entry)
    }

    pub(super) fn get(&self, position: Position) -> Option<&Entry> {
        match self.line.binary_search_by_key(&position, LineSlot::position) {
            Ok(index) => match self.line.get(index) {
                Some(LineSlot::Held(entry)) => Some(entry),
                _ => None,
            },
            Err(_) => self.aside.get(&position),
        }
    }

    /// Takes an entry from wherever it stands.
    pub(super) fn remove(&mut self, position: Position) -> Option<Entry> {
        let Ok(index) = self.line.binary_search_by_key(&position, LineSlot::position) else {
            let entry = self.aside.remove(&position)?;
            self.held_bytes -= entry.message.held();
            return Some(entry);
        };
        let slot = std::mem::replace(self.line.get_mut(index)?, LineSlot::Empty(position));
        let LineSlot::Held(entry) = slot else { return None };
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

    /// Takes an entry of a line that is to be dropped: nothing else is kept true.
    pub(super) fn remove_any(&mut self) -> Option<Entry> {
        while let Some(slot) = self.line.pop_front() {
            if let LineSlot::Held(entry) = slot {
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

    /// Fails if the counts are not those of the entries.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        let empty = self.line.iter().filter(|slot| slot.held().is_none()).count();
        let held_bytes = self.iter().map(|entry| entry.message.held()).sum::<usize>();
        assert_eq!((self.empty, self.held_bytes), (empty, held_bytes), "empty slots, held bytes");
    }

    /// Restores the rule that the line begins with an entry, and gives memory back.
    fn trim(&mut self) {
        while let Some(LineSlot::Empty(_)) = self.line.front() {
            self.line.pop_front();
            self.empty -= 1;
        }
        if self.empty > self.line.len() / 2 + EMPTY_SLOTS_MIN {
            self.line.retain(|slot| matches!(slot, LineSlot::Held(_)));
            self.empty = 0;
        }
        if let Some(fit) = capacity::shrunk(self.line.len(), self.line.capacity()) {
            self.line.shrink_to(fit);
        }
    }
}

impl FromIterator<Entry> for Line {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut line = Self::default();
        entries.into_iter().for_each(|entry| line.insert(entry));
        line
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::message::{Facts, Memory, Message};

    static MEMORY: Memory = Memory::new();

    #[derive(Debug, Clone)]
    enum Step {
        Insert(Position),
        PopHead,
        Remove(Position),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0u64..1_200).prop_map(Step::Insert),
            1 => Just(Step::PopHead),
            2 => (0u64..1_200).prop_map(Step::Remove),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_line_is_a_sorted_map(
            filled in 0u64..1_000,
            steps in prop::collection::vec(step(), 1..1_000),
        ) {
            let shared = Arc::new(Message::new(&MEMORY, "", "q", &[], &[], Facts::default()));
            let mut line = Line::default();
            let mut model = BTreeMap::new();
            let entry = |position| Entry::new(position, shared.clone(), true);
            for position in (0..filled).map(|index| index * 2) {
                line.insert(entry(position));
                model.insert(position, ());
            }
            // An entry that left the middle never comes back.
            let mut gone = std::collections::BTreeSet::new();
            for step in steps {
                match step {
                    Step::Insert(position) => {
                        if !gone.contains(&position) && model.insert(position, ()).is_none() {
                            line.insert(entry(position));
                        }
                    }
                    Step::PopHead => {
                        let popped = line.pop_head().map(|entry| entry.position);
                        prop_assert_eq!(popped, model.pop_first().map(|(position, ())| position));
                    }
                    Step::Remove(position) => {
                        let removed = line.remove(position).map(|entry| entry.position);
                        prop_assert_eq!(removed, model.remove_entry(&position).map(|(p, ())| p));
                        gone.extend(removed);
                    }
                }
                let head = line.head().map(|entry| entry.position);
                prop_assert_eq!(head, model.first_key_value().map(|(position, ())| *position));
                prop_assert_eq!(line.is_empty(), model.is_empty());
                prop_assert_eq!(line.len(), model.len());
                prop_assert_eq!(line.held_bytes(), model.len() * shared.held());
            }
            line.check();
            let mut rest = Vec::new();
            line.drain(|entry| rest.push(entry.position));
            prop_assert_eq!(rest, model.into_keys().collect::<Vec<_>>());
        }
    }
}
