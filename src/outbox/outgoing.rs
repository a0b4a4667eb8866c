//! The bytes of an outbox: encoded frames that wait for the writer, and whether the writer knows of them.

use std::sync::Arc;

use super::buffer::Buffer;
use super::last_delivery::Heading;
use crate::message::Message;
use crate::wire::Method;

/// What waits for a connection's writer. Whatever appends returns whether it is the first since the writer last looked.
pub(super) struct Outgoing {
    buffer: Buffer,
    frame_bytes_max: u32,
    /// Something was appended since the writer last looked.
    is_dirty: bool,
}

impl Outgoing {
    /// Nothing, in frames of at most so many bytes.
    pub(super) fn new(frame_bytes_max: u32) -> Self {
        Self { buffer: Buffer::default(), frame_bytes_max, is_dirty: false }
    }

    /// Sets the largest frame, as negotiated.
    pub(super) fn set_frame_bytes_max(&mut self, frame_bytes_max: u32) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// How many bytes wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether something was appended since the writer last looked.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Appends a method frame.
    pub(super) fn method(&mut self, channel: u16, method: &Method<'_>) -> bool {
        self.buffer.method(channel, method);
        self.appended()
    }

    /// Appends a method frame with its content.
    pub(super) fn content(
        &mut self,
        channel: u16,
        method: &Method<'_>,
        message: &Arc<Message>,
    ) -> bool {
        self.buffer.content(channel, method, message, self.frame_bytes_max);
        self.appended()
    }

    /// Appends a delivery to a consumer.
    #[inline]
    pub(super) fn delivery(
        &mut self,
        channel: u16,
        heading: &Heading<'_>,
        message: &Arc<Message>,
    ) -> bool {
        self.buffer.delivery(channel, heading, message, self.frame_bytes_max);
        self.appended()
    }

    /// Appends a heartbeat frame.
    pub(super) fn heartbeat(&mut self) -> bool {
        self.buffer.heartbeat();
        self.appended()
    }

    /// Appends bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> bool {
        self.buffer.raw(bytes);
        self.appended()
    }

    /// Exchanges what waits for `into`, which must be empty: the writer has looked.
    pub(super) fn swap(&mut self, into: &mut Buffer) {
        self.is_dirty = false;
        std::mem::swap(&mut self.buffer, into);
    }

    /// Gives back the memory that an empty buffer keeps.
    pub(super) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer.release();
        }
    }

    #[inline]
    fn appended(&mut self) -> bool {
        !std::mem::replace(&mut self.is_dirty, true)
    }
}
