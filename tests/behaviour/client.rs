//! A client that waits for each answer and keeps the deliveries that come before it. Everything happens on
//! channel 1, which is opened again when an error closes it.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use leveret::wire::{
    Frame, Method, PROTOCOL_HEADER, Properties, PropertiesView, Table, Value, basic, channel,
    confirm, connection, exchange, queue,
};

use crate::support::raw::{self, Incoming, Raw, parse, show};

/// The channel that a client uses.
const CHANNEL: u16 = 1;

/// Queue, exchange or consumer arguments.
pub type Arguments<'a> = &'a [(&'a str, Value)];

/// A connection with channel 1 open.
pub struct Client {
    pub raw: Raw,
    early: VecDeque<Incoming>,
}

/// A message as it was delivered, fetched or returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The consumer that it was delivered to; empty if it was fetched or returned.
    pub consumer: String,
    /// Its delivery tag; 0 if it was returned.
    pub tag: u64,
    pub redelivered: bool,
    pub exchange: String,
    pub key: String,
    /// How many messages remain; 0 if it was not fetched.
    pub remaining: u32,
    pub properties: Properties,
    pub body: String,
}

impl Message {
    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.properties.headers.as_ref()?.get(name)
    }
}

/// Who logs in, and where.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub vhost: &'a str,
    /// Seconds between heartbeats; 0 for none.
    pub heartbeat_s: u16,
}

/// The user that every broker has.
pub const GUEST: Login<'static> =
    Login { user: "guest", password: "guest", vhost: "/", heartbeat_s: 0 };

/// The address of a port of this machine.
pub fn local(port: u16) -> String {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
}

pub fn text(text: &str) -> Value {
    Value::LongStr(text.as_bytes().to_vec())
}

pub fn table(entries: Arguments<'_>) -> Table {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Properties of a message with these headers.
pub fn headers(entries: Arguments<'_>) -> Properties {
    Properties { headers: Some(table(entries)), ..Properties::default() }
}

/// Properties of a message that expires.
pub fn expiring(ms: &str) -> Properties {
    Properties { expiration: Some(ms.to_owned()), ..Properties::default() }
}

/// Properties of a message that survives a restart.
pub fn persistent() -> Properties {
    Properties { delivery_mode: Some(2), ..Properties::default() }
}

/// A durable queue without arguments, to be changed as wanted.
pub fn a_queue(queue: &str) -> queue::Declare<'_> {
    queue::Declare {
        queue,
        passive: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: Table::new(),
    }
}

/// A durable exchange without arguments, to be changed as wanted.
pub fn an_exchange<'a>(exchange: &'a str, kind: &'a str) -> exchange::Declare<'a> {
    exchange::Declare {
        exchange,
        kind,
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: Table::new(),
    }
}

/// A consumer that acknowledges, to be changed as wanted.
pub fn a_consumer<'a>(queue: &'a str, consumer_tag: &'a str) -> basic::Consume<'a> {
    basic::Consume {
        queue,
        consumer_tag,
        no_local: false,
        no_ack: false,
        exclusive: false,
        no_wait: false,
        arguments: Table::new(),
    }
}

impl Client {
    /// Connects as `guest`.
    #[track_caller]
    pub fn open(address: &str) -> Self {
        Self::log_in(address, GUEST).unwrap_or_else(|why| panic!("the login failed: {why}"))
    }

    /// Connects, or answers what the broker said instead.
    pub fn log_in(address: &str, login: Login<'_>) -> Result<Self, String> {
        let mut raw = Raw::connect(address);
        raw.bytes(&PROTOCOL_HEADER);
        let response = format!("\0{}\0{}", login.user, login.password);
        for (wanted, next) in [
            ("connection.start", start_ok(response.as_bytes())),
            ("connection.tune", raw::tune_ok(2047, raw::FRAME_BYTES_MAX, login.heartbeat_s)),
        ] {
            expect(&mut raw, wanted)?;
            raw.send(0, &next);
        }
        let open = connection::Open { virtual_host: login.vhost };
        raw.send(0, &Method::ConnectionOpen(open));
        expect(&mut raw, "connection.open-ok")?;
        raw.open_channel(CHANNEL);
        Ok(Self { raw, early: VecDeque::new() })
    }

