//! The queue state machine: what is ready, what is unacknowledged, who consumes and with how much credit,
//! limits, expiry and priorities. Pure: time comes in as Unix milliseconds, and what has to happen outside
//! goes out as values in [`Effects`].
//!
//! Of a queue deeper than its window the durable entries leave memory, in `span`s; `paging` is how they go and
//! come back.
//!
//! An entry is in exactly one place at a time: ready (`ready`, made of one `lane` for each priority), or
//! unacknowledged (`unacknowledged`), or it has left through [`Effects::settled`] or [`Effects::dead`].
//! Only a transient entry that is done with leaves without a trace. The caller holds one lock around a queue
//! and calls it with batches; each call ends by handing out what it can.
//!
//! Where later abilities join, without a change to what is here:
//!
//! - **Delayed messages** are a third place beside ready and unacknowledged: entries ordered by the time at
//!   which they become ready. [`Queue::append`] puts an entry there when its time has not come,
//!   [`Queue::next_deadline_ms`] takes the earliest time into account, and [`Queue::expire`] moves what is due
//!   into the ready lanes. A lane takes an entry at any position in logarithmic time, so late arrivals cost
//!   little and still find their original place.
//! - **Retry with backoff** is [`Queue::requeue`] putting entries into that same place, for a time computed from
//!   `Entry::returns`, which the journal already keeps.
//! - **Deduplication** belongs in [`Queue::reserve`], which is given the message before it is journaled and
//!   is called under the same lock as everything else: a table of recently seen identifiers, bounded by count and
//!   time, answers there that the message is held already, and the publisher is confirmed without an append.

mod capacity;
mod closing;
mod consumers;
mod counts;
mod debris;
mod delivery;
mod effects;
mod entry;
mod intake;
mod options;
mod paging;
mod peek;
mod ready;
mod receiver;
mod rings;
mod settlement;
mod unacknowledged;

#[cfg(test)]
mod tests;

pub use closing::{Closed, Condition, Kept};
pub use consumers::{
    AckMode, ConsumerId, ConsumerState, Exclusivity, Parting, SubscribeError, Subscription,
};
pub use counts::{Counts, Totals};
pub use debris::Debris;
pub use delivery::{Fetched, Got};
pub use effects::{Dead, Effects, Reason};
pub use entry::{Entry, Hold, NEVER_MS, Position};
pub use intake::QueueFull;
pub use options::{Options, Overflow, Window};
pub use paging::{Arrival, Stored};
pub use ready::{LoadRequest as Wanted, Run, SpanId as Ticket};
pub use receiver::{Offer, Receiver, Way};

use std::collections::hash_map::IntoIter;

use consumers::Consumers;
use delivery::ZeroTtl;
use intake::Reservations;
use ready::Ready;
use unacknowledged::Unacknowledged;

/// So many messages die of their age in one call, and so many for want of room.
const DEATHS_PER_CALL: usize = 256;

/// One queue. `R` is a consumer's way into its outbox.
pub struct Queue<R> {
    options: Options,
    ready: Ready,
    unacknowledged: Unacknowledged,
    consumers: Consumers<R>,
    reservations: Reservations,
    totals: Totals,
    /// The last declare, get, or departure of the last consumer; `x-expires` counts from here.
    used_ms: u64,
    life: Life,
    /// More messages are to be dropped than one call does.
    is_over_long: bool,
    /// More messages may have expired than one call lets go.
    is_over_old: bool,
    /// What somebody wants may stand behind messages that have expired.
    is_behind: bool,
    /// Of the messages up to this position, which a restart left, nobody knows whether they had been delivered.
    doubtful_through: Position,
}

/// Whether the queue still exists. A publisher or consumer may hold a reference to a queue that another
/// connection has deleted in the meantime.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Open,
    Closed,
}

impl<R: Receiver> Queue<R> {
    /// An empty queue, declared at `now_ms`.
    pub fn new(options: Options, now_ms: u64) -> Self {
        Self {
            ready: Ready::new(options.priority_max.unwrap_or(0), options.window.clone()),
            unacknowledged: Unacknowledged::default(),
            consumers: Consumers::new(options.single_active_consumer),
            reservations: Reservations::default(),
            totals: Totals::default(),
            used_ms: now_ms,
            life: Life::Open,
            is_over_long: false,
            is_over_old: false,
            is_behind: false,
            doubtful_through: 0,
            options,
        }
    }

