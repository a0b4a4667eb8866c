//! A queue's figures: what it holds now, and what happened since it was created.

use super::effects::Reason;

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

/// Events since the queue was created, in messages; they never fall.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Appended. Restored messages are not counted again.
    pub published: u64,
    /// Refused to a publisher because the queue was full.
    pub refused: u64,
    /// Handed to consumers that acknowledge.
    pub delivered: u64,
    /// Handed to consumers without acknowledgement.
    pub delivered_automatic: u64,
    /// Fetched with `basic.get`, to be acknowledged.
    pub got: u64,
    /// Fetched with `basic.get` without acknowledgement.
    pub got_automatic: u64,
    /// `basic.get` that found nothing.
    pub got_empty: u64,
    /// Of those handed out or fetched: how many had been handed out before.
    pub redelivered: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Came back to the queue.
    pub returned: u64,
    /// Removed by `queue.purge`, or with the queue.
    pub purged: u64,
    /// Given up because the journal could not be read.
    pub lost: u64,
    /// Dead: out of time.
    pub expired: u64,
    /// Dead: dropped at the length limit.
    pub dropped: u64,
    /// Dead: rejected by a consumer.
    pub rejected: u64,
    /// Dead: came back too often.
    pub over_delivered: u64,
}

impl Totals {
    /// Adds what another queue counted.
    pub fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.refused += other.refused;
        self.delivered += other.delivered;
        self.delivered_automatic += other.delivered_automatic;
        self.got += other.got;
        self.got_automatic += other.got_automatic;
        self.got_empty += other.got_empty;
        self.redelivered += other.redelivered;
        self.acknowledged += other.acknowledged;
        self.returned += other.returned;
        self.purged += other.purged;
        self.expired += other.expired;
        self.dropped += other.dropped;
        self.rejected += other.rejected;
        self.over_delivered += other.over_delivered;
    }

    pub(super) fn count_dead(&mut self, reason: Reason) {
        match reason {
            Reason::Expired => self.expired += 1,
            Reason::MaxLength => self.dropped += 1,
            Reason::Rejected => self.rejected += 1,
            Reason::DeliveryLimit => self.over_delivered += 1,
        }
    }
}
