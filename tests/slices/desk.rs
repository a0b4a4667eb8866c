//! A broker without sockets or tasks, whose errands and timers are run by hand, and somebody who works on it.

use std::sync::Arc;
use std::time::Duration;

use leveret::broker::{
    BindingRequest, Broker, Capabilities, Client, ClientOutbox, DeclareMode, Events,
    ExchangeDeclaration, ExchangeRef, Identity, Meet, Meeting, NewClient, Pending, Publish,
    QueueDeclaration, Remaining, Stepped, Surroundings, Terms,
};
use leveret::config::Config;
use leveret::message::{Facts, Message};
use leveret::outbox::{ChannelKey, Limits, Outbox};
use leveret::queue::Totals;
use leveret::store::{self, Step, Steps};
use leveret::wire::{Table, Value};
use parking_lot::Mutex;
use tempfile::TempDir;

/// So many slices are more than any test needs.
const SLICES_MAX: usize = 100_000;

/// The broker and its user.
pub struct Desk {
    pub broker: Arc<Broker>,
    pub client: Arc<Client>,
    pub key: ChannelKey,
    pub now_ms: u64,
    /// The store's steps, where nobody else takes them.
    steps: Option<Arc<Mutex<Option<Steps>>>>,
    _directory: Arc<TempDir>,
}

impl Desk {
    /// A broker whose store has threads of its own.
    pub fn new(configure: impl FnOnce(&mut Config)) -> Self {
        Self::open(&Arc::new(tempfile::tempdir().unwrap()), None, configure)
    }

    /// A broker whose store does nothing until [`Desk::write`].
    pub fn stepped(configure: impl FnOnce(&mut Config)) -> Self {
        Self::stepped_in(&Arc::new(tempfile::tempdir().unwrap()), configure)
    }

    fn stepped_in(directory: &Arc<TempDir>, configure: impl FnOnce(&mut Config)) -> Self {
        Self::open(directory, Some(Arc::default()), configure)
    }

    fn open(
        directory: &Arc<TempDir>,
        steps: Option<Arc<Mutex<Option<Steps>>>>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        config.alarms.disk_free_bytes_min = 0;
        configure(&mut config);
        let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
        let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
        let events =
            Events { room: quiet(), alarm: quiet(), deadline: quiet(), errands: quiet(), lost };
        let mut surroundings = Surroundings::of_the_machine();
        if let Some(steps) = &steps {
            let (taken, taker) = (Arc::clone(steps), Arc::clone(steps));
            surroundings.meet = Meet::new(Arc::new(move |meeting| {
                if meeting == Meeting::Durable {
                    write(&taker);
                }
            }));
            let options = store::Options {
                directory: config.data_dir.clone(),
                segment_bytes_max: config.store.segment_bytes_max,
                checkpoint_bytes: config.store.checkpoint_bytes,
                checkpoint_ms: config.store.checkpoint_ms,
                inbox_bytes_max: config.store.inbox_bytes_max,
                index_cache_bytes: config.store.index_cache_bytes,
                memory: surroundings.memory,
                slice: store::Slice::default(),
            };
            surroundings.stepped = Some(Stepped {
                store: store::Surroundings::local(&options),
                take: Box::new(move |steps| *taken.lock() = Some(steps)),
            });
        }
        let now_ms = 1_700_000_000_000;
        let broker = Broker::open(config, events, surroundings, now_ms).unwrap();
        let client = connect(&broker);
        let key = client.outbox().open_channel(1);
        Self { broker, client, key, now_ms, steps, _directory: Arc::clone(directory) }
    }

    /// Closes the broker in good order, and opens the directory again.
    pub fn reopened(self, configure: impl FnOnce(&mut Config)) -> Self {
        let Self { broker, client, now_ms, steps, _directory: directory, .. } = self;
        broker.disconnect(&client, now_ms);
        let closing = Arc::clone(&broker);
        let closed = std::thread::spawn(move || closing.close());
        while !closed.is_finished() {
            steps.iter().for_each(|steps| write(steps));
            std::thread::yield_now();
        }
        closed.join().unwrap();
        steps.iter().for_each(|steps| write(steps));
        steps.iter().for_each(|steps| *steps.lock() = None);
        drop((broker, client));
        Self::stepped_in(&directory, configure)
    }

    /// Lets the store do everything that waits for it, and what that leads to.
    pub fn write(&self) {
        self.steps.iter().for_each(|steps| write(steps));
    }