    /// The next frame.
    pub fn next(&mut self) -> Incoming {
        match self.early.pop_front() {
            Some(incoming) => incoming,
            None => self.raw.next(),
        }
    }

    /// Sends a method and waits for its answer. What else comes before is kept.
    #[track_caller]
    pub fn call(&mut self, method: &Method<'_>) -> Vec<u8> {
        self.raw.send(CHANNEL, method);
        let wanted = format!("{}-ok", method.name());
        self.answer(&wanted)
    }

    /// Waits for a method. What else comes before is kept.
    #[track_caller]
    pub fn answer(&mut self, wanted: &str) -> Vec<u8> {
        loop {
            let incoming = self.raw.next();
            let name = method_name(&incoming);
            match (incoming, name) {
                (Incoming::Frame(frame), Some(name)) if name == wanted => return frame,
                (incoming, Some("channel.close" | "connection.close")) => {
                    panic!("instead of {wanted}: {}", show(&incoming))
                }
                (incoming @ Incoming::Frame(_), _) => self.early.push_back(incoming),
                (other, _) => panic!("instead of {wanted}: {}", show(&other)),
            }
        }
    }

    /// Sends a method that is refused with this code and text, which closes the channel; opens it again.
    #[track_caller]
    pub fn refused(&mut self, method: &Method<'_>, code: u16, text: &str) {
        self.raw.send(CHANNEL, method);
        self.channel_closed(code, text);
    }

    /// Expects the channel to be closed with this code and text, and opens it again.
    #[track_caller]
    pub fn channel_closed(&mut self, code: u16, text: &str) {
        let incoming = self.next();
        let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
        match parse(frame) {
            Frame::Method { channel: CHANNEL, method: Method::ChannelClose(close) } => {
                assert_eq!((close.reply_code, close.reply_text), (code, text));
            }
            _ => panic!("expected {code} {text}, got {}", show(&incoming)),
        }
        self.raw.send(CHANNEL, &Method::ChannelCloseOk(channel::CloseOk));
        self.raw.open_channel(CHANNEL);
    }

    /// The code and text that a method closes its channel with. It is opened again.
    #[track_caller]
    pub fn closing(&mut self, method: &Method<'_>) -> (u16, String) {
        self.raw.send(CHANNEL, method);
        let incoming = self.next();
        let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
        let Frame::Method { method: Method::ChannelClose(close), .. } = parse(frame) else {
            panic!("got {}", show(&incoming))
        };
        let closing = (close.reply_code, close.reply_text.to_owned());
        self.raw.send(CHANNEL, &Method::ChannelCloseOk(channel::CloseOk));
        self.raw.open_channel(CHANNEL);
        closing
    }

    /// Expects the connection to be closed with this code and text.
    #[track_caller]
    pub fn connection_closed(&mut self, code: u16, text: &str) {
        let incoming = self.next();
        let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
        match parse(frame) {
            Frame::Method { channel: 0, method: Method::ConnectionClose(close) } => {
                assert_eq!((close.reply_code, close.reply_text), (code, text));
            }
            _ => panic!("expected {code} {text}, got {}", show(&incoming)),
        }
        self.raw.send(0, &Method::ConnectionCloseOk(connection::CloseOk));
    }

    /// Whether the next frame is this method; it is taken then.
    pub fn next_is(&mut self, name: &str) -> bool {
        let incoming = self.next();
        let is_it = method_name(&incoming) == Some(name);
        if !is_it {
            self.early.push_front(incoming);
        }
        is_it
    }

    /// Expects nothing more than what a question and its answer bring.
    #[track_caller]
    pub fn is_quiet(&mut self) {
        self.raw.send(CHANNEL, &Method::ChannelFlow(channel::Flow { active: true }));
        self.answer("channel.flow-ok");
        if let Some(early) = self.early.front() {
            panic!("expected nothing, got {}", show(early));
        }
    }

