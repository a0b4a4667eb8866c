//! A queue's figures: what it holds now, and what happened since it was created.

use super::effects::Reason;
use crate::counters::counters;

/// What a queue holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages waiting for a consumer.
    pub ready: u64,
    /// Messages handed out and not yet settled.
    pub unacknowledged: u64,
    /// Consumers, waiting ones included.
    pub consumers: u64,
    /// Bytes of body of the ready messages.
    pub ready_bytes: u64,
    /// Bytes of body of the unacknowledged messages.
    pub unacknowledged_bytes: u64,
}

counters! {
    /// Events since the queue was created, in messages; they never fall.
    pub struct Totals {
        /// Appended. Restored messages are not counted again.
        pub published,
        /// Refused to a publisher because the queue was full.
        pub refused,
        /// Handed to consumers that acknowledge.
        pub delivered,
        /// Handed to consumers without acknowledgement.
        pub delivered_automatic,
        /// Fetched with `basic.get`, to be acknowledged.
        pub got,
        /// Fetched with `basic.get` without acknowledgement.
        pub got_automatic,
        /// `basic.get` that found nothing.
        pub got_empty,
        /// Of those handed out or fetched: how many had been handed out before.
        pub redelivered,
        /// Acknowledged.
        pub acknowledged,
        /// Came back to the queue.
        pub returned,
        /// Removed by `queue.purge`, or with the queue.
        pub purged,
        /// Given up because the journal could not be read.
        pub lost,
        /// Dead: out of time.
        pub expired,
        /// Dead: dropped at the length limit.
        pub dropped,
        /// Dead: rejected by a consumer.
        pub rejected,
        /// Dead: came back too often.
        pub over_delivered,
    }
}

impl Totals {
    pub(super) fn count_dead(&mut self, reason: Reason) {
        match reason {
            Reason::Expired => self.expired += 1,
            Reason::MaxLength => self.dropped += 1,
            Reason::Rejected => self.rejected += 1,
            Reason::DeliveryLimit => self.over_delivered += 1,
        }
    }
}
