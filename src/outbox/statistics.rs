//! What happened on a connection and its channels, counted where it happens: under the outbox's own lock, or by the
//! one task that reads or writes the socket. Nobody else's cache line is touched for it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::counters::counters;
use crate::message::Sizes;

counters! {
    /// Messages of one channel since it was opened, or of several together.
    pub struct Tally {
        /// Published by the client.
        pub published,
        /// Of those, on a channel that confirms.
        pub published_confirm,
        /// Confirmed to the client.
        pub confirmed,
        /// Came back to the client, because no queue took them.
        pub returned,
        /// Dropped, because no queue took them.
        pub dropped,
        /// Delivered to consumers that acknowledge.
        pub delivered,
        /// Delivered to consumers that do not.
        pub delivered_automatic,
        /// Fetched with `basic.get`, to be acknowledged.
        pub got,
        /// Fetched with `basic.get` without acknowledgement.
        pub got_automatic,
        /// `basic.get` that found nothing.
        pub got_empty,
        /// Of those delivered or fetched: how many may have been before.
        pub redelivered,
        /// Acknowledged by the client.
        pub acknowledged,
    }
}

/// What a channel does with published messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelMode {
    /// Nothing more than publish them.
    #[default]
    Plain,
    /// It confirms them.
    Confirm,
    /// They wait for a commit.
    Transaction,
}

/// A channel as an operator sees it.
#[derive(Debug, Clone)]
pub struct ChannelState {
    /// Its number on the connection.
    pub number: u16,
    /// What it does with published messages.
    pub mode: ChannelMode,
    /// The prefetch limit of each consumer; 0 for none.
    pub prefetch: u16,
    /// The prefetch limit of the whole channel; 0 for none.
    pub prefetch_global: u16,
    /// Its consumers.
    pub consumers: u32,
    /// Deliveries that the client has yet to settle.
    pub unacknowledged: usize,
    /// Messages that are still to be confirmed.
    pub unconfirmed: u64,
    /// What happened since it was opened.
    pub tally: Tally,
}

/// A connection's traffic, and what happened on all its channels, closed ones too.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// Bytes read from the socket.
    pub received_bytes: u64,
    /// Reads from the socket.
    pub received_count: u64,
    /// Bytes handed to the writer.
    pub written_bytes: u64,
    /// Writes to the socket.
    pub written_count: u64,
    /// Bytes that wait for the writer.
    pub waiting_bytes: usize,
    /// Channels that are open.
    pub channels: usize,
    /// Channels that were opened.
    pub channels_opened: u64,
    /// Messages of all channels.
    pub tally: Tally,
    /// Sizes of the published messages.
    pub sizes: Sizes,
}

/// What an operator may want to know of a channel, and what happened on it.
#[derive(Debug, Default)]
pub(super) struct ChannelStatistics {
    pub(super) mode: ChannelMode,
    pub(super) prefetch: u16,
    pub(super) prefetch_global: u16,
    pub(super) consumers: u32,
    pub(super) tally: Tally,
}

/// What happened on a connection and belongs to none of its open channels. It is changed under the outbox's lock.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// Of channels that were closed.
    pub(super) closed: Tally,
    pub(super) sizes: Sizes,
}

/// What a connection's socket has carried. It is changed without a lock.
#[derive(Debug, Default)]
pub(super) struct SocketStatistics {
    pub(super) written_bytes: Counter,
    pub(super) written_count: Counter,
    pub(super) received_bytes: Counter,
    pub(super) received_count: Counter,
}

/// A counter that only one task changes; others read it.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
