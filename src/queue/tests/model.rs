//! The queue as plainly as it can be said: lists, searched from end to end. It is what the real one is compared with.

use super::*;
use crate::queue::dispatch::ZeroTtl;

/// What a call brought about. Everything but `handed` is compared without regard to order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub handed: Vec<Handed>,
    pub woken: Vec<ConsumerId>,
    pub settled: Vec<Position>,
    pub dead: Vec<(Position, Reason)>,
    pub returned: Vec<(Position, u32)>,
}

pub struct ModelConsumer {
    pub id: ConsumerId,
    pub prefetch: u32,
    pub acks: AckMode,
    pub exclusive: Exclusivity,
    pub priority: i32,
    pub room: usize,
    pub is_gone: bool,
    pub is_woken: bool,
    pub is_parked: bool,
    /// It was found gone.
    pub is_retired: bool,
}

#[derive(Default)]
pub struct Model {
    pub options: Options,
    /// In the order in which they would be delivered.
    pub ready: Vec<Entry>,
    pub held: Vec<(Entry, Option<ConsumerId>)>,
    /// In the order in which they subscribed.
    pub consumers: Vec<ModelConsumer>,
    /// Those that can take something, the one served longest ago first.
    turn: Vec<ConsumerId>,
    pub active: Option<ConsumerId>,
    /// Bodies that have a place reserved.
    reserved: Vec<u64>,
    pub outcome: Outcome,
}

impl Model {
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    pub fn reserve(&mut self, bytes: u64) -> bool {
        if self.options.overflow == Overflow::DropHead {
            return true;
        }
        let length = (self.ready.len() + self.reserved.len()) as u64 + 1;
        let length_bytes = self.ready_bytes() + self.reserved.iter().sum::<u64>() + bytes;
        let fits = !self.is_over(length, length_bytes);
        if fits {
            self.reserved.push(bytes);
        }
        fits
    }

    pub fn reconfigure(&mut self, options: Options, now_ms: u64) {
        let Options { priority_max, single_active_consumer, ref window, .. } = self.options;
        self.options =
            Options { priority_max, single_active_consumer, window: window.clone(), ..options };
        self.expire(now_ms);
        self.drop_excess();
    }

    pub fn append(&mut self, entries: Vec<Entry>, now_ms: u64) {
        for mut entry in entries {
            if std::mem::take(&mut entry.reservation) == Reservation::Place {
                let index = self.reserved.iter().position(|bytes| *bytes == entry.bytes());
                self.reserved.remove(index.unwrap());
            }
            let facts = entry.message.facts();
            let lives = [facts.expiration_ms, self.options.message_ttl_ms];
            let life_ms = lives.into_iter().flatten().min();
            entry.expires_at_ms = life_ms.map_or(NEVER_MS, |ms| facts.accepted_ms + ms);
            self.make_ready(entry);
        }
        self.dispatch(ZeroTtl::Deliver, now_ms);
        self.expire(now_ms);
        self.drop_excess();
    }

    pub fn subscribe(&mut self, consumer: ModelConsumer, now_ms: u64) -> bool {
        let wants_all = consumer.exclusive == Exclusivity::Exclusive;
        let has_all = self.consumers.iter().any(|c| c.exclusive == Exclusivity::Exclusive);
        let in_use = has_all || wants_all && !self.consumers.is_empty();
        if in_use || wants_all && self.options.single_active_consumer {
            return false;
        }
        let id = consumer.id;
        self.consumers.push(consumer);
        self.choose();
        self.activate(id);
        self.dispatch(ZeroTtl::Expire, now_ms);
        true
    }

    pub fn unsubscribe(&mut self, id: ConsumerId, now_ms: u64) {
        self.consumers.retain(|c| c.id != id);
        self.turn.retain(|other| *other != id);
        if self.active == Some(id) {
            self.active = None;
        }
        self.choose();
        self.dispatch(ZeroTtl::Expire, now_ms);
    }

    pub fn resume(&mut self, id: ConsumerId, now_ms: u64) {
        if let Some(consumer) = self.consumers.iter_mut().find(|c| c.id == id) {
            consumer.is_parked = consumer.is_retired;
        }
        self.activate(id);
        self.dispatch(ZeroTtl::Expire, now_ms);
    }

    pub fn ack(&mut self, positions: &[Position], now_ms: u64) {
        for entry in self.take_back(positions) {
            self.settle(&entry);
        }
        self.dispatch(ZeroTtl::Expire, now_ms);
    }

    pub fn reject(&mut self, positions: &[Position], now_ms: u64) {
        for entry in self.take_back(positions) {
            self.outcome.dead.push((entry.position, Reason::Rejected));
        }
        self.dispatch(ZeroTtl::Expire, now_ms);
    }

    pub fn requeue(&mut self, positions: &[Position], now_ms: u64) {
        for mut entry in self.take_back(positions) {
            entry.returns += 1;
            entry.redelivered = true;
            if self.options.delivery_limit.is_some_and(|limit| entry.returns > limit) {
                self.outcome.dead.push((entry.position, Reason::DeliveryLimit));
                continue;
            }
            if entry.durable {
                self.outcome.returned.push((entry.position, entry.returns));
            }
            self.make_ready(entry);
        }
        self.expire(now_ms);
        self.dispatch(ZeroTtl::Expire, now_ms);
        self.drop_excess();
    }

