//! A malformed message among good ones. Usage: `cargo run --example poison`.
//!
//! What to watch: the bad message is tried three times and then goes to the dead-letter queue by itself, as it was,
//! with the reason and the place that it died in. The consumer counts nothing: the queue has a delivery limit. The good
//! messages are handled meanwhile. `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::error::Error;
use std::process::ExitCode;

use futures_lite::{StreamExt, future};
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

const QUEUE: &str = "payments";
const DEAD_LETTERS: &str = "payments.dead";
const BODIES: [&str; 3] = [r#"{"cents": 1250}"#, r#"{"cents": 12"#, r#"{"cents": 900}"#];
/// Returns of a message that its queue puts up with: one more is one too many, so it is tried three times.
const DELIVERY_LIMIT: i32 = 2;

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
    declare(&channel).await?;
    publish(&channel).await?;
    let mut dead = consume(&channel, DEAD_LETTERS).await?;
    handle(&channel).await?;
    bury(&next(&mut dead).await?).await?;
    for queue in [QUEUE, DEAD_LETTERS] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    Ok(connection.close(200, "done".into()).await?)
}

async fn declare(channel: &Channel) -> lapin::Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(DEAD_LETTERS.into(), durable, FieldTable::default()).await?;
    let text = |text: &str| AMQPValue::LongString(text.into());
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    // The default exchange routes to the queue that the routing key names.
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(DEAD_LETTERS));
    channel.queue_declare(QUEUE.into(), durable, arguments).await?;
    Ok(())
}

async fn publish(channel: &Channel) -> Outcome {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for body in BODIES {
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let sent = channel
            .basic_publish("".into(), QUEUE.into(), options, body.as_bytes(), persistent)
            .await?;
        if !sent.await?.is_ack() {
            return Err(format!("the broker refused {body}").into());
        }
    }
    Ok(())
}

/// Handles what it understands and gives back what it does not, until all the good ones are done and the bad one has
/// been tried as often as it may.
async fn handle(channel: &Channel) -> Outcome {
    let mut payments = consume(channel, QUEUE).await?;
    let (mut handled, mut tries) = (0, 0);
    while handled < 2 || tries <= DELIVERY_LIMIT {
        let delivery = next(&mut payments).await?;
        match serde_json::from_slice::<serde_json::Value>(&delivery.data) {
            Ok(payment) => {
                handled += 1;
                println!("payment of {} cents", payment["cents"]);
                delivery.ack(BasicAckOptions::default()).await?;
            }
            Err(_) => {
                tries += 1;
                println!("try {tries} of a payment that is not JSON");
                let back = BasicNackOptions { requeue: true, ..Default::default() };
                delivery.nack(back).await?;
            }
        }
    }
    Ok(())
}

/// Tells what a dead letter says about its death.
async fn bury(letter: &Delivery) -> Outcome {
    let headers = letter.properties.headers().as_ref().ok_or("a dead letter has headers")?;
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return Err("a dead letter without x-death".into());
    };
    for death in deaths.as_slice() {
        let AMQPValue::FieldTable(death) = death else { continue };
        let fact = |name: &str| match death.inner().get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            Some(AMQPValue::LongLongInt(number)) => number.to_string(),
            _ => "unknown".to_owned(),
        };
        let (reason, queue, count) = (fact("reason"), fact("queue"), fact("count"));
        println!("dead letter: {reason} in {queue}, {count} time(s)");
    }
    println!("dead letter: the original is {}", String::from_utf8_lossy(&letter.data));
    letter.ack(BasicAckOptions::default()).await?;
    Ok(())
}

async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
}

async fn next(consumer: &mut Consumer) -> Outcome<Delivery> {
    Ok(consumer.next().await.ok_or("the broker went away")??)
}
