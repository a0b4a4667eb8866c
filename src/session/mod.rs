//! One connection's protocol, from its first eight bytes to its last frame: bytes and time come in, replies
//! go out through the connection's outbox, and what has to be waited for is handed to the caller.
//!
//! A [`Session`] is a plain value without sockets, clocks or tasks. Its owner calls [`Session::receive`] with
//! whatever the peer sent and does what [`Next`] says: bring more bytes, let others have a turn, wait for the store, for a
//! password to be verified or for room and come back with what came of it, or close. There is one file for each class of
//! methods, whose handlers leave a `Handled`; `handshake` and `lifecycle` know the phases of a connection, `content` puts
//! messages together.
//!
//! Messages published in one call of `receive` form one batch. The batch is handed to the broker at the end of
//! the call, and before any method whose answer could show whether it was.

mod arrears;
mod channel;
mod confirm;
mod connection;
mod consume;
mod content;
mod exchange;
mod handshake;
mod lifecycle;
mod name;
mod next;
mod peer;
mod properties;
mod publish;
mod queue;
mod refusal;
mod repeat;
mod reply;
mod rest;
mod sasl;
mod settle;
mod sink;
#[cfg(test)]
mod tests;
mod tx;
mod work;

use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use self::next::{Next, Received};
pub use self::peer::Peer;
pub use self::properties::{Read, Sender, read as read_properties};

use self::channel::Channel;
use self::handshake::Applicant;
use self::repeat::{Repeat, Seen};
use self::reply::Reply;
use self::work::{Context, Progress, Work};
use crate::broker::{Allowance, Broker, Client, ClientOutbox, Closer, Identity, Room, Turn};
use crate::fault::Fault;
use crate::security::Security;
use crate::store::Lost;
use crate::wire::{self, Frame, HeaderCheck, Method, PROTOCOL_HEADER, ReplyCode};

/// A frame of a client that has not logged in may have this many bytes, head and end included.
const HANDSHAKE_FRAME_BYTES_MAX: u32 = 8192;

/// Deliveries pause when the outbox holds its configured bound; replies may fill it up to this many times the
/// bound before requests pause too. Between the two a slow consumer's acknowledgements are still read.
const OUTBOX_BOUNDS_MAX: usize = 2;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It was not opened yet.
    Handshake,
    /// It is open.
    Open,
    /// It was told to close and has not agreed yet.
    Closing,
    /// There is nothing more to say.
    Closed,
}

/// The states of a connection.
#[derive(Debug)]
enum Phase {
    /// Before the protocol header.
    Header,
    /// `connection.start` was sent.
    Starting,
    /// A password is being verified.
    Verifying,
    /// `connection.tune` was sent.
    Tuning,
    /// `connection.tune-ok` was received.
    Opening,
    /// Open.
    Running,
    /// `connection.close` was sent. What comes is discarded until the client agrees.
    Closing(Discarding),
    /// The socket goes.
    Closed,
}

/// How a closing connection finds the client's answer in what it discards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Discarding {
    /// Frame by frame.
    Frames,
    /// The frames are no frames any more: only the last bytes can be trusted.
    Bytes,
}

impl Phase {
    /// RabbitMQ's name for the state, for error texts.
    fn name(&self) -> &'static str {
        match self {
            Self::Header | Self::Starting => "starting",
            Self::Verifying => "securing",
            Self::Tuning => "tuning",
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Closing(_) => "closing",
            Self::Closed => "closed",
        }
    }
}

/// What the two sides agreed on.
#[derive(Debug, Clone, Copy)]
struct Negotiated {
    channel_max: u16,
    frame_bytes_max: u32,
    heartbeat_s: u16,
}

/// A number of a channel that is in use.
enum Slot {
    Open(Box<Channel>),
    /// `channel.close` was sent; everything but the client's agreement is ignored.
    Closing,
}

impl Slot {
    /// Whether messages wait for a commit.
    fn has_uncommitted(&self) -> bool {
        match self {
            Self::Open(channel) => channel.has_uncommitted(),
            Self::Closing => false,
        }
    }
}

/// One connection's protocol.
pub struct Session {
    broker: Arc<Broker>,
    outbox: Arc<ClientOutbox>,
    peer: Peer,
    security: Security,
    /// How an operator reaches the connection; handed to the broker when the connection is opened.
    close: Option<Closer>,
    phase: Phase,
    limits: Negotiated,
    /// What the client said about itself, until the connection is open.
    applicant: Option<Box<Applicant>>,
    client: Option<Arc<Client>>,
    channels: FxHashMap<u16, Slot>,
    /// The reply that is sent when the store has done what is waited for, and its channel.
    waiting: Option<(u16, Reply)>,
    work: Work,
    repeat: Repeat,
    /// What comes next is a message that may not be published yet.
    held: bool,
    /// A fault, and its channel, that closes what it closes when all that came before is done.
    deferred: Option<(u16, Fault)>,
}

