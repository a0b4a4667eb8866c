//! A shop and the services behind it, joined by a topic exchange. Usage: `cargo run --example order_pipeline`.
//!
//! What to watch: the shop publishes what happened and knows none of those that listen. Email is down while the orders
//! come, and misses nothing: its queue keeps them. Loyalty comes a month later, with a queue and a binding of its own;
//! the shop does not change. `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::error::Error;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_lite::{StreamExt, future};
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

const EXCHANGE: &str = "orders";

/// Each service, and which of the keys `{domain}.{entity}.{event}` it listens to.
const SERVICES: &[(&str, &str)] = &[
    ("payment", "orders.order.placed"),
    ("inventory", "orders.order.placed"),
    ("warehouse", "orders.payment.completed"),
    ("invoice", "orders.payment.completed"),
    ("fraud", "orders.payment.*"),
    ("email", "orders.#"),
];

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match future::block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672".to_owned());
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let connection =
        connection.await.map_err(|error| format!("cannot connect to the broker: {error}"))?;
    let channel = connection.create_channel().await?;
    trade(&channel).await?;
    Ok(connection.close(200, "done".into()).await?)
}

async fn trade(channel: &Channel) -> Outcome {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel
        .exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default())
        .await?;
    for (service, pattern) in SERVICES {
        subscribe(channel, service, pattern).await?;
    }
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    publish(channel, "order-1", "orders.order.placed").await?;
    publish(channel, "order-1", "orders.payment.completed").await?;
    publish(channel, "order-2", "orders.order.placed").await?;
    publish(channel, "order-2", "orders.payment.failed").await?;
    for (service, _) in SERVICES {
        if *service == "email" {
            println!("email comes back");
        }
        catch_up(channel, service).await?;
    }

    println!("loyalty is new");
    subscribe(channel, "loyalty", "orders.payment.completed").await?;
    publish(channel, "order-3", "orders.payment.completed").await?;
    catch_up(channel, "loyalty").await?;

    // Taken away again, so that the next run starts from nothing; a shop would keep them.
    channel.exchange_delete(EXCHANGE.into(), ExchangeDeleteOptions::default()).await?;
    for service in SERVICES.iter().map(|(service, _)| service).chain(&["loyalty"]) {
        channel.queue_delete(queue(service).into(), QueueDeleteOptions::default()).await?;
    }
    Ok(())
}

fn queue(service: &str) -> String {
    format!("orders.{service}")
}

/// Gives a service its queue. From now on it misses nothing, whether it runs or not.
async fn subscribe(channel: &Channel, service: &str, pattern: &str) -> lapin::Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue(service).into(), durable, FieldTable::default()).await?;
    let options = QueueBindOptions::default();
    let (queue, arguments) = (queue(service), FieldTable::default());
    channel.queue_bind(queue.into(), EXCHANGE.into(), pattern.into(), options, arguments).await
}

/// Says that something happened to an order. Returns when the message is on the disk.
async fn publish(channel: &Channel, order: &str, key: &str) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let mut headers = FieldTable::default();
    headers.insert("schema-version".into(), AMQPValue::LongInt(1));
    // Made from what happened, not from this message: were it sent twice, both would carry the same.
    let idempotency_key = format!("{order}/{key}");
    headers.insert("idempotency-key".into(), AMQPValue::LongString(idempotency_key.into()));
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("application/json".into())
        .with_message_id(format!("{order}-{}", now.as_nanos()).into())
        .with_correlation_id(order.into())
        .with_timestamp(now.as_secs())
        .with_app_id("shop".into())
        .with_headers(headers);
    let body = format!(r#"{{"order": "{order}"}}"#);
    let options = BasicPublishOptions::default();
    let sent = channel
        .basic_publish(EXCHANGE.into(), key.into(), options, body.as_bytes(), properties)
        .await?;
    if !sent.await?.is_ack() {
        return Err(format!("the broker refused {key} of {order}").into());
    }
    println!("shop: {order} {key}");
    Ok(())
}

/// Works off what waits in the queue of a service.
async fn catch_up(channel: &Channel, service: &str) -> Outcome {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let state = channel.queue_declare(queue(service).into(), passive, FieldTable::default());
    let waiting = state.await?.message_count();
    let options = BasicConsumeOptions::default();
    let (tag, arguments) = (service.into(), FieldTable::default());
    let mut consumer =
        channel.basic_consume(queue(service).into(), tag, options, arguments).await?;
    for _ in 0..waiting {
        let delivery = consumer.next().await.ok_or("the broker went away")??;
        let order: serde_json::Value = serde_json::from_slice(&delivery.data)?;
        let order = order["order"].as_str().ok_or("an event without an order")?;
        println!("{service}: {order} {}", delivery.routing_key);
        delivery.ack(BasicAckOptions::default()).await?;
    }
    channel.basic_cancel(service.into(), BasicCancelOptions::default()).await?;
    Ok(())
}
