//! The rig that the queue's tests share: a queue with receivers that write down what they get.

mod consuming;
mod expiring;
mod limits;
mod model;
mod random;
mod settling;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::*;
use crate::message::{Facts, Message};

/// A hand-over: to whom, what, and whether it was marked as redelivered.
type Handed = (ConsumerId, Position, bool);

/// A consumer's outbox with room for so many deliveries. All receivers of a rig write into one log.
#[derive(Clone)]
struct Inbox {
    id: ConsumerId,
    state: Rc<RefCell<InboxState>>,
    log: Rc<RefCell<Vec<Handed>>>,
}

struct InboxState {
    room: usize,
    is_gone: bool,
    /// A wake is pending.
    is_woken: bool,
}

impl Inbox {
    fn new(id: ConsumerId, room: usize, log: &Rc<RefCell<Vec<Handed>>>) -> Self {
        let state = InboxState { room, is_gone: false, is_woken: false };
        Self { id, state: Rc::new(RefCell::new(state)), log: log.clone() }
    }
}

impl Receiver for Inbox {
    fn offer(&self, entry: &Entry) -> Offer {
        let mut state = self.state.borrow_mut();
        if state.is_gone {
            return Offer::Gone;
        }
        if state.room == 0 {
            return Offer::Full;
        }
        state.room -= 1;
        self.log.borrow_mut().push((self.id, entry.position, entry.redelivered));
        if std::mem::replace(&mut state.is_woken, true) { Offer::Taken } else { Offer::TakenWake }
    }
}

/// A queue under test, its clock, and what came out of it.
struct Rig {
    queue: Queue<Inbox>,
    fx: Effects<Inbox>,
    log: Rc<RefCell<Vec<Handed>>>,
    now_ms: u64,
    /// The position of the last message.
    last: Position,
}

const ROOMY: usize = usize::MAX;

impl Rig {
    fn new(options: Options) -> Self {
        let now_ms = 1_000;
        Self {
            queue: Queue::new(options, now_ms),
            fx: Effects::default(),
            log: Rc::default(),
            now_ms,
            last: 0,
        }
    }

    /// The next durable entry, of one byte, accepted now.
    fn entry(&mut self) -> Entry {
        self.entry_with(Facts::default(), 1)
    }

    fn entry_with(&mut self, facts: Facts, body_bytes: usize) -> Entry {
        self.last += 1;
        let facts = Facts { accepted_ms: self.now_ms, ..facts };
        Entry::new(self.last, message(facts, body_bytes), true)
    }

    fn append(&mut self, entries: Vec<Entry>) {
        self.queue.append(entries, self.now_ms, &mut self.fx);
    }

    fn publish(&mut self, count: usize) {
        let entries = (0..count).map(|_| self.entry()).collect();
        self.append(entries);
    }

    fn publish_priorities(&mut self, priorities: &[u8]) {
        let with = |priority| Facts { priority, ..Facts::default() };
        let entries = priorities.iter().map(|p| self.entry_with(with(*p), 1)).collect();
        self.append(entries);
    }

    fn publish_expirations(&mut self, expirations: &[Option<u64>]) {
        let with = |expiration_ms| Facts { expiration_ms, ..Facts::default() };
        let entries = expirations.iter().map(|ms| self.entry_with(with(*ms), 1)).collect();
        self.append(entries);
    }

    /// A shared, acknowledging consumer of priority 0 whose outbox has room.
    fn consume(&mut self, id: ConsumerId, prefetch: u32) -> Inbox {
        self.consume_with(id, |s| s.prefetch = prefetch)
    }

    fn consume_with(
        &mut self,
        id: ConsumerId,
        change: impl FnOnce(&mut Subscription<Inbox>),
    ) -> Inbox {
        let receiver = Inbox::new(id, ROOMY, &self.log);
        let mut subscription = subscription(id, receiver.clone());
        change(&mut subscription);
        self.queue.subscribe(subscription, self.now_ms, &mut self.fx).unwrap();
        receiver
    }

    fn ack(&mut self, positions: &[Position]) {
        self.queue.ack(positions, self.now_ms, &mut self.fx);
    }

    fn requeue(&mut self, positions: &[Position]) {
        self.queue.requeue(positions, self.now_ms, &mut self.fx);
    }

    fn get(&mut self, acks: AckMode) -> Option<Position> {
        let got = self.queue.get(acks, self.now_ms, &mut self.fx)?;
        Some(got.entry.position)
    }

    /// Lets time pass, and expires what is due.
    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.queue.expire(self.now_ms, &mut self.fx);
    }

    /// What was handed over since the last call: to whom, and which.
    fn handed(&mut self) -> Vec<(ConsumerId, Position)> {
        self.log.borrow_mut().drain(..).map(|(id, position, _)| (id, position)).collect()
    }

    /// Fetches everything that is ready, in the order in which it comes.
    fn drain(&mut self) -> Vec<Position> {
        std::iter::from_fn(|| self.get(AckMode::Automatic)).collect()
    }

    fn settled(&mut self) -> Vec<Position> {
        std::mem::take(&mut self.fx.settled)
    }

    fn dead(&mut self) -> Vec<(Position, Reason)> {
        self.fx.dead.drain(..).map(|dead| (dead.entry.position, dead.reason)).collect()
    }
}

fn message(facts: Facts, body_bytes: usize) -> Arc<Message> {
    Arc::new(Message::new("".into(), "q", &[], &vec![b'x'; body_bytes], facts))
}

fn subscription(id: ConsumerId, receiver: Inbox) -> Subscription<Inbox> {
    Subscription {
        id,
        receiver,
        prefetch: 0,
        acks: AckMode::Manual,
        exclusive: Exclusivity::Shared,
        priority: 0,
    }
}

fn to(id: ConsumerId, positions: impl IntoIterator<Item = Position>) -> Vec<Pair> {
    positions.into_iter().map(|position| (id, position)).collect()
}

/// A hand-over without its mark.
type Pair = (ConsumerId, Position);
