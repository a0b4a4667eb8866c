//! A broker without sockets or tasks, whose errands and timers are run by hand, and somebody who works on it.

use std::sync::Arc;

use leveret::broker::{
    BindingRequest, Broker, Client, DeclareMode, Events, ExchangeDeclaration, Publish,
    QueueDeclaration, Remaining, Surroundings,
};
use leveret::config::Config;
use leveret::message::{Facts, Message};
use leveret::outbox::ChannelKey;
use leveret::queue::Totals;
use leveret::wire::{Table, Value};

/// So many slices are more than any test needs.
const SLICES_MAX: usize = 100_000;

/// The broker and its user.
pub struct Desk {
    pub broker: Arc<Broker>,
    pub client: Client,
    pub key: ChannelKey,
    pub now_ms: u64,
    _directory: tempfile::TempDir,
}

impl Desk {
    pub fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        config.alarms.disk_free_bytes_min = 0;
        configure(&mut config);
        let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
        let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
        let events =
            Events { room: quiet(), alarm: quiet(), deadline: quiet(), errands: quiet(), lost };
        let now_ms = 1_700_000_000_000;
        let broker = Broker::open(config, events, Surroundings::of_the_machine(), now_ms).unwrap();
        let client = broker.operator(&"guest".into(), "/").unwrap();
        let key = client.outbox().open_channel(1);
        Self { broker, client, key, now_ms, _directory: directory }
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
        declared.pending.wait_blocking().unwrap();
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
        self.client.declare_exchange(&declaration).unwrap().wait_blocking().unwrap();
    }

    pub fn bind(&self, queue: &str, exchange: &str) {
        let request = BindingRequest {
            source: exchange,
            destination: queue,
            routing_key: "",
            arguments: &Table::new(),
        };
        self.client.bind_queue(&request).unwrap().wait_blocking().unwrap();
    }

    /// A message as it comes from the session.
    pub fn message(&self, exchange: &str, key: &str, body: &[u8], facts: Facts) -> Publish {
        let facts = Facts { accepted_ms: self.now_ms, ..facts };
        Publish {
            key: self.key,
            exchange: self.client.target(exchange).unwrap(),
            message: Arc::new(Message::new(
                self.client.memory(),
                exchange.into(),
                key,
                &[0, 0],
                body,
                facts,
            )),
            extra_keys: Vec::new(),
            mandatory: false,
            confirm: None,
        }
    }

    pub fn totals(&self, queue: &str) -> Totals {
        self.broker.queue("/", queue).unwrap().figures().totals
    }

    pub fn ready(&self, queue: &str) -> u64 {
        self.broker.queue("/", queue).unwrap().figures().counts.ready
    }

    /// Runs errands until there are none, and calls `look` after each slice.
    pub fn run_errands(&self, mut look: impl FnMut()) -> usize {
        for slice in 0..SLICES_MAX {
            let remaining = self.broker.run_errands(self.now_ms);
            look();
            match remaining {
                Remaining::Nothing => return slice,
                Remaining::Some => {}
                // The committer is at work.
                Remaining::Held => std::thread::yield_now(),
            }
        }
        panic!("the errands have no end");
    }
}
