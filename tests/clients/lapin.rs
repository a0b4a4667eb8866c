//! lapin, the Rust client, on its smol runtime.

use std::future::Future;
use std::time::Duration;

use async_std::future::timeout;
use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
    ExchangeKind,
};

use crate::support::broker::{Broker, fresh};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_messages_are_confirmed_and_arrive_in_order() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let queue = own_queue(&channel, FieldTable::default()).await;
        let mut confirms = Vec::new();
        for number in 0..1000 {
            let properties = BasicProperties::default().with_delivery_mode(2);
            confirms.push(publish(&channel, &queue, number, properties).await);
        }
        for confirm in confirms {
            assert!(matches!(confirm.await.unwrap(), Confirmation::Ack(None)));
        }
        channel.basic_qos(100, BasicQosOptions::default()).await.unwrap();
        let mut consumer = consume(&channel, &queue).await;
        for number in 0..1000 {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.data, number.to_string().as_bytes());
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
        assert_eq!(depth(&channel, &queue).await, 0);
    });
}

#[test]
fn an_unroutable_mandatory_message_comes_with_its_confirm() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
        let key = fresh("nowhere");
        let properties = BasicProperties::default().with_message_id("m".into());
        let confirm = channel
            .basic_publish("".into(), key.as_str().into(), mandatory, b"lost", properties)
            .await
            .unwrap();
        let Confirmation::Ack(Some(returned)) = confirm.await.unwrap() else {
            panic!("not returned");
        };
        assert_eq!(returned.reply_code, 312);
        assert_eq!(returned.reply_text.as_str(), "NO_ROUTE");
        assert_eq!(returned.delivery.data, b"lost");
        assert_eq!(returned.delivery.routing_key.as_str(), key);
        let id = returned.delivery.properties.message_id().as_ref().map(|id| id.as_str());
        assert_eq!(id, Some("m"));
    });
}

#[test]
fn a_global_prefetch_is_shared_by_the_consumers_of_a_channel() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let watcher = connection.create_channel().await.unwrap();
        let queue = own_queue(&channel, FieldTable::default()).await;
        publish_and_confirm(&watcher, &queue, 0..10).await;
        channel.basic_qos(4, BasicQosOptions { global: true }).await.unwrap();
        let mut first = consume(&channel, &queue).await;
        let mut second = consume(&channel, &queue).await;
        for _ in 0..4 {
            let next = futures_lite::future::or(first.next(), second.next());
            timeout(LIMIT, next).await.unwrap().unwrap().unwrap();
        }
        assert_eq!(depth(&channel, &queue).await, 6);
        channel.basic_ack(4, BasicAckOptions { multiple: true }).await.unwrap();
        for _ in 0..4 {
            let next = futures_lite::future::or(first.next(), second.next());
            timeout(LIMIT, next).await.unwrap().unwrap().unwrap();
        }
        assert_eq!(depth(&channel, &queue).await, 2);
    });
}

#[test]
fn each_consumer_keeps_the_prefetch_that_it_started_with() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let watcher = connection.create_channel().await.unwrap();
        let queue = own_queue(&channel, FieldTable::default()).await;
        publish_and_confirm(&watcher, &queue, 0..20).await;
        channel.basic_qos(3, BasicQosOptions::default()).await.unwrap();
        let mut first = consume(&channel, &queue).await;
        for _ in 0..3 {
            next(&mut first).await;
        }
        assert_eq!(depth(&channel, &queue).await, 17);
        channel.basic_qos(5, BasicQosOptions::default()).await.unwrap();
        let mut second = consume(&channel, &queue).await;
        for _ in 0..5 {
            next(&mut second).await;
        }
        assert_eq!(depth(&channel, &queue).await, 12);
    });
}

