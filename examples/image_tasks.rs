//! A queue of tasks and two workers that compete for them. Usage: `cargo run --example image_tasks`.
//!
//! What to watch: with a prefetch of 1 a worker has one task at a time, so the slow one holds up one image and not
//! half of them. It dies over that image without having acknowledged it; the broker notices that its connection is
//! gone and gives the image to the other worker, marked as redelivered.
//! `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::error::Error;
use std::process::ExitCode;

use futures_lite::{StreamExt, future};
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, Consumer};

const QUEUE: &str = "image.resize";
const IMAGES: u32 = 5;

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
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for number in 1..=IMAGES {
        let image = format!("image-{number}");
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let sent = channel
            .basic_publish("".into(), QUEUE.into(), options, image.as_bytes(), persistent)
            .await?;
        if !sent.await?.is_ack() {
            return Err(format!("the broker refused {image}").into());
        }
    }
    println!("{IMAGES} images to resize");

    let slow_connection = connect(&url).await?;
    let mut slow = work(&slow_connection).await?;
    println!("slow worker: begins {}", text(&next(&mut slow).await?));

    let quick_connection = connect(&url).await?;
    let mut quick = work(&quick_connection).await?;
    for done in 1..=IMAGES {
        if done == IMAGES {
            // To the broker this is what a crash is: the connection ends before the acknowledgement came.
            println!("slow worker: dies");
            slow_connection.close(200, "as if it had crashed".into()).await?;
        }
        let task = next(&mut quick).await?;
        let redelivered = if task.redelivered { ", redelivered" } else { "" };
        println!("quick worker: resizes {}{redelivered}", text(&task));
        task.ack(BasicAckOptions::default()).await?;
    }
    quick_connection.close(200, "done".into()).await?;

    let left = channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    println!("{left} images left");
    Ok(connection.close(200, "done".into()).await?)
}

async fn connect(url: &str) -> Outcome<Connection> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await;
    Ok(connection.map_err(|error| format!("cannot connect to the broker: {error}"))?)
}

/// Begins to consume, one task at a time.
async fn work(connection: &Connection) -> lapin::Result<Consumer> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await
}

async fn next(consumer: &mut Consumer) -> Outcome<Delivery> {
    Ok(consumer.next().await.ok_or("the broker went away")??)
}

fn text(task: &Delivery) -> String {
    String::from_utf8_lossy(&task.data).into_owned()
}
