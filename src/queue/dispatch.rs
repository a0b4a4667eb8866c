//! The way out of the queue: consumers come and go, and ready entries are handed to them in turn or fetched.

use std::iter::Peekable;

use super::consumers::{ConsumerTurn, TurnEnd};
use super::counts::Totals;
use super::effects::{Effects, Reason};
use super::entry::Entry;
use super::receiver::{Offer, Receiver, Way};
use super::state::{DEATHS_PER_CALL, Life, Queue};
use super::subscription::{ConsumerId, SubscribeError, Subscription};
use super::unacknowledged::{Holder, Unacknowledged};
use crate::message::AckMode;

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
pub enum GetOutcome {
    /// The entry at the head.
    Got(Got),
    /// There is none.
    Empty,
    /// It is not in memory yet and has been asked for, or more that has expired stands before it than one call
    /// dead-letters, or the queue is held: to be tried again once something was loaded or dead-lettered.
    Later,
    /// The queue was deleted in the meantime.
    Gone,
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
        self.consumers.unblock(id);
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
    }

    /// `basic.get`: the entry at the head, if there is one.
    pub fn get(&mut self, acks: AckMode, now_ms: u64, fx: &mut Effects<R>) -> GetOutcome {
        if self.is_closed() {
            return GetOutcome::Gone;
        }
        self.used_ms = now_ms;
        if self.is_held() {
            return GetOutcome::Later;
        }
        let mut remaining = DEATHS_PER_CALL;
        let entry = loop {
            if remaining == 0 && self.ready.head().is_some_and(|head| head.is_due(now_ms)) {
                self.is_behind = true;
                self.hand_over_requests(fx);
                return GetOutcome::Later;
            }
            let Some(entry) = self.ready.pop_head() else {
                self.hand_over_requests(fx);
                if self.ready.len() > 0 {
                    return GetOutcome::Later;
                }
                self.totals.got_empty += 1;
                return GetOutcome::Empty;
            };
            if !entry.is_due(now_ms) {
                break entry;
            }
            remaining = remaining.saturating_sub(1);
            self.dead_letter(entry, Reason::Expired, fx);
        };
        self.hand_over_requests(fx);
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
        GetOutcome::Got(Got { entry, remaining: self.ready.len() })
    }

    /// Hands out ready entries for as long as somebody can take them. Every entry is handed out at most once, and
    /// every offer that is declined takes a consumer out of the rotation, so this ends. Behind many that have expired it
    /// goes on in [`Queue::tend`].
    pub(super) fn dispatch(&mut self, zero_ttl: ZeroTtl, now_ms: u64, fx: &mut Effects<R>) {
        self.is_behind = false;
        let mut remaining = DEATHS_PER_CALL;
        while let Some(entry) = self.ready.head()
            && self.consumers.next().is_some()
        {
            if !zero_ttl.is_over(entry, now_ms) {
                self.serve(zero_ttl, now_ms, fx);
            } else if remaining == 0 {
                self.is_behind = true;
                break;
            } else if let Some(entry) = self.ready.pop_head() {
                remaining -= 1;
                self.dead_letter(entry, Reason::Expired, fx);
            }
        }
        if self.is_stalled() {
            self.ready.request_head();
        }
        self.hand_over_requests(fx);
    }

    /// Hands ready entries to the consumer whose turn it is.
    fn serve(&mut self, zero_ttl: ZeroTtl, now_ms: u64, fx: &mut Effects<R>) {
        let Self { ready, consumers, unacknowledged, totals, .. } = self;
        let Some(turn) = consumers.next() else { return };
        let mut serving = Serving::begin(turn, unacknowledged, totals);
        let end = loop {
            let next = ready.head().filter(|entry| !zero_ttl.is_over(entry, now_ms));
            let Some(entry) = next.filter(|_| serving.may_go_on()) else { break TurnEnd::Over };
            if let Err(end) = serving.offer(entry, fx) {
                break end;
            }
            if let Some(entry) = ready.pop_head() {
                serving.take(entry, fx);
            }
        };
        let taken = serving.end();
        consumers.end_turn(taken, end);
    }

    /// Hands entries that were just published straight to consumers, while nothing waits ahead of them and somebody
    /// takes them. The first that nobody takes is put into the queue; those behind it are not looked at.
    pub(super) fn hand_over(
        &mut self,
        entries: &mut Peekable<impl Iterator<Item = Entry>>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) {
        // Of several priorities the highest goes first, so all have to be seen.
        while self.ready.len() == 0
            && !self.ready.has_priorities()
            && entries.peek().is_some()
            && self.consumers.next().is_some()
        {
            self.hand_over_some(entries, now_ms, fx);
        }
    }

    /// Hands published entries to the consumer whose turn it is.
    fn hand_over_some(
        &mut self,
        entries: &mut impl Iterator<Item = Entry>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) {
        let Self { options, ready, consumers, unacknowledged, reservations, totals, .. } = self;
        let Some(turn) = consumers.next() else { return };
        let mut serving = Serving::begin(turn, unacknowledged, totals);
        let end = loop {
            if !serving.may_go_on() {
                break TurnEnd::Over;
            }
            let Some(entry) = entries.next() else { break TurnEnd::Over };
            let entry = reservations.admit(entry, options, serving.totals);
            if ZeroTtl::Deliver.is_over(&entry, now_ms) {
                ready.insert(entry);
                break TurnEnd::Over;
            }
            if let Err(end) = serving.offer(&entry, fx) {
                ready.insert(entry);
                break end;
            }
            serving.take(entry, fx);
        };
        let taken = serving.end();
        consumers.end_turn(taken, end);
    }

    /// Whether somebody could take the next entry if it were in memory.
    pub(super) fn is_stalled(&mut self) -> bool {
        self.ready.len() > 0 && self.ready.head().is_none() && self.consumers.next().is_some()
    }
}

