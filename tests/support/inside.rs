//! A broker inside the test's own process, and connections to it without a socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use leveret::broker::{
    Broker, Capabilities, Client, ClientOutbox, Consume, Consumer, DeclareMode, DeleteQueue,
    Events, Exclusivity, Login, NewClient, Publish, QueueDeclaration, Refusal, Surroundings, Terms,
};
use leveret::config::Config;
use leveret::message::AckMode;
use leveret::message::{Facts, Message};
use leveret::outbox::{Buffer, ChannelKey, Limits, Outbox};
use leveret::wire::{Frame, Table, next_frame};

const FRAME_BYTES_MAX: u32 = 131_072;

/// A broker of its own in a directory. The test fails when its store is lost.
pub fn open(directory: &Path) -> Arc<Broker> {
    open_in(directory, Surroundings::of_the_machine())
}

/// The same in other surroundings.
pub fn open_in(directory: &Path, surroundings: Surroundings) -> Arc<Broker> {
    let mut config = Config { data_dir: directory.to_owned(), ..Config::default() };
    config.alarms.disk_free_bytes_min = 0;
    let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
    let lost = Box::new(|why: &str| panic!("the store is lost: {why}"));
    let events =
        Events { room: quiet(), alarm: quiet(), deadline: quiet(), errands: quiet(), lost };
    Broker::open(config, events, surroundings, now_ms())
        .expect("a broker opens in an empty directory")
}

/// The time, in Unix milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A connection with one channel.
pub struct Connection {
    pub broker: Arc<Broker>,
    pub client: Arc<Client>,
    pub outbox: Arc<ClientOutbox>,
    pub key: ChannelKey,
}

impl Connection {
    /// A client that understands everything, as the first user.
    pub fn new(broker: &Arc<Broker>) -> Self {
        let limits = Limits {
            bytes_max: 1 << 20,
            unacked_per_channel_max: 10_000,
            unacked_bytes_per_channel_max: usize::MAX,
        };
        let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, FRAME_BYTES_MAX, || {}));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let identity = match broker.login("guest", b"guest", here) {
            Login::Welcome(identity) => identity,
            Login::Verify(verification) => verification.run().expect("the password is right"),
            Login::Refused(why) => panic!("{why}"),
        };
        let new = NewClient {
            identity,
            vhost: "/".to_owned(),
            peer: SocketAddr::new(here, 1),
            terms: Terms::NONE,
            security: leveret::security::Security::Plain,
            name: "inside".to_owned(),
            capabilities: Capabilities { consumer_cancel_notify: true, ..Capabilities::default() },
            client_properties: Table::new(),
            outbox: Arc::clone(&outbox),
            sink: outbox.clone(),
            close: Box::new(|_| {}),
        };
        let client = broker.connect(new).expect("the first user is let in");
        let key = outbox.open_channel(1);
        Self { broker: Arc::clone(broker), client, outbox, key }
    }

    /// Declares a queue, changed from a transient one that stays, and waits until that is on the disk.
    pub fn declare(&self, name: &str, change: impl FnOnce(&mut QueueDeclaration<'_>)) {
        let none = Table::new();
        let mut declaration = declaration(name, &none);
        change(&mut declaration);
        let declared = self.client.declare_queue(&declaration, now_ms()).expect("it is declared");
        declared.pending.wait_blocking().expect("the store works");
    }

    /// Declares a transient queue with arguments at some time.
    pub fn declare_at(&self, name: &str, arguments: &Table, now_ms: u64) {
        let declaration = declaration(name, arguments);
        let declared = self.client.declare_queue(&declaration, now_ms).expect("it is declared");
        declared.pending.wait_blocking().expect("the store works");
    }

    /// Ready messages and consumers of a queue, if it is there.
    pub fn counts(&self, name: &str) -> Option<(u32, u32)> {
        let none = Table::new();
        let declaration =
            QueueDeclaration { mode: DeclareMode::Passive, ..declaration(name, &none) };
        let found = self.client.declare_queue(&declaration, now_ms()).ok()?;
        Some((found.messages, found.consumers))
    }

    /// Deletes a queue on conditions.
    ///
    /// # Errors
    /// What the client would be told.
    pub fn delete(&self, name: &str, conditions: DeleteQueue) -> Result<u32, Refusal> {
        let (messages, pending) = self.client.delete_queue(name, conditions, now_ms())?;
        pending.wait_blocking().expect("the store works");
        Ok(messages)
    }

    /// Publishes mandatory messages to a queue in one batch, to be confirmed with these numbers.
    pub fn publish(&self, queue: &str, numbers: impl IntoIterator<Item = u64>) {
        self.publish_with(queue, numbers, Facts::default());
    }

    /// The same, of persistent ones.
    pub fn publish_persistent(&self, queue: &str, numbers: impl IntoIterator<Item = u64>) {
        self.publish_with(queue, numbers, Facts { persistent: true, ..Facts::default() });
    }

    fn publish_with(&self, queue: &str, numbers: impl IntoIterator<Item = u64>, facts: Facts) {
        let exchange = self.client.target("").expect("the default exchange is there");
        let memory = self.client.memory();
        let message = || Message::new(memory, "", queue, &[0, 0], b"inside", facts);
        let publish = |number| {
            let publish = Publish {
                key: self.key,
                message: Arc::new(message()),
                extra_keys: Vec::new(),
                mandatory: true,
                confirm: Some(number),
            };
            (Arc::clone(&exchange), publish)
        };
        let mut batch = numbers.into_iter().map(publish).collect();
        self.client.publish(&mut batch, now_ms());
    }

    /// Consumes from a queue.
    ///
    /// # Errors
    /// What the client would be told.
    pub fn consume(&self, queue: &str, tag: &str) -> Result<Consumer, Refusal> {
        let none = Table::new();
        let consume = Consume {
            queue,
            tag,
            acks: AckMode::Manual,
            exclusive: Exclusivity::Shared,
            arguments: &none,
            prefetch: 0,
        };
        let consumer = self.client.consume(self.key, consume, now_ms())?;
        self.client.start(&consumer, now_ms());
        Ok(consumer)
    }

    /// How many of the frames that came since the last call `count` picks.
    pub fn received(&self, count: impl Fn(&Frame<'_>) -> bool) -> usize {
        let mut buffer = Buffer::default();
        let stalled = self.outbox.drain(&mut buffer);
        self.broker.resume(stalled, now_ms());
        let bytes: Vec<u8> = buffer.parts().flatten().copied().collect();
        let mut rest = bytes.as_slice();
        let mut counted = 0;
        while !rest.is_empty() {
            let frame = next_frame(rest, FRAME_BYTES_MAX).expect("the broker writes frames");
            let (frame, used) = frame.expect("whole ones");
            counted += usize::from(count(&frame));
            rest = &rest[used..];
        }
        counted
    }

    /// Leaves the broker.
    pub fn end(&self) {
        self.client.close_channel(self.key, Vec::new(), now_ms());
        self.broker.disconnect(&self.client, now_ms());
    }
}

fn declaration<'a>(name: &'a str, arguments: &'a Table) -> QueueDeclaration<'a> {
    QueueDeclaration {
        name,
        mode: DeclareMode::Active,
        durable: false,
        exclusive: false,
        auto_delete: false,
        arguments,
    }
}
