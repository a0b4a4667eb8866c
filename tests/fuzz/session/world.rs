//! The broker that all inputs of a thread are played to, and its cleaning after each.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use leveret::broker::{
    BindingRequest, Broker, Capabilities, Client, ClientOutbox, DeclareMode, DeleteExchange,
    DeleteQueue, Events, Login, NewClient, QueueDeclaration, Surroundings, Terms,
};
use leveret::config::Config;
use leveret::outbox::{Limits, Outbox};
use leveret::wire::{Frame, Method, PROTOCOL_HEADER, Table, next_frame, queue};
use tempfile::TempDir;

use super::opening::{self, SECOND};
use super::side::Side;
use crate::targets;

/// The largest frame, in bytes.
pub const FRAME_BYTES_MAX: u32 = 8192;

/// Bindings that there may be.
const BINDINGS_MAX: usize = 16;

/// After so many inputs it is counted whether a binding was left.
const COUNTED_EACH: u64 = 16;

/// What an input may take for the rest to go from memory.
const EMPTY_MS_MAX: u64 = 5_000;

thread_local! {
    /// Made with the first input.
    pub static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// What becomes of a channel that the broker has closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    Stays,
    Reopens,
}

/// A broker and two connections.
pub struct World {
    broker: Arc<Broker>,
    janitor: Arc<Client>,
    now_ms: u64,
    sides: [Option<Side>; 2],
    current: usize,
    openings: [usize; 2],
    closed: Closed,
    queues: BTreeSet<String>,
    exchanges: BTreeSet<String>,
    /// Bindings of exchanges to exchanges: source, destination, routing key, arguments.
    bindings: Vec<(String, String, String, Table)>,
    inputs: u64,
    /// Bytes that messages held before the input, which an earlier one may have left.
    held_before: usize,
    _directory: TempDir,
}

impl World {
    pub fn new() -> Self {
        let directory = targets::directory();
        let now_ms = 1_700_000_000_000;
        let events = Events {
            room: Box::new(|| {}),
            alarm: Box::new(|| {}),
            deadline: Box::new(|| {}),
            errands: Box::new(|| {}),
            lost: Box::new(|why| panic!("the store is lost: {why}")),
        };
        let broker =
            Broker::open(config(&directory), events, Surroundings::of_the_machine(), now_ms)
                .expect("the broker opens");
        let janitor = janitor(&broker);
        Self {
            broker,
            janitor,
            now_ms,
            sides: [None, None],
            current: 0,
            openings: [0, SECOND],
            closed: Closed::Stays,
            queues: BTreeSet::new(),
            exchanges: BTreeSet::new(),
            bindings: Vec::new(),
            inputs: 0,
            held_before: 0,
            _directory: directory,
        }
    }

    /// Starts an input.
    pub fn begin(&mut self, opening: usize, closed: Closed) {
        self.closed = closed;
        self.held_before = self.broker.memory().held_bytes();
        self.openings = [opening, SECOND];
        self.current = 0;
        self.side();
    }

    /// The connection that is played, new if need be.
    fn side(&mut self) -> &mut Side {
        let (at, now_ms) = (self.current, self.now_ms);
        if self.sides[at].as_ref().is_some_and(Side::is_over) {
            self.lose();
        }
        if self.sides[at].is_none() {
            let mut side = Side::new(&self.broker);
            let opening = opening::bytes(self.openings[at]);
            self.note_names(opening.get(PROTOCOL_HEADER.len()..).unwrap_or_default());
            side.gathered = opening;
            side.receive(None, now_ms);
            self.sides[at] = Some(side);
        }
        self.sides[at].as_mut().expect("made above")
    }

    pub fn gather(&mut self, bytes: &[u8]) {
        if !self.declares_what_cannot_be_found(bytes) {
            self.note_names(bytes);
            self.side().gathered.extend(bytes);
        }
    }

    /// The client settles one of its unacknowledged deliveries, or several.
    pub fn settle(&mut self, choice: u8) {
        let side = self.side();
        if let Some(tag) = side.listener.unsettled(usize::from(choice / 8)) {
            side.gathered.extend(opening::settlement(tag, choice));
        }
    }

    /// The client agrees to its channel's end, opens it again, and consumes.
    pub fn reopen(&mut self) {
        let now_ms = self.now_ms;
        let side = self.side();
        side.receive(None, now_ms);
        if side.listener.is_closed() {
            side.gathered.extend(opening::again());
            side.receive(None, now_ms);
        }
    }

    pub fn receive(&mut self, pieces: Option<usize>) {
        let now_ms = self.now_ms;
        self.side().receive(pieces, now_ms);
        if self.closed == Closed::Reopens {
            self.reopen();
        }
    }

    pub fn switch(&mut self) {
        self.receive(None);
        self.current = 1 - self.current;
        let now_ms = self.now_ms;
        let side = self.side();
        if side.reads {
            side.write(now_ms);
        }
    }

