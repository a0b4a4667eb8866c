//! The unacknowledged deliveries of one channel, by delivery tag (specification 1.8.3.13).

use std::collections::VecDeque;

use crate::message::Position;

/// One delivery that the client has yet to settle. `Q` is the queue that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unacked<Q> {
    /// The delivery tag, unique on its channel.
    pub tag: u64,
    /// The queue that holds the message.
    pub queue: Q,
    /// The message's position in that queue.
    pub position: Position,
    /// Bytes of its body.
    pub body_bytes: u64,
}

/// Unacknowledged deliveries in the order of their tags. Settling the oldest, the newest or a prefix costs
/// nothing; one in the middle leaves a gap that is closed when gaps outnumber what is left.
#[derive(Debug)]
pub(super) struct UnackedByTag<Q> {
    slots: VecDeque<(u64, Option<Unacked<Q>>)>,
    live: usize,
    body_bytes: u64,
}

impl<Q> Default for UnackedByTag<Q> {
    fn default() -> Self {
        Self { slots: VecDeque::new(), live: 0, body_bytes: 0 }
    }
}

/// Gaps beyond the number of live deliveries that are tolerated before they are closed.
const GAPS_MAX: usize = 64;

/// Debug builds count anew what is counted by hand, where there are at most so many slots.
#[cfg(debug_assertions)]
const RECOUNTED_MAX: usize = 32;

impl<Q> UnackedByTag<Q> {
    /// How many deliveries are unacknowledged.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Bytes of the bodies of those.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Records a delivery; its tag is higher than every earlier one.
    pub fn push(&mut self, unacked: Unacked<Q>) {
        self.body_bytes += unacked.body_bytes;
        self.slots.push_back((unacked.tag, Some(unacked)));
        self.live += 1;
    }

    /// Takes the delivery with this tag, if it is unacknowledged.
    pub fn take_one(&mut self, tag: u64) -> Option<Unacked<Q>> {
        let index = self.find(tag)?;
        let taken = self.slots[index].1.take()?;
        self.live -= 1;
        self.body_bytes -= taken.body_bytes;
        self.close_gaps();
        Some(taken)
    }

    /// Takes all deliveries up to and including this tag into `into`; none when the tag itself is not
    /// unacknowledged. Tag 0 stands for all of them, even when there are none. Returns whether the tag
    /// was known.
    pub fn take_through(&mut self, tag: u64, into: &mut Vec<Unacked<Q>>) -> bool {
        let end = if tag == 0 {
            self.slots.len()
        } else {
            match self.find(tag) {
                Some(index) if self.slots[index].1.is_some() => index + 1,
                _ => return false,
            }
        };
        let before = into.len();
        into.extend(self.slots.drain(..end).filter_map(|slot| slot.1));
        self.live -= into.len() - before;
        self.body_bytes -= into[before..].iter().map(|one| one.body_bytes).sum::<u64>();
        self.close_gaps();
        true
    }

    /// Where the slot of this tag is.
    #[inline]
    fn find(&self, tag: u64) -> Option<usize> {
        let first = self.slots.front()?.0;
        // Unless others on this channel are not acknowledged, the tags of its deliveries follow each other.
        let place = usize::try_from(tag.checked_sub(first)?).ok()?;
        if self.slots.get(place).is_some_and(|slot| slot.0 == tag) {
            return Some(place);
        }
        self.slots.binary_search_by_key(&tag, |slot| slot.0).ok()
    }

    /// Takes everything.
    pub fn take_all(&mut self) -> Vec<Unacked<Q>> {
        let mut all = Vec::with_capacity(self.live);
        self.take_through(0, &mut all);
        self.slots = VecDeque::new();
        all
    }

    /// Puts back what was taken, in any order: a transaction that held them was rolled back.
    pub fn restore(&mut self, mut unacked: Vec<Unacked<Q>>) {
        unacked.sort_unstable_by_key(|one| one.tag);
        self.live += unacked.len();
        self.body_bytes += unacked.iter().map(|one| one.body_bytes).sum::<u64>();
        let mut slots = VecDeque::with_capacity(self.slots.len() + unacked.len());
        let mut back = unacked.into_iter().map(|one| (one.tag, Some(one))).peekable();
        for slot in self.slots.drain(..) {
            slots.extend(std::iter::from_fn(|| back.next_if(|one| one.0 < slot.0)));
            // What was taken may have left its slot behind.
            slots.push_back(back.next_if(|one| one.0 == slot.0).unwrap_or(slot));
        }
        slots.extend(back);
        self.slots = slots;
    }

