//! amqprs, the Rust client on tokio.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use amqprs::callbacks::{ChannelCallback, DefaultConnectionCallback};
use amqprs::channel::{
    BasicAckArguments, BasicCancelArguments, BasicConsumeArguments, BasicGetArguments,
    BasicNackArguments, BasicPublishArguments, BasicQosArguments, Channel, ConfirmSelectArguments,
    ConsumerMessage, ExchangeDeclareArguments, QueueBindArguments, QueueDeclareArguments,
    QueueDeleteArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::support::broker::{Broker, fresh};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_messages_are_confirmed_and_arrive_in_order() {
    with_connection(async |connection| {
        let (channel, mut events) = channel(&connection).await;
        channel.confirm_select(ConfirmSelectArguments::default()).await.unwrap();
        let queue = own_queue(&channel).await;
        for number in 0..1000 {
            publish(&channel, &queue, number).await;
        }
        // Each tag is confirmed once, by itself or by a later one that stands for all before it.
        let mut open: std::collections::BTreeSet<u64> = (1..=1000).collect();
        while !open.is_empty() {
            match next(&mut events).await {
                Event::Confirmed { tag, multiple: true } => open = open.split_off(&(tag + 1)),
                Event::Confirmed { tag, multiple: false } => assert!(open.remove(&tag), "{tag}"),
                other => panic!("{other:?}"),
            }
        }
        channel.basic_qos(BasicQosArguments::new(0, 50, false)).await.unwrap();
        let (_, mut consumer) = consume(&channel, &queue).await;
        for number in 0..1000 {
            let (tag, body) = delivered(&mut consumer).await;
            assert_eq!(body, number.to_string().as_bytes());
            channel.basic_ack(BasicAckArguments::new(tag, false)).await.unwrap();
        }
        assert_eq!(depth(&channel, &queue).await, 0);
    });
}

#[test]
fn an_unroutable_mandatory_message_is_returned_before_its_confirm() {
    with_connection(async |connection| {
        let (channel, mut events) = channel(&connection).await;
        channel.confirm_select(ConfirmSelectArguments::default()).await.unwrap();
        let key = fresh("nowhere");
        let arguments = BasicPublishArguments::new("amq.direct", &key).mandatory(true).finish();
        // Larger than a frame, so that the body comes back in pieces.
        let body: Vec<u8> = (0..connection.frame_max() + 10).map(|at| at as u8).collect();
        let properties = BasicProperties::default();
        channel.basic_publish(properties, body.clone(), arguments).await.unwrap();
        let returned = Event::Returned { code: 312, text: "NO_ROUTE".to_owned(), key, body };
        assert_eq!(next(&mut events).await, returned);
        assert_eq!(next(&mut events).await, Event::Confirmed { tag: 1, multiple: false });
    });
}

#[test]
fn a_fanout_exchange_reaches_every_queue() {
    with_connection(async |connection| {
        let (channel, _events) = channel(&connection).await;
        let exchange = fresh("fanout");
        let arguments =
            ExchangeDeclareArguments::new(&exchange, "fanout").auto_delete(true).finish();
        channel.exchange_declare(arguments).await.unwrap();
        let mut consumers = Vec::new();
        for _ in 0..5 {
            let queue = own_queue(&channel).await;
            channel.queue_bind(QueueBindArguments::new(&queue, &exchange, "")).await.unwrap();
            consumers.push(consume(&channel, &queue).await.1);
        }
        let arguments = BasicPublishArguments::new(&exchange, "any");
        let properties = BasicProperties::default();
        channel.basic_publish(properties, b"to all".to_vec(), arguments).await.unwrap();
        for consumer in &mut consumers {
            assert_eq!(delivered(consumer).await.1, b"to all");
        }
    });
}

#[test]
fn a_get_tells_what_is_left_and_a_nack_gives_back() {
    with_connection(async |connection| {
        let (channel, _events) = channel(&connection).await;
        let queue = own_queue(&channel).await;
        assert!(channel.basic_get(BasicGetArguments::new(&queue)).await.unwrap().is_none());
        publish(&channel, &queue, 0).await;
        publish(&channel, &queue, 1).await;
        let get =
            async || channel.basic_get(BasicGetArguments::new(&queue)).await.unwrap().unwrap();
        let (ok, _, body) = get().await;
        assert_eq!((ok.message_count(), ok.redelivered(), &body[..]), (1, false, &b"0"[..]));
        let nack = BasicNackArguments::new(ok.delivery_tag(), false, true);
        channel.basic_nack(nack).await.unwrap();
        let (ok, _, body) = get().await;
        assert_eq!((ok.message_count(), ok.redelivered(), &body[..]), (1, true, &b"0"[..]));
        let (ok, _, body) = get().await;
        assert_eq!((ok.message_count(), ok.redelivered(), &body[..]), (0, false, &b"1"[..]));
        channel.basic_ack(BasicAckArguments::new(0, true)).await.unwrap();
        assert_eq!(depth(&channel, &queue).await, 0);
    });
}

#[test]
fn recover_delivers_again_what_is_unacknowledged() {
    with_connection(async |connection| {
        let (channel, _events) = channel(&connection).await;
        let queue = own_queue(&channel).await;
        publish(&channel, &queue, 7).await;
        let (_, mut consumer) = consume(&channel, &queue).await;
        let (first, _) = delivered(&mut consumer).await;
        channel.basic_recover(true).await.unwrap();
        let (second, body) = delivered(&mut consumer).await;
        assert_eq!((first, second, &body[..]), (1, 2, &b"7"[..]));
    });
}

#[test]
fn a_cancelled_consumer_receives_nothing_more() {
    with_connection(async |connection| {
        let (channel, mut events) = channel(&connection).await;
        channel.confirm_select(ConfirmSelectArguments::default()).await.unwrap();
        let queue = own_queue(&channel).await;
        let (tag, _consumer) = consume(&channel, &queue).await;
        channel.basic_cancel(BasicCancelArguments::new(&tag)).await.unwrap();
        publish(&channel, &queue, 0).await;
        assert_eq!(next(&mut events).await, Event::Confirmed { tag: 1, multiple: false });
        assert_eq!(depth(&channel, &queue).await, 1);
    });
}

#[test]
fn a_consumer_is_told_when_its_queue_is_deleted() {
    with_connection(async |connection| {
        let (consuming, mut events) = channel(&connection).await;
        let (deleting, _others) = channel(&connection).await;
        let queue = own_queue(&consuming).await;
        let (tag, _consumer) = consume(&consuming, &queue).await;
        deleting.queue_delete(QueueDeleteArguments::new(&queue)).await.unwrap();
        assert_eq!(next(&mut events).await, Event::Cancelled { tag });
    });
}

#[test]
fn a_channel_error_closes_that_channel_only() {
    with_connection(async |connection| {
        let (failing, mut events) = channel(&connection).await;
        let (other, _others) = channel(&connection).await;
        let missing = fresh("missing");
        let failed = failing.basic_get(BasicGetArguments::new(&missing)).await;
        assert!(failed.is_err());
        let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
        assert_eq!(next(&mut events).await, Event::Closed { code: 404, text });
        own_queue(&other).await;
        assert!(connection.is_open());
    });
}

#[test]
fn many_channels_of_one_connection_work_at_once() {
    with_connection(async |connection| {
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let (channel, events) = channel(&connection).await;
            tasks.push(tokio::spawn(async move {
                let queue = own_queue(&channel).await;
                let (_, mut consumer) = consume(&channel, &queue).await;
                for number in 0..20 {
                    publish(&channel, &queue, number).await;
                    let (tag, body) = delivered(&mut consumer).await;
                    assert_eq!((tag, &body[..]), (number + 1, number.to_string().as_bytes()));
                    channel.basic_ack(BasicAckArguments::new(tag, false)).await.unwrap();
                }
                drop(events);
                channel.close().await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_transaction_publishes_at_commit() {
    with_connection(async |connection| {
        let (channel, _events) = channel(&connection).await;
        let (watcher, _others) = self::channel(&connection).await;
        let queue = own_queue(&channel).await;
        channel.tx_select().await.unwrap();
        publish(&channel, &queue, 0).await;
        channel.tx_rollback().await.unwrap();
        publish(&channel, &queue, 1).await;
        assert_eq!(depth(&watcher, &queue).await, 0);
        channel.tx_commit().await.unwrap();
        let (_, _, body) =
            watcher.basic_get(BasicGetArguments::new(&queue)).await.unwrap().unwrap();
        assert_eq!(body, b"1");
    });
}

#[test]
fn the_secret_of_a_connection_can_be_updated() {
    with_connection(async |connection| {
        connection.update_secret("another", "it was time").await.unwrap();
        let (channel, _events) = channel(&connection).await;
        own_queue(&channel).await;
    });
}

#[test]
fn the_server_introduces_itself_and_closes_when_asked() {
    with_connection(async |connection| {
        let server = connection.server_properties();
        for text in [server.product(), server.version(), server.cluster_name()] {
            assert!(!text.is_empty());
        }
        let capabilities = server.capabilities();
        assert!(capabilities.publisher_confirms() && capabilities.exchange_exchange_bindings());
        assert!(capabilities.basic_nack() && capabilities.consumer_cancel_notify());
        assert!(capabilities.connection_blocked() && capabilities.consumer_priorities());
        assert!(capabilities.authentication_failure_close() && capabilities.per_consumer_qos());
        assert!(capabilities.direct_reply_to());
        connection.close().await.unwrap();
    });
}

/// What the broker said to a channel without being asked.
#[derive(Debug, PartialEq)]
enum Event {
    Confirmed { tag: u64, multiple: bool },
    Refused { tag: u64 },
    Returned { code: u16, text: String, key: String, body: Vec<u8> },
    Cancelled { tag: String },
    Closed { code: u16, text: String },
}

/// Passes on what the broker says.
struct Listener(UnboundedSender<Event>);

impl Listener {
    fn say(&self, event: Event) {
        // A test that is over does not listen any more.
        let _ = self.0.send(event);
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn answer<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(ready(value))
}

/// The trait's functions are asynchronous by a macro of a library that is not needed otherwise; written out, they are
/// functions that return a boxed future.
impl ChannelCallback for Listener {
    fn close<'a, 'b, 'c>(
        &'a mut self,
        _: &'b Channel,
        close: CloseChannel,
    ) -> Answer<'c, Result<(), Error>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.say(Event::Closed { code: close.reply_code(), text: close.reply_text().clone() });
        answer(Ok(()))
    }

    fn cancel<'a, 'b, 'c>(
        &'a mut self,
        _: &'b Channel,
        cancel: Cancel,
    ) -> Answer<'c, Result<(), Error>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.say(Event::Cancelled { tag: cancel.consumer_tag().clone() });
        answer(Ok(()))
    }

    fn flow<'a, 'b, 'c>(&'a mut self, _: &'b Channel, _: bool) -> Answer<'c, Result<bool, Error>>
    where
        'a: 'c,
        'b: 'c,
    {
        answer(Ok(true))
    }

    fn publish_ack<'a, 'b, 'c>(&'a mut self, _: &'b Channel, ack: Ack) -> Answer<'c, ()>
    where
        'a: 'c,
        'b: 'c,
    {
        self.say(Event::Confirmed { tag: ack.delivery_tag(), multiple: ack.mutiple() });
        answer(())
    }

    fn publish_nack<'a, 'b, 'c>(&'a mut self, _: &'b Channel, nack: Nack) -> Answer<'c, ()>
    where
        'a: 'c,
        'b: 'c,
    {
        self.say(Event::Refused { tag: nack.delivery_tag() });
        answer(())
    }

    fn publish_return<'a, 'b, 'c>(
        &'a mut self,
        _: &'b Channel,
        returned: Return,
        _: BasicProperties,
        body: Vec<u8>,
    ) -> Answer<'c, ()>
    where
        'a: 'c,
        'b: 'c,
    {
        let (code, key) = (returned.reply_code(), returned.routing_key().clone());
        self.say(Event::Returned { code, text: returned.reply_text().clone(), key, body });
        answer(())
    }
}

fn with_connection(rule: impl AsyncFnOnce(Connection)) {
    let broker = Broker::start();
    let address = broker.address();
    let (host, port) = address.rsplit_once(':').unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let whole = async {
        let arguments = OpenConnectionArguments::new(host, port.parse().unwrap(), "guest", "guest");
        let connection = Connection::open(&arguments).await.unwrap();
        connection.register_callback(DefaultConnectionCallback).await.unwrap();
        rule(connection).await;
    };
    runtime
        .block_on(async { timeout(LIMIT, whole).await })
        .expect("the rule was not shown in time");
}

async fn channel(connection: &Connection) -> (Channel, UnboundedReceiver<Event>) {
    let channel = connection.open_channel(None).await.unwrap();
    let (sender, events) = unbounded_channel();
    channel.register_callback(Listener(sender)).await.unwrap();
    (channel, events)
}

async fn own_queue(channel: &Channel) -> String {
    let arguments = QueueDeclareArguments::exclusive_server_named();
    channel.queue_declare(arguments).await.unwrap().unwrap().0
}

async fn publish(channel: &Channel, queue: &str, number: u64) {
    let properties = BasicProperties::default().with_delivery_mode(2).finish();
    let arguments = BasicPublishArguments::new("", queue);
    channel.basic_publish(properties, number.to_string().into_bytes(), arguments).await.unwrap();
}

async fn consume(channel: &Channel, queue: &str) -> (String, UnboundedReceiver<ConsumerMessage>) {
    channel.basic_consume_rx(BasicConsumeArguments::new(queue, "")).await.unwrap()
}

async fn delivered(consumer: &mut UnboundedReceiver<ConsumerMessage>) -> (u64, Vec<u8>) {
    let message = next(consumer).await;
    (message.deliver.unwrap().delivery_tag(), message.content.unwrap())
}

async fn next<T>(events: &mut UnboundedReceiver<T>) -> T {
    timeout(LIMIT, events.recv()).await.expect("an event comes in time").unwrap()
}

async fn depth(channel: &Channel, queue: &str) -> u32 {
    let arguments = QueueDeclareArguments::new(queue).passive(true).finish();
    channel.queue_declare(arguments).await.unwrap().unwrap().1
}