    /// Declares a durable queue.
    #[track_caller]
    pub fn queue(&mut self, name: &str, arguments: Arguments<'_>) {
        let arguments = table(arguments);
        self.declare(queue::Declare { arguments, ..a_queue(name) });
    }

    /// Declares a queue and answers its name and how many messages and consumers it has.
    #[track_caller]
    pub fn declare(&mut self, declare: queue::Declare<'_>) -> (String, u32, u32) {
        let frame = self.call(&Method::QueueDeclare(declare));
        let Frame::Method { method: Method::QueueDeclareOk(ok), .. } = parse(&frame) else {
            panic!("declare-ok was checked")
        };
        (ok.queue.to_owned(), ok.message_count, ok.consumer_count)
    }

    /// How many messages and consumers a queue has.
    #[track_caller]
    pub fn counts(&mut self, queue: &str) -> (u32, u32) {
        let (_, messages, consumers) =
            self.declare(queue::Declare { passive: true, ..a_queue(queue) });
        (messages, consumers)
    }

    /// How many messages a queue has when everything that was published is in its place: another broker may
    /// answer before.
    #[track_caller]
    pub fn counts_at_last(&mut self, queue: &str) -> u32 {
        self.fence();
        self.counts(queue).0
    }

    /// Waits until what was published is in its place, by a message that follows it through a queue of its own.
    #[track_caller]
    fn fence(&mut self) {
        let fence = queue::Declare { exclusive: true, ..a_queue("") };
        let (queue, _, _) = self.declare(fence);
        self.call(&Method::BasicConsume(basic::Consume {
            no_ack: true,
            ..a_consumer(&queue, "fence")
        }));
        self.put(&queue, "fence");
        let before = std::mem::take(&mut self.early);
        self.delivered();
        self.cancel("fence");
        self.early.extend(before);
        let delete =
            queue::Delete { queue: &queue, if_unused: false, if_empty: false, no_wait: false };
        self.call(&Method::QueueDelete(delete));
    }

    /// Declares a durable exchange.
    #[track_caller]
    pub fn exchange(&mut self, name: &str, kind: &str, arguments: Arguments<'_>) {
        let arguments = table(arguments);
        let declare = exchange::Declare { arguments, ..an_exchange(name, kind) };
        self.call(&Method::ExchangeDeclare(declare));
    }

    /// Binds a queue.
    #[track_caller]
    pub fn bind(&mut self, queue: &str, exchange: &str, key: &str, arguments: Arguments<'_>) {
        self.call(&Method::QueueBind(queue::Bind {
            queue,
            exchange,
            routing_key: key,
            no_wait: false,
            arguments: table(arguments),
        }));
    }

    /// Binds an exchange to an exchange.
    #[track_caller]
    pub fn bind_exchange(&mut self, destination: &str, source: &str, key: &str) {
        self.call(&Method::ExchangeBind(exchange::Bind {
            destination,
            source,
            routing_key: key,
            no_wait: false,
            arguments: Table::new(),
        }));
    }

    /// Publishes a message.
    pub fn publish(&mut self, exchange: &str, key: &str, properties: &Properties, body: &str) {
        let publish =
            basic::Publish { exchange, routing_key: key, mandatory: false, immediate: false };
        self.raw.publish(CHANNEL, publish, properties, body.as_bytes());
    }

    /// Publishes a message without properties to a queue.
    pub fn put(&mut self, queue: &str, body: &str) {
        self.publish("", queue, &Properties::default(), body);
    }

    /// Publishes a message that comes back when it has nowhere to go.
    pub fn publish_mandatory(&mut self, exchange: &str, key: &str, body: &str) {
        let publish =
            basic::Publish { exchange, routing_key: key, mandatory: true, immediate: false };
        self.raw.publish(CHANNEL, publish, &Properties::default(), body.as_bytes());
    }

