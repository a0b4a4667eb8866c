//! Every order charged once, whatever breaks on the way. Usage: `cargo run --example confirms`.
//!
//! What to watch: the publisher sends again until it has a confirm, so nothing is lost, but something may come twice:
//! the connection breaks before the confirm of order-3. The consumer dies before it has acknowledged order-2, so that
//! one comes twice as well. It keeps the idempotency keys of what it has done, written down last, and so charges each
//! order once. `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::collections::HashSet;
use std::error::Error;
use std::process::ExitCode;

use futures_lite::{StreamExt, future};
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Connection, ConnectionProperties, Consumer};

const QUEUE: &str = "orders.charge";
const TRIES_MAX: u32 = 5;

/// What is to go wrong, to show what happens then.
#[derive(PartialEq)]
enum Network {
    Works,
    FailsBeforeTheConfirm,
}

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
    let connection = connect(&url).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await?;

    for order in ["order-1", "order-2", "order-3"] {
        publish_until_confirmed(&url, order).await?;
    }
    charge_all(&url).await?;

    let left = channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    println!("{left} messages left");
    Ok(connection.close(200, "done".into()).await?)
}

async fn connect(url: &str) -> Outcome<Connection> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await;
    Ok(connection.map_err(|error| format!("cannot connect to the broker: {error}"))?)
}

/// Sends an order until the broker has said that it is on the disk.
async fn publish_until_confirmed(url: &str, order: &str) -> Outcome {
    for number in 1..=TRIES_MAX {
        let network = match (order, number) {
            ("order-3", 1) => Network::FailsBeforeTheConfirm,
            _ => Network::Works,
        };
        match publish(url, order, network).await {
            Ok(true) => {
                println!("publisher: {order} confirmed at try {number}");
                return Ok(());
            }
            Ok(false) => println!("publisher: {order} refused, once more"),
            Err(error) => println!("publisher: {order} {error}, once more"),
        }
    }
    Err(format!("{order} was not confirmed in {TRIES_MAX} tries").into())
}

async fn publish(url: &str, order: &str, network: Network) -> Outcome<bool> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // The key belongs to what is to be done, not to the message: every try carries the same.
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(format!("charge/{order}").into());
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish("".into(), QUEUE.into(), options, order.as_bytes(), properties)
        .await?;
    if network == Network::FailsBeforeTheConfirm {
        connection.close(200, "as if the network had failed".into()).await?;
        return Err("lost its connection before the confirm".into());
    }
    let confirmed = confirm.await?.is_ack();
    connection.close(200, "done".into()).await?;
    Ok(confirmed)
}

/// Charges what waits in the queue, and dies once on the way.
async fn charge_all(url: &str) -> Outcome {
    // In earnest these are in the database, and written in the transaction that charges.
    let mut done: HashSet<ShortString> = HashSet::new();

    let connection = connect(url).await?;
    let mut orders = consume(&connection).await?;
    let first = next(&mut orders).await?;
    charge(&first, &mut done)?;
    first.ack(BasicAckOptions::default()).await?;
    charge(&next(&mut orders).await?, &mut done)?;
    println!("consumer: dies before its acknowledgement");
    connection.close(200, "as if it had crashed".into()).await?;

    let connection = connect(url).await?;
    let mut orders = consume(&connection).await?;
    // order-2 for the second time, and order-3 twice.
    for _ in 0..3 {
        let order = next(&mut orders).await?;
        charge(&order, &mut done)?;
        order.ack(BasicAckOptions::default()).await?;
    }
    Ok(connection.close(200, "done".into()).await?)
}

/// Charges an order, unless that was done before.
fn charge(order: &Delivery, done: &mut HashSet<ShortString>) -> Outcome {
    let key = order.properties.message_id().clone().ok_or("an order without its key")?;
    let name = String::from_utf8_lossy(&order.data);
    let mark = if order.redelivered { " (redelivered)" } else { "" };
    if done.contains(&key) {
        println!("consumer: {name}{mark} is charged already");
    } else {
        println!("consumer: charges {name}{mark}");
        done.insert(key); // last: a crash before this line charges again rather than never
    }
    Ok(())
}

/// Begins to consume, one order at a time.
async fn consume(connection: &Connection) -> lapin::Result<Consumer> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await
}

async fn next(consumer: &mut Consumer) -> Outcome<Delivery> {
    Ok(consumer.next().await.ok_or("the broker went away")??)
}
