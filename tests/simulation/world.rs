//! The broker, its clients and the model beside it: what is done to the one is done to the other, and after each
//! step they must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use leveret::broker::{
    BindingRequest, Broker, Capabilities, Client, ClientOutbox, DeclareMode, Events,
    ExchangeDeclaration, Login, NewClient, QueueDeclaration, Surroundings, Terms,
};
use leveret::config::Config;
use leveret::outbox::{Limits, Outbox};
use leveret::wire::{Method, Table, Value, basic};
use tempfile::TempDir;

use crate::model::{Holder, LETTERS, Model, QUEUES, Rules};
use crate::peer::{Arrival, Heard, Peer};

/// Queues that the exchange `all` leads to.
pub const COPIED: &[usize] = &[0, 1, 2];

const PEERS: usize = 5;

/// How the broker stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// In good order.
    Clean,
    /// At this moment, as if the process were killed.
    Death,
}

/// Everything.
pub struct World {
    pub now_ms: u64,
    pub model: Model,
    pub peers: Vec<Peer>,
    /// Which consumer holds a delivery; none when it was fetched.
    holders: BTreeMap<Holder, Option<u64>>,
    broker: Arc<Broker>,
    janitor: Arc<Client>,
    directory: TempDir,
}

impl World {
    pub fn new() -> Self {
        let directory = directory();
        let now_ms = 1_700_000_000_000;
        let broker = open(directory.path(), now_ms);
        let janitor = janitor(&broker);
        let peers = (0..PEERS).map(|_| Peer::new(&broker, now_ms)).collect();
        let (model, holders) = (Model::new(), BTreeMap::new());
        let world = Self { now_ms, model, peers, holders, broker, janitor, directory };
        world.declare();
        world
    }

    fn declare(&self) {
        let (exchange, none) = ("all", Table::new());
        let declaration = ExchangeDeclaration {
            name: exchange,
            kind: "fanout",
            mode: DeclareMode::Active,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: &none,
        };
        drop(self.janitor.declare_exchange(&declaration).unwrap());
        for rules in QUEUES {
            self.declare_queue(rules, DeclareMode::Active);
        }
        for queue in COPIED {
            let (source, destination) = (exchange, QUEUES[*queue].name);
            let binding = BindingRequest { source, destination, routing_key: "", arguments: &none };
            drop(self.janitor.bind_queue(&binding).unwrap());
        }
    }

    /// Returns the number of ready messages, and of consumers.
    fn declare_queue(&self, rules: &Rules, mode: DeclareMode) -> (usize, usize) {
        let arguments = arguments(rules);
        let declaration = QueueDeclaration {
            name: rules.name,
            mode,
            durable: rules.durable,
            exclusive: false,
            auto_delete: false,
            arguments: &arguments,
        };
        let declared = self.janitor.declare_queue(&declaration, self.now_ms).unwrap();
        (declared.messages as usize, declared.consumers as usize)
    }

