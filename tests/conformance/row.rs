//! One rule as data, and how it is checked.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use leveret::wire::{Frame, Method, Properties, basic, channel, connection, exchange, queue};

use crate::support::broker::{Broker, URI_VARIABLE};
use crate::support::raw::{FRAME_BYTES_MAX, Incoming, Raw, parse, show};

/// Names that rows may use; they are deleted before each row.
const QUEUES: [&str; 4] = ["q", "q2", "q3", "amq.conformance"];
const EXCHANGES: [&str; 4] = ["x", "x2", "x3", "x4"];

/// Another broker may take this long until it shows what it was told. Leveret shows it at once.
const LATENESS_MAX: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Rows share their names, so with a broker that others use too they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A rule, what a client does, and what it gets.
pub struct Row {
    rule: &'static str,
    start: Start,
    steps: Vec<Step>,
    peers: Peers,
}

/// Where a row begins.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    /// With a socket.
    Socket,
    /// With an open connection and its channel 1.
    Channel,
}

/// Which brokers a row holds for.
#[derive(Clone, Copy, PartialEq)]
enum Peers {
    All,
    /// Leveret alone, for this reason.
    Ours(&'static str),
}

/// One thing that a client does or gets.
pub enum Step {
    /// Sends a method.
    Send(u16, Method<'static>),
    /// Publishes a message.
    Publish(u16, basic::Publish<'static>, Properties, Vec<u8>),
    /// Sends bytes as they are.
    Bytes(Vec<u8>),
    /// Gets this method.
    Method(u16, Method<'static>),
    /// Sends a method and gets this answer, in time: another broker may do things later than it says.
    Becomes(u16, Method<'static>, Method<'static>),
    /// Gets a method of which this holds.
    Like(u16, fn(&Method<'_>) -> bool),
    /// Gets a content header with these properties, and a body.
    Content(u16, Properties, Vec<u8>),
    /// Gets `channel.close`, and agrees.
    ChannelClosed(u16, u16, &'static str, (u16, u16)),
    /// Gets `connection.close`, agrees, and sees the socket closed.
    Closed(u16, &'static str, (u16, u16)),
    /// Gets a protocol header.
    Header([u8; 8]),
    /// Sees the socket closed without a word.
    Gone,
    /// Closes the socket. After the client's own close either side may do so.
    Leave,
    /// Goes on with another connection; each is opened when it is used first.
    Client(usize),
    /// Several.
    All(Vec<Step>),
}

/// A rule that begins with an open connection and its channel 1.
pub fn row(rule: &'static str, steps: impl IntoIterator<Item = Step>) -> Row {
    let steps = steps.into_iter().collect();
    Row { rule, start: Start::Channel, steps, peers: Peers::All }
}

/// A rule that begins with a socket on which nothing was said.
pub fn bare(rule: &'static str, steps: impl IntoIterator<Item = Step>) -> Row {
    Row { start: Start::Socket, ..row(rule, steps) }
}

impl Row {
    /// RabbitMQ does otherwise, as the reason says.
    pub fn ours(self, reason: &'static str) -> Self {
        Self { peers: Peers::Ours(reason), ..self }
    }
}

/// Checks rows and reports all that do not hold.
pub fn check(rows: impl IntoIterator<Item = Row>) {
    let other = is_other_broker();
    let _turn = other.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
    let broker = Broker::start();
    let address = broker.address();
    let mut failures = Vec::new();
    for row in rows {
        if let (true, Peers::Ours(reason)) = (other, row.peers) {
            println!("left out: {} ({reason})", row.rule);
            continue;
        }
        clean(&address);
        if let Err(failure) = run(&address, &row) {
            failures.push(format!("{}\n    {failure}", row.rule));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn is_other_broker() -> bool {
    std::env::var_os(URI_VARIABLE).is_some()
}

fn clean(address: &str) {
    let mut janitor = Raw::open(address);
    janitor.open_channel(1);
    for queue in QUEUES {
        delete_queue(&mut janitor, queue);
    }
    for exchange in EXCHANGES {
        let delete = exchange::Delete { exchange, if_unused: false, no_wait: false };
        janitor.send(1, &Method::ExchangeDelete(delete));
        janitor.expect_method("exchange.delete-ok");
    }
    leave(&mut janitor);
}

/// Deletes a queue. Another broker may still be taking away an exclusive one whose connection has ended.
fn delete_queue(janitor: &mut Raw, queue: &str) {
    let until = Instant::now() + LATENESS_MAX;
    loop {
        let delete = queue::Delete { queue, if_unused: false, if_empty: false, no_wait: false };
        janitor.send(1, &Method::QueueDelete(delete));
        let answer = janitor.next();
        let Incoming::Frame(frame) = &answer else { panic!("got {}", show(&answer)) };
        match parse(frame) {
            Frame::Method { method: Method::QueueDeleteOk(_), .. } => return,
            Frame::Method { method: Method::ChannelClose(close), .. }
                if close.reply_code == 405 && is_other_broker() && Instant::now() < until =>
            {
                janitor.send(1, &Method::ChannelCloseOk(channel::CloseOk));
                std::thread::sleep(ASK_AGAIN);
                janitor.open_channel(1);
            }
            _ => panic!("got {}", show(&answer)),
        }
    }
}

fn run(address: &str, row: &Row) -> Result<(), String> {
    let mut run = Run { address, start: row.start, clients: Vec::new(), current: 0 };
    run.client();
    for (number, step) in row.steps.iter().enumerate() {
        run.step(step).map_err(|failure| format!("step {}: {failure}", number + 1))?;
    }
    for client in run.clients.iter_mut().flatten() {
        check_alive(client)?;
        leave(client);
    }
    Ok(())
}

/// What no step closed is open.
fn check_alive(client: &mut Raw) -> Result<(), String> {
    const SPARE: u16 = 2000;
    client.send(SPARE, &Method::ChannelOpen(channel::Open));
    let answer = client.next();
    match &answer {
        Incoming::Frame(frame)
            if is_method(frame, SPARE, &Method::ChannelOpenOk(channel::OpenOk)) =>
        {
            Ok(())
        }
        other => Err(format!("after the last step: expected nothing more, got {}", show(other))),
    }
}

fn leave(client: &mut Raw) {
    let close =
        connection::Close { reply_code: 200, reply_text: "done", class_id: 0, method_id: 0 };
    client.send(0, &Method::ConnectionClose(close));
    while let Incoming::Frame(frame) = client.next() {
        if matches!(parse(&frame), Frame::Method { method: Method::ConnectionCloseOk(_), .. }) {
            break;
        }
    }
}

struct Run<'a> {
    address: &'a str,
    start: Start,
    /// `None` once it was closed.
    clients: Vec<Option<Raw>>,
    current: usize,
}

impl Run<'_> {
    fn client(&mut self) -> &mut Raw {
        while self.clients.len() <= self.current {
            let client = match self.start {
                Start::Socket => Raw::connect(self.address),
                Start::Channel => {
                    let mut client = Raw::open(self.address);
                    client.open_channel(1);
                    client
                }
            };
            self.clients.push(Some(client));
        }
        self.clients[self.current]
            .as_mut()
            .expect("the row goes on with a connection that it closed")
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send(channel, method) => self.client().send(*channel, method),
            Step::Publish(channel, publish, properties, body) => {
                self.client().publish(*channel, *publish, properties, body);
            }
            Step::Bytes(bytes) => self.client().bytes(bytes),
            Step::Client(number) => {
                self.current = *number;
                self.client();
            }
            Step::Leave => self.clients[self.current] = None,
            Step::Becomes(channel, request, expected) => {
                return self.becomes(*channel, request, expected);
            }
            Step::All(steps) => {
                for step in steps {
                    self.step(step)?;
                }
            }
            _ => {
                let incoming = self.client().next();
                if !self.matches(step, &incoming) {
                    return Err(format!(
                        "expected {}\n    got      {}",
                        wanted(step),
                        show(&incoming)
                    ));
                }
                self.react(step);
            }
        }
        Ok(())
    }

    fn becomes(
        &mut self,
        channel: u16,
        request: &Method<'static>,
        expected: &Method<'static>,
    ) -> Result<(), String> {
        let until = Instant::now() + LATENESS_MAX;
        loop {
            self.client().send(channel, request);
            let answer = self.client().next();
            if matches!(&answer, Incoming::Frame(frame) if is_method(frame, channel, expected)) {
                return Ok(());
            }
            if !is_other_broker() || Instant::now() > until {
                return Err(format!("expected {expected:?}\n    got      {}", show(&answer)));
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn matches(&mut self, step: &Step, incoming: &Incoming) -> bool {
        match (step, incoming) {
            (Step::Method(channel, method), Incoming::Frame(frame)) => {
                is_method(frame, *channel, method)
            }
            (Step::Like(number, holds), Incoming::Frame(frame)) => match parse(frame) {
                Frame::Method { channel, method } => channel == *number && holds(&method),
                _ => false,
            },
            (Step::ChannelClosed(number, code, text, at), Incoming::Frame(frame)) => {
                match parse(frame) {
                    Frame::Method { channel, method: Method::ChannelClose(close) } => {
                        channel == *number
                            && (close.reply_code, (close.class_id, close.method_id)) == (*code, *at)
                            && text_matches(text, close.reply_text)
                    }
                    _ => false,
                }
            }
            (Step::Closed(code, text, at), Incoming::Frame(frame)) => match parse(frame) {
                Frame::Method { channel: 0, method: Method::ConnectionClose(close) } => {
                    (close.reply_code, (close.class_id, close.method_id)) == (*code, *at)
                        && text_matches(text, close.reply_text)
                }
                _ => false,
            },
            (Step::Content(channel, properties, body), Incoming::Frame(frame)) => {
                self.content_matches(*channel, properties, body, frame)
            }
            (Step::Header(header), Incoming::Header(got)) => header == got,
            (Step::Gone, Incoming::Gone) => true,
            _ => false,
        }
    }

    fn content_matches(
        &mut self,
        number: u16,
        properties: &Properties,
        body: &[u8],
        header: &[u8],
    ) -> bool {
        let Frame::Header { channel, header } = parse(header) else { return false };
        let mut encoded = Vec::new();
        properties.encode(&mut encoded);
        if channel != number || header.properties != encoded {
            return false;
        }
        let mut got = Vec::new();
        while (got.len() as u64) < header.body_size {
            let Incoming::Frame(frame) = self.client().next() else { return false };
            assert!(frame.len() <= FRAME_BYTES_MAX as usize, "a frame above the negotiated size");
            let Frame::Body { channel, payload } = parse(&frame) else { return false };
            if channel != number {
                return false;
            }
            got.extend_from_slice(payload);
        }
        got == body
    }

    /// Does what a client does when it got this.
    fn react(&mut self, step: &Step) {
        match step {
            Step::ChannelClosed(channel, ..) => {
                self.client().send(*channel, &Method::ChannelCloseOk(channel::CloseOk));
            }
            Step::Closed(..) => {
                self.client().send(0, &Method::ConnectionCloseOk(connection::CloseOk));
                assert_eq!(self.client().next(), Incoming::Gone, "after the agreement to close");
                self.clients[self.current] = None;
            }
            Step::Gone => self.clients[self.current] = None,
            _ => {}
        }
    }
}

fn is_method(frame: &[u8], channel: u16, method: &Method<'_>) -> bool {
    let mut expected = Vec::new();
    method.encode_frame(channel, &mut expected);
    frame == expected
}

/// Whether a text is the expected one, whose `*` stands for anything.
fn text_matches(expected: &str, got: &str) -> bool {
    match expected.split_once('*') {
        Some((head, tail)) => {
            got.len() >= head.len() + tail.len() && got.starts_with(head) && got.ends_with(tail)
        }
        None => got == expected,
    }
}

fn wanted(step: &Step) -> String {
    match step {
        Step::Method(channel, method) => format!("channel {channel}: {method:?}"),
        Step::Like(channel, _) => format!("channel {channel}: a method with a property of its own"),
        Step::Content(channel, properties, body) => {
            format!("channel {channel}: {properties:?}, body {}", body.escape_ascii())
        }
        Step::ChannelClosed(channel, code, text, at) => {
            format!("channel {channel}: close {code} {text:?} at {at:?}")
        }
        Step::Closed(code, text, at) => format!("connection.close {code} {text:?} at {at:?}"),
        Step::Header(header) => format!("protocol header {}", header.escape_ascii()),
        Step::Gone => "the end of the socket".to_owned(),
        _ => "nothing".to_owned(),
    }
}