    /// Asks for confirms.
    #[track_caller]
    pub fn select_confirms(&mut self) {
        self.call(&Method::ConfirmSelect(confirm::Select { no_wait: false }));
    }

    /// Waits until everything up to this number was confirmed, and answers which numbers were refused.
    #[track_caller]
    pub fn confirmed_through(&mut self, last: u64) -> Vec<u64> {
        let (mut refused, mut open) = (Vec::new(), (1..=last).collect::<Vec<_>>());
        while !open.is_empty() {
            let incoming = self.next();
            let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
            let (tag, multiple, accepted) = match parse(frame) {
                Frame::Method { method: Method::BasicAck(ack), .. } => {
                    (ack.delivery_tag, ack.multiple, true)
                }
                Frame::Method { method: Method::BasicNack(nack), .. } => {
                    (nack.delivery_tag, nack.multiple, false)
                }
                _ => panic!("expected a confirm, got {}", show(&incoming)),
            };
            let meant = |number: &u64| *number == tag || multiple && *number <= tag;
            let (settled, rest) = open.into_iter().partition::<Vec<_>, _>(meant);
            open = rest;
            if !accepted {
                refused.extend(settled);
            }
        }
        refused
    }

    /// Sets the prefetch of later consumers.
    #[track_caller]
    pub fn prefetch(&mut self, prefetch_count: u16) {
        let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
        self.call(&Method::BasicQos(qos));
    }

    /// Consumes with acknowledgements.
    #[track_caller]
    pub fn consume(&mut self, queue: &str, tag: &str) {
        self.call(&Method::BasicConsume(a_consumer(queue, tag)));
    }

    /// Consumes with acknowledgements and a priority.
    #[track_caller]
    pub fn consume_with(&mut self, queue: &str, tag: &str, arguments: Arguments<'_>) {
        let arguments = table(arguments);
        self.call(&Method::BasicConsume(basic::Consume { arguments, ..a_consumer(queue, tag) }));
    }

    /// Stops a consumer.
    #[track_caller]
    pub fn cancel(&mut self, consumer_tag: &str) {
        self.call(&Method::BasicCancel(basic::Cancel { consumer_tag, no_wait: false }));
    }

    /// The next delivery.
    #[track_caller]
    pub fn delivered(&mut self) -> Message {
        let incoming = self.next();
        let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
        match parse(frame) {
            Frame::Method { method: Method::BasicDeliver(deliver), .. } => self.content(Message {
                consumer: deliver.consumer_tag.to_owned(),
                tag: deliver.delivery_tag,
                redelivered: deliver.redelivered,
                exchange: deliver.exchange.to_owned(),
                key: deliver.routing_key.to_owned(),
                remaining: 0,
                properties: Properties::default(),
                body: String::new(),
            }),
            _ => panic!("expected a delivery, got {}", show(&incoming)),
        }
    }