    pub fn stop_reading(&mut self) {
        let side = self.side();
        side.reads = !side.reads;
    }

    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let next = self.broker.tick(self.now_ms);
        assert!(next.is_none_or(|at| at > self.now_ms), "a timer is due and does not run");
    }

    pub fn lose(&mut self) {
        let now_ms = self.now_ms;
        if let Some(mut side) = self.sides[self.current].take() {
            side.end(now_ms);
            self.queues.append(&mut side.listener.queues);
        }
    }

    pub fn close(&mut self) {
        let now_ms = self.now_ms;
        self.side().close(now_ms);
    }

    /// Ends an input: nothing of it may stay.
    pub fn end(&mut self) {
        for at in [self.current, 1 - self.current] {
            self.current = at;
            if self.sides[at].as_ref().is_some_and(|side| !side.is_over()) {
                self.receive(None);
            }
        }
        for at in [0, 1] {
            self.current = at;
            self.lose();
        }
        assert_eq!(self.broker.client_count(), 1, "a client outlives its connection");
        self.clear();
        self.memory_is_given_back();
        self.inputs += 1;
        if self.inputs.is_multiple_of(COUNTED_EACH) {
            self.no_binding_is_left();
        }
    }

    /// Deletes all that the input may have made; predeclared exchanges stay.
    fn clear(&mut self) {
        for (source, destination, routing_key, arguments) in std::mem::take(&mut self.bindings) {
            let (source, destination, routing_key) = (&source, &destination, &routing_key);
            let binding =
                BindingRequest { source, destination, routing_key, arguments: &arguments };
            drop(self.janitor.unbind_exchange(&binding));
        }
        let everything = DeleteQueue { if_unused: false, if_empty: false };
        for name in std::mem::take(&mut self.queues) {
            let deleted = self.janitor.delete_queue(&name, everything, self.now_ms);
            drop(deleted.expect("an exclusive queue went with its connection"));
        }
        for name in std::mem::take(&mut self.exchanges) {
            drop(self.janitor.delete_exchange(&name, DeleteExchange { if_unused: false }));
        }
    }

    /// As many bindings can be made as may be, so none is left from before.
    fn no_binding_is_left(&mut self) {
        let arguments = Table::new();
        let declaration = QueueDeclaration {
            name: "counted",
            mode: DeclareMode::Active,
            durable: false,
            exclusive: false,
            auto_delete: false,
            arguments: &arguments,
        };
        drop(self.janitor.declare_queue(&declaration, self.now_ms).expect("room for a queue"));
        self.queues.insert(declaration.name.to_owned());
        for number in 0..BINDINGS_MAX {
            let (source, routing_key) = ("amq.direct", &*number.to_string());
            let destination = declaration.name;
            let binding =
                BindingRequest { source, destination, routing_key, arguments: &arguments };
            drop(self.janitor.bind_queue(&binding).expect("an input's bindings went with it"));
        }
        self.clear();
    }

    fn memory_is_given_back(&self) {
        let on_disk = self.janitor.barrier();
        on_disk.wait_blocking().expect("the store is well");
        let began = Instant::now();
        let held_bytes = || self.broker.memory().held_bytes();
        while held_bytes() > self.held_before {
            let waited = began.elapsed() < Duration::from_millis(EMPTY_MS_MAX);
            let left = held_bytes().saturating_sub(self.held_before);
            assert!(waited, "messages still hold {left} bytes");
            std::thread::yield_now();
        }
    }

    /// A queue that the broker names and that it does not tell the name of could not be deleted afterwards.
    fn declares_what_cannot_be_found(&self, bytes: &[u8]) -> bool {
        let declare = match next_frame(bytes, FRAME_BYTES_MAX) {
            Ok(Some((Frame::Method { method: Method::QueueDeclare(declare), .. }, _))) => declare,
            _ => return false,
        };
        let queue::Declare { queue, no_wait, exclusive, .. } = declare;
        queue.is_empty() && no_wait && !exclusive
    }

    fn note_names(&mut self, mut bytes: &[u8]) {
        while let Ok(Some((frame, used))) = next_frame(bytes, FRAME_BYTES_MAX) {
            match frame {
                Frame::Method { method: Method::QueueDeclare(declare), .. } => {
                    self.queues.insert(declare.queue.to_owned());
                }
                Frame::Method { method: Method::ExchangeBind(bind), .. } => {
                    let (source, destination) =
                        (bind.source.to_owned(), bind.destination.to_owned());
                    let routing_key = bind.routing_key.to_owned();
                    self.bindings.push((source, destination, routing_key, bind.arguments));
                }
                Frame::Method { method: Method::ExchangeDeclare(declare), .. } => {
                    self.exchanges.insert(declare.exchange.to_owned());
                }
                _ => {}
            }
            bytes = &bytes[used..];
        }
    }
}

fn config(directory: &TempDir) -> Config {
    let mut config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
    config.amqp.frame_bytes_max = FRAME_BYTES_MAX;
    config.amqp.channel_max = 8;
    config.amqp.outbox_bytes_max = 4096;
    config.amqp.message_bytes_max = 16_384;
    config.amqp.consumers_per_channel_max = 4;
    config.limits.unacked_per_channel_max = 16;
    config.limits.queues_per_vhost_max = 8;
    config.limits.exchanges_per_vhost_max = 16;
    config.limits.bindings_per_vhost_max = BINDINGS_MAX;
    config.store.segment_bytes_max = 1 << 20;
    config.store.checkpoint_bytes = 4 << 20;
    config.alarms.disk_free_bytes_min = 0;
    config.validate().expect("a sound configuration");
    config
}

/// The client that cleans up.
fn janitor(broker: &Arc<Broker>) -> Arc<Client> {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let identity = match broker.login("guest", b"guest", here) {
        Login::Welcome(identity) => identity,
        Login::Verify(verification) => verification.run().expect("the first user"),
        Login::Refused(reason) => panic!("{reason}"),
    };
    let limits = Limits {
        bytes_max: 4096,
        unacked_per_channel_max: 1,
        unacked_bytes_per_channel_max: usize::MAX,
    };
    let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, FRAME_BYTES_MAX, || {}));
    let new = NewClient {
        identity,
        vhost: "/".to_owned(),
        peer: SocketAddr::new(here, 1),
        terms: Terms::NONE,
        security: leveret::security::Security::Plain,
        name: "janitor".to_owned(),
        capabilities: Capabilities::default(),
        client_properties: Table::new(),
        outbox: Arc::clone(&outbox),
        sink: outbox,
        close: Box::new(|_| {}),
    };
    broker.connect(new).expect("the first virtual host")
}
