//! Who consumes from the queue, with how much credit, and whose turn it is. A consumer that can take nothing
//! stands outside the rotation, so that dispatch never meets it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, btree_map};

use rustc_hash::FxHashMap;

use super::rings::{Member, Rings};
use super::subscription::{ConsumerId, ConsumerState, Exclusivity, SubscribeError, Subscription};
use crate::message::AckMode;

struct Consumer<R> {
    receiver: R,
    acks: AckMode,
    prefetch: u32,
    exclusive: Exclusivity,
    priority: i32,
    unacknowledged: u32,
    /// Its number in the order of subscribing.
    joined: u64,
    availability: Availability,
    /// The ring of its priority.
    ring: usize,
}

/// Why a consumer is in the rotation or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Availability {
    /// In the rotation.
    InTurn,
    /// Out of credit, or waiting to become the single active one.
    Idle,
    /// Its receiver was full.
    Blocked,
    /// Its connection is closing.
    Gone,
}

impl<R> Consumer<R> {
    /// How many messages it may still be handed.
    fn credit(&self) -> u32 {
        if self.acks == AckMode::Automatic || self.prefetch == 0 {
            u32::MAX
        } else {
            self.prefetch.saturating_sub(self.unacknowledged)
        }
    }
}

/// The consumer whose turn it is.
pub(super) struct ConsumerTurn<'a, R> {
    pub(super) id: ConsumerId,
    pub(super) receiver: &'a R,
    pub(super) acks: AckMode,
    /// How many messages it may be handed before it is another's turn.
    pub(super) most: u32,
}

/// How a turn ends.
pub(super) enum TurnEnd {
    /// The consumer got what it may, or all there is.
    Over,
    /// It has no room for the next message.
    Full,
    /// It is going away.
    Gone,
}

/// All consumers of a queue.
pub(super) struct Consumers<R> {
    by_id: FxHashMap<ConsumerId, Consumer<R>>,
    /// In the order in which they subscribed.
    in_order: BTreeMap<u64, ConsumerId>,
    rings: Rings,
    joined: u64,
    choice: Choice,
    /// While this is not 0 it is nobody's turn.
    holds: u32,
}

/// Who may be served at all.
enum Choice {
    Everybody,
    /// One, and after it the others by priority and in the order in which they came.
    Single {
        active: Option<ConsumerId>,
        line: BTreeSet<(Reverse<i32>, u64, ConsumerId)>,
    },
}

impl<R> Consumers<R> {
    pub(super) fn new(single_active: bool) -> Self {
        Self {
            by_id: FxHashMap::default(),
            in_order: BTreeMap::new(),
            rings: Rings::default(),
            joined: 0,
            choice: if single_active {
                Choice::Single { active: None, line: BTreeSet::new() }
            } else {
                Choice::Everybody
            },
            holds: 0,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.by_id.len() as u64
    }

    pub(super) fn add(&mut self, subscription: Subscription<R>) -> Result<(), SubscribeError> {
        let Subscription { id, receiver, prefetch, acks, exclusive, priority } = subscription;
        let taken = self.by_id.values().next().is_some_and(|first| {
            exclusive == Exclusivity::Exclusive || first.exclusive == Exclusivity::Exclusive
        });
        let single = matches!(self.choice, Choice::Single { .. });
        if taken || single && exclusive == Exclusivity::Exclusive {
            return Err(SubscribeError::ExclusiveInUse);
        }
        self.joined += 1;
        let (joined, availability) = (self.joined, Availability::Idle);
        let consumer = Consumer {
            receiver,
            acks,
            prefetch,
            exclusive,
            priority,
            unacknowledged: 0,
            joined,
            availability,
            ring: self.rings.join(priority),
        };
        self.by_id.insert(id, consumer);
        self.in_order.insert(joined, id);
        if let Choice::Single { line, .. } = &mut self.choice {
            line.insert((Reverse(priority), joined, id));
        }
        self.choose();
        self.activate(id);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: ConsumerId) -> Option<R> {
        let consumer = self.by_id.remove(&id)?;
        self.in_order.remove(&consumer.joined);
        let by_id = &self.by_id;
        let in_turn = consumer.availability == Availability::InTurn;
        self.rings.leave(consumer.ring, in_turn, |member| is_there(by_id, member));
        if let Choice::Single { active, line } = &mut self.choice {
            line.remove(&(Reverse(consumer.priority), consumer.joined, id));
            if *active == Some(id) {
                *active = None;
                self.choose();
            }
        }
        Some(consumer.receiver)
    }

    /// Removes everybody, in one move however many there are.
    pub(super) fn take_all(&mut self) -> RemovedConsumers<R> {
        self.rings = Rings::default();
        if let Choice::Single { active, line } = &mut self.choice {
            (*active, *line) = (None, BTreeSet::new());
        }
        let in_order = std::mem::take(&mut self.in_order).into_values();
        RemovedConsumers { by_id: std::mem::take(&mut self.by_id), in_order }
    }

    /// Nobody has a turn until [`Consumers::let_go`] was called as often as this.
    pub(super) fn hold(&mut self) {
        self.holds += 1;
    }

    pub(super) fn let_go(&mut self) {
        debug_assert!(self.holds > 0, "consumers are released that nobody holds");
        self.holds = self.holds.saturating_sub(1);
    }

    pub(super) fn are_held(&self) -> bool {
        self.holds > 0
    }

    /// Whose turn it is, if anybody can take something.
    pub(super) fn next(&mut self) -> Option<ConsumerTurn<'_, R>> {
        if self.holds > 0 {
            return None;
        }
        let by_id = &self.by_id;
        let ((_, id), is_alone) = self.rings.first(|member| is_there(by_id, member))?;
        let consumer = self.by_id.get(&id)?;
        let most = if is_alone { consumer.credit() } else { 1 };
        Some(ConsumerTurn { id, receiver: &consumer.receiver, acks: consumer.acks, most })
    }