#[test]
fn a_get_tells_what_is_left_and_a_nack_gives_back() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let watcher = connection.create_channel().await.unwrap();
        let queue = own_queue(&channel, FieldTable::default()).await;
        assert!(get(&channel, &queue).await.is_none());
        publish_and_confirm(&watcher, &queue, 0..3).await;
        let first = get(&channel, &queue).await.unwrap();
        assert_eq!((first.message_count, first.delivery.redelivered), (2, false));
        let second = get(&channel, &queue).await.unwrap();
        assert_eq!((second.message_count, second.delivery.delivery_tag), (1, 2));
        let nack = BasicNackOptions { multiple: true, requeue: true };
        second.delivery.nack(nack).await.unwrap();
        for (data, redelivered) in [(b"0", true), (b"1", true), (b"2", false)] {
            let message = get(&channel, &queue).await.unwrap().delivery;
            assert_eq!((&message.data[..], message.redelivered), (&data[..], redelivered));
            message.ack(BasicAckOptions::default()).await.unwrap();
        }
        assert!(get(&channel, &queue).await.is_none());
    });
}

#[test]
fn recover_delivers_again_what_is_unacknowledged() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let watcher = connection.create_channel().await.unwrap();
        let queue = own_queue(&channel, FieldTable::default()).await;
        publish_and_confirm(&watcher, &queue, 0..5).await;
        let mut consumer = consume(&channel, &queue).await;
        let acknowledged = next(&mut consumer).await;
        acknowledged.ack(BasicAckOptions::default()).await.unwrap();
        for _ in 1..5 {
            assert!(!next(&mut consumer).await.redelivered);
        }
        channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
        for number in 1..5 {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.data, number.to_string().as_bytes());
            assert!(delivery.redelivered);
        }
    });
}

#[test]
fn a_cancelled_consumer_receives_nothing_more() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let watcher = connection.create_channel().await.unwrap();
        let queue = own_queue(&channel, FieldTable::default()).await;
        let mut consumer = consume(&channel, &queue).await;
        publish_and_confirm(&watcher, &queue, 0..1).await;
        let held = next(&mut consumer).await;
        let tag = consumer.tag();
        channel.basic_cancel(tag, BasicCancelOptions::default()).await.unwrap();
        publish_and_confirm(&watcher, &queue, 1..2).await;
        assert_eq!(depth(&channel, &queue).await, 1);
        // The delivery that was under way is still this channel's to acknowledge.
        held.ack(BasicAckOptions::default()).await.unwrap();
        let left = get(&channel, &queue).await.unwrap();
        assert_eq!(left.delivery.data, b"1");
    });
}

#[test]
fn many_channels_of_one_connection_work_at_once() {
    with_connection(async |connection| {
        let mut queues = Vec::new();
        for _ in 0..100 {
            let channel = connection.create_channel().await.unwrap();
            let queue = own_queue(&channel, FieldTable::default()).await;
            let consumer = consume(&channel, &queue).await;
            queues.push((channel, queue, consumer));
        }
        for number in 0..10 {
            for (channel, queue, _) in &queues {
                drop(publish(channel, queue, number, BasicProperties::default()).await);
            }
        }
        for (_, _, consumer) in &mut queues {
            for number in 0..10 {
                let delivery = next(consumer).await;
                assert_eq!(delivery.data, number.to_string().as_bytes());
            }
        }
        for (channel, _, _) in queues {
            channel.close(200, "done".into()).await.unwrap();
        }
    });
}

#[test]
fn a_channel_error_closes_that_channel_only() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let other = connection.create_channel().await.unwrap();
        let missing = fresh("missing");
        let error = channel
            .basic_get(missing.as_str().into(), BasicGetOptions::default())
            .await
            .expect_err("there is no such queue");
        let ErrorKind::ProtocolError(error) = error.kind() else { panic!("{error}") };
        assert_eq!(error.kind(), &AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND));
        let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
        assert_eq!(error.get_message().as_str(), text);
        own_queue(&other, FieldTable::default()).await;
        assert!(connection.status().connected());
    });
}

