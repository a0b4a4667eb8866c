//! A set of destinations in the order in which they were first seen. One is kept per connection and filled
//! anew for every message, so it holds on to its memory; exchanges keep their bindings' targets in it too.

use rustc_hash::FxHashMap;

use super::Destination;

/// Up to this many members, looking at each is quicker than hashing.
const SCANNED_MAX: usize = 16;

/// Destinations that a message reaches, each once.
pub struct Destinations<D> {
    members: Vec<(u64, D)>,
    /// Where each identity stands in `members`; empty while there are at most `SCANNED_MAX` of them.
    positions: FxHashMap<u64, usize>,
}

impl<D> Default for Destinations<D> {
    fn default() -> Self {
        Destinations { members: Vec::new(), positions: FxHashMap::default() }
    }
}

impl<D: Destination> Destinations<D> {
    /// An empty set, without memory of its own yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a destination at the end. False when it is in the set already.
    pub fn push(&mut self, destination: &D) -> bool {
        self.insert(destination.id(), destination)
    }

    /// The members, in the order in which they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &D> {
        self.members.iter().map(|(_, destination)| destination)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the destination with this identity is in the set.
    pub fn contains(&self, id: u64) -> bool {
        self.position(id).is_some()
    }

    /// Removes all members, and keeps the memory for the next message.
    pub fn clear(&mut self) {
        self.members.clear();
        self.positions.clear();
    }

    /// Takes all members out in order, and keeps the memory for the next message.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = D> {
        self.positions.clear();
        self.members.drain(..).map(|(_, destination)| destination)
    }

    /// Adds every member of `others`.
    pub(super) fn merge(&mut self, others: &Self) {
        for (id, destination) in &others.members {
            self.insert(*id, destination);
        }
    }

    /// Removes one destination; the last one takes its place. False when it is not in the set.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let Some(position) = self.position(id) else { return false };
        self.members.swap_remove(position);
        self.positions.remove(&id);
        if self.members.len() <= SCANNED_MAX {
            self.positions.clear();
        } else if let Some((moved, _)) = self.members.get(position) {
            self.positions.insert(*moved, position);
        }
        if self.members.is_empty() {
            *self = Self::default();
        }
        true
    }

    fn insert(&mut self, id: u64, destination: &D) -> bool {
        if self.contains(id) {
            return false;
        }
        self.members.push((id, destination.clone()));
        let count = self.members.len();
        if count > SCANNED_MAX + 1 {
            self.positions.insert(id, count - 1);
        } else if count == SCANNED_MAX + 1 {
            let members = self.members.iter().enumerate();
            self.positions.extend(members.map(|(position, (id, _))| (*id, position)));
        }
        true
    }

    fn position(&self, id: u64) -> Option<usize> {
        if self.members.len() > SCANNED_MAX {
            self.positions.get(&id).copied()
        } else {
            self.members.iter().position(|(member, _)| *member == id)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::Queue;
    use super::*;

    fn ids(set: &Destinations<Queue>) -> Vec<u64> {
        set.iter().map(Destination::id).collect()
    }

    #[test]
    fn keeps_each_destination_once_in_the_order_first_seen() {
        let mut set = Destinations::new();
        for round in 0..3 {
            for id in (0..40).rev() {
                assert_eq!(set.push(&Queue(id)), round == 0);
            }
        }
        assert_eq!(ids(&set), (0..40).rev().collect::<Vec<_>>());
        assert_eq!(
            set.drain().map(|queue| queue.0).collect::<Vec<_>>(),
            (0..40).rev().collect::<Vec<_>>()
        );
        assert!(set.is_empty() && set.push(&Queue(7)));
    }

    #[test]
    fn a_cleared_set_forgets_everything() {
        let mut set = Destinations::new();
        for id in 0..100 {
            set.push(&Queue(id));
        }
        set.clear();
        assert_eq!(set.len(), 0);
        for id in 0..100 {
            assert!(set.push(&Queue(id)), "{id}");
        }
    }

    proptest! {
        #[test]
        fn pushing_and_removing_agree_with_a_plain_list(
            steps in prop::collection::vec((any::<bool>(), 0u64..60), 0..300),
        ) {
            let mut set = Destinations::new();
            let mut model: Vec<u64> = Vec::new();
            for (push, id) in steps {
                let position = model.iter().position(|member| *member == id);
                if push {
                    prop_assert_eq!(set.push(&Queue(id)), position.is_none());
                    if position.is_none() {
                        model.push(id);
                    }
                } else {
                    prop_assert_eq!(set.remove(id), position.is_some());
                    if let Some(position) = position {
                        model.swap_remove(position);
                    }
                }
                prop_assert_eq!(&ids(&set), &model);
            }
        }
    }
}