impl Session {
    /// A connection that was just accepted. `close` lets an operator close it, from any thread.
    pub fn new(broker: Arc<Broker>, outbox: Arc<ClientOutbox>, peer: Peer, close: Closer) -> Self {
        let amqp = &broker.config().amqp;
        let limits = Negotiated {
            channel_max: amqp.channel_max,
            frame_bytes_max: HANDSHAKE_FRAME_BYTES_MAX.min(amqp.frame_bytes_max),
            heartbeat_s: 0,
        };
        Self {
            broker,
            outbox,
            peer,
            security: Security::Plain,
            close: Some(close),
            phase: Phase::Header,
            limits,
            applicant: None,
            client: None,
            channels: FxHashMap::default(),
            waiting: None,
            work: Work::default(),
            repeat: Repeat::default(),
            held: false,
            deferred: None,
        }
    }

    /// The same, on a connection that is secured.
    pub fn secured_by(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// How far the connection has come.
    pub fn stage(&self) -> Stage {
        match self.phase {
            Phase::Running => Stage::Open,
            Phase::Closing(_) => Stage::Closing,
            Phase::Closed => Stage::Closed,
            _ => Stage::Handshake,
        }
    }

    /// Seconds between heartbeats, 0 for none; known when the connection is open.
    pub fn heartbeat_s(&self) -> u16 {
        self.limits.heartbeat_s
    }

    /// Bytes that the largest frame of the peer may have at this moment, head and end included.
    pub fn frame_bytes_max(&self) -> u32 {
        self.limits.frame_bytes_max
    }

    /// The connection as the broker knows it, while it is open.
    pub fn client(&self) -> Option<&Arc<Client>> {
        self.client.as_ref()
    }

    /// Bytes that the frame at the head of `rest`, which `receive` left over, has in all; 0 when that is
    /// not known yet.
    pub fn wanted(&self, rest: &[u8]) -> usize {
        match self.phase {
            Phase::Header => PROTOCOL_HEADER.len(),
            _ => wire::frame_bytes_needed(rest).map_or(0, |bytes| {
                bytes.min(wire::largest_frame_bytes(self.limits.frame_bytes_max))
            }),
        }
    }

    /// Whether the peer reads too little of what it was sent for more of its requests to be served.
    pub fn is_full(&self) -> bool {
        let bound = self.broker.config().amqp.outbox_bytes_max;
        self.outbox.waiting_bytes() >= bound.saturating_mul(OUTBOX_BOUNDS_MAX)
    }

    /// Whether what comes next from the peer is a message that may not be published yet. Whatever stands before it was
    /// taken in: acknowledgements, commits and the ends of messages that had begun may be what makes room.
    pub fn is_held(&self) -> bool {
        self.held && self.holds_publishing() && !self.is_let_through() && !self.must_give_up()
    }

    /// Whether transactions of this connection keep the memory short that others wait for. It cannot commit them: that
    /// would stand behind what it may not publish.
    fn must_give_up(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.must_give_up())
            && self.channels.values().any(Slot::has_uncommitted)
    }

    /// Whether no message may begin: an alarm is on, or too much waits for the disk and this peer adds to it.
    fn holds_publishing(&self) -> bool {
        let full = || self.broker.store_is_full();
        self.client.as_ref().is_some_and(|one| one.must_pause() || one.writes() && full())
    }

    /// Whether a message may begin none the less: memory is short, and this connection holds messages that it can perhaps
    /// not acknowledge before it has published what it made of them.
    fn is_let_through(&self) -> bool {
        let arrears_bytes = self.work.arrears.bytes();
        self.client.as_ref().is_some_and(|one| {
            one.may_finish_work(arrears_bytes) && !(one.writes() && self.broker.store_is_full())
        })
    }

