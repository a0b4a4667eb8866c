//! A broker in this process, and a client of it that needs no socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use leveret::broker::{
    BindingRequest, Broker, Capabilities, Client, ClientOutbox, DeclareMode, DeleteExchange,
    DeleteQueue, Events, ExchangeDeclaration, Login, Meet, NewClient, Publish, QueueDeclaration,
    Remaining, Surroundings, Terms, bindings_from,
};
use leveret::config::Config;
use leveret::message::{Facts, Message};
use leveret::outbox::{Limits, Outbox};
use leveret::wire::Table;
use tempfile::TempDir;

const FRAME_BYTES_MAX: u32 = 131_072;

/// The broker and its one client.
pub struct Desk {
    pub broker: Arc<Broker>,
    pub client: Arc<Client>,
    arguments: Table,
    config: Config,
    _directory: TempDir,
}

impl Desk {
    pub fn open_with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::open(configure, Surroundings::of_the_machine())
    }

    /// One whose meetings are listened to.
    pub fn open_meeting(meet: Meet) -> Self {
        Self::open(|_| (), Surroundings { meet, ..Surroundings::of_the_machine() })
    }

    fn open(configure: impl FnOnce(&mut Config), surroundings: Surroundings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        configure(&mut config);
        let broker = open(&config, surroundings);
        let client = client(&broker);
        Self { broker, client, arguments: Table::new(), config, _directory: directory }
    }

    /// Stops in good order and starts again.
    pub fn reopen(&mut self) {
        self.broker.disconnect(&self.client, now_ms());
        self.broker.close();
        self.broker = open(&self.config, Surroundings::of_the_machine());
        self.client = client(&self.broker);
    }

    /// Stops in good order, and for good.
    pub fn end(self) {
        self.broker.disconnect(&self.client, now_ms());
        self.broker.close();
    }

    pub fn import(&self, json: &str) -> Result<(), String> {
        let pending = self.broker.import_definitions(json.as_bytes(), now_ms())?;
        pending.wait_blocking().unwrap();
        Ok(())
    }

    /// Messages that are ready in a queue.
    pub fn ready(&self, queue: &str) -> u64 {
        self.broker.queue("/", queue).unwrap().figures().counts.ready
    }

    pub fn queue_count(&self) -> usize {
        self.broker.queues("/").len()
    }

    /// What there is, by name.
    pub fn everything(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        names.extend(self.broker.vhost_names().iter().map(|name| format!("vhost {name}")));
        names.extend(self.broker.users().iter().map(|user| format!("user {}", user.name)));
        names.extend(self.broker.permissions().iter().map(|one| format!("{one:?}")));
        names.extend(self.broker.queues("/").iter().map(|one| format!("queue {}", one.name())));
        for exchange in self.broker.exchanges("/") {
            names.push(format!("exchange {}", exchange.name()));
            names.extend(bindings_from(&exchange).iter().map(|one| format!("{one:?}")));
        }
        names.sort_unstable();
        names
    }

    /// Publishes a persistent message through the default exchange, and does not wait for anything.
    pub fn publish_persistent(broker: &Broker, client: &Client, queue: &str) {
        let exchange = client.target("").unwrap();
        let facts = Facts { persistent: true, accepted_ms: now_ms(), ..Facts::default() };
        let name = exchange.name();
        let message = Message::new(broker.memory(), name, queue, &[0, 0], b"body", facts);
        let publish = Publish {
            key: client.outbox().open_channel(1),
            message: Arc::new(message),
            extra_keys: Vec::new(),
            mandatory: false,
            confirm: None,
        };
        assert!(client.publish(&mut (exchange, publish).into(), now_ms()).failed.is_empty());
    }

    pub fn auto_delete_exchange(&self, name: &str) {
        let declaration = ExchangeDeclaration {
            name,
            kind: "fanout",
            mode: DeclareMode::Active,
            durable: false,
            auto_delete: true,
            internal: false,
            arguments: &self.arguments,
        };
        drop(self.client.declare_exchange(&declaration).unwrap());
    }

    pub fn queue(&self, name: &str) {
        let declaration = QueueDeclaration {
            name,
            mode: DeclareMode::Active,
            durable: false,
            exclusive: false,
            auto_delete: false,
            arguments: &self.arguments,
        };
        drop(self.client.declare_queue(&declaration, now_ms()).unwrap());
    }

    pub fn bind_exchange(&self, source: &str, destination: &str) {
        drop(self.client.bind_exchange(&self.binding(source, destination)).unwrap());
    }

    pub fn bind_queue_by(&self, source: &str, destination: &str, routing_key: &str) {
        let binding = BindingRequest { routing_key, ..self.binding(source, destination) };
        drop(self.client.bind_queue(&binding).unwrap());
    }

    pub fn bind_queue(&self, source: &str, destination: &str) {
        drop(self.client.bind_queue(&self.binding(source, destination)).unwrap());
    }

    fn binding<'a>(&'a self, source: &'a str, destination: &'a str) -> BindingRequest<'a> {
        BindingRequest { source, destination, routing_key: "k", arguments: &self.arguments }
    }

    pub fn delete_queue(&self, name: &str) {
        let conditions = DeleteQueue { if_unused: false, if_empty: false };
        drop(self.client.delete_queue(name, conditions, now_ms()).unwrap());
    }

    pub fn delete_exchange(&self, name: &str) {
        let condition = DeleteExchange { if_unused: false };
        drop(self.client.delete_exchange(name, condition).unwrap());
    }

    /// Does all that was left for later, and answers how many slices it were.
    pub fn run_errands(&self) -> usize {
        let rest = std::iter::from_fn(|| {
            (self.broker.run_errands(now_ms()) != Remaining::Nothing).then_some(())
        });
        rest.count()
    }

    pub fn exchange_count(&self) -> usize {
        self.broker.exchanges("/").len()
    }
}

fn open(config: &Config, surroundings: Surroundings) -> Arc<Broker> {
    let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
    let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
    let (room, alarm, deadline, errands) = (quiet(), quiet(), quiet(), quiet());
    let events = Events { room, alarm, deadline, errands, lost };
    Broker::open(config.clone(), events, surroundings, now_ms()).unwrap()
}

fn client(broker: &Arc<Broker>) -> Arc<Client> {
    let limits = Limits {
        bytes_max: 1 << 20,
        unacked_per_channel_max: 100,
        unacked_bytes_per_channel_max: usize::MAX,
    };
    let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, FRAME_BYTES_MAX, || {}));
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let identity = match broker.login("guest", b"guest", local) {
        Login::Welcome(identity) => identity,
        Login::Verify(verification) => verification.run().unwrap(),
        Login::Refused(why) => panic!("{why}"),
    };
    let client = broker.connect(NewClient {
        identity,
        vhost: "/".to_owned(),
        peer: SocketAddr::new(local, 1),
        terms: Terms::NONE,
        security: leveret::security::Security::Plain,
        name: "desk".to_owned(),
        capabilities: Capabilities::default(),
        client_properties: Table::new(),
        outbox: outbox.clone(),
        sink: outbox,
        close: Box::new(|_| {}),
    });
    client.unwrap()
}

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}
