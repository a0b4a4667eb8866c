//! A flash sale: orders come far faster than they can be handled. Usage: `cargo run --example flash_sale`.
//!
//! What to watch: the shop is never held up by the slow consumer. Every order is accepted and on the disk; the queue
//! takes the difference, its depth says how far behind the consumer is, and the consumer works on at its own pace until
//! all is done, in order. `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use async_std::task::sleep;
use futures_lite::{StreamExt, future};
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const QUEUE: &str = "orders.sale";
const ORDERS: u32 = 5_000;
/// Confirms that the shop may have outstanding.
const IN_FLIGHT_MAX: usize = 500;
/// The consumer handles this many orders in each of its time slots: 2,500 a second.
const ORDERS_PER_SLOT: u32 = 25;
const SLOT: Duration = Duration::from_millis(10);

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
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await?;

    let (shop, consumer) = (connection.create_channel().await?, connection.create_channel().await?);
    let (sale, handling) = future::zip(sell(&shop), handle(&consumer)).await;
    sale?;
    handling?;

    let left = channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    println!("{left} orders left");
    Ok(connection.close(200, "done".into()).await?)
}

/// Publishes all orders as fast as the broker confirms them.
async fn sell(channel: &Channel) -> Outcome {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut accepted = 0;
    let mut waiting = Vec::new();
    for number in 0..ORDERS {
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let (body, options) = (number.to_be_bytes(), BasicPublishOptions::default());
        let sent = channel.basic_publish("".into(), QUEUE.into(), options, &body, persistent);
        waiting.push(sent.await?);
        if waiting.len() == IN_FLIGHT_MAX || number + 1 == ORDERS {
            for confirm in waiting.drain(..) {
                accepted += u32::from(confirm.await?.is_ack());
            }
        }
    }
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = channel.queue_declare(QUEUE.into(), passive, FieldTable::default()).await?;
    println!("shop: {accepted} of {ORDERS} orders accepted, sale over");
    println!("shop: {} orders wait for the consumer", queue.message_count());
    Ok(())
}

/// Handles all orders, slowly.
async fn handle(channel: &Channel) -> Outcome {
    channel.basic_qos(50, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut orders =
        channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
    for number in 0..ORDERS {
        if number % ORDERS_PER_SLOT == 0 {
            sleep(SLOT).await; // the work that an order makes
        }
        let order = orders.next().await.ok_or("the broker went away")??;
        if order.data != number.to_be_bytes() {
            return Err(format!("order {number} is not next").into());
        }
        order.ack(BasicAckOptions::default()).await?;
    }
    println!("consumer: {ORDERS} orders handled in the order they came");
    // The last acknowledgement has arrived when this has been answered.
    channel.close(200, "done".into()).await?;
    Ok(())
}