impl ZeroTtl {
    /// Whether an entry's time has passed.
    fn is_over(self, entry: &Entry, now_ms: u64) -> bool {
        let spared = self == Self::Deliver && entry.is_immediate();
        entry.is_due(now_ms) && !spared
    }
}

/// A consumer whose turn it is, with its way in held open.
struct Serving<'a, R: Receiver> {
    turn: ConsumerTurn<'a, R>,
    way: R::Way<'a>,
    taken: u32,
    unacknowledged: &'a mut Unacknowledged,
    totals: &'a mut Totals,
}

impl<'a, R: Receiver> Serving<'a, R> {
    fn begin(
        turn: ConsumerTurn<'a, R>,
        unacknowledged: &'a mut Unacknowledged,
        totals: &'a mut Totals,
    ) -> Self {
        Self { way: turn.receiver.open(), turn, taken: 0, unacknowledged, totals }
    }

    /// Whether the consumer may be handed another entry before its turn is over.
    fn may_go_on(&self) -> bool {
        self.taken < self.turn.most.min(IN_A_ROW_MAX)
    }

    /// Offers an entry. If this succeeds the consumer has it, and [`Serving::take`] must follow.
    fn offer(&mut self, entry: &Entry, fx: &mut Effects<R>) -> Result<(), TurnEnd> {
        match self.way.offer(entry) {
            Offer::Taken => {}
            Offer::TakenWake => fx.wake.push(self.turn.receiver.clone()),
            Offer::Full => return Err(TurnEnd::Full),
            Offer::Gone => return Err(TurnEnd::Gone),
        }
        self.taken += 1;
        Ok(())
    }

    /// Puts an entry into the consumer's hands.
    fn take(&mut self, entry: Entry, fx: &mut Effects<R>) {
        self.totals.redelivered += u64::from(entry.redelivered);
        match self.turn.acks {
            AckMode::Manual => {
                self.totals.delivered += 1;
                self.unacknowledged.insert(entry, Holder::Consumer(self.turn.id));
            }
            AckMode::Automatic => {
                self.totals.delivered_automatic += 1;
                if entry.durable {
                    fx.settled.push(entry.position);
                }
            }
        }
    }

    /// Closes the way. Returns the number of entries that the consumer got.
    fn end(self) -> u32 {
        self.taken
    }
}
