//! A client without a socket: its session, and what it hears.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use leveret::broker::{Broker, ClientOutbox};
use leveret::outbox::{Buffer, Limits, Outbox};
use leveret::session::{self, Next, Session};
use leveret::wire::{
    Frame, Method, PROTOCOL_HEADER, Properties, Table, basic, channel, confirm, connection,
    encode_content, next_frame,
};

use crate::model::Id;

/// The one channel that a peer uses.
const CHANNEL: u16 = 1;

/// A consumer of a peer.
#[derive(Clone, Copy)]
pub struct Consumer {
    pub queue: usize,
    /// Unacknowledged deliveries that it may have; 0 for any number.
    pub prefetch: u16,
    pub no_ack: bool,
    /// Consumers of a queue take turns, or are next, in this order.
    pub since: u64,
}

/// A message that came to a client.
#[derive(Debug)]
pub struct Arrival {
    pub tag: u64,
    /// The consumer's tag; none when it was fetched.
    pub consumer: Option<String>,
    pub redelivered: bool,
    pub id: Id,
}

/// What a client hears.
#[derive(Debug)]
pub enum Heard {
    Message(Arrival),
    Ack { tag: u64, multiple: bool },
    Other(String),
}

/// A client.
pub struct Peer {
    pub session: Session,
    broker: Arc<Broker>,
    outbox: Arc<ClientOutbox>,
    pub consumers: BTreeMap<String, Consumer>,
    /// Prefetch of consumers to come.
    pub prefetch: u16,
    /// Unacknowledged deliveries of the whole channel; 0 for any number.
    pub channel_prefetch: u16,
    pub published: u64,
    pub confirmed: u64,
    now_ms: u64,
}

impl Peer {
    pub fn new(broker: &Arc<Broker>, now_ms: u64) -> Self {
        let config = broker.config();
        let limits = Limits {
            bytes_max: config.amqp.outbox_bytes_max,
            unacked_per_channel_max: config.limits.unacked_per_channel_max,
            unacked_bytes_per_channel_max: config.limits.unacked_bytes_per_channel_max,
        };
        let outbox = Arc::new(Outbox::new(limits, config.amqp.frame_bytes_max, || {}));
        let here = SocketAddr::from(([127, 0, 0, 1], 5672));
        let ends = session::Peer { address: here, local: here };
        let close = Box::new(|_| {});
        let session = Session::new(Arc::clone(broker), Arc::clone(&outbox), ends, close);
        let mut peer = Self {
            session,
            broker: Arc::clone(broker),
            outbox,
            consumers: BTreeMap::new(),
            prefetch: 0,
            channel_prefetch: 0,
            published: 0,
            confirmed: 0,
            now_ms,
        };
        let mut bytes = PROTOCOL_HEADER.to_vec();
        let start_ok = connection::StartOk {
            client_properties: Table::new(),
            mechanism: "PLAIN",
            response: b"\0guest\0guest",
            locale: "en_US",
        };
        Method::ConnectionStartOk(start_ok).encode_frame(0, &mut bytes);
        let tune_ok = connection::TuneOk { channel_max: 1, frame_max: 4096, heartbeat: 0 };
        Method::ConnectionTuneOk(tune_ok).encode_frame(0, &mut bytes);
        let open = connection::Open { virtual_host: "/" };
        Method::ConnectionOpen(open).encode_frame(0, &mut bytes);
        peer.receive(&bytes, now_ms);
        peer.open_channel(now_ms);
        peer.hear();
        peer
    }

    /// Opens the channel and has publishes confirmed.
    fn open_channel(&mut self, now_ms: u64) {
        self.say(&Method::ChannelOpen(channel::Open), now_ms);
        self.say(&Method::ConfirmSelect(confirm::Select { no_wait: false }), now_ms);
    }

    /// Closes the channel and opens it again.
    pub fn reopen_channel(&mut self, now_ms: u64) {
        let close =
            channel::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
        self.say(&Method::ChannelClose(close), now_ms);
        self.consumers.clear();
        (self.prefetch, self.channel_prefetch) = (0, 0);
        (self.published, self.confirmed) = (0, 0);
        self.open_channel(now_ms);
    }

    /// Sends a method.
    pub fn say(&mut self, method: &Method<'_>, now_ms: u64) {
        let mut bytes = Vec::new();
        method.encode_frame(CHANNEL, &mut bytes);
        self.receive(&bytes, now_ms);
    }

