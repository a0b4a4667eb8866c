//! What time does to a queue: messages expire, and so does the queue itself. What a call did not get to, because it is to
//! be short, goes on here as well.

use super::dispatch::ZeroTtl;
use super::effects::{Effects, Reason};
use super::receiver::Receiver;
use super::state::{DEATHS_PER_CALL, Queue};

impl<R: Receiver> Queue<R> {
    /// Moves ready messages whose time has passed to [`Effects::dead`], wherever they stand: so many that a call is
    /// short. Those that are not in memory are asked for, and are dead-lettered when they are loaded.
    pub fn expire(&mut self, now_ms: u64, fx: &mut Effects<R>) {
        if self.is_closed() || self.is_held() {
            return;
        }
        let mut remaining = DEATHS_PER_CALL;
        self.is_over_old = false;
        loop {
            while let Some(entry) = (remaining > 0).then(|| self.ready.pop_due(now_ms)).flatten() {
                remaining -= 1;
                self.dead_letter(entry, Reason::Expired, fx);
            }
            if remaining == 0 {
                self.is_over_old = true;
                break;
            }
            let Some(due) = self.ready.take_due_of_spans(now_ms) else { break };
            remaining = remaining.saturating_sub(due.len());
            for entry in due {
                self.dead_letter(entry, Reason::Expired, fx);
            }
        }
        self.hand_over_requests(fx);
    }

    /// Goes on with what calls did not get to, since each of them is short: messages whose time has passed, those that
    /// wait behind them for a consumer, and those that are too many. To be called when [`Queue::next_deadline_ms`]
    /// says so.
    pub fn tend(&mut self, now_ms: u64, fx: &mut Effects<R>) {
        if self.is_closed() {
            return;
        }
        self.expire(now_ms, fx);
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
        self.drop_excess(fx);
    }

    /// When [`Queue::tend`] or [`Queue::is_expired`] next has something to find. It may be early, when the
    /// message it stands for was consumed meanwhile, but is never late; after `tend` it is exact. Nothing is found while
    /// the queue is held.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        if self.is_closed() || self.is_held() {
            return None;
        }
        if self.is_over_long || self.is_over_old || self.is_behind {
            return Some(0);
        }
        match (self.ready.next_due_ms(), self.expires_at_ms()) {
            (Some(message), Some(queue)) => Some(message.min(queue)),
            (message, queue) => message.or(queue),
        }
    }

    /// Whether `x-expires` has run out: no consumer, get or declare for that long.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    fn expires_at_ms(&self) -> Option<u64> {
        if self.is_closed() || self.consumers.len() > 0 {
            return None;
        }
        self.options.expires_ms.map(|expires_ms| self.used_ms.saturating_add(expires_ms))
    }
}