    /// Time passes.
    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.broker.tick(self.now_ms);
        self.model.expire(self.now_ms);
    }

    pub fn purge(&mut self, queue: usize) {
        let purged = self.janitor.purge_queue(QUEUES[queue].name, self.now_ms).unwrap();
        assert_eq!(purged as usize, self.model.purge(queue));
    }

    /// A client's socket is lost, and it comes back.
    pub fn lose(&mut self, peer: usize) {
        let lost = std::mem::replace(&mut self.peers[peer], Peer::new(&self.broker, self.now_ms));
        lost.end(self.now_ms);
        self.give_back(peer);
    }

    /// One after the other: what one held may go to the next.
    fn lose_all(&mut self) {
        for peer in 0..PEERS {
            self.lose(peer);
            self.settle(None);
        }
    }

    /// Everything that a client holds goes back to its queues.
    pub fn give_back(&mut self, peer: usize) {
        let held = self.model.held_by(peer);
        self.model.requeue(&held, self.now_ms);
        self.holders.retain(|(holder, _), _| *holder != peer);
    }

    /// A delivery is not held any more.
    pub fn let_go(&mut self, holder: Holder) {
        self.holders.remove(&holder);
    }

    pub fn restart(&mut self, stop: Stop) {
        self.on_disk();
        if stop == Stop::Death {
            let left = directory();
            copy(self.directory.path(), left.path());
            let before = std::mem::replace(&mut self.directory, left);
            self.end_peers();
            self.broker.close();
            drop(before);
        } else {
            self.lose_all();
            self.end_peers();
            self.broker.close();
        }
        self.model.restart(stop == Stop::Death, self.now_ms);
        self.holders.clear();
        self.broker = open(self.directory.path(), self.now_ms);
        self.janitor = janitor(&self.broker);
        self.declare();
        self.peers = (0..PEERS).map(|_| Peer::new(&self.broker, self.now_ms)).collect();
        // What was held may have come back too late.
        self.pass(0);
    }

    fn end_peers(&mut self) {
        for peer in std::mem::take(&mut self.peers) {
            peer.end(self.now_ms);
        }
    }

    fn on_disk(&self) {
        self.janitor.barrier().wait_blocking().expect("the store is well");
    }

    /// Lets everything come to rest, and compares. `fetched` is the queue of a `basic.get`.
    pub fn settle(&mut self, fetched: Option<usize>) {
        let before = fetched.map(|queue| self.model.queues[queue].ready.len());
        let mut arrivals: Vec<(usize, Arrival)> = Vec::new();
        loop {
            self.on_disk();
            let arrivals_pending = self.broker.arrivals();
            let mut is_quiet = arrivals_pending.is_done();
            arrivals_pending.wait_blocking().expect("the store is well");
            for (number, peer) in self.peers.iter_mut().enumerate() {
                peer.set_time(self.now_ms);
                for heard in peer.hear() {
                    is_quiet = false;
                    match heard {
                        Heard::Message(arrival) => arrivals.push((number, arrival)),
                        Heard::Ack { tag, multiple } => confirm(peer, tag, multiple),
                        Heard::Other(text) => expect_no_trouble(&text),
                    }
                }
            }
            if is_quiet {
                break;
            }
        }
        let got = arrivals.iter().filter(|(_, arrival)| arrival.consumer.is_none()).count();
        assert_eq!(got, before.map_or(0, |ready| ready.min(1)), "fetched");
        self.take_in(&arrivals, fetched);
        self.agree();
    }

    fn take_in(&mut self, arrivals: &[(usize, Arrival)], fetched: Option<usize>) {
        let mut by_queue: BTreeMap<usize, Vec<(usize, &Arrival)>> = BTreeMap::new();
        for (peer, arrival) in arrivals {
            let queue = match &arrival.consumer {
                Some(tag) => self.peers[*peer].consumers[tag].queue,
                None => fetched.unwrap(),
            };
            by_queue.entry(queue).or_default().push((*peer, arrival));
        }
        for (queue, arrivals) in by_queue {
            self.take_in_from(queue, &arrivals);
        }
    }

    fn take_in_from(&mut self, queue: usize, arrivals: &[(usize, &Arrival)]) {
        let name = QUEUES[queue].name;
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let lowest: BTreeSet<u64> =
            self.model.queues[queue].ready.keys().take(arrivals.len()).copied().collect();
        for (peer, arrival) in arrivals {
            let ready = &self.model.queues[queue].ready;
            let found = ready.iter().find(|(_, item)| item.id == arrival.id);
            let (&position, item) = found.unwrap_or_else(|| panic!("{name} has no {arrival:?}"));
            assert!(!item.delivered || arrival.redelivered, "{name}: again, unmarked: {arrival:?}");
            assert!(
                item.delivered || item.doubtful || !arrival.redelivered,
                "{name}: marked, but never delivered: {arrival:?}"
            );
            if QUEUES[queue].ordered {
                let before = last.insert(*peer, position);
                assert!(before < Some(position), "{name}: out of order at {arrival:?}");
            }
            taken.insert(position);
            self.hand_over(queue, position, *peer, arrival);
        }
        assert!(!QUEUES[queue].ordered || taken == lowest, "{name}: {taken:?} before {lowest:?}");
    }

    fn hand_over(&mut self, queue: usize, position: u64, peer: usize, arrival: &Arrival) {
        let consumer = arrival.consumer.as_ref().map(|tag| self.peers[peer].consumers[tag]);
        if let Some(consumer) = consumer
            && QUEUES[queue].single_active
        {
            assert_eq!(Some(consumer.since), self.active(queue), "not the active consumer");
        }
        // A fetched message is always to be settled here; a consumer says.
        let is_held = consumer.is_none_or(|consumer| !consumer.no_ack);
        let holder = (peer, arrival.tag);
        self.model.hand_over(queue, position, is_held.then_some(holder));
        if is_held {
            self.holders.insert(holder, consumer.map(|consumer| consumer.since));
        }
    }

    /// The consumer of a queue that has waited longest.
    fn active(&self, queue: usize) -> Option<u64> {
        let all = self.peers.iter().flat_map(|peer| peer.consumers.values());
        all.filter(|consumer| consumer.queue == queue).map(|consumer| consumer.since).min()
    }

    /// Nothing waits that could be delivered, no limit is passed, and the broker counts as the model does.
    fn agree(&self) {
        for (number, peer) in self.peers.iter().enumerate() {
            assert_eq!(peer.published, peer.confirmed, "not all is confirmed");
            let held = self.holders.range((number, 0)..=(number, u64::MAX)).count();
            for consumer in peer.consumers.values() {
                let own = self.held_by_consumer(consumer.since);
                let (most, whole) = (usize::from(consumer.prefetch), peer.channel_prefetch.into());
                assert!(most == 0 || own <= most, "{own} unacknowledged, but at most {most}");
                let has_credit = (most == 0 || own < most || consumer.no_ack)
                    && (whole == 0 || held < whole || consumer.no_ack);
                let is_next = !QUEUES[consumer.queue].single_active
                    || self.active(consumer.queue) == Some(consumer.since);
                let ready = self.model.queues[consumer.queue].ready.len();
                let name = QUEUES[consumer.queue].name;
                assert!(ready == 0 || !has_credit || !is_next, "{ready} messages wait in {name}");
            }
        }
        for (number, rules) in QUEUES.iter().enumerate() {
            let (ready, consumers) = self.declare_queue(rules, DeclareMode::Passive);
            assert_eq!(ready, self.model.queues[number].ready.len(), "depth of {}", rules.name);
            let all = self.peers.iter().flat_map(|peer| peer.consumers.values());
            assert_eq!(consumers, all.filter(|one| one.queue == number).count());
        }
    }

    fn held_by_consumer(&self, since: u64) -> usize {
        self.holders.values().filter(|holder| **holder == Some(since)).count()
    }

    /// Takes out all that there is: exactly what the model has, in its order.
    pub fn finish(&mut self) {
        self.lose_all();
        for (number, rules) in QUEUES.iter().enumerate() {
            let expected = std::mem::take(&mut self.model.queues[number].ready);
            let mut expected: Vec<u64> = expected.into_values().map(|item| item.id).collect();
            let mut found = Vec::new();
            loop {
                let get = basic::Get { queue: rules.name, no_ack: true };
                self.peers[0].say(&Method::BasicGet(get), self.now_ms);
                let heard = self.peers[0].hear();
                let arrival = heard.into_iter().find_map(|heard| match heard {
                    Heard::Message(arrival) => Some(arrival.id),
                    _ => None,
                });
                match arrival {
                    Some(id) => found.push(id),
                    None => break,
                }
            }
            if number == LETTERS {
                expected.sort_unstable();
                found.sort_unstable();
            }
            assert_eq!(found, expected, "what is left in {}", rules.name);
        }
        self.end_peers();
        self.broker.close();
    }
}

