//! Who consumes from the queue, with how much credit, and whose turn it is. A consumer that can take nothing
//! stands outside the rotation, so that dispatch never meets it.

use std::cmp::Reverse;
use std::collections::VecDeque;

use rustc_hash::FxHashMap;

/// A consumer's number, unique in the broker.
pub type ConsumerId = u64;

/// A request to consume.
#[derive(Debug, Clone)]
pub struct Subscription<R> {
    /// Its number.
    pub id: ConsumerId,
    /// Its way into its outbox.
    pub receiver: R,
    /// How many messages it may hold unacknowledged; 0 for no limit. Without meaning for [`AckMode::Automatic`].
    pub prefetch: u32,
    /// Whether it acknowledges.
    pub acks: AckMode,
    /// Whether it wants the queue for itself.
    pub exclusive: Exclusivity,
    /// `x-priority`: consumers of a lower priority get what those of a higher one cannot take.
    pub priority: i32,
}

/// Whether a delivery is to be acknowledged (specification: the `no-ack` bit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckMode {
    /// The consumer acknowledges.
    Manual,
    /// A message counts as acknowledged when it is handed out.
    Automatic,
}

/// Whether a consumer suffers others beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusivity {
    /// It does.
    Shared,
    /// It wants to be the only one.
    Exclusive,
}

/// Why a consumer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// It wants to be the only one and is not, or somebody else is; or it wants that on a queue with a single
    /// active consumer, where RabbitMQ refuses it likewise. 403 on the wire.
    #[error("exclusive use is not possible")]
    ExclusiveInUse,
    /// The queue was deleted in the meantime. 404 on the wire.
    #[error("the queue is gone")]
    Closed,
}

/// A consumer as an operator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerState {
    /// Its number.
    pub id: ConsumerId,
    /// How many messages it may hold unacknowledged; 0 for no limit.
    pub prefetch: u32,
    /// Whether it acknowledges.
    pub acks: AckMode,
    /// Whether it is the only one by its own wish.
    pub exclusive: Exclusivity,
    /// Its priority.
    pub priority: i32,
    /// Whether it may get messages: false while it waits behind a single active consumer.
    pub active: bool,
    /// How many messages it holds.
    pub unacknowledged: u32,
}

struct Consumer<R> {
    receiver: R,
    acks: AckMode,
    prefetch: u32,
    exclusive: Exclusivity,
    priority: i32,
    unacknowledged: u32,
    /// Its number in the order of subscribing.
    joined: u64,
    standing: Standing,
}

/// Why a consumer is in the rotation or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// In the rotation.
    InTurn,
    /// Out of credit, or waiting to become the single active one.
    Idle,
    /// Its receiver was full.
    Parked,
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
pub(super) struct Turn<'a, R> {
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
    /// One for each priority that somebody has, the highest first.
    rings: Vec<Ring>,
    /// The first ring that may have anybody in it.
    first: usize,
    joined: u64,
    choice: Choice,
}

/// The consumers of one priority that can take something, in turn.
struct Ring {
    priority: i32,
    /// Consumers with this priority, in turn or not.
    members: usize,
    turn: VecDeque<ConsumerId>,
}

/// Who may be served at all.
enum Choice {
    Everybody,
    Single(Option<ConsumerId>),
}

impl<R> Consumers<R> {
    pub(super) fn new(single_active: bool) -> Self {
        Self {
            by_id: FxHashMap::default(),
            rings: Vec::new(),
            first: 0,
            joined: 0,
            choice: if single_active { Choice::Single(None) } else { Choice::Everybody },
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
        let single = matches!(self.choice, Choice::Single(_));
        if taken || single && exclusive == Exclusivity::Exclusive {
            return Err(SubscribeError::ExclusiveInUse);
        }
        self.joined += 1;
        let (joined, standing) = (self.joined, Standing::Idle);
        let consumer = Consumer {
            receiver,
            acks,
            prefetch,
            exclusive,
            priority,
            unacknowledged: 0,
            joined,
            standing,
        };
        self.by_id.insert(id, consumer);
        match self.rings.binary_search_by_key(&Reverse(priority), |ring| Reverse(ring.priority)) {
            Ok(index) => self.rings[index].members += 1,
            Err(index) => {
                self.rings.insert(index, Ring { priority, members: 1, turn: VecDeque::new() });
                self.first = 0;
            }
        }
        self.choose();
        self.rouse(id);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: ConsumerId) -> Option<R> {
        let consumer = self.by_id.remove(&id)?;
        if let Some(index) = self.ring_of(consumer.priority) {
            let ring = &mut self.rings[index];
            ring.members -= 1;
            ring.turn.retain(|other| *other != id);
            if ring.members == 0 {
                self.rings.remove(index);
                self.first = 0;
            }
        }
        if let Choice::Single(active) = &mut self.choice
            && *active == Some(id)
        {
            *active = None;
            self.choose();
        }
        Some(consumer.receiver)
    }

    /// Removes everybody, in the order in which they subscribed.
    pub(super) fn drain(&mut self) -> Vec<(ConsumerId, R)> {
        let mut all: Vec<_> = std::mem::take(&mut self.by_id).into_iter().collect();
        all.sort_unstable_by_key(|(_, consumer)| consumer.joined);
        self.rings = Vec::new();
        self.first = 0;
        if let Choice::Single(active) = &mut self.choice {
            *active = None;
        }
        all.into_iter().map(|(id, consumer)| (id, consumer.receiver)).collect()
    }

    /// Whose turn it is, if anybody can take something.
    pub(super) fn next(&mut self) -> Option<Turn<'_, R>> {
        while self.rings.get(self.first)?.turn.is_empty() {
            self.first += 1;
        }
        let ring = &self.rings.get(self.first)?.turn;
        let id = *ring.front()?;
        let consumer = self.by_id.get(&id)?;
        let most = if ring.len() == 1 { consumer.credit() } else { 1 };
        Some(Turn { id, receiver: &consumer.receiver, acks: consumer.acks, most })
    }