    /// Takes in what the peer sent: as many frames as are there, or as far as the first thing that has to
    /// be waited for. `now_ms` is the time in milliseconds since the Unix epoch.
    pub fn receive(&mut self, bytes: &[u8], now_ms: u64) -> Received {
        let mut consumed = 0;
        self.work.allowance = Allowance::default();
        match self.go_on(now_ms) {
            Next::Frame if !self.work.must_yield() => {}
            next => {
                self.outbox.flush();
                let next = if matches!(next, Next::Frame) { Next::Yield } else { next };
                return Received { consumed, next };
            }
        }
        let holds = self.holds_publishing();
        self.held = false;
        // From where on what is read counts as published though memory is short.
        let mut counted = 0;
        if !holds && self.work.arrears.is_open() {
            self.work.arrears.close();
        }
        let next = loop {
            if holds && wire::begins_publish(&bytes[consumed..]) && self.client.is_some() {
                self.work.arrears.count_to(&mut counted, consumed);
                if !self.is_let_through() {
                    self.held = true;
                    // It is told in its turn with all others, but first of all why it is held back.
                    if let Some(client) = &self.client {
                        client.tell_alarms();
                    }
                    if self.must_give_up() {
                        if self.is_behind(now_ms) {
                            break Next::Yield;
                        }
                        self.give_up_transactions(now_ms);
                    }
                    break Next::Held;
                }
                self.work.arrears.begin_message();
            }
            let (next, used) = self.take(&bytes[consumed..], now_ms);
            consumed += used;
            match next {
                Next::Frame if self.work.must_yield() => break Next::Yield,
                Next::Frame if self.work.take_replied() && self.is_full() => break Next::Full,
                Next::Frame => {}
                next => break next,
            }
        };
        self.work.arrears.count_to(&mut counted, consumed);
        let progress = self.finish_work(now_ms);
        if consumed > 0 {
            self.outbox.note_received(consumed);
        }
        Received { consumed, next: self.end_turn(next, progress, now_ms) }
    }

    /// Goes on after [`Next::Store`], with what came of it.
    pub fn stored(&mut self, stored: Result<(), Lost>, now_ms: u64) -> Next {
        let (channel, result) = match (self.waiting.take(), stored) {
            (Some((channel, reply)), Ok(())) => (channel, self.reply(channel, reply, now_ms)),
            (Some((channel, _)), Err(Lost)) => (channel, Err(store_lost())),
            (None, Ok(())) => (0, Ok(Next::Frame)),
            (None, Err(Lost)) => (0, Err(store_lost())),
        };
        self.go_on_with(channel, result, now_ms)
    }

    /// Goes on after [`Next::Verify`]: with who the client is, or why it is refused, for the log.
    pub fn verified(&mut self, verified: Result<Identity, String>, now_ms: u64) -> Next {
        let next = match verified {
            _ if !matches!(self.phase, Phase::Verifying) => Next::Frame,
            Ok(identity) => self.welcome(identity),
            Err(reason) => self.refuse_login(&reason),
        };
        self.go_on_with(0, Ok(next), now_ms)
    }

    /// Goes on after [`Next::Room`], with the room; none when the broker is ending.
    pub fn make_room(&mut self, room: Option<Room>, now_ms: u64) -> Next {
        let is_there = room.is_some();
        self.work.room = room;
        let result = if is_there { Ok(Next::Frame) } else { Err(store_lost()) };
        self.go_on_with(0, result, now_ms)
    }

    fn go_on_with(&mut self, channel: u16, result: Result<Next, Fault>, now_ms: u64) -> Next {
        let next = result.unwrap_or_else(|fault| self.fault(channel, fault, now_ms));
        let progress = self.finish_work(now_ms);
        self.end_turn(next, progress, now_ms)
    }

    /// Takes one frame off the head of `bytes`, if it is complete: what comes next, and how many bytes it had.
    fn take(&mut self, bytes: &[u8], now_ms: u64) -> (Next, usize) {
        match self.phase {
            Phase::Closed => return (Next::Close, bytes.len()),
            Phase::Closing(discarding) => return self.discard(discarding, bytes),
            Phase::Header => return self.take_header(bytes),
            _ => {}
        }
        if let Some((published, used)) = self.publish_again(bytes, now_ms) {
            let channel = self.repeat.channel();
            let next = published.map(|()| Next::Frame);
            return (next.unwrap_or_else(|fault| self.fault(channel, fault, now_ms)), used);
        }
        let (frame, used) = match wire::next_frame(bytes, self.limits.frame_bytes_max) {
            Ok(Some(cut)) => cut,
            Ok(None) => return (Next::Read, 0),
            Err(error) => {
                let (class_id, method_id) = (error.class_id, error.method_id);
                let malformed = || Fault::from(error).at(class_id, method_id);
                let fault = self.misplaced_header(bytes).unwrap_or_else(malformed);
                return (self.fault(0, fault, now_ms), 0);
            }
        };
        let channel = match frame {
            Frame::Method { channel, .. }
            | Frame::Header { channel, .. }
            | Frame::Body { channel, .. }
            | Frame::Heartbeat { channel } => channel,
        };
        // Its reply could show whether what was published before was done, and it could change what that leads to.
        if !rest::gathers(&frame) && self.is_behind(now_ms) {
            return (Next::Yield, 0);
        }
        let seen = Seen::from(&frame);
        let next = match self.frame(frame, now_ms) {
            // It is taken again when there is room.
            Ok(next @ Next::Room(_)) => return (next, 0),
            Ok(next) => {
                self.remember(seen, &bytes[..used]);
                next
            }
            Err(fault) => self.fault(channel, fault, now_ms),
        };
        (next, used)
    }

