//! The last delivery in a buffer. The frames of one that is like it, save for its tag and its body, are copied from it and
//! these places filled in, instead of being encoded anew.

use std::ops::Range;

use crate::message::Message;
use crate::wire;

/// Bytes of a method frame ahead of its arguments: the frame's head, class and method.
const ARGUMENTS_AT: usize = wire::FRAME_HEAD_BYTES + 4;

/// Bytes of the delivery tag, and of the octet behind it that says whether the message was redelivered.
const TAG_BYTES: usize = 8;

/// Bytes of the body's size in the content header, which stand ahead of the flags and properties.
const SIZE_BYTES: usize = 8;

/// What a delivery says beside its message.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// The consumer, by the broker's number for it. Of one consumer all deliveries have the same tag.
    pub consumer: u64,
    /// The consumer tag.
    pub consumer_tag: &'a str,
    /// The delivery tag.
    pub delivery_tag: u64,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
}

/// The last delivery in a buffer: one whose body is in one frame.
#[derive(Debug, Default)]
pub(super) struct LastDelivery {
    /// Whether there is one.
    known: bool,
    channel: u16,
    consumer: u64,
    exchange: Range<usize>,
    /// Where its frames begin.
    start: usize,
    /// Where its delivery tag stands.
    tag: usize,
    key: Range<usize>,
    properties: Range<usize>,
    /// Where its body begins.
    body: usize,
}

impl LastDelivery {
    /// There is none any more.
    pub fn forget(&mut self) {
        self.known = false;
    }

    /// Takes note of the delivery that stands in `bytes` from `start` on.
    pub fn note(
        &mut self,
        bytes: &[u8],
        start: usize,
        channel: u16,
        heading: &Heading<'_>,
        message: &Message,
    ) {
        self.channel = channel;
        self.consumer = heading.consumer;
        self.start = start;
        // Short strings have an octet for their length in front (specification 4.2.5.3).
        self.tag = start + ARGUMENTS_AT + 1 + heading.consumer_tag.len();
        let exchange = self.tag + TAG_BYTES + 2;
        self.exchange = exchange..exchange + message.exchange_bytes().len();
        let key = self.exchange.end + 1;
        self.key = key..key + message.routing_key_bytes().len();
        let properties = self.key.end + 1 + wire::HEADER_PROPERTIES_AT;
        self.properties = properties..properties + message.properties().len();
        self.body = self.properties.end + 1 + wire::FRAME_HEAD_BYTES;
        // A name that is too long for the wire was cut, and then nothing stands where it is looked for.
        self.known = bytes.len() == self.body + message.body().len() + 1;
    }

    /// Whether a delivery can be made out of the one in `bytes`.
    fn fits(&self, bytes: &[u8], channel: u16, consumer: u64, message: &Message) -> bool {
        self.known
            && self.consumer == consumer
            && self.channel == channel
            && bytes[self.exchange.clone()] == *message.exchange_bytes()
            && bytes[self.key.clone()] == *message.routing_key_bytes()
            && bytes[self.properties.clone()] == *message.properties()
    }

    /// Appends a delivery whose body is in one frame, if it is like the last one. False if it is not.
    pub fn repeat(
        &self,
        bytes: &mut Vec<u8>,
        channel: u16,
        heading: &Heading<'_>,
        message: &Message,
    ) -> bool {
        if !self.fits(bytes, channel, heading.consumer, message) {
            return false;
        }
        let body = message.body();
        let at = bytes.len();
        bytes.reserve(self.body - self.start + body.len() + 1);
        bytes.extend_from_within(self.start..self.body);
        let mut put = |place: usize, value: &[u8]| {
            let place = at + place - self.start;
            bytes[place..place + value.len()].copy_from_slice(value);
        };
        put(self.tag, &heading.delivery_tag.to_be_bytes());
        put(self.tag + TAG_BYTES, &[u8::from(heading.redelivered)]);
        put(self.properties.start - SIZE_BYTES, &(body.len() as u64).to_be_bytes());
        put(self.body - size_of::<u32>(), &(body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes.push(wire::FRAME_END);
        true
    }
}

#[cfg(test)]
mod tests;