    /// Whoever is next has taken so many messages, and its turn has ended. A consumer that was full leaves the rotation
    /// until [`Consumers::unblock`], one that is going away for good.
    pub(super) fn end_turn(&mut self, taken: u32, end: TurnEnd) {
        self.advance(taken);
        // One that was alone in its ring is in front of it again.
        match end {
            TurnEnd::Over => {}
            TurnEnd::Full => self.set_aside(Availability::Blocked),
            TurnEnd::Gone => self.set_aside(Availability::Gone),
        }
    }

    /// Whoever is next goes to the end of its ring, or leaves it when its credit is spent.
    fn advance(&mut self, taken: u32) {
        if taken == 0 {
            return;
        }
        let Some((ring, member)) = self.rings.pop() else { return };
        let Some(consumer) = self.by_id.get_mut(&member.1) else { return };
        if consumer.acks == AckMode::Manual {
            consumer.unacknowledged = consumer.unacknowledged.saturating_add(taken);
        }
        if consumer.credit() > 0 {
            self.rings.push(ring, member);
        } else {
            consumer.availability = Availability::Idle;
        }
    }

    /// Its receiver can take something again.
    pub(super) fn unblock(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.by_id.get_mut(&id)
            && consumer.availability == Availability::Blocked
        {
            consumer.availability = Availability::Idle;
            self.activate(id);
        }
    }

    /// One of its messages was settled.
    pub(super) fn give_credit(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            debug_assert!(
                consumer.unacknowledged > 0,
                "a consumer gives back what it does not hold"
            );
            consumer.unacknowledged = consumer.unacknowledged.saturating_sub(1);
            self.activate(id);
        }
    }

    pub(super) fn states(&self) -> Vec<ConsumerState> {
        self.in_order().map(|(id, consumer)| self.state(id, consumer)).collect()
    }

    fn in_order(&self) -> impl Iterator<Item = (ConsumerId, &Consumer<R>)> {
        self.in_order.values().filter_map(|id| Some((*id, self.by_id.get(id)?)))
    }

    fn state(&self, id: ConsumerId, consumer: &Consumer<R>) -> ConsumerState {
        ConsumerState {
            id,
            prefetch: consumer.prefetch,
            acks: consumer.acks,
            exclusive: consumer.exclusive,
            priority: consumer.priority,
            active: self.is_chosen(id),
            unacknowledged: consumer.unacknowledged,
        }
    }

    /// Puts a consumer into the rotation, at its end, if nothing keeps it out.
    fn activate(&mut self, id: ConsumerId) {
        if !self.is_chosen(id) {
            return;
        }
        let Some(consumer) = self.by_id.get_mut(&id) else { return };
        if consumer.availability != Availability::Idle || consumer.credit() == 0 {
            return;
        }
        consumer.availability = Availability::InTurn;
        self.rings.push(consumer.ring, (consumer.joined, id));
    }

    fn set_aside(&mut self, availability: Availability) {
        // Consumers that were removed may stand before it.
        let by_id = &self.by_id;
        if self.rings.first(|member| is_there(by_id, member)).is_none() {
            return;
        }
        let Some((_, (_, id))) = self.rings.pop() else { return };
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.availability = availability;
        }
    }

    /// Names a single active consumer if one is wanted and missing: of the highest priority the one who
    /// came first.
    fn choose(&mut self) {
        if let Choice::Single { active: active @ None, line } = &mut self.choice
            && let Some((_, _, id)) = line.first()
        {
            let id = *id;
            *active = Some(id);
            self.activate(id);
        }
    }

    fn is_chosen(&self, id: ConsumerId) -> bool {
        match self.choice {
            Choice::Everybody => true,
            Choice::Single { active, .. } => active == Some(id),
        }
    }
}

