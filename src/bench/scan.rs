//! What a broker sends, frame by frame. Deliveries and confirms are read by their fixed places alone, since there may
//! be a million of them a second; everything else goes through `wire`.

use super::trouble::Trouble;
use crate::wire::{
    FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, FRAME_OVERHEAD_BYTES,
    Method,
};

/// The type, the channel and the size in front of each frame.
const HEAD_BYTES: usize = FRAME_OVERHEAD_BYTES - 1;

/// Class and method of what is read without `wire`.
const DELIVER: [u8; 4] = [0, 60, 0, 60];
const RETURN: [u8; 4] = [0, 60, 0, 50];
const ACK: [u8; 4] = [0, 60, 0, 80];
const NACK: [u8; 4] = [0, 60, 0, 120];

/// How many bytes at the head of a body a sink gets to see.
pub(super) const BODY_HEAD_BYTES: usize = 16;

/// The head of a body; `None` when the body is shorter.
pub(super) type BodyHead = Option<[u8; BODY_HEAD_BYTES]>;

/// The answer to published messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settlement {
    /// The channel that they were published on.
    pub channel: u16,
    /// Number of the message, or of the last one.
    pub tag: u64,
    /// All up to that one.
    pub multiple: bool,
    /// Whether they are safe.
    pub verdict: Verdict,
}

/// What the broker says of published messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// `basic.ack`.
    Confirmed,
    /// `basic.nack`.
    Refused,
}

/// Takes what a scan finds.
pub(super) trait Sink {
    /// A whole message was delivered.
    fn delivered(&mut self, channel: u16, tag: u64, head: BodyHead);
    /// Published messages were confirmed or refused.
    fn settled(&mut self, settlement: Settlement) -> Result<(), Trouble>;
    /// A published message came back.
    fn returned(&mut self);
    /// Anything else.
    fn method(&mut self, channel: u16, method: &Method<'_>) -> Result<(), Trouble>;
}

/// Cuts frames and puts contents together, channel by channel.
pub(super) struct Scanner {
    payload_bytes_max: usize,
    contents: Vec<Content>,
}

/// A content that is on its way, on one channel.
#[derive(Clone, Copy, Default)]
struct Content {
    kind: Kind,
    tag: u64,
    /// Body bytes still to come, once the header has said how many there are.
    left: u64,
    head: BodyHead,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Nothing,
    Delivery,
    Return,
}

impl Scanner {
    /// For channels up to `channel_max`.
    pub fn new(payload_bytes_max: usize, channel_max: u16) -> Self {
        let contents = vec![Content::default(); usize::from(channel_max) + 1];
        Self { payload_bytes_max, contents }
    }

    /// Hands every whole frame of `input` to the sink, and says how many bytes they were.
    ///
    /// # Errors
    ///
    /// Bytes that are not AMQP 0-9-1, and what the sink says.
    pub fn scan(&mut self, input: &[u8], sink: &mut impl Sink) -> Result<usize, Trouble> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            let Some(&[kind, high, low, a, b, c, d]) = rest.first_chunk::<HEAD_BYTES>() else {
                if rest.first() == Some(&b'A') {
                    return Err(not_amqp());
                }
                return Ok(at);
            };
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            if size > self.payload_bytes_max || kind > FRAME_HEARTBEAT || kind == 0 {
                return Err(not_amqp());
            }
            let bytes = size + FRAME_OVERHEAD_BYTES;
            let Some(frame) = rest.get(..bytes) else { return Ok(at) };
            if frame[bytes - 1] != FRAME_END {
                return Err(not_amqp());
            }
            let payload = &frame[HEAD_BYTES..bytes - 1];
            let channel = u16::from_be_bytes([high, low]);
            match kind {
                FRAME_METHOD => self.method(channel, payload, sink)?,
                FRAME_HEADER => self.header(channel, payload, sink)?,
                FRAME_BODY => self.body(channel, payload, sink)?,
                _ => {}
            }
            at += bytes;
        }
    }

    #[inline]
    fn method(
        &mut self,
        channel: u16,
        payload: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), Trouble> {
        let (Some(&id), Some(rest)) = (payload.first_chunk::<4>(), payload.get(4..)) else {
            return Err(not_amqp());
        };
        match id {
            DELIVER => {
                // The consumer's tag stands in front: its length, then as many bytes.
                let skipped = rest.first().map_or(0, |&bytes| usize::from(bytes) + 1);
                let tag = number(rest.get(skipped..).unwrap_or_default())?;
                *self.content(channel)? =
                    Content { kind: Kind::Delivery, tag, left: 0, head: None };
                Ok(())
            }
            RETURN => {
                *self.content(channel)? = Content { kind: Kind::Return, ..Content::default() };
                Ok(())
            }
            ACK | NACK => {
                let multiple = rest.get(8).is_some_and(|bits| bits & 1 == 1);
                let verdict = if id == ACK { Verdict::Confirmed } else { Verdict::Refused };
                sink.settled(Settlement { channel, tag: number(rest)?, multiple, verdict })
            }
            _ => {
                let method = Method::parse(payload).map_err(|error| {
                    Trouble::new(format!("the broker sent what cannot be read: {error}"))
                })?;
                sink.method(channel, &method)
            }
        }
    }

    #[inline]
    fn header(
        &mut self,
        channel: u16,
        payload: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), Trouble> {
        let size = number(payload.get(4..).unwrap_or_default())?;
        let content = self.content(channel)?;
        content.left = size;
        if size == 0 {
            finish(channel, content, sink);
        }
        Ok(())
    }

    #[inline]
    fn body(&mut self, channel: u16, part: &[u8], sink: &mut impl Sink) -> Result<(), Trouble> {
        let content = self.content(channel)?;
        if content.head.is_none() {
            content.head = part.first_chunk().copied();
        }
        let Some(left) = content.left.checked_sub(part.len() as u64) else {
            return Err(not_amqp());
        };
        content.left = left;
        if left == 0 {
            finish(channel, content, sink);
        }
        Ok(())
    }

    fn content(&mut self, channel: u16) -> Result<&mut Content, Trouble> {
        self.contents.get_mut(usize::from(channel)).ok_or_else(not_amqp)
    }
}