    /// Publishes messages in one piece: exchange, routing key, number, whether they are persistent, and size.
    pub fn publish(&mut self, messages: &[(&str, &str, Id, bool, usize)], now_ms: u64) {
        let mut bytes = Vec::new();
        for (exchange, routing_key, id, persistent, size) in messages {
            let method =
                basic::Publish { exchange, routing_key, mandatory: true, immediate: false };
            Method::BasicPublish(method).encode_frame(CHANNEL, &mut bytes);
            let mode = if *persistent { 2 } else { 1 };
            let properties = Properties { delivery_mode: Some(mode), ..Properties::default() };
            let mut list = Vec::new();
            properties.encode(&mut list);
            let mut body = id.to_be_bytes().to_vec();
            body.resize(body.len() + size, 0);
            encode_content(&mut bytes, CHANNEL, basic::CLASS_ID, &list, &body, 4096);
        }
        self.published += messages.len() as u64;
        self.receive(&bytes, now_ms);
    }

    fn receive(&mut self, mut bytes: &[u8], now_ms: u64) {
        self.now_ms = now_ms;
        loop {
            let received = self.session.receive(bytes, now_ms);
            bytes = &bytes[received.consumed..];
            let mut next = received.next;
            loop {
                next = match next {
                    Next::Read if bytes.is_empty() => return,
                    Next::Frame | Next::Read | Next::Yield => break,
                    Next::Full => panic!("requests outgrow the outbox, which is drained each step"),
                    Next::Held => panic!("publishers are held back, though nothing is short"),
                    Next::Close | Next::Refuse => panic!("the connection is closed"),
                    Next::Room(_) => panic!("no body is large enough to wait for room"),
                    Next::Store(pending) => {
                        let stored = pending.wait_blocking();
                        assert!(stored.is_ok(), "the store is well");
                        self.session.stored(stored, now_ms)
                    }
                    Next::Verify(verification) => self.session.verified(verification.run(), now_ms),
                };
            }
        }
    }

    /// Everything that has come since the last time.
    pub fn hear(&mut self) -> Vec<Heard> {
        let mut buffer = Buffer::default();
        let resumed = self.outbox.drain(&mut buffer);
        let bytes: Vec<u8> = buffer.parts().flatten().copied().collect();
        self.broker.resume(resumed, self.now_ms);
        heard(&bytes)
    }

    /// The socket is lost.
    pub fn end(mut self, now_ms: u64) {
        self.session.end("the simulation says so", now_ms);
    }

    /// Sets the clock by which room in the outbox is handed on.
    pub fn set_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }
}

fn heard(mut bytes: &[u8]) -> Vec<Heard> {
    let mut heard = Vec::new();
    let mut arriving: Option<(Arrival, Vec<u8>, u64)> = None;
    while !bytes.is_empty() {
        let (frame, used) = next_frame(bytes, u32::MAX).expect("sound").expect("whole");
        bytes = &bytes[used..];
        match frame {
            Frame::Method { method: Method::BasicDeliver(deliver), .. } => {
                let (tag, redelivered) = (deliver.delivery_tag, deliver.redelivered);
                let consumer = Some(deliver.consumer_tag.to_owned());
                let arrival = Arrival { tag, consumer, redelivered, id: 0 };
                arriving = Some((arrival, Vec::new(), u64::MAX));
            }
            Frame::Method { method: Method::BasicGetOk(got), .. } => {
                let (tag, redelivered) = (got.delivery_tag, got.redelivered);
                let arrival = Arrival { tag, consumer: None, redelivered, id: 0 };
                arriving = Some((arrival, Vec::new(), u64::MAX));
            }
            Frame::Method { method: Method::BasicAck(ack), .. } => {
                heard.push(Heard::Ack { tag: ack.delivery_tag, multiple: ack.multiple });
            }
            Frame::Method { method, .. } => heard.push(Heard::Other(format!("{method:?}"))),
            Frame::Header { header, .. } => {
                let arriving = arriving.as_mut().expect("a header follows its method");
                arriving.2 = header.body_size;
            }
            Frame::Body { payload, .. } => {
                arriving.as_mut().expect("a body follows its header").1.extend(payload);
            }
            Frame::Heartbeat { .. } => {}
        }
        if let Some((arrival, body, _)) =
            arriving.take_if(|(_, body, size)| body.len() as u64 == *size)
        {
            let id = Id::from_be_bytes(*body.first_chunk().expect("a number"));
            heard.push(Heard::Message(Arrival { id, ..arrival }));
        }
    }
    heard
}
