//! The way out of the queue: consumers come and go, and ready entries are handed to them in turn or fetched.

use super::consumers::{AckMode, ConsumerId, SubscribeError, Subscription};
use super::effects::{Effects, Reason};
use super::entry::Entry;
use super::receiver::{Offer, Receiver};
use super::unacknowledged::Holder;
use super::{Life, Queue};

/// What `basic.get` fetched.
#[derive(Debug)]
pub struct Got {
    /// The entry. If it is to be acknowledged the queue holds it too.
    pub entry: Entry,
    /// How many messages are still ready.
    pub remaining: u64,
}

/// The answer to `basic.get`.
#[derive(Debug)]
pub enum Fetched {
    /// The entry at the head.
    Got(Got),
    /// There is none.
    Empty,
    /// It is not in memory yet and has been asked for: to be tried again once something has arrived.
    Later,
}

/// What dispatch does with a message whose time to live is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ZeroTtl {
    /// It has just been published, and this is its one chance.
    Deliver,
    /// Its time has passed.
    Expire,
}

impl<R: Receiver> Queue<R> {
    /// Takes a consumer, and hands it what it can take.
    pub fn subscribe(
        &mut self,
        subscription: Subscription<R>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) -> Result<(), SubscribeError> {
        if self.life == Life::Closed {
            return Err(SubscribeError::Closed);
        }
        self.consumers.add(subscription)?;
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
        Ok(())
    }

    /// Removes a consumer; a single active consumer passes its place on. What it holds stays unacknowledged.
    /// False if it is not there.
    pub fn unsubscribe(&mut self, id: ConsumerId, now_ms: u64, fx: &mut Effects<R>) -> bool {
        if self.consumers.remove(id).is_none() {
            return false;
        }
        if self.consumers.len() == 0 {
            self.used_ms = now_ms;
        }
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
        true
    }

    /// A consumer's receiver, once [`Offer::Full`], can take something again.
    pub fn resume(&mut self, id: ConsumerId, now_ms: u64, fx: &mut Effects<R>) {
        self.consumers.unpark(id);
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
    }

    /// `basic.get`: the entry at the head, if there is one.
    pub fn get(&mut self, acks: AckMode, now_ms: u64, fx: &mut Effects<R>) -> Fetched {
        self.used_ms = now_ms;
        let entry = loop {
            let Some(entry) = self.ready.pop_head() else {
                self.ready.take_requests(fx);
                if self.ready.len() > 0 {
                    return Fetched::Later;
                }
                self.totals.got_empty += 1;
                return Fetched::Empty;
            };
            if !entry.is_due(now_ms) {
                break entry;
            }
            self.bury(entry, Reason::Expired, fx);
        };
        self.ready.take_requests(fx);
        self.totals.redelivered += u64::from(entry.redelivered);
        match acks {
            AckMode::Manual => {
                self.totals.got += 1;
                self.unacknowledged.insert(entry.clone(), Holder::Get);
            }
            AckMode::Automatic => {
                self.totals.got_automatic += 1;
                if entry.durable {
                    fx.settled.push(entry.position);
                }
            }
        }
        Fetched::Got(Got { entry, remaining: self.ready.len() })
    }

    /// Hands out ready entries for as long as somebody can take them. Every entry is handed out at most once, and
    /// every offer that is declined takes a consumer out of the rotation, so this ends.
    pub(super) fn dispatch(&mut self, zero_ttl: ZeroTtl, now_ms: u64, fx: &mut Effects<R>) {
        while let Some(entry) = self.ready.head()
            && let Some((id, consumer)) = self.consumers.next()
        {
            let spared = zero_ttl == ZeroTtl::Deliver && entry.is_immediate();
            if entry.is_due(now_ms) && !spared {
                if let Some(entry) = self.ready.pop_head() {
                    self.bury(entry, Reason::Expired, fx);
                }
                continue;
            }
            let acks = consumer.acks;
            match consumer.receiver.offer(entry) {
                Offer::Taken => {}
                Offer::TakenWake => fx.wake.push(consumer.receiver.clone()),
                Offer::Full => {
                    self.consumers.park();
                    continue;
                }
                Offer::Gone => {
                    self.consumers.retire();
                    continue;
                }
            }
            self.consumers.advance();
            if let Some(entry) = self.ready.pop_head() {
                self.hand_over(entry, id, acks, fx);
            }
        }
        if self.is_stalled() {
            self.ready.call_head();
        }
        self.ready.take_requests(fx);
    }

    /// Whether somebody could take the next entry if it were in memory.
    pub(super) fn is_stalled(&mut self) -> bool {
        self.ready.len() > 0 && self.ready.head().is_none() && self.consumers.next().is_some()
    }

    fn hand_over(&mut self, entry: Entry, id: ConsumerId, acks: AckMode, fx: &mut Effects<R>) {
        self.totals.redelivered += u64::from(entry.redelivered);
        match acks {
            AckMode::Manual => {
                self.totals.delivered += 1;
                self.unacknowledged.insert(entry, Holder::Consumer(id));
            }
            AckMode::Automatic => {
                self.totals.delivered_automatic += 1;
                if entry.durable {
                    fx.settled.push(entry.position);
                }
            }
        }
    }
}