    fn close_gaps(&mut self) {
        #[cfg(debug_assertions)]
        if self.slots.len() <= RECOUNTED_MAX {
            self.check();
        }
        while matches!(self.slots.front(), Some((_, None))) {
            self.slots.pop_front();
        }
        if self.slots.len() > 2 * self.live + GAPS_MAX {
            self.slots.retain(|slot| slot.1.is_some());
            self.slots.shrink_to(2 * self.live + GAPS_MAX);
        }
    }
}

#[cfg(debug_assertions)]
impl<Q> UnackedByTag<Q> {
    /// Fails if the counts are not those of the deliveries.
    fn check(&self) {
        let all = || self.slots.iter().filter_map(|slot| slot.1.as_ref());
        let body_bytes = all().map(|one| one.body_bytes).sum::<u64>();
        assert_eq!((self.live, self.body_bytes), (all().count(), body_bytes), "deliveries, bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unacked(tags: &[u64]) -> UnackedByTag<()> {
        let mut unacked = UnackedByTag::default();
        for &tag in tags {
            unacked.push(Unacked { tag, queue: (), position: tag * 10, body_bytes: tag });
        }
        unacked
    }

    fn take_through(unacked: &mut UnackedByTag<()>, tag: u64) -> Option<Vec<u64>> {
        let mut taken = Vec::new();
        unacked.take_through(tag, &mut taken).then(|| taken.iter().map(|one| one.tag).collect())
    }

    #[test]
    fn a_tag_is_settled_once() {
        let mut unacked = unacked(&[1, 2, 4]);
        assert_eq!(unacked.take_one(2).map(|one| one.position), Some(20));
        assert_eq!(unacked.take_one(2), None);
        assert_eq!(unacked.take_one(3), None);
        assert_eq!((unacked.len(), unacked.body_bytes()), (2, 5));
    }

    #[test]
    fn multiple_takes_the_tag_and_all_before_it() {
        let mut unacked = unacked(&[1, 2, 3, 5]);
        unacked.take_one(1);
        assert_eq!(take_through(&mut unacked, 3), Some(vec![2, 3]));
        assert_eq!(take_through(&mut unacked, 3), None);
        assert_eq!(take_through(&mut unacked, 9), None);
        assert_eq!((unacked.len(), unacked.body_bytes()), (1, 5));
    }

    #[test]
    fn multiple_with_tag_zero_takes_all_and_may_find_none() {
        let mut unacked = unacked(&[1, 2]);
        assert_eq!(take_through(&mut unacked, 0), Some(vec![1, 2]));
        assert_eq!(take_through(&mut unacked, 0), Some(vec![]));
    }

    #[test]
    fn a_rolled_back_settlement_stands_where_it_was() {
        let mut unacked = unacked(&[1, 2, 3]);
        let one = unacked.take_one(1);
        let two = unacked.take_one(2);
        assert_eq!(unacked.body_bytes(), 3);
        unacked.restore(two.into_iter().chain(one).collect());
        assert_eq!(take_through(&mut unacked, 3), Some(vec![1, 2, 3]));
        assert_eq!((unacked.len(), unacked.body_bytes()), (0, 0));
    }

    #[test]
    fn what_is_rolled_back_goes_between_what_is_there_and_into_gaps() {
        let mut unacked = unacked(&[1, 2, 3, 4, 5, 6, 7]);
        let mut taken: Vec<_> =
            [2, 4, 7].into_iter().filter_map(|tag| unacked.take_one(tag)).collect();
        unacked.take_one(5);
        assert_eq!(take_through(&mut unacked, 1), Some(vec![1]));
        taken.reverse();
        unacked.restore(taken);
        assert_eq!((unacked.len(), unacked.body_bytes()), (5, 22));
        assert_eq!(take_through(&mut unacked, 0), Some(vec![2, 3, 4, 6, 7]));
        assert_eq!((unacked.len(), unacked.body_bytes()), (0, 0));
    }

    #[test]
    fn gaps_behind_one_old_delivery_do_not_pile_up() {
        let mut unacked = unacked(&[1]);
        for tag in 2..10_000 {
            unacked.push(Unacked { tag, queue: (), position: tag, body_bytes: tag });
            unacked.take_one(tag);
        }
        assert_eq!(unacked.len(), 1);
        assert!(unacked.slots.len() <= 2 + GAPS_MAX);
    }
}
