//! How durable entries of a deep queue are evicted from memory and loaded again. A span whose turn has come is asked for
//! before the line in front of it has run out, so that nobody waits in a steady drain; when it has run out, everything that
//! concerns the head waits until the span is loaded.

use super::dispatch::ZeroTtl;
use super::effects::Effects;
use super::entry::{Entry, NEVER_MS, Reservation};
use super::options::Overflow;
use super::ready::SpanId;
use super::receiver::Receiver;
use super::state::{Life, Queue};
use crate::message::{LoadedMessage, Position, StoredMessage};

impl<R: Receiver> Queue<R> {
    /// The journal has been written since this was named in [`Effects::evictable`]: it is evicted from memory. Returns
    /// what is to be dropped, which is better done without the queue's lock.
    pub fn evicted(&mut self, id: SpanId) -> Vec<Entry> {
        self.ready.evict(id)
    }

    /// What was named in [`Effects::load_requests`] has been read, in order of position, and is handed out. What is
    /// missing could not be read and is given up; returns the number of those.
    pub fn loaded(
        &mut self,
        id: SpanId,
        messages: Vec<LoadedMessage>,
        now_ms: u64,
        fx: &mut Effects<R>,
    ) -> u64 {
        let ttl_ms = self.options.message_ttl_ms;
        let doubtful_through = self.doubtful_through;
        let entries = messages.into_iter().map(|LoadedMessage { position, message, returns }| {
            let mut entry = Entry {
                position,
                message,
                durable: true,
                redelivered: returns > 0 || position <= doubtful_through,
                returns,
                expires_at_ms: NEVER_MS,
                reservation: Reservation::Nothing,
            };
            entry.limit_life(ttl_ms);
            entry
        });
        let lost = self.ready.load(id, entries.collect());
        self.totals.lost += lost;
        self.dispatch(ZeroTtl::Expire, now_ms, fx);
        self.expire(now_ms, fx);
        self.drop_excess(fx);
        lost
    }

    /// What was named in [`Effects::load_requests`] cannot be read now. It stays where it is and is asked for again when
    /// somebody needs it.
    pub fn load_failed(&mut self, id: SpanId, now_ms: u64) {
        self.ready.fail_load(id, now_ms);
    }

    /// Takes note of a message that a restart left in the journal, in order of position. It is read when it is
    /// needed. Nothing is handed out, nothing is dropped.
    pub fn restore(&mut self, stored: StoredMessage) {
        if self.life == Life::Open {
            let lives_ms = stored.expiration_ms.into_iter().chain(self.options.message_ttl_ms);
            let life_ms = lives_ms.min().map(|ms| stored.accepted_ms.saturating_add(ms));
            self.ready.restore(stored, life_ms.unwrap_or(NEVER_MS));
            // A crash came before what was too much was dropped: the next call that tends the queue does it.
            self.is_over_long = self.options.overflow == Overflow::DropHead && self.is_too_long();
        }
    }

    /// After a crash nobody knows what had been delivered without being acknowledged, so every message up to this
    /// position says that it may have been.
    pub fn doubt_through(&mut self, position: Position) {
        self.doubtful_through = position;
    }
}
