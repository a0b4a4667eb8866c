//! What an operator sees of a connection, and what its session tells for it.

use super::connection::Outbox;
use super::delivery::ChannelKey;
use super::statistics::{ChannelMode, ChannelState, Tally, Traffic};
use crate::message::Sizes;

impl<Q: Clone> Outbox<Q> {
    /// Takes note of one read from the socket. Only the connection's reader calls this.
    pub fn note_received(&self, bytes: usize) {
        self.socket.received_bytes.add(bytes as u64);
        self.socket.received_count.add(1);
    }

    /// Takes note of a batch of published messages: what became of them by channel, and their sizes.
    pub fn note_published(&self, tallies: &[(ChannelKey, Tally)], sizes: &Sizes) {
        let mut contents = self.contents.lock();
        contents.statistics.sizes.add(sizes);
        for (key, tally) in tallies {
            match contents.channel(*key) {
                Some(channel) => channel.statistics.tally.add(tally),
                None => contents.statistics.closed.add(tally),
            }
        }
    }

    /// Takes note of a `basic.get` that found nothing.
    pub fn note_empty(&self, key: ChannelKey) {
        if let Some(channel) = self.contents.lock().channel(key) {
            channel.statistics.tally.got_empty += 1;
        }
    }

    /// Takes note of what a channel does with published messages.
    pub fn note_mode(&self, key: ChannelKey, mode: ChannelMode) {
        if let Some(channel) = self.contents.lock().channel(key) {
            channel.statistics.mode = mode;
        }
    }

    /// Takes note of the prefetch limit that a channel's later consumers get.
    pub fn note_prefetch(&self, key: ChannelKey, count: u16) {
        if let Some(channel) = self.contents.lock().channel(key) {
            channel.statistics.prefetch = count;
        }
    }

    /// Takes note of a consumer that came.
    pub fn note_consumer(&self, key: ChannelKey) {
        if let Some(channel) = self.contents.lock().channel(key) {
            channel.statistics.consumers += 1;
        }
    }

    /// Takes note of a consumer that left.
    pub fn forget_consumer(&self, key: ChannelKey) {
        if let Some(channel) = self.contents.lock().channel(key) {
            channel.statistics.consumers = channel.statistics.consumers.saturating_sub(1);
        }
    }

    /// The open channels, by number.
    pub fn channels(&self) -> Vec<ChannelState> {
        let contents = self.contents.lock();
        let mut channels: Vec<ChannelState> = contents
            .channels
            .iter()
            .map(|(number, channel)| ChannelState {
                number: *number,
                mode: channel.statistics.mode,
                prefetch: channel.statistics.prefetch,
                prefetch_global: channel.statistics.prefetch_global,
                consumers: channel.statistics.consumers,
                unacknowledged: channel.unacked(),
                // A refused message is settled too.
                unconfirmed: channel
                    .confirms
                    .outstanding(channel.statistics.tally.published_confirm),
                tally: channel.statistics.tally,
            })
            .collect();
        drop(contents);
        channels.sort_unstable_by_key(|channel| channel.number);
        channels
    }

    /// The connection's traffic.
    pub fn traffic(&self) -> Traffic {
        let contents = self.contents.lock();
        let mut tally = contents.statistics.closed;
        contents.channels.values().for_each(|channel| tally.add(&channel.statistics.tally));
        Traffic {
            received_bytes: self.socket.received_bytes.get(),
            received_count: self.socket.received_count.get(),
            written_bytes: self.socket.written_bytes.get(),
            written_count: self.socket.written_count.get(),
            waiting_bytes: contents.outgoing.len(),
            channels: contents.channels.len(),
            channels_opened: contents.epoch.into(),
            tally,
            sizes: contents.statistics.sizes,
        }
    }
}
