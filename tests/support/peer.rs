//! A small blocking client that shows its frames: for tests that need to stop reading, to flood, to be killed in the
//! middle, or to be two thousand at once, which no client library lets them.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// No answer of a broker takes longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xce;

/// Fits what every broker negotiates.
const BODY_BYTES_PER_FRAME: usize = 100_000;

/// Whether a publish asks for its message to come back when no queue takes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// The message is dropped.
    Optional,
    /// The message is returned.
    Mandatory,
}

/// Whether a message survives a restart in a durable queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Delivery mode 1.
    Transient,
    /// Delivery mode 2.
    Persistent,
}

/// A name that may be kept over a restart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Gone with the process.
    Transient,
    /// There again.
    Durable,
}

/// Who acknowledges a delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Acknowledging {
    /// The consumer, by itself.
    ByConsumer,
    /// Nobody: it counts as acknowledged when it is sent.
    Automatic,
}

/// What the broker sends without being asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// basic.deliver
    Delivered { tag: u64, redelivered: bool, body: Vec<u8> },
    /// basic.ack or basic.nack of what was published
    Confirmed { tag: u64, multiple: bool, accepted: bool },
    /// basic.return
    Returned { body: Vec<u8> },
    /// channel.close or connection.close
    Closed { code: u16, text: String },
    /// Any other method, as class and method.
    Other(u16, u16),
}

/// One connection, logged in as `guest`, with channel 1 open.
pub struct Peer {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    /// What came while something else was waited for.
    early: std::collections::VecDeque<Event>,
}

impl Peer {
    /// Connects to a port of this machine, logs in and opens channel 1.
    pub fn connect(port: u16) -> io::Result<Self> {
        Self::connect_buffered(port, 64 * 1024)
    }

    /// As [`Peer::connect`], logged in by the certificate that was shown (SASL EXTERNAL).
    pub fn connect_external(port: u16) -> io::Result<Self> {
        Self::connect_as(port, 64 * 1024, "EXTERNAL", b"")
    }

    /// As [`Peer::connect`], with a buffer of this size for reading.
    pub fn connect_buffered(port: u16, buffer_bytes: usize) -> io::Result<Self> {
        Self::connect_as(port, buffer_bytes, "PLAIN", b"\0guest\0guest")
    }

    fn connect_as(
        port: u16,
        buffer_bytes: usize,
        mechanism: &str,
        response: &[u8],
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        let reader = BufReader::with_capacity(buffer_bytes, stream.try_clone()?);
        let mut peer = Self { stream, reader, early: std::collections::VecDeque::new() };
        peer.stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        peer.answer(0, (10, 10))?;
        peer.send(&method(0, 10, 11, &start_ok(mechanism, response)))?;
        let tune = peer.answer(0, (10, 30))?;
        let mut tune_ok = tune[..2].to_vec();
        tune_ok.extend(131_072_u32.to_be_bytes());
        tune_ok.extend(60_u16.to_be_bytes());
        peer.send(&method(0, 10, 31, &tune_ok))?;
        peer.call(0, (10, 40), &Arguments::new().short("/").short("").bits(0).done(), (10, 41))?;
        peer.call(1, (20, 10), &Arguments::new().short("").done(), (20, 11))?;
        Ok(peer)
    }

