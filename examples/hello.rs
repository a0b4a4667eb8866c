//! Publishes one message and consumes it. Usage: `cargo run --example hello`.
//! `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use futures_lite::{StreamExt, future};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

fn main() -> lapin::Result<()> {
    let url = std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672".to_owned());
    future::block_on(async {
        let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;

        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare("greetings".into(), durable, FieldTable::default()).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let sent = channel
            .basic_publish("".into(), "greetings".into(), options, b"Hello from Rust", persistent)
            .await?;
        sent.await?; // the message is on the disk

        let options = BasicConsumeOptions::default();
        let mut consumer = channel
            .basic_consume("greetings".into(), "".into(), options, FieldTable::default())
            .await?;
        if let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            println!("{}", String::from_utf8_lossy(&delivery.data));
            delivery.ack(BasicAckOptions::default()).await?;
        }
        connection.close(200, "done".into()).await
    })
}
