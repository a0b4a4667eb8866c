//! What an operator sees of a connection, and what its session tells for it.

use super::tally::{ChannelMode, ChannelState, Tally, Traffic};
use super::{ChannelKey, Outbox};
use crate::message::Sizes;

impl<Q: Clone> Outbox<Q> {
    /// Takes note of one read from the socket. Only the connection's reader calls this.
    pub fn note_received(&self, bytes: usize) {
        self.received_bytes.add(bytes as u64);
        self.received_count.add(1);
    }

    /// Takes note of a batch of published messages: what became of them by channel, and their sizes.
    pub fn note_published(&self, tallies: &[(ChannelKey, Tally)], sizes: &Sizes) {
        let mut state = self.state.lock();
        state.sizes.add(sizes);
        for (key, tally) in tallies {
            match state.channel(*key) {
                Some(channel) => channel.tally.add(tally),
                None => state.closed_tally.add(tally),
            }
        }
    }

    /// Takes note of a `basic.get` that found nothing.
    pub fn note_empty(&self, key: ChannelKey) {
        if let Some(channel) = self.state.lock().channel(key) {
            channel.tally.got_empty += 1;
        }
    }

    /// Takes note of what a channel does with published messages.
    pub fn note_mode(&self, key: ChannelKey, mode: ChannelMode) {
        if let Some(channel) = self.state.lock().channel(key) {
            channel.mode = mode;
        }
    }

    /// Takes note of the prefetch limit that a channel's later consumers get.
    pub fn note_prefetch(&self, key: ChannelKey, count: u16) {
        if let Some(channel) = self.state.lock().channel(key) {
            channel.prefetch = count;
        }
    }

    /// Takes note of a consumer that came.
    pub fn note_consumer(&self, key: ChannelKey) {
        if let Some(channel) = self.state.lock().channel(key) {
            channel.consumers += 1;
        }
    }

    /// Takes note of a consumer that left.
    pub fn forget_consumer(&self, key: ChannelKey) {
        if let Some(channel) = self.state.lock().channel(key) {
            channel.consumers = channel.consumers.saturating_sub(1);
        }
    }

    /// The open channels, by number.
    pub fn channels(&self) -> Vec<ChannelState> {
        let state = self.state.lock();
        let mut channels: Vec<ChannelState> = state
            .channels
            .iter()
            .map(|(number, channel)| ChannelState {
                number: *number,
                mode: channel.mode,
                prefetch: channel.prefetch,
                prefetch_global: channel.prefetch_global,
                consumers: channel.consumers,
                unacknowledged: channel.unacked.len(),
                // A refused message is settled too.
                unconfirmed: channel.confirms.outstanding(channel.tally.published_confirm),
                tally: channel.tally,
            })
            .collect();
        drop(state);
        channels.sort_unstable_by_key(|channel| channel.number);
        channels
    }

    /// The connection's traffic.
    pub fn traffic(&self) -> Traffic {
        let state = self.state.lock();
        let mut tally = state.closed_tally;
        state.channels.values().for_each(|channel| tally.add(&channel.tally));
        Traffic {
            received_bytes: self.received_bytes.get(),
            received_count: self.received_count.get(),
            written_bytes: self.written_bytes.get(),
            written_count: self.written_count.get(),
            waiting_bytes: state.buffer.len(),
            channels: state.channels.len(),
            channels_opened: state.epoch.into(),
            tally,
            sizes: state.sizes,
        }
    }
}