    /// Declares a queue with arguments, each a number.
    pub fn declare_queue(
        &mut self,
        name: &str,
        durability: Durability,
        arguments: &[(&str, Argument<'_>)],
    ) -> io::Result<()> {
        let durable = u8::from(durability == Durability::Durable) << 1;
        let declare = Arguments::new().number(0).short(name).bits(durable).table(arguments);
        self.call(1, (50, 10), &declare.done(), (50, 11)).map(drop)
    }

    /// Removes all messages that a queue has ready.
    pub fn purge(&mut self, queue: &str) -> io::Result<()> {
        let purge = Arguments::new().number(0).short(queue).bits(0);
        self.call(1, (50, 30), &purge.done(), (50, 31)).map(drop)
    }

    /// Deletes a queue.
    pub fn delete_queue(&mut self, queue: &str) -> io::Result<()> {
        let delete = Arguments::new().number(0).short(queue).bits(0);
        self.call(1, (50, 40), &delete.done(), (50, 41)).map(drop)
    }

    /// How many messages a queue has ready; an error when it does not exist.
    pub fn depth(&mut self, queue: &str) -> io::Result<u32> {
        let declare = Arguments::new().number(0).short(queue).bits(1).table(&[]);
        let answer = self.call(1, (50, 10), &declare.done(), (50, 11))?;
        let after_name = &answer[1 + usize::from(answer[0])..];
        Ok(u32::from_be_bytes(after_name[..4].try_into().expect("four of eight bytes")))
    }

    /// Declares an exchange.
    pub fn declare_exchange(
        &mut self,
        name: &str,
        kind: &str,
        durability: Durability,
    ) -> io::Result<()> {
        let durable = u8::from(durability == Durability::Durable) << 1;
        let declare = Arguments::new().number(0).short(name).short(kind).bits(durable).table(&[]);
        self.call(1, (40, 10), &declare.done(), (40, 11)).map(drop)
    }

    /// Whether an exchange is there; the answer "no" closes the channel.
    pub fn find_exchange(&mut self, name: &str) -> io::Result<()> {
        let declare = Arguments::new().number(0).short(name).short("").bits(1).table(&[]);
        self.call(1, (40, 10), &declare.done(), (40, 11)).map(drop)
    }

    /// Binds a queue.
    pub fn bind_queue(&mut self, queue: &str, exchange: &str, key: &str) -> io::Result<()> {
        let bind = Arguments::new().number(0).short(queue).short(exchange).short(key).bits(0);
        self.call(1, (50, 20), &bind.table(&[]).done(), (50, 21)).map(drop)
    }

    /// Binds the exchange `destination` to the exchange `source`.
    pub fn bind_exchange(&mut self, destination: &str, source: &str, key: &str) -> io::Result<()> {
        let bind = Arguments::new().number(0).short(destination).short(source).short(key).bits(0);
        self.call(1, (40, 30), &bind.table(&[]).done(), (40, 31)).map(drop)
    }

    /// Asks for confirms.
    pub fn select_confirms(&mut self) -> io::Result<()> {
        self.call(1, (85, 10), &Arguments::new().bits(0).done(), (85, 11)).map(drop)
    }

    /// Limits the unacknowledged deliveries of each later consumer.
    pub fn prefetch(&mut self, count: u16) -> io::Result<()> {
        let qos = Arguments::new().number(0).number(0).number(count).bits(0);
        self.call(1, (60, 10), &qos.done(), (60, 11)).map(drop)
    }

    /// Starts a consumer, whose deliveries come as events.
    pub fn consume(&mut self, queue: &str, acknowledging: Acknowledging) -> io::Result<()> {
        let no_ack = u8::from(acknowledging == Acknowledging::Automatic) << 1;
        let consume = Arguments::new().number(0).short(queue).short("c").bits(no_ack).table(&[]);
        self.call(1, (60, 20), &consume.done(), (60, 21)).map(drop)
    }

    /// Stops the consumer.
    pub fn cancel(&mut self) -> io::Result<()> {
        self.call(1, (60, 30), &Arguments::new().short("c").bits(0).done(), (60, 31)).map(drop)
    }

    /// Acknowledges one delivery.
    pub fn acknowledge(&mut self, tag: u64) -> io::Result<()> {
        self.send(&method(1, 60, 80, &Arguments::new().long(tag).bits(0).done()))
    }

    /// Acknowledges all deliveries so far.
    pub fn acknowledge_all(&mut self) -> io::Result<()> {
        self.send(&method(1, 60, 80, &Arguments::new().long(0).bits(1).done()))
    }

    /// Gives one delivery back to its queue.
    pub fn requeue(&mut self, tag: u64) -> io::Result<()> {
        self.send(&method(1, 60, 90, &Arguments::new().long(tag).bits(1).done()))
    }

    /// Refuses one delivery for good: it is dropped or dead-lettered.
    pub fn reject(&mut self, tag: u64) -> io::Result<()> {
        self.send(&method(1, 60, 90, &Arguments::new().long(tag).bits(0).done()))
    }

    /// Sends frames as they are.
    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// The next thing that the broker says, waited for.
    pub fn event(&mut self) -> io::Result<Event> {
        match self.early.pop_front() {
            Some(event) => Ok(event),
            None => self.read_event(),
        }
    }

    /// Sends a method and waits for its answer's arguments; events that come before are kept for [`Peer::event`].
    pub fn call(
        &mut self,
        channel: u16,
        (class, id): (u16, u16),
        arguments: &[u8],
        answer: (u16, u16),
    ) -> io::Result<Vec<u8>> {
        self.send(&method(channel, class, id, arguments))?;
        self.answer(channel, answer)
    }

    /// The socket once more, for a thread of its own to write to or to shut down.
    pub fn socket(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    fn answer(&mut self, channel: u16, wanted: (u16, u16)) -> io::Result<Vec<u8>> {
        loop {
            let frame = self.read_frame()?;
            if frame.kind == METHOD && frame.channel == channel && frame.method() == wanted {
                return Ok(frame.payload[4..].to_vec());
            }
            match self.understand(frame)? {
                Some(Event::Closed { code, text }) => {
                    return Err(io::Error::other(format!("closed with {code} {text}")));
                }
                Some(event) => self.early.push_back(event),
                None => {}
            }
        }
    }

    fn read_event(&mut self) -> io::Result<Event> {
        loop {
            let frame = self.read_frame()?;
            if let Some(event) = self.understand(frame)? {
                return Ok(event);
            }
        }
    }

    /// `None` for a heartbeat.
    fn understand(&mut self, frame: Frame) -> io::Result<Option<Event>> {
        if frame.kind == HEARTBEAT {
            return Ok(None);
        }
        if frame.kind != METHOD {
            return Err(io::Error::other(format!("a frame of type {} alone", frame.kind)));
        }
        let arguments = &frame.payload[4..];
        Ok(Some(match frame.method() {
            (60, 60) => {
                let after_tag = &arguments[1 + usize::from(arguments[0])..];
                let redelivered = after_tag[8] != 0;
                Event::Delivered { tag: long(after_tag), redelivered, body: self.read_content()? }
            }
            (60, 50) => Event::Returned { body: self.read_content()? },
            (60, id @ (80 | 120)) => Event::Confirmed {
                tag: long(arguments),
                multiple: arguments[8] & 1 != 0,
                accepted: id == 80,
            },
            (20, 40) | (10, 50) => {
                let text = &arguments[3..3 + usize::from(arguments[2])];
                Event::Closed {
                    code: u16::from_be_bytes([arguments[0], arguments[1]]),
                    text: String::from_utf8_lossy(text).into_owned(),
                }
            }
            (class, id) => Event::Other(class, id),
        }))
    }

    fn read_content(&mut self) -> io::Result<Vec<u8>> {
        let header = self.read_frame_of(HEADER)?;
        let size = long(&header.payload[4..]) as usize;
        let mut body = Vec::with_capacity(size);
        while body.len() < size {
            body.extend(self.read_frame_of(BODY)?.payload);
        }
        Ok(body)
    }

    fn read_frame_of(&mut self, kind: u8) -> io::Result<Frame> {
        loop {
            let frame = self.read_frame()?;
            if frame.kind == kind {
                return Ok(frame);
            }
            if frame.kind != HEARTBEAT {
                return Err(io::Error::other(format!("type {} in place of {kind}", frame.kind)));
            }
        }
    }

    fn read_frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; 7];
        self.reader.read_exact(&mut head)?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        let mut payload = vec![0; size + 1];
        self.reader.read_exact(&mut payload)?;
        if payload.pop() != Some(FRAME_END) {
            return Err(io::Error::other("a frame without its end"));
        }
        Ok(Frame { kind: head[0], channel: u16::from_be_bytes([head[1], head[2]]), payload })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A copy of the socket that another thread writes to is of no more use.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

struct Frame {
    kind: u8,
    channel: u16,
    payload: Vec<u8>,
}

impl Frame {
    fn method(&self) -> (u16, u16) {
        let p = &self.payload;
        (u16::from_be_bytes([p[0], p[1]]), u16::from_be_bytes([p[2], p[3]]))
    }
}

/// The frames that publish one message on channel 1.
pub fn publication(
    exchange: &str,
    key: &str,
    routing: Routing,
    delivery: Delivery,
    body: &[u8],
) -> Vec<u8> {
    let mandatory = u8::from(routing == Routing::Mandatory);
    let publish = Arguments::new().number(0).short(exchange).short(key).bits(mandatory);
    let mut frames = method(1, 60, 40, &publish.done());
    let mut header = [60_u16.to_be_bytes(), 0_u16.to_be_bytes()].concat();
    header.extend((body.len() as u64).to_be_bytes());
    header.extend(0x1000_u16.to_be_bytes());
    header.push(if delivery == Delivery::Persistent { 2 } else { 1 });
    frames.extend(frame(HEADER, 1, &header));
    for part in body.chunks(BODY_BYTES_PER_FRAME) {
        frames.extend(frame(BODY, 1, part));
    }
    frames
}

/// One argument of a queue.
#[derive(Clone, Copy)]
pub enum Argument<'a> {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'a str),
}

/// A method's arguments, written one after another.
struct Arguments(Vec<u8>);

impl Arguments {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn number(mut self, number: u16) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn long(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn bits(mut self, bits: u8) -> Self {
        self.0.push(bits);
        self
    }

    fn short(mut self, text: &str) -> Self {
        self.0.push(u8::try_from(text.len()).expect("a name has at most 255 bytes"));
        self.0.extend(text.as_bytes());
        self
    }

    fn table(mut self, entries: &[(&str, Argument<'_>)]) -> Self {
        let mut table = Self::new();
        for (name, value) in entries {
            table = table.short(name);
            match value {
                Argument::Number(number) => table = table.bits(b'l').long(*number as u64),
                Argument::Text(text) => {
                    table.0.push(b'S');
                    table.0.extend((text.len() as u32).to_be_bytes());
                    table.0.extend(text.as_bytes());
                }
            }
        }
        self.0.extend((table.0.len() as u32).to_be_bytes());
        self.0.extend(table.0);
        self
    }

    fn done(self) -> Vec<u8> {
        self.0
    }
}

fn start_ok(mechanism: &str, response: &[u8]) -> Vec<u8> {
    let mut capabilities = Arguments::new();
    for name in ["connection.blocked", "consumer_cancel_notify", "basic.nack"] {
        capabilities = capabilities.short(name).bits(b't').bits(1);
    }
    let mut properties = Arguments::new().short("capabilities").bits(b'F');
    properties.0.extend((capabilities.0.len() as u32).to_be_bytes());
    properties.0.extend(capabilities.0);
    let mut start_ok = (properties.0.len() as u32).to_be_bytes().to_vec();
    start_ok.extend(properties.0);
    start_ok.extend(Arguments::new().short(mechanism).0);
    start_ok.extend((response.len() as u32).to_be_bytes());
    start_ok.extend(response);
    start_ok.extend(Arguments::new().short("en_US").0);
    start_ok
}

fn method(channel: u16, class: u16, id: u16, arguments: &[u8]) -> Vec<u8> {
    frame(METHOD, channel, &[&class.to_be_bytes(), &id.to_be_bytes(), arguments].concat())
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend(channel.to_be_bytes());
    frame.extend((payload.len() as u32).to_be_bytes());
    frame.extend(payload);
    frame.push(FRAME_END);
    frame
}

/// The number in the first eight bytes.
fn long(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
}
