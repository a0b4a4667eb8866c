//! A client that hears everything a broker says on one connection, and knows what it must never say.

use std::collections::{BTreeMap, BTreeSet};

use leveret::wire::{FRAME_OVERHEAD_BYTES, Frame, Method, PROTOCOL_HEADER, basic, next_frame};

/// The largest frame that is looked at, whatever was negotiated: headers may be longer.
const FRAME_BYTES_MAX: u32 = 1 << 24;

/// What one connection was told.
#[derive(Default)]
pub struct Listener {
    channels: BTreeMap<u16, Channel>,
    /// Content that is due: its channel, and bytes of its body once its header was there.
    due: Option<(u16, Option<u64>)>,
    /// `connection.close` or its answer was heard: nothing follows but the answer.
    closed: bool,
    /// Names of queues that were declared.
    pub queues: BTreeSet<String>,
}

#[derive(Default)]
struct Channel {
    open: bool,
    last_tag: u64,
    /// Delivery tags that were not settled, as far as is known: also those of consumers that need not.
    unsettled: BTreeSet<u64>,
    /// Publishes that were confirmed or refused, above `settled_through`.
    settled: BTreeSet<u64>,
    settled_through: u64,
}

impl Listener {
    /// Takes in what was written. It must be whole frames, or the protocol header that answers a wrong one.
    pub fn hear(&mut self, mut bytes: &[u8], frame_bytes_max: u32) {
        if bytes == PROTOCOL_HEADER && self.channels.is_empty() {
            self.closed = true;
            return;
        }
        while !bytes.is_empty() {
            let cut = next_frame(bytes, FRAME_BYTES_MAX).expect("a sound frame");
            let (frame, used) = cut.expect("a whole frame");
            assert!(!self.closed || is_last_word(&frame), "after the close: {frame:?}");
            match frame {
                Frame::Method { channel, method } => {
                    assert!(method.sent_by_server(), "{method:?}");
                    assert_eq!(self.due, None, "before {method:?}");
                    self.hear_method(channel, &method);
                }
                Frame::Header { channel, header } => {
                    assert_eq!(self.due, Some((channel, None)), "{header:?}");
                    self.due = (header.body_size > 0).then_some((channel, Some(header.body_size)));
                }
                Frame::Body { channel, payload } => {
                    self.hear_body(channel, payload, frame_bytes_max);
                }
                Frame::Heartbeat { channel } => assert_eq!(channel, 0),
            }
            bytes = &bytes[used..];
        }
        assert_eq!(self.due, None, "content comes with its method");
    }

    /// A delivery of channel 1 that may be settled, which then counts as settled.
    pub fn unsettled(&mut self, choice: usize) -> Option<u64> {
        let tags = &mut self.channels.get_mut(&1)?.unsettled;
        let tag = *tags.iter().nth(choice % tags.len().max(1))?;
        tags.remove(&tag);
        Some(tag)
    }

    /// Whether the broker has closed channel 1.
    pub fn is_closed(&self) -> bool {
        self.channels.get(&1).is_some_and(|channel| !channel.open)
    }

    fn hear_body(&mut self, channel: u16, payload: &[u8], frame_bytes_max: u32) {
        let bytes = payload.len() as u64;
        assert!(bytes > 0 && payload.len() + FRAME_OVERHEAD_BYTES <= frame_bytes_max as usize);
        let Some((due_on, Some(missing))) = self.due else { panic!("a body out of place") };
        assert_eq!(due_on, channel);
        let missing = missing.checked_sub(bytes).expect("no more than was declared");
        self.due = (missing > 0).then_some((channel, Some(missing)));
    }

    fn hear_method(&mut self, number: u16, method: &Method<'_>) {
        match method {
            Method::ConnectionClose(_) | Method::ConnectionCloseOk(_) => self.closed = true,
            Method::QueueDeclareOk(declared) => drop(self.queues.insert(declared.queue.to_owned())),
            _ => {}
        }
        let on_connection = method.name().starts_with("connection.");
        assert_eq!(number == 0, on_connection, "{method:?}");
        if number == 0 {
            return;
        }
        let channel = self.channels.entry(number).or_default();
        match method {
            Method::ChannelOpenOk(_) => {
                assert!(!channel.open, "channel {number} is opened twice");
                *channel = Channel { open: true, ..Channel::default() };
                return;
            }
            Method::ChannelCloseOk(_) => {
                channel.open = false;
                return;
            }
            _ => assert!(channel.open, "{method:?} on the closed channel {number}"),
        }
        match *method {
            Method::ChannelClose(_) => channel.open = false,
            Method::BasicDeliver(basic::Deliver { delivery_tag, .. })
            | Method::BasicGetOk(basic::GetOk { delivery_tag, .. }) => {
                channel.last_tag += 1;
                assert_eq!(delivery_tag, channel.last_tag, "delivery tags count up");
                channel.unsettled.insert(delivery_tag);
            }
            Method::BasicAck(basic::Ack { delivery_tag, multiple }) => {
                channel.settle(delivery_tag, multiple);
            }
            Method::BasicNack(basic::Nack { delivery_tag, multiple, .. }) => {
                channel.settle(delivery_tag, multiple);
            }
            _ => {}
        }
        if method.has_content() {
            self.due = Some((number, None));
        }
    }
}

impl Channel {
    /// A publish is settled once.
    fn settle(&mut self, tag: u64, multiple: bool) {
        assert!(tag > self.settled_through, "{tag} was settled before");
        if multiple {
            let whole = self.settled.range(..=tag).count() as u64 == tag - self.settled_through;
            assert!(!whole, "all up to {tag} were settled before");
            self.settled_through = tag;
            self.settled = self.settled.split_off(&(tag + 1));
        } else {
            assert!(self.settled.insert(tag), "{tag} was settled before");
        }
        while self.settled.remove(&(self.settled_through + 1)) {
            self.settled_through += 1;
        }
    }
}

fn is_last_word(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::Method { channel: 0, method: Method::ConnectionCloseOk(_) })
}