    /// What is wrong with a content header where none may be, whatever is wrong in it.
    fn misplaced_header(&self, bytes: &[u8]) -> Option<Fault> {
        let channel = wire::header_channel(bytes)?;
        match self.channels.get(&channel) {
            Some(Slot::Open(channel)) => channel.expect_header().err(),
            _ => None,
        }
    }

    fn take_header(&mut self, bytes: &[u8]) -> (Next, usize) {
        match wire::protocol_header(bytes) {
            HeaderCheck::NeedMore => (Next::Read, 0),
            HeaderCheck::Ok => (self.start(), PROTOCOL_HEADER.len()),
            HeaderCheck::Wrong => (self.refuse_header(bytes), bytes.len()),
        }
    }

    fn frame(&mut self, frame: Frame<'_>, now_ms: u64) -> Result<Next, Fault> {
        if !matches!(self.phase, Phase::Running) {
            return self.handshake_frame(frame, now_ms);
        }
        match frame {
            Frame::Method { channel: 0, method } => self.connection_method(&method, now_ms),
            Frame::Method { channel, method } => {
                let (class_id, method_id) = (method.class_id(), method.method_id());
                self.channel_method(channel, method, now_ms)
                    .map_err(|fault| located(fault, class_id, method_id))
            }
            Frame::Header { channel, header } => {
                self.on_content(channel, now_ms, |open, context| {
                    open.content_header(context, &header)
                })
            }
            Frame::Body { channel, payload } => {
                self.on_content(channel, now_ms, |open, context| {
                    open.content_body(context, payload).map(|()| None)
                })
            }
            Frame::Heartbeat { channel: 0 } => Ok(Next::Frame),
            Frame::Heartbeat { .. } => {
                Err(Fault::connection(ReplyCode::UnexpectedFrame, "heartbeat on a channel"))
            }
        }
    }

    fn on_content(
        &mut self,
        number: u16,
        now_ms: u64,
        take: impl FnOnce(&mut Channel, &mut Context<'_>) -> Result<Option<Turn>, Fault>,
    ) -> Result<Next, Fault> {
        if number == 0 {
            let text = "content on channel 0";
            return Err(Fault::connection(ReplyCode::UnexpectedFrame, text));
        }
        match self.parts(number, now_ms) {
            (Some(Slot::Open(channel)), Some(mut context)) => {
                let turn = take(channel, &mut context)?;
                Ok(turn.map_or(Next::Frame, Next::Room))
            }
            (Some(Slot::Closing), _) => Ok(Next::Frame),
            _ => Err(expected_open()),
        }
    }

    /// A channel's slot, and what its handlers need besides.
    fn parts(&mut self, number: u16, now_ms: u64) -> (Option<&mut Slot>, Option<Context<'_>>) {
        let context = self.client.as_ref().map(|client| Context {
            client,
            outbox: &self.outbox,
            amqp: &self.broker.config().amqp,
            work: &mut self.work,
            now_ms,
        });
        (self.channels.get_mut(&number), context)
    }

    fn finish_work(&mut self, now_ms: u64) -> Progress {
        let progress = self.flush(now_ms);
        if progress == Progress::Done {
            self.close_failed(now_ms);
        }
        self.outbox.flush();
        progress
    }

    fn send(&mut self, channel: u16, method: &Method<'_>) {
        self.outbox.send(channel, method);
        self.work.replied = true;
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer)
            .field("phase", &self.phase)
            .field("channels", &self.channels.len())
            .finish_non_exhaustive()
    }
}

fn located(fault: Fault, class_id: u16, method_id: u16) -> Fault {
    if fault.class_id == 0 { fault.at(class_id, method_id) } else { fault }
}

fn expected_open() -> Fault {
    Fault::connection(ReplyCode::ChannelError, "expected 'channel.open'")
}

fn store_lost() -> Fault {
    Fault::connection(ReplyCode::InternalError, "the store failed; see the broker's log")
}