    pub fn get(&mut self, acks: AckMode, now_ms: u64) -> Option<Position> {
        while let Some(entry) = (!self.ready.is_empty()).then(|| self.ready.remove(0)) {
            let position = entry.position;
            if entry.expires_at_ms <= now_ms {
                self.outcome.dead.push((position, Reason::Expired));
                continue;
            }
            match acks {
                AckMode::Manual => self.held.push((entry, None)),
                AckMode::Automatic => self.settle(&entry),
            }
            return Some(position);
        }
        None
    }

    pub fn purge(&mut self) {
        for entry in std::mem::take(&mut self.ready) {
            self.settle(&entry);
        }
    }

    pub fn expire(&mut self, now_ms: u64) {
        let (due, ready) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|entry| entry.expires_at_ms <= now_ms);
        self.ready = ready;
        let due: Vec<Entry> = due;
        self.outcome.dead.extend(due.iter().map(|entry| (entry.position, Reason::Expired)));
    }

    pub fn unacknowledged_by(&self, id: ConsumerId) -> usize {
        self.held.iter().filter(|(_, holder)| *holder == Some(id)).count()
    }

    pub fn ready_bytes(&self) -> u64 {
        self.ready.iter().map(Entry::bytes).sum()
    }

    fn dispatch(&mut self, zero_ttl: ZeroTtl, now_ms: u64) {
        while let Some(entry) = self.ready.first().cloned() {
            // The last of equals by `max_by_key` on a reversed list is the first in turn.
            let next = self.turn.iter().rev().max_by_key(|id| self.consumer(**id).priority);
            let Some(id) = next.copied() else { return };
            let spared = zero_ttl == ZeroTtl::Deliver
                && entry.expires_at_ms == entry.message.facts().accepted_ms;
            if entry.expires_at_ms <= now_ms && !spared {
                self.ready.remove(0);
                self.outcome.dead.push((entry.position, Reason::Expired));
                continue;
            }
            self.turn.retain(|other| *other != id);
            let Some(consumer) = self.consumers.iter_mut().find(|c| c.id == id) else { return };
            if consumer.is_gone || consumer.room == 0 {
                consumer.is_parked = true;
                consumer.is_retired = consumer.is_gone;
                continue;
            }
            consumer.room -= 1;
            if !std::mem::replace(&mut consumer.is_woken, true) {
                self.outcome.woken.push(id);
            }
            self.outcome.handed.push((id, entry.position, entry.redelivered));
            let acks = consumer.acks;
            self.ready.remove(0);
            match acks {
                AckMode::Manual => self.held.push((entry, Some(id))),
                AckMode::Automatic => self.settle(&entry),
            }
            self.activate(id);
        }
    }

    fn make_ready(&mut self, entry: Entry) {
        self.ready.push(entry);
        let highest = self.options.priority_max.unwrap_or(0);
        self.ready.sort_by_key(|entry| {
            (std::cmp::Reverse(entry.message.facts().priority.min(highest)), entry.position)
        });
    }

    fn drop_excess(&mut self) {
        let highest = self.options.priority_max.unwrap_or(0);
        while self.options.overflow == Overflow::DropHead
            && self.is_over(self.ready.len() as u64, self.ready_bytes())
        {
            let key = |e: &Entry| (e.message.facts().priority.min(highest), e.position);
            let Some(least) = self.ready.iter().map(key).min() else { return };
            self.ready.retain(|entry| key(entry) != least);
            self.outcome.dead.push((least.1, Reason::MaxLength));
        }
    }

    fn is_over(&self, length: u64, length_bytes: u64) -> bool {
        let over = |value: u64, max: Option<u64>| max.is_some_and(|max| value > max);
        over(length, self.options.length_max) || over(length_bytes, self.options.length_bytes_max)
    }

    fn take_back(&mut self, positions: &[Position]) -> Vec<Entry> {
        let mut taken = Vec::new();
        for position in positions {
            let index = self.held.iter().position(|(entry, _)| entry.position == *position);
            if let Some((entry, holder)) = index.map(|index| self.held.remove(index)) {
                taken.push(entry);
                if let Some(id) = holder {
                    self.activate(id);
                }
            }
        }
        taken
    }

    fn settle(&mut self, entry: &Entry) {
        if entry.durable {
            self.outcome.settled.push(entry.position);
        }
    }

    fn choose(&mut self) {
        if !self.options.single_active_consumer || self.active.is_some() {
            return;
        }
        let best = self.consumers.iter().rev().max_by_key(|c| c.priority).map(|c| c.id);
        self.active = best;
        if let Some(id) = best {
            self.activate(id);
        }
    }

    fn activate(&mut self, id: ConsumerId) {
        let held = self.unacknowledged_by(id) as u32;
        let Some(consumer) = self.consumers.iter().find(|c| c.id == id) else { return };
        let has_credit = consumer.acks == AckMode::Automatic
            || consumer.prefetch == 0
            || held < consumer.prefetch;
        let is_chosen = !self.options.single_active_consumer || self.active == Some(id);
        let is_able = has_credit && is_chosen && !consumer.is_parked;
        if is_able && !self.turn.contains(&id) {
            self.turn.push(id);
        }
    }

    fn consumer(&self, id: ConsumerId) -> &ModelConsumer {
        self.consumers.iter().find(|c| c.id == id).unwrap()
    }
}
