//! The optional arguments that shape a queue, validated by whoever declares it.

/// A queue's arguments. The default is an unlimited queue without priorities or expiry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `x-message-ttl`: how long a message may stand ready, in milliseconds since the broker accepted it.
    pub message_ttl_ms: Option<u64>,
    /// `x-expires`: how long the queue lives unused, in milliseconds.
    pub expires_ms: Option<u64>,
    /// `x-max-length`: how many messages may stand ready.
    pub length_max: Option<u64>,
    /// `x-max-length-bytes`: how many bytes of body may stand ready.
    pub length_bytes_max: Option<u64>,
    /// `x-overflow`: what happens at either of those limits.
    pub overflow: Overflow,
    /// `x-max-priority`: higher message priorities count as this one. Absent: one priority for all.
    pub priority_max: Option<u8>,
    /// `x-single-active-consumer`: one consumer gets everything, the others wait for it to leave.
    pub single_active_consumer: bool,
    /// `x-delivery-limit`: how many times a message may come back before it is dead-lettered.
    pub delivery_limit: Option<u32>,
    /// How much of the queue is kept in memory. Absent: all of it, as when there is no journal to read it from.
    pub window: Option<Window>,
}

/// How much of each priority of a queue is kept in memory, about. What is behind it stands in the journal alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// In messages; at least 2.
    pub messages: usize,
    /// In bytes.
    pub bytes: usize,
    /// Messages that are not in memory are looked at in intervals of at least this when they expire, in milliseconds.
    pub recall_ms: u64,
}

impl Window {
    /// Messages of one span: that many are read at once.
    pub(super) fn span_messages(&self) -> usize {
        (self.messages / 2).max(1)
    }

    /// Bytes of one span.
    pub(super) fn span_bytes(&self) -> usize {
        (self.bytes / 2).max(1)
    }
}

/// What happens to a message that a full queue has no room for (`x-overflow`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overflow {
    /// `drop-head`: the oldest ready message of the lowest priority makes room.
    #[default]
    DropHead,
    /// `reject-publish`: the publisher is told with `basic.nack`.
    RejectPublish,
    /// `reject-publish-dlx`: the same, and the message is dead-lettered.
    RejectPublishDlx,
}