/// Whether this member of a ring is still a consumer.
fn is_there<R>(by_id: &FxHashMap<ConsumerId, Consumer<R>>, (joined, id): Member) -> bool {
    by_id.get(&id).is_some_and(|consumer| consumer.joined == joined)
}

impl<R: Clone> Consumers<R> {
    /// Everybody with their receivers, in the order in which they subscribed.
    pub(super) fn receivers(&self) -> Vec<(ConsumerState, R)> {
        self.in_order()
            .map(|(id, consumer)| (self.state(id, consumer), consumer.receiver.clone()))
            .collect()
    }
}

/// The consumers of a queue that was deleted, in the order in which they subscribed.
pub struct RemovedConsumers<R> {
    by_id: FxHashMap<ConsumerId, Consumer<R>>,
    in_order: btree_map::IntoValues<u64, ConsumerId>,
}

impl<R> Iterator for RemovedConsumers<R> {
    type Item = (ConsumerId, R);

    fn next(&mut self) -> Option<Self::Item> {
        let id = self.in_order.next()?;
        Some((id, self.by_id.remove(&id)?.receiver))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.in_order.size_hint()
    }
}

impl<R> std::fmt::Debug for RemovedConsumers<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemovedConsumers")
            .field("consumers", &self.by_id.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u64 = 20_000;

    fn crowd(single_active: bool, priority: impl Fn(u64) -> i32) -> Consumers<()> {
        let mut consumers = Consumers::new(single_active);
        for id in 1..=COUNT {
            let subscription = Subscription {
                id,
                receiver: (),
                prefetch: 1,
                acks: AckMode::Manual,
                exclusive: Exclusivity::Shared,
                priority: priority(id),
            };
            consumers.add(subscription).unwrap();
        }
        consumers.rings.steps = 0;
        consumers
    }

    /// What it takes for all to leave, in this order, while the others have their turns.
    fn steps(mut consumers: Consumers<()>, order: impl Iterator<Item = u64>) -> usize {
        for (left, id) in order.enumerate() {
            assert!(consumers.remove(id).is_some());
            let next = consumers.next().map(|turn| turn.id);
            assert_eq!(
                next.is_some(),
                (left as u64) < COUNT - 1,
                "somebody has a turn as long as anybody is there"
            );
        }
        consumers.rings.steps
    }

    #[test]
    fn that_one_of_many_consumers_leaves_costs_a_few_steps_however_many_there_are() {
        for (name, factor) in [("equal", 0), ("rising", 1), ("falling", -1)] {
            let priority = |id: u64| factor * id as i32;
            for single_active in [false, true] {
                let crowd = || crowd(single_active, priority);
                let taken = [
                    steps(crowd(), 1..=COUNT),
                    steps(crowd(), (1..=COUNT).rev()),
                    steps(crowd(), (0..COUNT).map(|n| n * 7_919 % COUNT + 1)),
                ];
                let most = taken.into_iter().max().unwrap();
                assert!(most <= 8 * COUNT as usize, "{name} {single_active}: {taken:?} steps");
            }
        }
    }
}
