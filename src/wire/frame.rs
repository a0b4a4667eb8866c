//! Frames (specification 4.2.3): cutting the next one off a buffer, with every check that it allows before
//! memory is spent on it, and writing them. Also the eight bytes that open a connection.

use super::content::ContentHeader;
use super::error::WireError;
use super::field;
use super::generated::basic;
use super::generated::constant::{
    FRAME_BODY, FRAME_BYTES_MIN, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD,
};
use super::generated::method::Method;
use super::generated::reply_code::ReplyCode;

/// What a client says first, and what the server answers to anything else (specification 4.2.2).
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// The same in the form of the 0-9 revision, which some old clients send.
const PROTOCOL_HEADER_0_9: [u8; 8] = *b"AMQP\x01\x01\x00\x09";

/// Type, channel and payload size.
pub const FRAME_HEAD_BYTES: usize = 7;

/// Where in a content header's frame the properties begin: behind the frame's head, class, weight and body size
/// (specification 4.2.6.1).
pub const HEADER_PROPERTIES_AT: usize = FRAME_HEAD_BYTES + 12;

/// What a frame takes besides its payload: the head, and the end octet.
pub const FRAME_OVERHEAD_BYTES: usize = FRAME_HEAD_BYTES + 1;

/// One frame. What it carries borrows from the buffer that it was cut from.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame<'a> {
    /// A method.
    Method {
        /// The channel; 0 is the connection itself.
        channel: u16,
        /// The method.
        method: Method<'a>,
    },
    /// A content header.
    Header {
        /// The channel.
        channel: u16,
        /// The header.
        header: ContentHeader<'a>,
    },
    /// A part of a content body.
    Body {
        /// The channel.
        channel: u16,
        /// The part.
        payload: &'a [u8],
    },
    /// A heartbeat.
    Heartbeat {
        /// The channel, which should be 0: to check that is left to the session.
        channel: u16,
    },
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderCheck {
    /// They agree with a header that is served, as far as they go.
    NeedMore,
    /// A header that is served; it is 8 bytes long.
    Ok,
    /// Something else.
    Wrong,
}

/// Looks at the first bytes of a connection, of which there may be fewer or more than eight.
pub fn protocol_header(buf: &[u8]) -> HeaderCheck {
    let head = &buf[..buf.len().min(PROTOCOL_HEADER.len())];
    let served = [PROTOCOL_HEADER, PROTOCOL_HEADER_0_9];
    if !served.iter().any(|header| header.starts_with(head)) {
        HeaderCheck::Wrong
    } else if head.len() < PROTOCOL_HEADER.len() {
        HeaderCheck::NeedMore
    } else {
        HeaderCheck::Ok
    }
}

/// Bytes that the frame at the head of `buf` takes in all, when its 7-byte head is there. Nothing is
/// checked: call [`next_frame`] first, which refuses a frame that is too large.
#[inline]
pub fn frame_bytes_needed(buf: &[u8]) -> Option<usize> {
    let &[_, _, _, a, b, c, d, ..] = buf else { return None };
    Some(u32::from_be_bytes([a, b, c, d]) as usize + FRAME_OVERHEAD_BYTES)
}

/// Bytes of the largest frame that [`next_frame`] takes under a negotiated limit.
#[inline]
pub fn largest_frame_bytes(frame_bytes_max: u32) -> usize {
    frame_bytes_max as usize + FRAME_OVERHEAD_BYTES
}

/// Cuts the next frame off the head of `buf`: the frame, and how many bytes of `buf` it took. `None` when
/// more bytes are needed. `frame_bytes_max` is the negotiated limit. By the specification it counts for a whole frame,
/// overhead included; the payload alone may have as many bytes, because some clients count so and RabbitMQ lets them.
///
/// Type and size are checked as soon as they are there, so that a reader never waits for, nor makes room
/// for, a frame that will be refused.
///
/// # Errors
/// 501 for an unknown frame type, a frame above the limit, a wrong end octet, a heartbeat with a payload or
/// a malformed content header; and those of [`Method::parse`].
#[inline]
pub fn next_frame(
    buf: &[u8],
    frame_bytes_max: u32,
) -> Result<Option<(Frame<'_>, usize)>, WireError> {
    let Some(&kind) = buf.first() else { return Ok(None) };
    if !matches!(kind, FRAME_METHOD | FRAME_HEADER | FRAME_BODY | FRAME_HEARTBEAT) {
        return Err(unknown_type(kind));
    }
    let Some(bytes) = frame_bytes_needed(buf) else { return Ok(None) };
    let channel = u16::from_be_bytes([buf[1], buf[2]]);
    if bytes > largest_frame_bytes(frame_bytes_max) {
        return Err(too_large(channel, bytes, frame_bytes_max));
    }
    if buf.len() < bytes {
        return Ok(None);
    }
    if buf[bytes - 1] != FRAME_END {
        return Err(wrong_end(channel, buf[bytes - 1]));
    }
    let payload = &buf[FRAME_HEAD_BYTES..bytes - 1];
    match parse_payload(kind, channel, payload) {
        Ok(frame) => Ok(Some((frame, bytes))),
        Err(error) => Err(error.on_channel(channel)),
    }
}