fn confirm(peer: &mut Peer, tag: u64, multiple: bool) {
    assert!(tag > peer.confirmed && tag <= peer.published, "confirmed {tag}");
    assert!(multiple || tag == peer.confirmed + 1, "confirmed {tag} after {}", peer.confirmed);
    peer.confirmed = tag;
}

fn expect_no_trouble(text: &str) {
    for trouble in ["Close(", "Return", "Nack", "BasicCancel("] {
        assert!(!text.contains(trouble), "{text}");
    }
}

fn arguments(rules: &Rules) -> Table {
    let mut arguments = Table::new();
    if rules.single_active {
        arguments.insert("x-single-active-consumer", true);
    }
    if let Some(ttl_ms) = rules.ttl_ms {
        arguments.insert("x-message-ttl", Value::I64(ttl_ms as i64));
    }
    if let Some(length_max) = rules.length_max {
        arguments.insert("x-max-length", Value::I64(length_max as i64));
    }
    if let Some(limit) = rules.delivery_limit {
        arguments.insert("x-queue-type", "quorum");
        arguments.insert("x-delivery-limit", Value::I64(limit.into()));
    }
    if rules.letters {
        arguments.insert("x-dead-letter-exchange", "");
        arguments.insert("x-dead-letter-routing-key", QUEUES[LETTERS].name);
    }
    arguments
}

fn directory() -> TempDir {
    let in_memory = tempfile::Builder::new().prefix("leveret-simulation-").tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(directory: &Path, now_ms: u64) -> Arc<Broker> {
    let mut config = Config { data_dir: directory.to_owned(), ..Config::default() };
    // So little that a handful of messages fills it.
    config.amqp.outbox_bytes_max = 4096;
    config.store.segment_bytes_max = 65_536;
    config.store.checkpoint_bytes = 65_536;
    config.alarms.disk_free_bytes_min = 0;
    let events = Events {
        room: Box::new(|| {}),
        alarm: Box::new(|| {}),
        deadline: Box::new(|| {}),
        errands: Box::new(|| {}),
        lost: Box::new(|why| panic!("the store is lost: {why}")),
    };
    Broker::open(config, events, Surroundings::of_the_machine(), now_ms).unwrap()
}

/// The client that declares, purges and counts.
fn janitor(broker: &Arc<Broker>) -> Arc<Client> {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let identity = match broker.login("guest", b"guest", here) {
        Login::Welcome(identity) => identity,
        Login::Verify(verification) => verification.run().unwrap(),
        Login::Refused(reason) => panic!("{reason}"),
    };
    let limits = Limits {
        bytes_max: 4096,
        unacked_per_channel_max: 1,
        unacked_bytes_per_channel_max: usize::MAX,
    };
    let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, 4096, || {}));
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
    broker.connect(new).unwrap()
}