#[inline]
fn finish(channel: u16, content: &mut Content, sink: &mut impl Sink) {
    match content.kind {
        Kind::Delivery => sink.delivered(channel, content.tag, content.head),
        Kind::Return => sink.returned(),
        Kind::Nothing => {}
    }
    content.kind = Kind::Nothing;
}

#[inline]
fn number(bytes: &[u8]) -> Result<u64, Trouble> {
    bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(not_amqp)
}

#[cold]
fn not_amqp() -> Trouble {
    Trouble::new("what answers there does not speak AMQP 0-9-1; check the address and the port")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{self, basic};

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn delivered(&mut self, channel: u16, tag: u64, head: BodyHead) {
            let head = head.map(|head| head[0]);
            self.0.push(format!("delivered {channel} {tag} {head:?}"));
        }
        fn settled(&mut self, s: Settlement) -> Result<(), Trouble> {
            self.0.push(format!("settled {} {} {} {:?}", s.channel, s.tag, s.multiple, s.verdict));
            Ok(())
        }
        fn returned(&mut self) {
            self.0.push("returned".to_owned());
        }
        fn method(&mut self, channel: u16, method: &Method<'_>) -> Result<(), Trouble> {
            self.0.push(format!("{channel} {}", method.name()));
            Ok(())
        }
    }

    fn delivery(channel: u16, tag: u64, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Method::BasicDeliver(basic::Deliver {
            consumer_tag: "a-consumer",
            delivery_tag: tag,
            redelivered: false,
            exchange: "x",
            routing_key: "k",
        })
        .encode_frame(channel, &mut out);
        wire::encode_content(&mut out, channel, basic::CLASS_ID, &[0, 0], body, 4096);
        out
    }

    #[test]
    fn every_way_to_cut_the_bytes_gives_the_same_messages() {
        let mut bytes = delivery(1, 7, b"");
        bytes.extend(delivery(2, 8, &[9; 16]));
        bytes.extend(delivery(1, 9, &[3; 10_000]));
        let returned = basic::Return {
            reply_code: 312,
            reply_text: "NO_ROUTE",
            exchange: "",
            routing_key: "k",
        };
        Method::BasicReturn(returned).encode_frame(1, &mut bytes);
        wire::encode_content(&mut bytes, 1, basic::CLASS_ID, &[0, 0], b"back", 4096);
        Method::BasicAck(basic::Ack { delivery_tag: 5, multiple: true })
            .encode_frame(1, &mut bytes);
        wire::encode_heartbeat(&mut bytes);
        let expected = [
            "delivered 1 7 None",
            "delivered 2 8 Some(9)",
            "delivered 1 9 Some(3)",
            "returned",
            "settled 1 5 true Confirmed",
        ];
        for cut in 0..bytes.len() {
            let (mut scanner, mut seen) = (Scanner::new(4096, 2), Seen::default());
            let used = scanner.scan(&bytes[..cut], &mut seen).unwrap();
            let rest = scanner.scan(&bytes[used..], &mut seen).unwrap();
            assert_eq!(used + rest, bytes.len());
            assert_eq!(seen.0, expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_amqp_is_said_to_be_so() {
        let check = |bytes: &[u8]| {
            let outcome = Scanner::new(4096, 1).scan(bytes, &mut Seen::default());
            assert!(outcome.unwrap_err().text.contains("does not speak AMQP"), "{bytes:?}");
        };
        check(b"AMQP");
        check(b"AMQP\x03\x01\x00\x00");
        check(b"HTTP/1.1 400 Bad Request");
        check(&[1, 0, 0, 0, 0, 0, 0, 0]);
        check(&[3, 0, 1, 0, 0, 0, 1, 0, FRAME_END]);
        check(&delivery(2, 1, b"a channel that was never opened"));
    }
}