    /// Whoever is next has taken so many messages, and its turn has ended. A consumer that was full leaves the rotation
    /// until [`Consumers::unpark`], one that is going away for good.
    pub(super) fn end_turn(&mut self, taken: u32, end: TurnEnd) {
        self.advance(taken);
        // One that was alone in its ring is in front of it again.
        match end {
            TurnEnd::Over => {}
            TurnEnd::Full => self.set_aside(Standing::Parked),
            TurnEnd::Gone => self.set_aside(Standing::Gone),
        }
    }

    /// Whoever is next goes to the end of its ring, or leaves it when its credit is spent.
    fn advance(&mut self, taken: u32) {
        if taken == 0 {
            return;
        }
        let Some(ring) = self.rings.get_mut(self.first) else { return };
        let Some(id) = ring.turn.pop_front() else { return };
        let Some(consumer) = self.by_id.get_mut(&id) else { return };
        if consumer.acks == AckMode::Manual {
            consumer.unacknowledged = consumer.unacknowledged.saturating_add(taken);
        }
        if consumer.credit() > 0 {
            ring.turn.push_back(id);
        } else {
            consumer.standing = Standing::Idle;
        }
    }

    /// Its receiver can take something again.
    pub(super) fn unpark(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.by_id.get_mut(&id)
            && consumer.standing == Standing::Parked
        {
            consumer.standing = Standing::Idle;
            self.rouse(id);
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
            self.rouse(id);
        }
    }

    pub(super) fn states(&self) -> Vec<ConsumerState> {
        self.in_order().into_iter().map(|(id, consumer)| self.state(id, consumer)).collect()
    }

    fn in_order(&self) -> Vec<(ConsumerId, &Consumer<R>)> {
        let mut all: Vec<_> = self.by_id.iter().map(|(id, consumer)| (*id, consumer)).collect();
        all.sort_unstable_by_key(|(_, consumer)| consumer.joined);
        all
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
    fn rouse(&mut self, id: ConsumerId) {
        if !self.is_chosen(id) {
            return;
        }
        let Some(consumer) = self.by_id.get_mut(&id) else { return };
        if consumer.standing != Standing::Idle || consumer.credit() == 0 {
            return;
        }
        consumer.standing = Standing::InTurn;
        let priority = consumer.priority;
        if let Some(index) = self.ring_of(priority) {
            self.rings[index].turn.push_back(id);
            self.first = self.first.min(index);
        }
    }

    fn set_aside(&mut self, standing: Standing) {
        let Some(ring) = self.rings.get_mut(self.first) else { return };
        let Some(id) = ring.turn.pop_front() else { return };
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.standing = standing;
        }
    }

    /// Names a single active consumer if one is wanted and missing: of the highest priority the one who
    /// came first.
    fn choose(&mut self) {
        if !matches!(self.choice, Choice::Single(None)) {
            return;
        }
        let best = self
            .by_id
            .iter()
            .min_by_key(|(_, consumer)| (Reverse(consumer.priority), consumer.joined));
        if let Some(id) = best.map(|(id, _)| *id) {
            self.choice = Choice::Single(Some(id));
            self.rouse(id);
        }
    }

    fn is_chosen(&self, id: ConsumerId) -> bool {
        match self.choice {
            Choice::Everybody => true,
            Choice::Single(active) => active == Some(id),
        }
    }

    fn ring_of(&self, priority: i32) -> Option<usize> {
        self.rings.binary_search_by_key(&Reverse(priority), |ring| Reverse(ring.priority)).ok()
    }
}

impl<R: Clone> Consumers<R> {
    /// Everybody with their receivers, in the order in which they subscribed.
    pub(super) fn receivers(&self) -> Vec<(ConsumerState, R)> {
        let all = self.in_order().into_iter();
        all.map(|(id, consumer)| (self.state(id, consumer), consumer.receiver.clone())).collect()
    }
}