/// The channel of the frame at the head of `buf`, if it is all there and is a content header that is long enough for one.
pub fn header_channel(buf: &[u8]) -> Option<u16> {
    let bytes = frame_bytes_needed(buf)?;
    let is_header = buf[0] == FRAME_HEADER
        && (HEADER_PROPERTIES_AT + 1..=buf.len()).contains(&bytes)
        && buf[bytes - 1] == FRAME_END;
    is_header.then(|| u16::from_be_bytes([buf[1], buf[2]]))
}

/// Whether the frame at the head of `buf` begins a message: its method is `basic.publish`.
pub fn begins_publish(buf: &[u8]) -> bool {
    let [class_high, class_low] = basic::CLASS_ID.to_be_bytes();
    let [high, low] = basic::Publish::METHOD_ID.to_be_bytes();
    buf.first() == Some(&FRAME_METHOD)
        && buf.get(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + 4)
            == Some(&[class_high, class_low, high, low])
}

/// The payload of the body frame at the head of `buf`, and how many bytes the frame takes, if it is a whole and
/// well-formed one on this channel with a payload of this size.
#[inline]
pub fn body_frame(
    buf: &[u8],
    channel: u16,
    payload_bytes: usize,
    frame_bytes_max: u32,
) -> Option<(&[u8], usize)> {
    let bytes = payload_bytes.checked_add(FRAME_OVERHEAD_BYTES)?;
    let frame = buf.get(..bytes)?;
    let [high, low] = channel.to_be_bytes();
    let is_expected = bytes <= largest_frame_bytes(frame_bytes_max)
        && frame[..3] == [FRAME_BODY, high, low]
        && frame_bytes_needed(frame) == Some(bytes)
        && frame[bytes - 1] == FRAME_END;
    is_expected.then(|| (&frame[FRAME_HEAD_BYTES..bytes - 1], bytes))
}

#[inline]
fn parse_payload(kind: u8, channel: u16, payload: &[u8]) -> Result<Frame<'_>, WireError> {
    match kind {
        FRAME_METHOD => Ok(Frame::Method { channel, method: Method::parse(payload)? }),
        FRAME_HEADER => Ok(Frame::Header { channel, header: ContentHeader::parse(payload)? }),
        FRAME_BODY => Ok(Frame::Body { channel, payload }),
        _ if payload.is_empty() => Ok(Frame::Heartbeat { channel }),
        _ => Err(frame_error("heartbeat with a payload".into())),
    }
}

/// Appends a content header frame and as many body frames as the limit asks for; none when the body is
/// empty. `properties` are flags and list as [`ContentHeader`] holds them; they cannot be split, so that a
/// header frame may pass a limit that is smaller than the one they came in under, as RabbitMQ's do.
/// `frame_bytes_max` below [`FRAME_BYTES_MIN`] counts as that.
#[inline]
pub fn encode_content(
    out: &mut Vec<u8>,
    channel: u16,
    class_id: u16,
    properties: &[u8],
    body: &[u8],
    frame_bytes_max: u32,
) {
    put_frame(out, FRAME_HEADER, channel, |out| {
        let header = ContentHeader { class_id, body_size: body.len() as u64, properties };
        header.encode(out);
    });
    let part_bytes_max = frame_bytes_max.max(FRAME_BYTES_MIN) as usize - FRAME_OVERHEAD_BYTES;
    for part in body.chunks(part_bytes_max) {
        put_frame(out, FRAME_BODY, channel, |out| out.extend_from_slice(part));
    }
}

/// Appends a content header frame alone, for a body that is written from elsewhere.
pub fn encode_content_header(
    out: &mut Vec<u8>,
    channel: u16,
    class_id: u16,
    properties: &[u8],
    body_bytes: u64,
) {
    put_frame(out, FRAME_HEADER, channel, |out| {
        ContentHeader { class_id, body_size: body_bytes, properties }.encode(out);
    });
}

/// Appends the head of a body frame alone; its payload of `part_bytes` and [`FRAME_END`] are to follow.
pub fn encode_body_head(out: &mut Vec<u8>, channel: u16, part_bytes: u32) {
    out.push(FRAME_BODY);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&part_bytes.to_be_bytes());
}

/// Appends a heartbeat frame.
#[inline]
pub fn encode_heartbeat(out: &mut Vec<u8>) {
    put_frame(out, FRAME_HEARTBEAT, 0, |_| {});
}

/// Appends a frame whose payload is what `write` appends.
#[inline]
pub(super) fn put_frame(
    out: &mut Vec<u8>,
    kind: u8,
    channel: u16,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let [high, low] = channel.to_be_bytes();
    out.extend_from_slice(&[kind, high, low]);
    field::put_sized(out, write);
    out.push(FRAME_END);
}

fn frame_error(text: String) -> WireError {
    WireError::new(ReplyCode::FrameError, text)
}

#[cold]
fn unknown_type(kind: u8) -> WireError {
    frame_error(format!("unknown frame type {kind}"))
}

#[cold]
fn too_large(channel: u16, bytes: usize, frame_bytes_max: u32) -> WireError {
    frame_error(format!("frame of {bytes} bytes is larger than the limit of {frame_bytes_max}"))
        .on_channel(channel)
}

#[cold]
fn wrong_end(channel: u16, end: u8) -> WireError {
    frame_error(format!("frame ends with {end} instead of {FRAME_END}")).on_channel(channel)
}
