//! The rig that the queue's tests share: a queue with receivers that write down what they get.

mod consuming;
mod expiring;
mod limits;
mod model;
mod order;
mod paging;
mod random;
mod reconfiguring;
mod settling;
mod slices;

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::*;
use crate::message::{Facts, Memory, Message};
use crate::queue::state::DEATHS_PER_CALL;

static MEMORY: Memory = Memory::new();

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

/// Holds the inbox, so that opening a second way would panic.
struct InboxWay<'a> {
    inbox: &'a Inbox,
    state: RefMut<'a, InboxState>,
}

impl Receiver for Inbox {
    type Way<'a> = InboxWay<'a>;

    fn open(&self) -> InboxWay<'_> {
        InboxWay { inbox: self, state: self.state.borrow_mut() }
    }
}

impl Way for InboxWay<'_> {
    fn offer(&mut self, entry: &Entry) -> Offer {
        let Self { inbox, state } = self;
        if state.is_gone {
            return Offer::Gone;
        }
        if state.room == 0 {
            return Offer::Full;
        }
        state.room -= 1;
        inbox.log.borrow_mut().push((inbox.id, entry.position, entry.redelivered));
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
    /// Durable messages as a journal would give them back.
    journal: HashMap<Position, (Arc<Message>, u32)>,
    was_loaded: bool,
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
            journal: HashMap::new(),
            was_loaded: false,
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
        for entry in entries.iter().filter(|entry| entry.durable) {
            self.journal.insert(entry.position, (entry.message.clone(), 0));
        }
        self.queue.append(entries, self.now_ms, &mut self.fx);
    }

    fn publish(&mut self, count: usize) {
        let mut entries: Vec<_> = (0..count).map(|_| self.entry()).collect();
        for entry in &mut entries {
            entry.reservation = self.queue.reserve(&entry.message).expect("the queue refuses");
        }
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
        loop {
            match self.queue.get(acks, self.now_ms, &mut self.fx) {
                GetOutcome::Got(got) => return Some(got.entry.position),
                GetOutcome::Empty | GetOutcome::Gone => return None,
                GetOutcome::Later => assert!(self.page(), "nothing is on its way"),
            }
        }
    }

    /// Fetches the head, which is in memory.
    fn fetch(&mut self) -> Got {
        match self.queue.get(AckMode::Manual, self.now_ms, &mut self.fx) {
            GetOutcome::Got(got) => got,
            other => panic!("{other:?}"),
        }
    }

    /// Evicts what may be, and loads what is asked for, until there is nothing of either. Returns whether anything was
    /// loaded.
    fn page(&mut self) -> bool {
        let mut paged = false;
        while !(self.fx.evictable.is_empty() && self.fx.load_requests.is_empty()) {
            paged |= !self.fx.load_requests.is_empty();
            for id in std::mem::take(&mut self.fx.evictable) {
                self.queue.evicted(id);
            }
            for request in std::mem::take(&mut self.fx.load_requests) {
                self.load(request);
            }
        }
        paged
    }

    /// What the journal has of what was asked for is loaded. Returns the number of messages that are lost.
    fn load(&mut self, request: LoadRequest) -> u64 {
        self.was_loaded = true;
        for (position, returns) in &self.fx.returned {
            if let Some(kept) = self.journal.get_mut(position) {
                kept.1 = *returns;
            }
        }
        let messages = request.positions.iter().filter_map(|position| {
            let (message, returns) = self.journal.get(position)?.clone();
            Some(LoadedMessage { position: *position, message, returns })
        });
        let messages = messages.collect();
        self.queue.loaded(request.span, messages, self.now_ms, &mut self.fx)
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

    fn purge(&mut self) -> u64 {
        let purged = self.queue.purge(&mut self.fx);
        self.drop_removed();
        purged
    }

    /// Lets go of what a purge or the end of the queue left, in small pieces.
    fn drop_removed(&mut self) {
        let Some(mut removed) = self.fx.removed.take() else { return };
        while !removed.is_empty() {
            removed.clear(3, &mut self.fx.settled, &mut self.fx.settled_runs);
        }
    }

    fn settled(&mut self) -> Vec<Position> {
        std::mem::take(&mut self.fx.settled)
    }

    fn dead(&mut self) -> Vec<(Position, Reason)> {
        self.fx.dead.drain(..).map(|dead| (dead.entry.position, dead.reason)).collect()
    }
}

fn message(facts: Facts, body_bytes: usize) -> Arc<Message> {
    Arc::new(Message::new(&MEMORY, "", "q", &[], &vec![b'x'; body_bytes], facts))
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
