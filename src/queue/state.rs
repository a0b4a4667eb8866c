//! A queue: what is ready, what is unacknowledged, who consumes, and what was promised to publishers. What happens to
//! it is in the files beside this one.

use super::consumers::Consumers;
use super::counts::{Counts, Totals};
use super::effects::{Dead, Effects, Reason};
use super::entry::Entry;
use super::options::Options;
use super::ready::Ready;
use super::receiver::Receiver;
use super::reservations::Reservations;
use super::subscription::ConsumerState;
use super::unacknowledged::Unacknowledged;
use crate::message::Position;

/// So many messages die of their age in one call, and so many for want of room.
pub(super) const DEATHS_PER_CALL: usize = 256;

/// One queue. `R` is a consumer's way into its outbox.
pub struct Queue<R> {
    pub(super) options: Options,
    pub(super) ready: Ready,
    pub(super) unacknowledged: Unacknowledged,
    pub(super) consumers: Consumers<R>,
    pub(super) reservations: Reservations,
    pub(super) totals: Totals,
    /// The last declare, get, or departure of the last consumer; `x-expires` counts from here.
    pub(super) used_ms: u64,
    pub(super) life: Life,
    /// More messages are to be dropped than one call does.
    pub(super) is_over_long: bool,
    /// More messages may have expired than one call dead-letters.
    pub(super) is_over_old: bool,
    /// What somebody wants may stand behind messages that have expired.
    pub(super) is_behind: bool,
    /// Of the messages up to this position, which were there at a start, nobody knows whether they had been delivered.
    pub(super) doubtful_through: Position,
}

/// Whether the queue still exists. A publisher or consumer may hold a reference to a queue that another
/// connection has deleted in the meantime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
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

    /// Notes that the queue is in use, as a declare of an existing queue does.
    pub fn touch(&mut self, now_ms: u64) {
        self.used_ms = now_ms;
    }

    /// Puts other options in force, from now on:
    ///
    /// - A time to live counts for messages that are published from now on, and for those that are read back from the journal.
    /// - Under a lower length limit a queue that drops removes what is too much at once, in slices; one that refuses does
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

    /// Passes on what the ready entries ask of the outside.
    pub(super) fn hand_over_requests(&mut self, fx: &mut Effects<R>) {
        self.ready.take_requests(&mut fx.evictable, &mut fx.load_requests);
    }

    /// Fails if what is counted by hand is not what is there.
    #[cfg(test)]
    pub(super) fn check(&self) {
        self.ready.check();
        self.unacknowledged.check();
    }

    pub(super) fn dead_letter(&mut self, entry: Entry, reason: Reason, fx: &mut Effects<R>) {
        self.totals.count_dead(reason);
        fx.dead.push(Dead { entry, reason });
    }
}