    /// What is in force.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Puts other options in force, from now on:
    ///
    /// - A time to live counts for messages that are published from now on, and for those that are read back from the journal.
    /// - Under a lower length limit a queue that drops lets go of what is too much at once, in slices; one that refuses does
    ///   so until there is room. A place that was reserved is given back by its message, whatever is in force by then.
    /// - A delivery limit is looked at when a message comes back, `x-expires` counts from the last use.
    /// - Priorities, a single active consumer and the window stay as they were declared.
    ///
    /// The next deadline may be another by then.
    pub fn reconfigure(&mut self, options: Options, now_ms: u64, fx: &mut Effects<R>) {
        let Options { priority_max, single_active_consumer, ref window, .. } = self.options;
        self.options =
            Options { priority_max, single_active_consumer, window: window.clone(), ..options };
        self.is_over_long = false;
        self.expire(now_ms, fx);
        self.drop_excess(fx);
    }

    /// Removes every ready message; unacknowledged ones stay. Returns how many were removed. They are in
    /// [`Effects::debris`], however many there are this takes no time.
    pub fn purge(&mut self, fx: &mut Effects<R>) -> u64 {
        let purged = self.ready.len();
        let lanes = self.ready.take_all();
        self.totals.purged += purged;
        if purged > 0 {
            fx.debris = Some(Box::new(Debris::new(lanes, IntoIter::default())));
        }
        purged
    }

    /// Moves ready messages whose time has passed to [`Effects::dead`], wherever they stand: so many that a call is
    /// short. Those that are not in memory are asked for and die when they arrive.
    pub fn expire(&mut self, now_ms: u64, fx: &mut Effects<R>) {
        if self.is_closed() || self.is_held() {
            return;
        }
        let mut left = DEATHS_PER_CALL;
        self.is_over_old = false;
        loop {
            while let Some(entry) = (left > 0).then(|| self.ready.pop_due(now_ms)).flatten() {
                left -= 1;
                self.bury(entry, Reason::Expired, fx);
            }
            if left == 0 {
                self.is_over_old = true;
                break;
            }
            let Some(due) = self.ready.take_due_of_spans(now_ms) else { break };
            left = left.saturating_sub(due.len());
            for entry in due {
                self.bury(entry, Reason::Expired, fx);
            }
        }
        self.hand_over_requests(fx);
    }

    /// Goes on with what calls have left over, to keep each of them short: messages whose time has passed, those that
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

    /// Notes that the queue is in use, as a declare of an existing queue does.
    pub fn touch(&mut self, now_ms: u64) {
        self.used_ms = now_ms;
    }

    /// What it holds at this moment. Kept, not computed.
    pub fn counts(&self) -> Counts {
        Counts {
            ready: self.ready.len(),
            unacknowledged: self.unacknowledged.len(),
            consumers: self.consumers.len(),
            ready_bytes: self.ready.bytes(),
            unacknowledged_bytes: self.unacknowledged.bytes(),
        }
    }

    /// What happened since it was created.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// When the oldest message at the head of a priority was accepted, in Unix milliseconds.
    pub fn oldest_accepted_ms(&self) -> Option<u64> {
        self.ready.oldest_accepted_ms()
    }

    /// The consumers, in the order in which they subscribed.
    pub fn consumers(&self) -> impl Iterator<Item = ConsumerState> {
        self.consumers.states().into_iter()
    }

    /// The consumers with their receivers, in the order in which they subscribed.
    pub fn receivers(&self) -> Vec<(ConsumerState, R)> {
        self.consumers.receivers()
    }

    /// When it was last in use: declared, fetched from, or left by its last consumer.
    pub fn used_ms(&self) -> u64 {
        self.used_ms
    }

    fn expires_at_ms(&self) -> Option<u64> {
        if self.is_closed() || self.consumers.len() > 0 {
            return None;
        }
        self.options.expires_ms.map(|expires_ms| self.used_ms.saturating_add(expires_ms))
    }

    /// Passes on what the ready entries ask of the outside.
    fn hand_over_requests(&mut self, fx: &mut Effects<R>) {
        self.ready.take_requests(&mut fx.leaving, &mut fx.wanted);
    }

    /// Fails if what is counted by hand is not what is there.
    #[cfg(test)]
    fn check(&self) {
        self.ready.check();
        self.unacknowledged.check();
    }

    fn bury(&mut self, entry: Entry, reason: Reason, fx: &mut Effects<R>) {
        self.totals.count_dead(reason);
        fx.dead.push(Dead { entry, reason });
    }
}
