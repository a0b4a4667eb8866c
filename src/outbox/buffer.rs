//! Bytes on their way to a peer's socket: encoded frames, with large bodies spliced in by reference instead
//! of being copied.

use std::ops::Range;
use std::sync::Arc;

use super::last_delivery::{Heading, LastDelivery};
use crate::message::Message;
use crate::wire::{self, Method, basic};

/// Bodies of at least this many bytes are shared with the queue instead of being copied into the buffer.
/// Below it a copy costs less than one more part in a write.
const SHARED_BYTES_MIN: usize = 16 * 1024;

/// A buffer that grew beyond this is given back after it was written.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Class of content headers for messages (specification 2.3.5.2: the class of the method).
const CLASS_BASIC: u16 = 60;

/// A part of a message's body that belongs at one place of the buffer.
#[derive(Debug)]
struct Splice {
    at: usize,
    message: Arc<Message>,
    range: Range<usize>,
}

/// Encoded frames in the order in which they are to be written.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    splices: Vec<Splice>,
    spliced_bytes: usize,
    last_delivery: LastDelivery,
}

impl Buffer {
    /// How many bytes are to be written.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.spliced_bytes
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends a method frame.
    pub fn method(&mut self, channel: u16, method: &Method<'_>) {
        method.encode_frame(channel, &mut self.bytes);
    }

    /// Appends a heartbeat frame (specification 4.2.7).
    pub fn heartbeat(&mut self) {
        wire::encode_heartbeat(&mut self.bytes);
    }

    /// Appends raw bytes, such as a protocol header.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a method frame with its content: header frame and body frames of at most
    /// `frame_bytes_max` bytes each.
    pub fn content(
        &mut self,
        channel: u16,
        method: &Method<'_>,
        message: &Arc<Message>,
        frame_bytes_max: u32,
    ) {
        self.method(channel, method);
        let body = message.body();
        if body.len() < SHARED_BYTES_MIN {
            let properties = message.properties();
            wire::encode_content(
                &mut self.bytes,
                channel,
                CLASS_BASIC,
                properties,
                body,
                frame_bytes_max,
            );
        } else {
            self.shared_content(channel, message, frame_bytes_max);
        }
    }

    /// Appends a delivery to a consumer.
    pub fn delivery(
        &mut self,
        channel: u16,
        heading: &Heading<'_>,
        message: &Arc<Message>,
        frame_bytes_max: u32,
    ) {
        let body_bytes = message.body().len();
        let is_one_frame = (1..SHARED_BYTES_MIN).contains(&body_bytes)
            && body_bytes + wire::FRAME_OVERHEAD_BYTES <= frame_bytes_max as usize;
        if is_one_frame && self.last_delivery.repeat(&mut self.bytes, channel, heading, message) {
            return;
        }
        let method = Method::BasicDeliver(basic::Deliver {
            consumer_tag: heading.consumer_tag,
            delivery_tag: heading.delivery_tag,
            redelivered: heading.redelivered,
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        });
        let start = self.bytes.len();
        self.content(channel, &method, message, frame_bytes_max);
        if is_one_frame {
            self.last_delivery.note(&self.bytes, start, channel, heading, message);
        }
    }

    fn shared_content(&mut self, channel: u16, message: &Arc<Message>, frame_bytes_max: u32) {
        let length = message.body().len();
        let properties = message.properties();
        wire::encode_content_header(
            &mut self.bytes,
            channel,
            CLASS_BASIC,
            properties,
            length as u64,
        );
        let step = frame_bytes_max as usize - wire::FRAME_OVERHEAD_BYTES;
        let mut start = 0;
        while start < length {
            let end = length.min(start + step);
            wire::encode_body_head(&mut self.bytes, channel, (end - start) as u32);
            self.splices.push(Splice {
                at: self.bytes.len(),
                message: Arc::clone(message),
                range: start..end,
            });
            self.spliced_bytes += end - start;
            self.bytes.push(wire::FRAME_END);
            start = end;
        }
    }

    /// The parts to write, in order.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut written = 0;
        let mut next = self.splices.iter();
        let mut body: Option<&[u8]> = None;
        std::iter::from_fn(move || {
            if let Some(part) = body.take() {
                return Some(part);
            }
            if let Some(splice) = next.next() {
                body = Some(&splice.message.body()[splice.range.clone()]);
                let part = &self.bytes[written..splice.at];
                written = splice.at;
                return Some(part);
            }
            (written < self.bytes.len()).then(|| {
                let part = &self.bytes[written..];
                written = self.bytes.len();
                part
            })
        })
    }

    /// Empties the buffer; what a burst made it grow to is given back.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.splices.clear();
        self.splices.shrink_to(16);
        self.spliced_bytes = 0;
        self.last_delivery.forget();
    }

    /// Gives all memory back: for a connection that has gone quiet.
    pub fn release(&mut self) {
        *self = Self::default();
    }
}
