//! A client: what it sends goes into its session, what it hears comes out of its outbox, and what follows from both is
//! told to the witness.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use leveret::broker::{Broker, ClientOutbox, Pending, Refusal};
use leveret::fault::Fault;
use leveret::outbox::{Buffer, Limits, Outbox};
use leveret::session::{self, Next, Session};
use leveret::store::Lost;
use leveret::wire::{
    Frame, Method, PROTOCOL_HEADER, Properties, Table, basic, channel, confirm, connection,
    encode_content, next_frame, tx,
};

use parking_lot::Mutex;

use crate::life::Life;
use crate::strand;
use crate::witness::{Hold, Id, PASSING, QueueNumber, Series, priority_of};

const CHANNEL: u16 = 1;

/// So often a client looks whether it is served before it gives up, once the broker is being stopped.
const PATIENCE: u32 = 300;

/// It is over: the machine stopped, or the connection is closed.
#[derive(Debug)]
pub struct Over;

/// A consumer as its client knows it.
#[derive(Clone)]
pub struct Tap {
    pub queue: QueueNumber,
    pub prefetch: u16,
    pub no_ack: bool,
    /// What came to it last for the first time.
    pub last: BTreeMap<Series, Id>,
    /// The moment it was asked for.
    pub since: u64,
    /// What its going may take along.
    pub loss: Option<usize>,
}

/// What a client holds.
#[derive(Clone)]
pub struct Held {
    pub queue: QueueNumber,
    pub id: Id,
    pub consumer: Option<String>,
    pub hold: Hold,
}

/// An answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It was done; a number that goes with it.
    Done(u64),
    /// There was no message.
    Empty,
    /// The channel was closed.
    Refused(u16),
}

/// What happens on a client's channel.
#[derive(Default)]
pub struct Channel {
    pub number: u64,
    pub is_open: bool,
    pub is_tx: bool,
    pub taps: BTreeMap<String, Tap>,
    pub held: BTreeMap<u64, Held>,
    pub unconfirmed: BTreeMap<u64, Id>,
    pub published: u64,
    /// Published in the transaction under way.
    pub uncommitted: Vec<Id>,
    pub prefetch: u16,
    /// How many deliveries to its consumers may be unacknowledged in all; any number when 0.
    pub prefetch_in_all: u16,
    pub answers: VecDeque<Answer>,
    /// The queue that is fetched from.
    pub fetching: Option<QueueNumber>,
    pub fetches_no_ack: bool,
    /// A request is under way that may close the channel: what is heard meanwhile may have gone back already.
    in_doubt: bool,
    is_connection_closed: bool,
}

/// A client.
pub struct Guest {
    session: RefCell<Session>,
    outbox: Arc<ClientOutbox>,
    broker: Arc<Broker>,
    life: Rc<Life>,
    pub channel: RefCell<Channel>,
    arriving: RefCell<Option<Arriving>>,
    is_gone: Cell<bool>,
    pub vhost: &'static str,
    /// The broker closes the connection from outside.
    told: Arc<Mutex<Option<Fault>>>,
    /// It has published something on this connection.
    has_published: Cell<bool>,
    /// It is being held back from publishing.
    pub is_held: Cell<bool>,
    /// It was told that it is blocked, and not yet that it no longer is.
    pub is_blocked: Cell<bool>,
}

/// Content of which not everything has come.
struct Arriving {
    kind: Kind,
    size: Option<u64>,
    body: Vec<u8>,
}

enum Kind {
    Delivery { tag: u64, consumer: String, redelivered: bool },
    Fetched { tag: u64, redelivered: bool },
    Return,
}

