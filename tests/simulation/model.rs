//! What queues should hold: each a line of messages in order of entry, those in somebody's hands, and the rules of
//! its declaration. Slow and plain, so that it can be believed.

use std::collections::{BTreeMap, BTreeSet};

/// A message's number, unique over a run; its body begins with it.
pub type Id = u64;

/// The queues, in the order of their numbers.
pub const QUEUES: &[Rules] = &[
    Rules { single_active: true, ..Rules::plain("one") },
    Rules::plain("many"),
    Rules { durable: false, ..Rules::plain("brief") },
    Rules { ttl_ms: Some(700), ..Rules::buried("timed") },
    Rules { length_max: Some(4), consumed: false, ..Rules::buried("short") },
    Rules { delivery_limit: Some(3), ..Rules::buried("quorum") },
    // Dead letters of several queues come in the order of the queues' numbers or of their deaths: either will do.
    Rules { ordered: false, ..Rules::plain("letters") },
];

/// Where dead letters go, by its place in [`QUEUES`].
pub const LETTERS: usize = 6;

/// How a queue is declared.
#[derive(Clone, Copy)]
pub struct Rules {
    pub name: &'static str,
    pub durable: bool,
    pub single_active: bool,
    /// Consumed from, or only fetched from.
    pub consumed: bool,
    pub ordered: bool,
    pub ttl_ms: Option<u64>,
    pub length_max: Option<usize>,
    pub delivery_limit: Option<u32>,
    pub letters: bool,
}

impl Rules {
    const fn plain(name: &'static str) -> Self {
        Self {
            name,
            durable: true,
            single_active: false,
            consumed: true,
            ordered: true,
            ttl_ms: None,
            length_max: None,
            delivery_limit: None,
            letters: false,
        }
    }

    const fn buried(name: &'static str) -> Self {
        Self { letters: true, ..Self::plain(name) }
    }

    /// A quorum queue keeps everything.
    fn keeps(&self, persistent: bool) -> bool {
        self.durable && (persistent || self.delivery_limit.is_some())
    }
}

/// One message in one queue.
#[derive(Clone, Debug)]
pub struct Item {
    pub id: Id,
    pub persistent: bool,
    /// It was in a client's hands before.
    pub delivered: bool,
    /// A broker was killed: it may say that it was delivered.
    pub doubtful: bool,
    pub returns: u32,
    pub expires_ms: u64,
}

/// Who holds a message: a peer, and its number for the delivery.
pub type Holder = (usize, u64);

/// One queue.
#[derive(Default)]
pub struct Queue {
    pub ready: BTreeMap<u64, Item>,
    pub held: BTreeMap<Holder, (u64, Item)>,
    next: u64,
}

/// All queues.
pub struct Model {
    pub queues: Vec<Queue>,
    /// A broker was killed once: what is there after a restart may say that it was delivered.
    died: bool,
}

impl Model {
    pub fn new() -> Self {
        Self { queues: QUEUES.iter().map(|_| Queue::default()).collect(), died: false }
    }

    /// A message enters a queue.
    pub fn publish(&mut self, queue: usize, id: Id, persistent: bool, now_ms: u64) {
        let expires_ms = QUEUES[queue].ttl_ms.map_or(u64::MAX, |ttl_ms| now_ms + ttl_ms);
        let item =
            Item { id, persistent, delivered: false, doubtful: false, returns: 0, expires_ms };
        let state = &mut self.queues[queue];
        state.ready.insert(state.next, item);
        state.next += 1;
        self.cut(queue, now_ms);
    }

    /// A queue that holds too much lets go of its oldest.
    fn cut(&mut self, queue: usize, now_ms: u64) {
        let Some(length_max) = QUEUES[queue].length_max else { return };
        while self.queues[queue].ready.len() > length_max {
            let (_, item) = self.queues[queue].ready.pop_first().unwrap();
            self.bury(queue, &item, now_ms);
        }
    }

    fn bury(&mut self, queue: usize, item: &Item, now_ms: u64) {
        if QUEUES[queue].letters {
            self.publish(LETTERS, item.id, item.persistent, now_ms);
        }
    }

    /// What has lived long enough dies.
    pub fn expire(&mut self, now_ms: u64) {
        for queue in 0..QUEUES.len() {
            let due = |item: &Item| item.expires_ms <= now_ms;
            let ready = &mut self.queues[queue].ready;
            let dead: Vec<Item> =
                ready.extract_if(.., |_, item| due(item)).map(|(_, item)| item).collect();
            for item in dead {
                self.bury(queue, &item, now_ms);
            }
        }
    }

    /// A client got a message and is to settle it, or not.
    pub fn hand_over(&mut self, queue: usize, position: u64, holder: Option<Holder>) {
        let state = &mut self.queues[queue];
        let mut item = state.ready.remove(&position).unwrap();
        item.delivered = true;
        if let Some(holder) = holder {
            assert!(state.held.insert(holder, (position, item)).is_none());
        }
    }

    /// The queue that this delivery came from.
    pub fn queue_of(&self, holder: Holder) -> Option<usize> {
        self.queues.iter().position(|queue| queue.held.contains_key(&holder))
    }

    pub fn acknowledge(&mut self, holder: Holder) {
        if let Some(queue) = self.queue_of(holder) {
            self.queues[queue].held.remove(&holder);
        }
    }

    pub fn reject(&mut self, holder: Holder, now_ms: u64) {
        if let Some(queue) = self.queue_of(holder) {
            let (_, item) = self.queues[queue].held.remove(&holder).unwrap();
            self.bury(queue, &item, now_ms);
        }
    }

    /// Deliveries come back to their places.
    pub fn requeue(&mut self, holders: &[Holder], now_ms: u64) {
        let mut touched = BTreeSet::new();
        for holder in holders {
            let Some(queue) = self.queue_of(*holder) else { continue };
            touched.insert(queue);
            let (position, mut item) = self.queues[queue].held.remove(holder).unwrap();
            item.returns += 1;
            if QUEUES[queue].delivery_limit.is_some_and(|limit| item.returns > limit) {
                self.bury(queue, &item, now_ms);
            } else {
                self.queues[queue].ready.insert(position, item);
            }
        }
        self.expire(now_ms);
        for queue in touched {
            self.cut(queue, now_ms);
        }
    }

    /// All deliveries that a peer holds.
    pub fn held_by(&self, peer: usize) -> Vec<Holder> {
        let all = self.queues.iter().flat_map(|queue| queue.held.keys());
        let mut held: Vec<Holder> = all.copied().filter(|(holder, _)| *holder == peer).collect();
        held.sort_unstable();
        held
    }

    pub fn purge(&mut self, queue: usize) -> usize {
        std::mem::take(&mut self.queues[queue].ready).len()
    }

    /// The broker starts anew on what was on the disk.
    pub fn restart(&mut self, died: bool, now_ms: u64) {
        self.died |= died;
        let died = self.died;
        for (rules, queue) in QUEUES.iter().zip(&mut self.queues) {
            for (position, item) in std::mem::take(&mut queue.held).into_values() {
                queue.ready.insert(position, item);
            }
            queue.ready.retain(|_, item| rules.keeps(item.persistent));
            for item in queue.ready.values_mut() {
                item.doubtful |= died;
            }
        }
        // What was held is too much now.
        (0..QUEUES.len()).for_each(|queue| self.cut(queue, now_ms));
    }
}
