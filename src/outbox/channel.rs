//! One channel's part of an outbox: its delivery tags, its credit, what is unacknowledged and what is to be confirmed.

use smallvec::smallvec;

use super::confirms::Confirms;
use super::delivery::{Delivery, Resume, Settled, UnknownTag};
use super::statistics::ChannelStatistics;
use super::unacked::{Unacked, UnackedByTag};
use crate::message::AckMode;

/// A channel that is open.
pub(super) struct ChannelOutbox<Q> {
    /// Tells it from those that had its number before.
    pub(super) epoch: u32,
    last_tag: u64,
    unacked: UnackedByTag<Q>,
    unacked_max: usize,
    unacked_bytes_max: u64,
    /// Consumers that found the channel's credit used up.
    starved: Vec<Resume<Q>>,
    pub(super) confirms: Confirms,
    pub(super) statistics: ChannelStatistics,
}

impl<Q> ChannelOutbox<Q> {
    /// A channel that may have so many deliveries unacknowledged, and so many bytes of bodies.
    pub(super) fn new(epoch: u32, unacked_max: usize, unacked_bytes_max: u64) -> Self {
        Self {
            epoch,
            last_tag: 0,
            unacked: UnackedByTag::default(),
            unacked_max,
            unacked_bytes_max,
            starved: Vec::new(),
            confirms: Confirms::default(),
            statistics: ChannelStatistics::default(),
        }
    }

    /// The next delivery tag.
    #[inline]
    pub(super) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Gives a delivery its tag, and takes note of it if the client is to acknowledge it.
    #[inline]
    pub(super) fn hand_over(&mut self, delivery: &Delivery<'_, Q>) -> u64
    where
        Q: Clone,
    {
        let tag = self.next_tag();
        self.statistics.tally.redelivered += u64::from(delivery.redelivered);
        if delivery.acks == AckMode::Manual {
            let queue = delivery.queue.clone();
            let body_bytes = delivery.message.body().len() as u64;
            self.unacked.push(Unacked { tag, queue, position: delivery.position, body_bytes });
        }
        tag
    }

    /// Whether one more delivery may be unacknowledged.
    #[inline]
    pub(super) fn has_credit(&self) -> bool {
        self.unacked.len() < self.unacked_max && self.unacked.body_bytes() < self.unacked_bytes_max
    }

    /// A consumer found the credit used up.
    pub(super) fn starve(&mut self, consumer: Resume<Q>) {
        self.starved.push(consumer);
    }

    /// How many deliveries are unacknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.unacked.len()
    }

    /// Sets how many deliveries may be unacknowledged. Returns the consumers that may go on.
    pub(super) fn set_unacked_max(&mut self, unacked_max: usize) -> Vec<Resume<Q>> {
        self.unacked_max = unacked_max;
        self.take_starved()
    }

    /// Sets how many bytes of bodies may be unacknowledged. Returns the consumers that may go on.
    pub(super) fn set_unacked_bytes_max(&mut self, unacked_bytes_max: u64) -> Vec<Resume<Q>> {
        self.unacked_bytes_max = unacked_bytes_max;
        self.take_starved()
    }

    pub(super) fn take_one(&mut self, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let unacked = smallvec![self.unacked.take_one(tag).ok_or(UnknownTag)?];
        Ok(Settled { unacked, resume: self.take_starved() })
    }

    pub(super) fn take_through(&mut self, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut unacked = Vec::new();
        if !self.unacked.take_through(tag, &mut unacked) {
            return Err(UnknownTag);
        }
        Ok(Settled { unacked: unacked.into(), resume: self.take_starved() })
    }

    /// Takes everything that is unacknowledged, because the channel closes.
    pub(super) fn take_all(&mut self) -> Vec<Unacked<Q>> {
        self.unacked.take_all()
    }

    /// Puts back what a transaction took that was rolled back.
    pub(super) fn restore(&mut self, unacked: Vec<Unacked<Q>>) {
        self.unacked.restore(unacked);
    }

    fn take_starved(&mut self) -> Vec<Resume<Q>> {
        if self.has_credit() { std::mem::take(&mut self.starved) } else { Vec::new() }
    }
}