    /// The bodies of the next deliveries.
    #[track_caller]
    pub fn bodies(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.delivered().body).collect()
    }

    /// The next message that came back.
    #[track_caller]
    pub fn returned(&mut self) -> Message {
        let incoming = self.next();
        let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
        match parse(frame) {
            Frame::Method { method: Method::BasicReturn(back), .. } => self.content(Message {
                consumer: String::new(),
                tag: 0,
                redelivered: false,
                exchange: back.exchange.to_owned(),
                key: back.routing_key.to_owned(),
                remaining: 0,
                properties: Properties::default(),
                body: String::new(),
            }),
            _ => panic!("expected a returned message, got {}", show(&incoming)),
        }
    }

    /// Whether what was published last came back. Nothing else may be under way.
    #[track_caller]
    pub fn returned_at_once(&mut self) -> bool {
        self.raw.send(CHANNEL, &Method::ChannelFlow(channel::Flow { active: true }));
        self.answer("channel.flow-ok");
        if self.early.is_empty() {
            return false;
        }
        self.returned();
        true
    }

    /// Fetches a message, to be acknowledged.
    #[track_caller]
    pub fn get(&mut self, queue: &str) -> Option<Message> {
        self.fetch(basic::Get { queue, no_ack: false })
    }

    /// Fetches a message for good.
    #[track_caller]
    pub fn take(&mut self, queue: &str) -> Option<Message> {
        self.fetch(basic::Get { queue, no_ack: true })
    }

    #[track_caller]
    fn fetch(&mut self, get: basic::Get<'_>) -> Option<Message> {
        self.raw.send(CHANNEL, &Method::BasicGet(get));
        let incoming = self.next();
        let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
        match parse(frame) {
            Frame::Method { method: Method::BasicGetEmpty(_), .. } => None,
            Frame::Method { method: Method::BasicGetOk(got), .. } => Some(self.content(Message {
                consumer: String::new(),
                tag: got.delivery_tag,
                redelivered: got.redelivered,
                exchange: got.exchange.to_owned(),
                key: got.routing_key.to_owned(),
                remaining: got.message_count,
                properties: Properties::default(),
                body: String::new(),
            })),
            _ => panic!("expected a message or none, got {}", show(&incoming)),
        }
    }

    /// Fetches all messages for good and answers their bodies.
    #[track_caller]
    pub fn drain(&mut self, queue: &str) -> Vec<String> {
        std::iter::from_fn(|| self.take(queue)).map(|message| message.body).collect()
    }

    pub fn ack(&mut self, delivery_tag: u64) {
        let ack = basic::Ack { delivery_tag, multiple: false };
        self.raw.send(CHANNEL, &Method::BasicAck(ack));
    }

    /// Rejects a delivery for good.
    pub fn reject(&mut self, delivery_tag: u64) {
        let reject = basic::Reject { delivery_tag, requeue: false };
        self.raw.send(CHANNEL, &Method::BasicReject(reject));
    }

    /// Returns a delivery to its queue.
    pub fn requeue(&mut self, delivery_tag: u64) {
        let reject = basic::Reject { delivery_tag, requeue: true };
        self.raw.send(CHANNEL, &Method::BasicReject(reject));
    }

    /// Ends the connection as clients do.
    #[track_caller]
    pub fn close(mut self) {
        let close =
            connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        self.raw.send(0, &Method::ConnectionClose(close));
        self.answer("connection.close-ok");
    }

    #[track_caller]
    fn content(&mut self, mut message: Message) -> Message {
        let Incoming::Frame(frame) = self.next() else { panic!("a header follows") };
        let Frame::Header { header, .. } = parse(&frame) else { panic!("a header follows") };
        let view = PropertiesView::parse(header.properties).expect("the broker's properties");
        message.properties = Properties::try_from(&view).expect("the broker's properties");
        let mut body = Vec::new();
        while (body.len() as u64) < header.body_size {
            let Incoming::Frame(frame) = self.next() else { panic!("a body follows") };
            let Frame::Body { payload, .. } = parse(&frame) else { panic!("a body follows") };
            body.extend_from_slice(payload);
        }
        message.body = String::from_utf8(body).expect("tests publish text");
        message
    }
}

/// Whether nothing comes for a while: for what must not happen, when there is no event that shows it.
pub fn nothing_within(client: &mut Client, limit: Duration) -> bool {
    client.early.is_empty() && client.raw.next_within(limit).is_none()
}

fn start_ok(response: &[u8]) -> Method<'_> {
    Method::ConnectionStartOk(connection::StartOk {
        client_properties: raw::client_properties(),
        mechanism: "PLAIN",
        response,
        locale: "en_US",
    })
}

fn expect(raw: &mut Raw, wanted: &str) -> Result<(), String> {
    let incoming = raw.next();
    if method_name(&incoming) == Some(wanted) { Ok(()) } else { Err(show(&incoming)) }
}

fn method_name(incoming: &Incoming) -> Option<&'static str> {
    let Incoming::Frame(frame) = incoming else { return None };
    match parse(frame) {
        Frame::Method { method, .. } => Some(method.name()),
        _ => None,
    }
}
