//! A queue that says no when it is full, and a publisher that listens. Usage: `cargo run --example backpressure`.
//!
//! What to watch: the queue holds ten jobs and refuses more (`x-overflow: reject-publish`); a refusal comes as a nack
//! where the confirm would come. The publisher keeps what was refused and sends it again when there is room, so nothing
//! is lost and nothing runs out of memory. `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::error::Error;
use std::process::ExitCode;

use futures_lite::future;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const QUEUE: &str = "jobs";
const LENGTH_MAX: i32 = 10;
const JOBS: u32 = 24;

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
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    let mut jobs: Vec<u32> = (1..=JOBS).collect();
    let mut done = 0;
    while !jobs.is_empty() {
        let offered = jobs.len();
        jobs = publish(&channel, jobs).await?;
        println!("publisher: {offered} offered, {} refused", jobs.len());
        let worked_off = work_off(&channel).await?;
        println!("worker: {worked_off} done");
        done += worked_off;
    }
    println!("{done} of {JOBS} jobs done");

    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    Ok(connection.close(200, "done".into()).await?)
}

async fn declare(channel: &Channel) -> lapin::Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(LENGTH_MAX));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    channel.queue_declare(QUEUE.into(), durable, arguments).await?;
    Ok(())
}

/// Publishes all jobs and returns those that were refused.
async fn publish(channel: &Channel, jobs: Vec<u32>) -> lapin::Result<Vec<u32>> {
    let mut confirms = Vec::new();
    for job in jobs {
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let body = job.to_string();
        let confirm = channel
            .basic_publish("".into(), QUEUE.into(), options, body.as_bytes(), persistent)
            .await?;
        confirms.push((job, confirm));
    }
    let mut refused = Vec::new();
    for (job, confirm) in confirms {
        if confirm.await?.is_nack() {
            refused.push(job);
        }
    }
    Ok(refused)
}

/// Does the jobs that are in the queue now, and returns how many there were.
async fn work_off(channel: &Channel) -> lapin::Result<u32> {
    let mut done = 0;
    while let Some(job) = channel.basic_get(QUEUE.into(), BasicGetOptions::default()).await? {
        job.ack(BasicAckOptions::default()).await?;
        done += 1;
    }
    Ok(done)
}