    fn wait(&self, pending: Pending) {
        while self.steps.is_some() && !pending.is_settled() {
            self.write();
        }
        pending.wait_blocking().unwrap();
    }

    /// Declares a queue; durable if it says so.
    pub fn queue(&self, name: &str, durable: bool, arguments: &[(&str, Value)]) {
        let arguments = arguments.iter().map(|(key, value)| (*key, value.clone())).collect();
        let declaration = QueueDeclaration {
            name,
            mode: DeclareMode::Active,
            durable,
            exclusive: false,
            auto_delete: false,
            arguments: &arguments,
        };
        let declared = self.client.declare_queue(&declaration, self.now_ms).unwrap();
        self.wait(declared.pending);
    }

    /// Declares a fanout exchange.
    pub fn fanout(&self, name: &str) {
        let declaration = ExchangeDeclaration {
            name,
            kind: "fanout",
            mode: DeclareMode::Active,
            durable: false,
            auto_delete: false,
            internal: false,
            arguments: &Table::new(),
        };
        self.wait(self.client.declare_exchange(&declaration).unwrap());
    }

    pub fn bind(&self, queue: &str, exchange: &str) {
        let request = BindingRequest {
            source: exchange,
            destination: queue,
            routing_key: "",
            arguments: &Table::new(),
        };
        self.wait(self.client.bind_queue(&request).unwrap());
    }

    /// A message as it comes from the session.
    pub fn message(
        &self,
        exchange: &str,
        key: &str,
        body: &[u8],
        facts: Facts,
    ) -> (ExchangeRef, Publish) {
        let facts = Facts { accepted_ms: self.now_ms, ..facts };
        let publish = Publish {
            key: self.key,
            message: Arc::new(Message::new(
                self.client.memory(),
                exchange,
                key,
                &[0, 0],
                body,
                facts,
            )),
            extra_keys: Vec::new(),
            mandatory: false,
            confirm: None,
        };
        (self.client.target(exchange).unwrap(), publish)
    }

    pub fn totals(&self, queue: &str) -> Totals {
        self.broker.queue("/", queue).unwrap().figures().totals
    }

    pub fn ready(&self, queue: &str) -> u64 {
        self.broker.queue("/", queue).unwrap().figures().counts.ready
    }

    /// Runs timers and errands until there are none, and calls `look` after each slice.
    pub fn run_errands(&self, mut look: impl FnMut()) -> usize {
        for slice in 0..SLICES_MAX {
            let due = self.broker.tick(self.now_ms).is_some_and(|at_ms| at_ms <= self.now_ms);
            look();
            let remaining = self.broker.run_errands(self.now_ms);
            look();
            match remaining {
                Remaining::Nothing if !due => return slice,
                Remaining::Some | Remaining::Nothing => {}
                Remaining::Held => self.write(),
            }
        }
        panic!("the errands have no end");
    }

    /// The same until they wait for the store, if they do.
    pub fn run_errands_until_held(&self, mut look: impl FnMut()) {
        for _ in 0..SLICES_MAX {
            let due = self.broker.tick(self.now_ms).is_some_and(|at_ms| at_ms <= self.now_ms);
            look();
            let remaining = self.broker.run_errands(self.now_ms);
            look();
            match remaining {
                Remaining::Held => return,
                Remaining::Nothing if !due => return,
                Remaining::Some | Remaining::Nothing => {}
            }
        }
        panic!("the errands have no end");
    }
}

fn write(steps: &Mutex<Option<Steps>>) {
    let mut steps = steps.lock();
    let Some(steps) = &mut *steps else { return };
    loop {
        let committed = steps.committer(Duration::ZERO);
        let read = steps.reader();
        if committed != Step::Worked && read != Step::Worked {
            return;
        }
    }
}

/// Somebody whose connection takes whatever comes.
fn connect(broker: &Arc<Broker>) -> Arc<Client> {
    let limits = Limits {
        bytes_max: usize::MAX,
        unacked_per_channel_max: usize::MAX,
        unacked_bytes_per_channel_max: usize::MAX,
    };
    let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, 4096, || {}));
    let new = NewClient {
        identity: Identity { user: "guest".into() },
        vhost: "/".to_owned(),
        peer: Terms::NONE.local,
        terms: Terms::NONE,
        security: leveret::security::Security::Plain,
        name: "desk".to_owned(),
        capabilities: Capabilities::default(),
        client_properties: Table::default(),
        outbox: Arc::clone(&outbox),
        sink: outbox,
        close: Box::new(|_| {}),
    };
    broker.connect(new).unwrap()
}
