//! A broker in this process, and a client of it that needs no socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use leveret::broker::{
    BindingRequest, Broker, Capabilities, Client, ClientOutbox, DeclareMode, DeleteExchange,
    DeleteQueue, Events, ExchangeDeclaration, Login, NewClient, QueueDeclaration, Surroundings,
    Terms,
};
use leveret::config::Config;
use leveret::outbox::{Limits, Outbox};
use leveret::wire::Table;
use tempfile::TempDir;

const FRAME_BYTES_MAX: u32 = 131_072;

/// The broker and its one client.
pub struct Desk {
    pub broker: Arc<Broker>,
    pub client: Arc<Client>,
    arguments: Table,
    _directory: TempDir,
}

impl Desk {
    pub fn open_with(configure: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        configure(&mut config);
        let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
        let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
        let (room, alarm, deadline, errands) = (quiet(), quiet(), quiet(), quiet());
        let events = Events { room, alarm, deadline, errands, lost };
        let broker =
            Broker::open(config, events, Surroundings::of_the_machine(), now_ms()).unwrap();
        let client = client(&broker);
        Self { broker, client, arguments: Table::new(), _directory: directory }
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

    pub fn exchange_count(&self) -> usize {
        self.broker.exchanges("/").len()
    }
}

fn client(broker: &Arc<Broker>) -> Arc<Client> {
    let limits = Limits { bytes_max: 1 << 20, unacked_per_channel_max: 100 };
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
        name: "desk".to_owned(),
        capabilities: Capabilities::default(),
        client_properties: Table::new(),
        outbox,
        close: Box::new(|_| {}),
    });
    client.unwrap()
}

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}