impl Guest {
    /// Connects and opens a channel.
    pub fn connect(life: &Rc<Life>, vhost: &'static str) -> Result<Self, Over> {
        let broker = Arc::clone(&life.broker);
        let amqp = &broker.config().amqp;
        let limits = Limits {
            bytes_max: amqp.outbox_bytes_max,
            unacked_per_channel_max: broker.config().limits.unacked_per_channel_max,
            unacked_bytes_per_channel_max: broker.config().limits.unacked_bytes_per_channel_max,
        };
        let outbox = Arc::new(Outbox::new(limits, amqp.frame_bytes_max, || {}));
        let here = SocketAddr::from(([127, 0, 0, 1], 5672));
        let ends = session::Peer { address: here, local: here };
        let told = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&told);
        let close = Box::new(move |refusal: Refusal| *tell.lock() = Some(refusal.into()));
        let session = Session::new(Arc::clone(&broker), Arc::clone(&outbox), ends, close);
        Ok(Self {
            session: RefCell::new(session),
            outbox,
            broker,
            life: Rc::clone(life),
            channel: RefCell::default(),
            arriving: RefCell::default(),
            is_gone: Cell::new(false),
            vhost,
            told,
            has_published: Cell::new(false),
            is_held: Cell::new(false),
            is_blocked: Cell::new(false),
        })
    }

    /// Says who it is, and opens its channel.
    pub fn begin(&self, is_tx: bool) -> Result<(), Over> {
        let mut bytes = PROTOCOL_HEADER.to_vec();
        let start_ok = connection::StartOk {
            client_properties: capabilities(),
            mechanism: "PLAIN",
            response: b"\0sim\0x",
            locale: "en_US",
        };
        Method::ConnectionStartOk(start_ok).encode_frame(0, &mut bytes);
        let tune_ok = connection::TuneOk { channel_max: 1, frame_max: 4096, heartbeat: 0 };
        Method::ConnectionTuneOk(tune_ok).encode_frame(0, &mut bytes);
        let open = connection::Open { virtual_host: self.vhost };
        Method::ConnectionOpen(open).encode_frame(0, &mut bytes);
        self.receive(&bytes)?;
        self.open_channel(is_tx)
    }

    /// Opens the channel, for confirms or transactions.
    pub fn open_channel(&self, is_tx: bool) -> Result<(), Over> {
        let number = self.life.next_number();
        *self.channel.borrow_mut() = Channel { number, is_tx, ..Channel::default() };
        self.request(&Method::ChannelOpen(channel::Open))?;
        self.channel.borrow_mut().is_open = true;
        let select = match is_tx {
            true => Method::TxSelect(tx::Select),
            false => Method::ConfirmSelect(confirm::Select { no_wait: false }),
        };
        self.request(&select).map(|_| ())
    }

    /// Sends a method that cannot be refused, and waits for its answer.
    pub fn request(&self, method: &Method<'_>) -> Result<Answer, Over> {
        let answer = self.answer(method)?;
        if self.vhost == PASSING && matches!(answer, Answer::Refused(403)) {
            // The virtual host is being deleted: what it published before may not be any more, and its connection goes.
            return Err(Over);
        }
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?} to {method:?}");
        Ok(answer)
    }

    /// Gives everything back that it holds.
    pub fn recover(&self) -> Result<(), Over> {
        self.channel.borrow_mut().doubt(true);
        self.request(&Method::BasicRecover(basic::Recover { requeue: true })).map(|_| ())
    }

    /// The same for a method that may close the channel. What is held is not firmly held meanwhile.
    pub fn try_request(&self, method: &Method<'_>) -> Result<Answer, Over> {
        self.channel.borrow_mut().doubt(true);
        let answer = self.answer(method)?;
        if let Answer::Refused(_) = answer {
            self.say(&Method::ChannelCloseOk(channel::CloseOk))?;
            self.channel_gone();
        } else {
            self.channel.borrow_mut().doubt(false);
        }
        Ok(answer)
    }

    fn answer(&self, method: &Method<'_>) -> Result<Answer, Over> {
        self.channel.borrow_mut().answers.clear();
        self.say(method)?;
        let mut looks = 0;
        loop {
            if let Some(answer) = self.channel.borrow_mut().answers.pop_front() {
                return Ok(answer);
            }
            self.keep_waiting(&mut looks)?;
        }
    }

    /// Closes the connection if the broker wants that, as whoever reads its socket would.
    pub fn obey(&self) -> Result<(), Over> {
        let Some(fault) = self.told.lock().take() else { return Ok(()) };
        self.life.witness().say(|| "a connection is closed".to_owned());
        self.session.borrow_mut().fail(fault, self.life.now_ms());
        Err(Over)
    }

    /// Waits a little, unless it is over.
    fn keep_waiting(&self, looks: &mut u32) -> Result<(), Over> {
        self.obey()?;
        *looks += u32::from(self.life.is_stopping());
        let closed = self.channel.borrow().is_connection_closed;
        if self.life.is_over() || closed || *looks > PATIENCE {
            return Err(Over);
        }
        strand::wait();
        Ok(())
    }

    /// Sends a method.
    pub fn say(&self, method: &Method<'_>) -> Result<(), Over> {
        let mut bytes = Vec::new();
        method.encode_frame(CHANNEL, &mut bytes);
        self.receive(&bytes)
    }

    /// Publishes messages in one piece: exchange, routing key, number, whether they are persistent, and size.
    pub fn publish(&self, messages: &[(&str, &str, Id, bool, usize)]) -> Result<(), Over> {
        let mut bytes = Vec::new();
        for (exchange, routing_key, id, persistent, size) in messages {
            let method =
                basic::Publish { exchange, routing_key, mandatory: true, immediate: false };
            Method::BasicPublish(method).encode_frame(CHANNEL, &mut bytes);
            let mode = if *persistent { 2 } else { 1 };
            let priority = Some(priority_of(*id));
            let properties =
                Properties { delivery_mode: Some(mode), priority, ..Properties::default() };
            let mut list = Vec::new();
            properties.encode(&mut list);
            let mut body = id.to_be_bytes().to_vec();
            body.resize(body.len() + size, 0);
            encode_content(&mut bytes, CHANNEL, basic::CLASS_ID, &list, &body, 4096);
            let mut channel = self.channel.borrow_mut();
            if channel.is_tx {
                channel.uncommitted.push(*id);
            } else {
                channel.published += 1;
                let number = channel.published;
                channel.unconfirmed.insert(number, *id);
            }
        }
        self.has_published.set(true);
        let outcome = self.receive(&bytes);
        self.is_held.set(false);
        outcome
    }

    /// Whether nothing is read from this client at present.
    fn stands_still(&self) -> bool {
        let session = self.session.borrow();
        let is_held = session.is_held();
        assert!(!is_held || self.has_published.get(), "one is held back that publishes nothing");
        self.is_held.set(is_held);
        session.is_full() || is_held
    }

    fn receive(&self, mut bytes: &[u8]) -> Result<(), Over> {
        let mut looks = 0;
        'turns: loop {
            while self.stands_still() {
                self.keep_waiting(&mut looks)?;
            }
            if self.life.is_over() {
                return Err(Over);
            }
            let now_ms = self.life.now_ms();
            let received = self.session.borrow_mut().receive(bytes, now_ms);
            bytes = &bytes[received.consumed..];
            let mut next = received.next;
            loop {
                next = match next {
                    Next::Frame | Next::Read if bytes.is_empty() => return Ok(()),
                    Next::Frame | Next::Read => break,
                    Next::Yield => {
                        // Others may come in between, and what was begun goes on even if there are no more bytes.
                        strand::note_progress();
                        self.keep_waiting(&mut looks)?;
                        continue 'turns;
                    }
                    Next::Full | Next::Held => {
                        self.keep_waiting(&mut looks)?;
                        if bytes.is_empty() {
                            return Ok(());
                        }
                        break;
                    }
                    Next::Close | Next::Refuse => return Err(Over),
                    Next::Store(pending) => {
                        let stored = self.wait_for(pending)?;
                        self.session.borrow_mut().stored(stored, self.life.now_ms())
                    }
                    Next::Verify(verification) => {
                        let verified = verification.run();
                        self.session.borrow_mut().verified(verified, self.life.now_ms())
                    }
                    Next::Room(_) => panic!("no body is large enough to wait for room"),
                };
            }
        }
    }

    fn wait_for(&self, pending: Pending) -> Result<Result<(), Lost>, Over> {
        let mut looks = 0;
        while !pending.is_settled() {
            self.keep_waiting(&mut looks)?;
        }
        Ok(pending.wait_blocking())
    }

    /// The socket is lost, or closed.
    pub fn end(&self) {
        self.is_gone.set(true);
        self.channel_gone();
        self.session.borrow_mut().end("the simulation says so", self.life.now_ms());
    }

    /// Everything that was held has gone back, and what was not confirmed will not be.
    pub fn channel_gone(&self) {
        let mut channel = self.channel.borrow_mut();
        for held in channel.held.values() {
            held.hold.set(false);
        }
        let taps = std::mem::take(&mut channel.taps);
        *channel = Channel { number: channel.number, ..Channel::default() };
        drop(channel);
        for tap in taps.into_values() {
            self.tap_gone(&tap);
        }
    }

    /// What a consumer took without acknowledging may have got lost on the way.
    pub fn tap_gone(&self, tap: &Tap) {
        if let Some(loss) = tap.loss {
            self.life.witness().lost(loss, true);
        }
    }

    /// Hears what has come. False when there was nothing.
    pub fn hear(&self) -> bool {
        if self.is_gone.get() {
            return false;
        }
        let mut buffer = Buffer::default();
        let resumed = self.outbox.drain(&mut buffer);
        let bytes: Vec<u8> = buffer.parts().flatten().copied().collect();
        let mut rest = bytes.as_slice();
        // Also to a channel that is gone by now something may have been said.
        while !rest.is_empty() && !self.is_gone.get() {
            let (frame, used) = next_frame(rest, u32::MAX).expect("sound").expect("whole");
            rest = &rest[used..];
            self.take_in(frame);
        }
        let some = !resumed.is_empty() || !bytes.is_empty();
        self.broker.resume(resumed, self.life.now_ms());
        some
    }

    fn take_in(&self, frame: Frame<'_>) {
        match frame {
            Frame::Method { method, .. } => self.take_in_method(&method),
            Frame::Header { header, .. } => {
                let mut arriving = self.arriving.borrow_mut();
                arriving.as_mut().expect("a method").size = Some(header.body_size);
            }
            Frame::Body { payload, .. } => {
                let mut arriving = self.arriving.borrow_mut();
                arriving.as_mut().expect("a method").body.extend(payload);
            }
            Frame::Heartbeat { .. } => {}
        }
        let whole = self
            .arriving
            .borrow_mut()
            .take_if(|arriving| arriving.size == Some(arriving.body.len() as u64));
        if let Some(Arriving { kind, body, .. }) = whole {
            let id = Id::from_be_bytes(*body.first_chunk().expect("a number"));
            self.take_in_message(kind, id);
        }
    }

    fn take_in_method(&self, method: &Method<'_>) {
        let begin = |kind| Some(Arriving { kind, size: None, body: Vec::new() });
        let arriving = match method {
            Method::BasicDeliver(deliver) => begin(Kind::Delivery {
                tag: deliver.delivery_tag,
                consumer: deliver.consumer_tag.to_owned(),
                redelivered: deliver.redelivered,
            }),
            Method::BasicGetOk(got) => {
                begin(Kind::Fetched { tag: got.delivery_tag, redelivered: got.redelivered })
            }
            Method::BasicReturn(_) => begin(Kind::Return),
            _ => None,
        };
        if arriving.is_some() {
            *self.arriving.borrow_mut() = arriving;
            return;
        }
        match method {
            Method::BasicAck(ack) => self.confirmed(ack.delivery_tag, ack.multiple),
            Method::BasicNack(nack) => {
                for id in self.answered_for(nack.delivery_tag, nack.multiple) {
                    self.life.refused(id);
                }
            }
            Method::BasicRecoverOk(_) => {
                let mut channel = self.channel.borrow_mut();
                // What came before this has gone back, what comes behind it is held.
                for held in std::mem::take(&mut channel.held).into_values() {
                    held.hold.set(false);
                }
                channel.in_doubt = false;
                channel.answers.push_back(Answer::Done(0));
            }
            Method::ConnectionBlocked(_) => self.is_blocked.set(true),
            Method::ConnectionUnblocked(_) => self.is_blocked.set(false),
            Method::BasicCancel(cancel) => self.cancelled(cancel.consumer_tag),
            Method::ConnectionClose(_) => self.channel.borrow_mut().is_connection_closed = true,
            Method::ConnectionStart(_)
            | Method::ConnectionTune(_)
            | Method::ConnectionOpenOk(_) => {}
            method => {
                let answer = match method {
                    Method::ChannelClose(close) => Answer::Refused(close.reply_code),
                    Method::BasicGetEmpty(_) => Answer::Empty,
                    Method::QueueDeclareOk(ok) => Answer::Done(ok.message_count.into()),
                    Method::QueuePurgeOk(ok) => Answer::Done(ok.message_count.into()),
                    _ => Answer::Done(0),
                };
                self.channel.borrow_mut().answers.push_back(answer);
            }
        }
    }

    /// Numbers that are not waited for any more.
    fn answered_for(&self, number: u64, multiple: bool) -> Vec<Id> {
        let mut channel = self.channel.borrow_mut();
        let unconfirmed = &mut channel.unconfirmed;
        if multiple {
            let later = unconfirmed.split_off(&(number + 1));
            return std::mem::replace(unconfirmed, later).into_values().collect();
        }
        let id =
            unconfirmed.remove(&number).unwrap_or_else(|| panic!("{number} is confirmed twice"));
        vec![id]
    }

    fn confirmed(&self, number: u64, multiple: bool) {
        for id in self.answered_for(number, multiple) {
            self.life.witness().confirmed(id);
        }
    }

    fn cancelled(&self, tag: &str) {
        let tap = self.channel.borrow_mut().taps.remove(tag);
        if let Some(tap) = tap {
            self.life.witness().cancelled(tap.queue, tap.since);
            self.tap_gone(&tap);
        }
    }

    fn take_in_message(&self, kind: Kind, id: Id) {
        let (tag, consumer, redelivered) = match kind {
            Kind::Return => return self.life.witness().void(id),
            Kind::Delivery { tag, consumer, redelivered } => (tag, Some(consumer), redelivered),
            Kind::Fetched { tag, redelivered } => (tag, None, redelivered),
        };
        let mut channel = self.channel.borrow_mut();
        let found = match &consumer {
            Some(consumer) => channel.taps.get(consumer).map(|tap| (tap.queue, tap.no_ack)),
            None => channel.fetching.map(|queue| (queue, channel.fetches_no_ack)),
        };
        let Some((queue, no_ack)) = found else { return };
        let hold: Hold = Rc::new(Cell::new(!channel.in_doubt));
        let kept = (!no_ack).then(|| Rc::clone(&hold));
        if channel.in_doubt {
            self.life.witness().delivered_in_doubt(queue, id, kept);
        } else {
            self.life.witness().delivered(queue, id, redelivered, kept);
        }
        if let Some(tap) = consumer.as_ref().and_then(|consumer| channel.taps.get_mut(consumer))
            && !redelivered
            && let Some(series) = self.life.witness().series(queue, id)
        {
            let before = tap.last.insert(series, id);
            assert!(before < Some(id), "{id} comes from {queue} behind {before:?}");
        }
        if !no_ack {
            channel.held.insert(tag, Held { queue, id, consumer: consumer.clone(), hold });
            channel.expect_limits(consumer.as_ref());
        }
        if consumer.is_none() {
            channel.answers.push_back(Answer::Done(id));
        }
    }
}

