//! The way out of the queue: consumers come and go, and ready entries are handed to them in turn or fetched.

use super::consumers::{AckMode, ConsumerId, SubscribeError, Subscription};
use super::effects::{Effects, Reason};
use super::entry::Entry;
use super::receiver::{Offer, Receiver, Way};
use super::unacknowledged::{Holder, Unacknowledged};
use super::{Life, Queue, Totals};

/// A consumer is handed so many messages in a row at most, so that its outbox is not held for long: its writer may be
/// waiting for it.
const IN_A_ROW_MAX: u32 = 256;

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
        while self.ready.head().is_some() && self.serve(zero_ttl, now_ms, fx) {}
        if self.is_stalled() {
            self.ready.call_head();
        }
        self.ready.take_requests(fx);
    }

    /// Hands ready entries to the consumer whose turn it is. False if it is nobody's.
    fn serve(&mut self, zero_ttl: ZeroTtl, now_ms: u64, fx: &mut Effects<R>) -> bool {
        let Self { ready, consumers, unacknowledged, totals, .. } = self;
        let Some(turn) = consumers.next() else { return false };
        let mut hands = Hands { id: turn.id, acks: turn.acks, unacknowledged, totals };
        let mut way = turn.receiver.open();
        let mut taken = 0;
        let end = loop {
            let Some(entry) = ready.head().filter(|_| taken < turn.most.min(IN_A_ROW_MAX)) else {
                break End::Turn;
            };
            let spared = zero_ttl == ZeroTtl::Deliver && entry.is_immediate();
            if entry.is_due(now_ms) && !spared {
                break End::Due;
            }
            match way.offer(entry) {
                Offer::Taken => {}
                Offer::TakenWake => fx.wake.push(turn.receiver.clone()),
                Offer::Full => break End::Full,
                Offer::Gone => break End::Gone,
            }
            taken += 1;
            if let Some(entry) = ready.pop_head() {
                hands.take(entry, fx);
            }
        };
        drop(way);
        consumers.advance(taken);
        match end {
            End::Turn => {}
            End::Full => consumers.park(),
            End::Gone => consumers.retire(),
            End::Due => {
                if let Some(entry) = ready.pop_head() {
                    self.bury(entry, Reason::Expired, fx);
                }
            }
        }
        true
    }

    /// Hands entries that were just published straight to consumers, while nothing waits ahead of them and somebody
    /// takes them. The first that nobody takes is put into the queue; the rest is left.
    pub(super) fn pass(
        &mut self,
        entries: &mut impl Iterator<Item = Entry>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) {
        // Of several priorities the highest goes first, so all have to be seen.
        while self.ready.len() == 0 && !self.ready.has_priorities() {
            if !self.pass_on(entries, now_ms, fx) {
                return;
            }
        }
    }

    /// Hands published entries to the consumer whose turn it is. False if it is nobody's, or there are no more.
    fn pass_on(
        &mut self,
        entries: &mut impl Iterator<Item = Entry>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) -> bool {
        let Self { options, ready, consumers, unacknowledged, reservations, totals, .. } = self;
        let Some(turn) = consumers.next() else { return false };
        let mut hands = Hands { id: turn.id, acks: turn.acks, unacknowledged, totals };
        let mut way = turn.receiver.open();
        let mut taken = 0;
        let mut more = true;
        let end = loop {
            if taken == turn.most.min(IN_A_ROW_MAX) {
                break End::Turn;
            }
            let Some(mut entry) = entries.next() else {
                more = false;
                break End::Turn;
            };
            reservations.release(options, &entry.message);
            hands.totals.published += 1;
            entry.limit_life(options.message_ttl_ms);
            if entry.is_due(now_ms) && !entry.is_immediate() {
                ready.insert(entry);
                break End::Due;
            }
            match way.offer(&entry) {
                Offer::Taken => {}
                Offer::TakenWake => fx.wake.push(turn.receiver.clone()),
                Offer::Full => {
                    ready.insert(entry);
                    break End::Full;
                }
                Offer::Gone => {
                    ready.insert(entry);
                    break End::Gone;
                }
            }
            taken += 1;
            hands.take(entry, fx);
        };
        drop(way);
        consumers.advance(taken);
        match end {
            End::Full => consumers.park(),
            End::Gone => consumers.retire(),
            End::Turn | End::Due => {}
        }
        more
    }

    /// Whether somebody could take the next entry if it were in memory.
    pub(super) fn is_stalled(&mut self) -> bool {
        self.ready.len() > 0 && self.ready.head().is_none() && self.consumers.next().is_some()
    }
}

/// How a consumer's turn ends.
enum End {
    /// It got what it may, or all there is.
    Turn,
    /// The next entry has expired.
    Due,
    /// It has no room for the next entry.
    Full,
    /// It is going away.
    Gone,
}

/// Where entries go that a consumer has taken.
struct Hands<'a> {
    id: ConsumerId,
    acks: AckMode,
    unacknowledged: &'a mut Unacknowledged,
    totals: &'a mut Totals,
}

impl Hands<'_> {
    fn take<R>(&mut self, entry: Entry, fx: &mut Effects<R>) {
        self.totals.redelivered += u64::from(entry.redelivered);
        match self.acks {
            AckMode::Manual => {
                self.totals.delivered += 1;
                self.unacknowledged.insert(entry, Holder::Consumer(self.id));
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
