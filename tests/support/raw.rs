//! A client that speaks in single frames: it sends whatever it is told to, right or wrong, and hands out every frame that
//! comes back.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use leveret::wire::{
    self, Frame, Method, PROTOCOL_HEADER, Properties, Table, Value, basic, channel, connection,
};

/// The broker has this long for each frame.
const FRAME_LIMIT: Duration = Duration::from_secs(20);

/// What this client is ready to receive, head and end included.
pub const FRAME_BYTES_MAX: u32 = 131_072;

/// A connection without any knowledge of the protocol's rules.
pub struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
    used: usize,
}

/// What came from the broker.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A whole frame.
    Frame(Vec<u8>),
    /// The protocol header that answers a wrong one.
    Header([u8; 8]),
    /// The socket was closed.
    Gone,
    /// Nothing, for as long as the broker has for anything.
    Nothing,
}

impl Raw {
    /// A socket on which nothing was said yet.
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the broker accepts connections");
        stream.set_read_timeout(Some(FRAME_LIMIT)).expect("a limit that is not zero");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        Self { stream, received: Vec::new(), used: 0 }
    }

    /// An open connection of `guest`, with every capability that RabbitMQ's own clients have.
    pub fn open(address: &str) -> Self {
        let mut raw = Self::connect(address);
        raw.bytes(&PROTOCOL_HEADER);
        raw.expect_method("connection.start");
        raw.send(0, &start_ok("PLAIN", b"\0guest\0guest"));
        raw.expect_method("connection.tune");
        raw.send(0, &tune_ok(2047, FRAME_BYTES_MAX, 0));
        raw.send(0, &Method::ConnectionOpen(connection::Open { virtual_host: "/" }));
        raw.expect_method("connection.open-ok");
        raw
    }

    /// Opens a channel.
    pub fn open_channel(&mut self, number: u16) {
        self.send(number, &Method::ChannelOpen(channel::Open));
        self.expect_method("channel.open-ok");
    }

    /// Sends a method.
    pub fn send(&mut self, channel: u16, method: &Method<'_>) {
        let mut frame = Vec::new();
        method.encode_frame(channel, &mut frame);
        self.bytes(&frame);
    }

    /// Sends a message: method, header and body.
    pub fn publish(
        &mut self,
        channel: u16,
        publish: basic::Publish<'_>,
        properties: &Properties,
        body: &[u8],
    ) {
        let mut frames = Vec::new();
        Method::BasicPublish(publish).encode_frame(channel, &mut frames);
        let mut encoded = Vec::new();
        properties.encode(&mut encoded);
        let class = basic::CLASS_ID;
        wire::encode_content(&mut frames, channel, class, &encoded, body, FRAME_BYTES_MAX);
        self.bytes(&frames);
    }

    /// Sends bytes. That the broker is gone is found when something is expected from it.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next thing that comes.
    pub fn next(&mut self) -> Incoming {
        self.next_within(FRAME_LIMIT).unwrap_or(Incoming::Nothing)
    }

    /// The next thing that comes, if it comes in time.
    pub fn next_within(&mut self, limit: Duration) -> Option<Incoming> {
        self.stream.set_read_timeout(Some(limit)).expect("a limit that is not zero");
        loop {
            if let Some(incoming) = self.cut() {
                return Some(incoming);
            }
            let mut part = [0; 65_536];
            match self.stream.read(&mut part) {
                Ok(0) => return Some(Incoming::Gone),
                Ok(count) => self.received.extend_from_slice(&part[..count]),
                Err(error) if is_timeout(&error) => return None,
                // A process that was stopped and goes on.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Some(Incoming::Gone),
            }
        }
    }

    fn cut(&mut self) -> Option<Incoming> {
        let waiting = &self.received[self.used..];
        if waiting.starts_with(b"AMQP") && waiting.len() >= 8 {
            self.used += 8;
            return Some(Incoming::Header(waiting[..8].try_into().expect("eight bytes")));
        }
        if waiting.starts_with(b"A") {
            return None;
        }
        let bytes = wire::frame_bytes_needed(waiting)?;
        let frame = waiting.get(..bytes)?.to_vec();
        self.used += bytes;
        if self.used == self.received.len() {
            (self.received, self.used) = (Vec::new(), 0);
        }
        Some(Incoming::Frame(frame))
    }

    /// Takes the next frame, which must be this method.
    pub fn expect_method(&mut self, name: &str) -> Vec<u8> {
        match self.next() {
            Incoming::Frame(frame) if method_name(&frame) == Some(name) => frame,
            other => panic!("expected {name}, got {}", show(&other)),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A frame that the broker sent, parsed.
pub fn parse(frame: &[u8]) -> Frame<'_> {
    match wire::next_frame(frame, u32::MAX) {
        Ok(Some((parsed, _))) => parsed,
        other => panic!("the broker sent {}: {other:?}", frame.escape_ascii()),
    }
}

fn method_name(frame: &[u8]) -> Option<&'static str> {
    match parse(frame) {
        Frame::Method { method, .. } => Some(method.name()),
        _ => None,
    }
}

/// What came, for a reader.
pub fn show(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Frame(frame) => match parse(frame) {
            Frame::Method { channel, method } => format!("channel {channel}: {method:?}"),
            other => format!("{other:?}"),
        },
        Incoming::Header(header) => format!("protocol header {}", header.escape_ascii()),
        Incoming::Gone => "the end of the socket".to_owned(),
        Incoming::Nothing => format!("nothing in {FRAME_LIMIT:?}"),
    }
}

/// What a client says about itself, with the capabilities of RabbitMQ's own clients.
pub fn client_properties() -> Table {
    let capabilities: Table = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
    ]
    .into_iter()
    .map(|name| (name, true))
    .collect();
    [("product", Value::from("raw")), ("capabilities", Value::from(capabilities))]
        .into_iter()
        .collect()
}

/// `connection.start-ok`.
pub fn start_ok(mechanism: &'static str, response: &'static [u8]) -> Method<'static> {
    let client_properties = client_properties();
    Method::ConnectionStartOk(connection::StartOk {
        client_properties,
        mechanism,
        response,
        locale: "en_US",
    })
}

/// `connection.tune-ok`.
pub fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Method<'static> {
    Method::ConnectionTuneOk(connection::TuneOk { channel_max, frame_max, heartbeat })
}
