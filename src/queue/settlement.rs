//! The end of unacknowledged entries: acknowledged, rejected, or back in the queue. Positions that are not
//! unacknowledged here are passed over, because the queue may have been purged or deleted meanwhile.

use super::Queue;
use super::delivery::ZeroTtl;
use super::effects::{Effects, Reason};
use super::entry::{Entry, Position};
use super::receiver::Receiver;
use super::unacknowledged::Holder;

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
                self.bury(entry, Reason::Rejected, fx);
            }
        }
        self.hand_out(now_ms, fx);
    }

    /// These come back to their original places, marked as redelivered, and are handed out again at most once
    /// before this returns. One that has come back more often than `x-delivery-limit` is dead, and so is one that
    /// expired meanwhile.
    pub fn requeue(&mut self, positions: &[Position], now_ms: u64, fx: &mut Effects<R>) {
        let mut back = Vec::with_capacity(positions.len());
        for position in positions {
            if let Some(mut entry) = self.take_back(*position) {
                entry.redelivered = true;
                entry.returns = entry.returns.saturating_add(1);
                self.totals.returned += 1;
                if self.options.delivery_limit.is_some_and(|limit| entry.returns > limit) {
                    self.bury(entry, Reason::DeliveryLimit, fx);
                } else {
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
        self.expire(now_ms, fx);
        self.hand_out(now_ms, fx);
        self.drop_excess(fx);
        self.ready.pack();
        self.ready.take_requests(fx);
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
