//! Whose turn it is: for each priority that some consumer has, a ring of those that can take something. However many
//! consumers and priorities there are, each that comes or goes costs a few steps: who leaves a ring stays in it as a gap,
//! and gaps are closed before they outnumber the others.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::subscription::ConsumerId;

/// Gaps, and entries that stand for nothing, are tolerated up to half of all, plus this many.
const GAPS_MIN: usize = 64;

/// A consumer in a ring: its number in the order of subscribing, which is never given again, and its id.
pub(super) type Member = (u64, ConsumerId);

/// All rings of a queue.
#[derive(Default)]
pub(super) struct Rings {
    /// Found by their index, which a consumer keeps. One without members is free.
    rings: Vec<Ring>,
    free: Vec<usize>,
    by_priority: BTreeMap<i32, usize>,
    /// Priorities and indexes of rings that may have somebody in turn, the highest first. Every ring that has somebody
    /// stands in it; what stands in it may have nobody any more.
    busy: BinaryHeap<(i32, usize)>,
    /// Members that were looked at to close gaps.
    #[cfg(test)]
    pub(super) steps: usize,
}

/// The consumers of one priority that can take something, in turn.
struct Ring {
    priority: i32,
    /// Consumers with this priority, in turn or not.
    members: usize,
    turn: VecDeque<Member>,
    /// Of those in `turn`: who was removed.
    gaps: usize,
    /// It stands among the busy ones.
    listed: bool,
}

impl Rings {
    /// Adds a consumer, which is not in turn yet. Returns the index of its ring.
    pub(super) fn join(&mut self, priority: i32) -> usize {
        let Self { rings, free, by_priority, .. } = self;
        let index = *by_priority.entry(priority).or_insert_with(|| {
            let ring = Ring { priority, members: 0, turn: VecDeque::new(), gaps: 0, listed: false };
            match free.pop() {
                Some(index) => {
                    rings[index] = ring;
                    index
                }
                None => {
                    rings.push(ring);
                    rings.len() - 1
                }
            }
        });
        self.rings[index].members += 1;
        index
    }

    /// Removes a consumer, which may be in turn. `is_there` says who was not removed.
    pub(super) fn leave(&mut self, index: usize, in_turn: bool, is_there: impl Fn(Member) -> bool) {
        let ring = &mut self.rings[index];
        ring.members -= 1;
        ring.gaps += usize::from(in_turn);
        if ring.members == 0 {
            self.by_priority.remove(&ring.priority);
            ring.turn = VecDeque::new();
            ring.gaps = 0;
            self.free.push(index);
            self.sweep();
        } else if ring.gaps > ring.turn.len() / 2 + GAPS_MIN {
            #[cfg(test)]
            {
                self.steps += ring.turn.len();
            }
            ring.turn.retain(|member| is_there(*member));
            ring.gaps = 0;
        }
    }

    /// Puts a consumer at the end of its ring.
    pub(super) fn push(&mut self, index: usize, member: Member) {
        let ring = &mut self.rings[index];
        ring.turn.push_back(member);
        if !std::mem::replace(&mut ring.listed, true) {
            self.busy.push((ring.priority, index));
        }
    }

    /// Who is next, and whether nobody else is in that ring. `is_there` says who was not removed.
    pub(super) fn first(&mut self, is_there: impl Fn(Member) -> bool) -> Option<(Member, bool)> {
        loop {
            let (priority, index) = *self.busy.peek()?;
            let ring = &mut self.rings[index];
            while ring.gaps > 0
                && let Some(member) = ring.turn.front()
                && !is_there(*member)
            {
                ring.turn.pop_front();
                ring.gaps -= 1;
            }
            // The index may be that of another ring by now, which stands for itself.
            if ring.priority == priority {
                if let Some(member) = ring.turn.front() {
                    return Some((*member, ring.turn.len() - ring.gaps == 1));
                }
                ring.listed = false;
            }
            self.busy.pop();
        }
    }

    /// Takes who is next, right after [`Rings::first`] has said so. Returns the index of the ring.
    pub(super) fn pop(&mut self) -> Option<(usize, Member)> {
        let (_, index) = *self.busy.peek()?;
        Some((index, self.rings[index].turn.pop_front()?))
    }

    /// Forgets that rings were busy which are no more.
    fn sweep(&mut self) {
        if self.busy.len() <= 2 * self.by_priority.len() + GAPS_MIN {
            return;
        }
        #[cfg(test)]
        {
            self.steps += self.busy.len();
        }
        self.busy.clear();
        for (priority, index) in &self.by_priority {
            let ring = &mut self.rings[*index];
            ring.listed = !ring.turn.is_empty();
            if ring.listed {
                self.busy.push((*priority, *index));
            }
        }
    }
}