#[test]
fn one_active_consumer_gives_way_to_the_next() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let watcher = connection.create_channel().await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        let queue = own_queue(&channel, arguments).await;
        let mut first = consume(&channel, &queue).await;
        let mut second = consume(&channel, &queue).await;
        publish_and_confirm(&watcher, &queue, 0..4).await;
        for number in 0..4 {
            let delivery = next(&mut first).await;
            assert_eq!(delivery.data, number.to_string().as_bytes());
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
        channel.basic_cancel(first.tag(), BasicCancelOptions::default()).await.unwrap();
        publish_and_confirm(&watcher, &queue, 4..5).await;
        assert_eq!(next(&mut second).await.data, b"4");
    });
}

#[test]
fn a_dead_letter_tells_every_queue_it_passed() {
    with_connection(async |connection| {
        let channel = connection.create_channel().await.unwrap();
        let exchange = fresh("dead");
        let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
        channel
            .exchange_declare(
                exchange.as_str().into(),
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            )
            .await
            .unwrap();
        let last = own_queue(&channel, FieldTable::default()).await;
        let mut arguments = dead_letters("", &last);
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
        let middle = own_queue(&channel, arguments).await;
        let first = own_queue(&channel, dead_letters(&exchange, "from.first")).await;
        channel
            .queue_bind(
                middle.as_str().into(),
                exchange.as_str().into(),
                "from.#".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        let mut consumer = consume(&channel, &first).await;
        for number in 0..2 {
            drop(publish(&channel, &first, number, BasicProperties::default()).await);
            let delivery = next(&mut consumer).await;
            delivery.nack(BasicNackOptions::default()).await.unwrap();
        }
        let delivery = next(&mut consume(&channel, &last).await).await;
        assert_eq!(delivery.data, b"0");
        let headers = delivery.properties.headers().as_ref().unwrap().inner();
        let AMQPValue::FieldArray(deaths) = &headers["x-death"] else { panic!("{headers:?}") };
        let deaths: Vec<_> = deaths.as_slice().iter().map(death).collect();
        let expected = [(middle, "maxlen".to_owned()), (first, "rejected".to_owned())];
        assert_eq!(deaths, expected);
    });
}

fn death(entry: &AMQPValue) -> (String, String) {
    let AMQPValue::FieldTable(entry) = entry else { panic!("{entry:?}") };
    let text = |name: &str| match &entry.inner()[name] {
        AMQPValue::LongString(text) => text.to_string(),
        other => panic!("{name} is {other:?}"),
    };
    (text("queue"), text("reason"))
}

fn dead_letters(exchange: &str, key: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    arguments.insert("x-dead-letter-exchange".into(), text(exchange));
    arguments.insert("x-dead-letter-routing-key".into(), text(key));
    arguments
}

fn with_connection(rule: impl AsyncFnOnce(Connection)) {
    let broker = Broker::start();
    let uri = broker.uri();
    within_limit(async {
        let connection = Connection::connect(&uri, ConnectionProperties::default());
        rule(connection.await.unwrap()).await;
    });
}

fn within_limit(rule: impl Future<Output = ()>) {
    async_std::task::block_on(timeout(LIMIT, rule)).expect("the rule was not shown in time");
}

async fn own_queue(channel: &Channel, arguments: FieldTable) -> String {
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    channel.queue_declare("".into(), options, arguments).await.unwrap().name().to_string()
}

async fn publish(
    channel: &Channel,
    queue: &str,
    number: u32,
    properties: BasicProperties,
) -> impl Future<Output = lapin::Result<Confirmation>> + use<> {
    let body = number.to_string();
    channel
        .basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            body.as_bytes(),
            properties,
        )
        .await
        .unwrap()
}

async fn publish_and_confirm(channel: &Channel, queue: &str, numbers: std::ops::Range<u32>) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for number in numbers {
        let confirm = publish(channel, queue, number, BasicProperties::default()).await;
        assert!(confirm.await.unwrap().is_ack());
    }
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    channel
        .basic_consume(
            queue.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap()
}

async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(LIMIT, consumer.next()).await.expect("a delivery comes in time").unwrap().unwrap()
}

async fn get(channel: &Channel, queue: &str) -> Option<lapin::message::BasicGetMessage> {
    channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap()
}

async fn depth(channel: &Channel, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await
        .unwrap()
        .message_count()
}
