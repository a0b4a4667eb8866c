//! What an outbox's one lock protects: the bytes, the channels, and the statistics, each of which has its own file.

use rustc_hash::FxHashMap;

use super::channel::ChannelOutbox;
use super::confirms::Acknowledgement;
use super::delivery::{ChannelKey, Resume};
use super::outgoing::Outgoing;
use super::statistics::Statistics;
use super::unacked::Unacked;
use crate::wire::{Method, basic};

/// The contents of one connection's outbox.
pub(super) struct Contents<Q> {
    pub(super) outgoing: Outgoing,
    pub(super) channels: FxHashMap<u16, ChannelOutbox<Q>>,
    /// How many channels were opened: the number of the last of them.
    pub(super) epoch: u32,
    /// Bytes of the bodies of unacknowledged deliveries of each channel, as of now.
    unacked_bytes_max: u64,
    /// Consumers that found no room.
    pub(super) stalled: Vec<Resume<Q>>,
    pub(super) statistics: Statistics,
}

impl<Q> Contents<Q> {
    pub(super) fn new(frame_bytes_max: u32, unacked_bytes_max: u64) -> Self {
        Self {
            outgoing: Outgoing::new(frame_bytes_max),
            channels: FxHashMap::default(),
            epoch: 0,
            unacked_bytes_max,
            stalled: Vec::new(),
            statistics: Statistics::default(),
        }
    }

    /// A channel, if it is still the one that was opened with this key.
    #[inline]
    pub(super) fn channel(&mut self, key: ChannelKey) -> Option<&mut ChannelOutbox<Q>> {
        self.channels.get_mut(&key.number).filter(|channel| channel.epoch == key.epoch)
    }

    /// Opens a channel, whose number must not be open.
    pub(super) fn open_channel(&mut self, number: u16, unacked_max: usize) -> ChannelKey {
        self.epoch += 1;
        let epoch = self.epoch;
        let channel = ChannelOutbox::new(epoch, unacked_max, self.unacked_bytes_max);
        self.channels.insert(number, channel);
        ChannelKey { number, epoch }
    }

    /// Forgets a channel; returns what was unacknowledged.
    pub(super) fn close_channel(&mut self, key: ChannelKey) -> Vec<Unacked<Q>> {
        if self.channel(key).is_none() {
            return Vec::new();
        }
        let Some(mut channel) = self.channels.remove(&key.number) else { return Vec::new() };
        self.statistics.closed.add(&channel.statistics.tally);
        channel.take_all()
    }

    /// Sets how many bytes of bodies each channel may have unacknowledged. Returns the consumers that may go on.
    pub(super) fn set_unacked_bytes_max(&mut self, bytes_max: u64) -> Vec<Resume<Q>> {
        self.unacked_bytes_max = bytes_max;
        let channels = self.channels.values_mut();
        channels.flat_map(|channel| channel.set_unacked_bytes_max(bytes_max)).collect()
    }

    /// Appends a `basic.ack`. Returns whether it is the first thing since the writer last looked.
    pub(super) fn acknowledge(&mut self, channel: u16, acknowledgement: Acknowledgement) -> bool {
        let Acknowledgement { tag, multiple } = acknowledgement;
        let ack = basic::Ack { delivery_tag: tag, multiple };
        self.outgoing.method(channel, &Method::BasicAck(ack))
    }
}
