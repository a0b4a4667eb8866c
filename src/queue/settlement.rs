//! The end of unacknowledged entries: acknowledged, rejected, or back in the queue. Positions that are not
//! unacknowledged here are passed over, because the queue may have been purged or deleted meanwhile.
//!
//! Very many come back in parts, with the lock given away in between. Until all are there the queue is held: nothing is
//! handed out, expires or is dropped, so that nobody can tell the parts from one return.

use super::dispatch::ZeroTtl;
use super::effects::{Effects, Reason};
use super::entry::Entry;
use super::receiver::Receiver;
use super::state::Queue;
use super::unacknowledged::Holder;
use crate::message::Position;

impl<R: Receiver> Queue<R> {
    /// These were consumed. The credit that frees is used at once.
    pub fn ack(&mut self, positions: &[Position], now_ms: u64, fx: &mut Effects<R>) {
        for position in positions {
            if let Some(entry) = self.take_back(*position) {
                self.totals.acknowledged += 1;
                if entry.durable {
                    fx.settled.push(entry.position);
                }
            }
        }
        self.hand_out(now_ms, fx);
    }

    /// These are refused, not to be delivered again: they are dead.
    pub fn reject(&mut self, positions: &[Position], now_ms: u64, fx: &mut Effects<R>) {
        for position in positions {
            if let Some(entry) = self.take_back(*position) {
                self.dead_letter(entry, Reason::Rejected, fx);
            }
        }
        self.hand_out(now_ms, fx);
    }

    /// These come back to their original places, marked as redelivered, and are handed out again at most once
    /// before this returns. One that has come back more often than `x-delivery-limit` is dead, and so is one that
    /// expired meanwhile.
    pub fn requeue(&mut self, positions: &[Position], now_ms: u64, fx: &mut Effects<R>) {
        self.take_in(positions, fx);
        self.go_on(now_ms, fx);
        self.ready.pack();
        self.hand_over_requests(fx);
    }

    /// From now on nothing is handed out, expires or is dropped, until [`Queue::let_go`] was called as often as this.
    pub fn hold(&mut self) {
        self.consumers.hold();
    }

    /// A part of those that come back to a queue that is held. The parts come from the last to the first, so that each
    /// goes in front of the line.
    pub fn requeue_part(&mut self, positions: &[Position], fx: &mut Effects<R>) {
        debug_assert!(self.is_held(), "a part comes back to a queue that goes on");
        self.take_in(positions, fx);
        self.unacknowledged.shrink();
        self.ready.pack();
        self.hand_over_requests(fx);
    }

    /// Those of them are dead that would come back more often than `x-delivery-limit`. To be called, from the first part
    /// to the last, before the parts come back: dead letters are in order too.
    pub fn dead_letter_over_limit(&mut self, positions: &[Position], fx: &mut Effects<R>) {
        let Some(limit) = self.options.delivery_limit else { return };
        for position in positions {
            let returns = self.unacknowledged.get(*position).map(|entry| entry.returns);
            if returns.is_some_and(|returns| returns >= limit)
                && let Some(entry) = self.take_back(*position)
            {
                self.dead_letter_returned(entry, fx);
            }
        }
    }

    /// All parts have come back. When nobody else holds the queue it goes on.
    pub fn let_go(&mut self, now_ms: u64, fx: &mut Effects<R>) {
        self.release_hold();
        if !self.is_held() {
            self.go_on(now_ms, fx);
            self.hand_over_requests(fx);
        }
    }

    /// Whoever held the queue is gone. The queue goes on with the next call.
    pub fn release_hold(&mut self) {
        self.consumers.let_go();
    }

    /// Whether parts of a return are still to come.
    pub(super) fn is_held(&self) -> bool {
        self.consumers.are_held()
    }

    /// Puts entries back in their places.
    fn take_in(&mut self, positions: &[Position], fx: &mut Effects<R>) {
        let mut back = Vec::with_capacity(positions.len());
        for position in positions {
            if let Some(mut entry) = self.take_back(*position) {
                if self.options.delivery_limit.is_some_and(|limit| entry.returns >= limit) {
                    self.dead_letter_returned(entry, fx);
                } else {
                    self.note_return(&mut entry);
                    back.push(entry);
                }
            }
        }
        fx.returned.extend(back.iter().filter(|e| e.durable).map(|e| (e.position, e.returns)));
        // From the last to the first: a batch that was delivered in order goes back in front of the line, each
        // entry before the one put in last, without moving the others.
        while let Some(entry) = back.pop() {
            self.ready.insert(entry);
        }
    }

    fn note_return(&mut self, entry: &mut Entry) {
        entry.redelivered = true;
        entry.returns = entry.returns.saturating_add(1);
        self.totals.returned += 1;
    }

    fn dead_letter_returned(&mut self, mut entry: Entry, fx: &mut Effects<R>) {
        self.note_return(&mut entry);
        self.dead_letter(entry, Reason::DeliveryLimit, fx);
    }

    /// Does what is to be done when entries have come back.
    fn go_on(&mut self, now_ms: u64, fx: &mut Effects<R>) {
        self.expire(now_ms, fx);
        self.hand_out(now_ms, fx);
        self.drop_excess(fx);
    }

    /// Takes an entry out of its holder's hands, and gives the holder its credit.
    fn take_back(&mut self, position: Position) -> Option<Entry> {
        let held = self.unacknowledged.remove(position)?;
        if let Holder::Consumer(id) = held.holder {
            self.consumers.give_credit(id);
        }
        Some(held.entry)
    }

    /// Uses the credit that was given back.
    fn hand_out(&mut self, now_ms: u64, fx: &mut Effects<R>) {
        self.unacknowledged.shrink();
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
    }
}