impl Channel {
    /// What is held may go back from now on without being told, or is held for sure.
    fn doubt(&mut self, in_doubt: bool) {
        self.in_doubt = in_doubt;
        self.held.values().for_each(|held| held.hold.set(!in_doubt));
    }

    /// How much came to its consumers and is held.
    fn consumed(&self) -> usize {
        self.held.values().filter(|held| held.consumer.is_some()).count()
    }

    /// No more is held than was allowed.
    fn expect_limits(&self, consumer: Option<&String>) {
        let Some(tap) = consumer.and_then(|consumer| self.taps.get(consumer)) else { return };
        let own = self.held.values().filter(|held| held.consumer.as_ref() == consumer).count();
        let most = usize::from(tap.prefetch);
        assert!(most == 0 || own <= most, "{own} unacknowledged, but at most {most}");
        let (all, most) = (self.consumed(), usize::from(self.prefetch_in_all));
        assert!(most == 0 || all <= most, "{all} unacknowledged in all, but at most {most}");
    }
}

/// It wants to know when its queues go.
fn capabilities() -> Table {
    let mut able = Table::new();
    able.insert("consumer_cancel_notify", true);
    able.insert("connection.blocked", true);
    able.insert("basic.nack", true);
    let mut properties = Table::new();
    properties.insert("capabilities", able);
    properties
}
