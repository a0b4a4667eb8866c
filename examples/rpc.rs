//! A question and its answer over direct reply-to. Usage: `cargo run --example rpc`.
//!
//! What to watch: the caller needs no queue for its answers, only the name `amq.rabbitmq.reply-to`. Each question
//! carries a number of its own, the correlation id, and a time limit. The second one is answered too late: the caller
//! has given up, and when that answer comes after all, its number shows that nobody waits for it any more.
//! `AMQP_URL` names the broker; without it, amqp://127.0.0.1:5672.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use async_std::future::timeout;
use futures_lite::{StreamExt, future};
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

const QUEUE: &str = "prices";
const REPLIES: &str = "amq.rabbitmq.reply-to";
const LIMIT: Duration = Duration::from_secs(1);

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
    let options = QueueDeclareOptions::default();
    channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?;

    let server = connection.create_channel().await?;
    let (asked, answered) = future::zip(ask_three(&channel), answer_three(&server)).await;
    asked?;
    answered?;

    channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
    Ok(connection.close(200, "done".into()).await?)
}

async fn ask_three(channel: &Channel) -> Outcome {
    // The consumer of replies comes first, on the channel that asks, and does not acknowledge.
    let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut replies =
        channel.basic_consume(REPLIES.into(), "".into(), no_ack, FieldTable::default()).await?;
    for (number, (item, limit)) in
        [("apple", LIMIT), ("durian", Duration::from_millis(200)), ("plum", LIMIT)]
            .into_iter()
            .enumerate()
    {
        let id = format!("question-{number}");
        match timeout(limit, ask(channel, &mut replies, &id, item, limit)).await {
            Ok(answer) => println!("caller: {item} costs {}", answer?),
            Err(_) => println!("caller: no answer about {item} in time"),
        }
    }
    Ok(())
}

async fn ask(
    channel: &Channel,
    replies: &mut Consumer,
    id: &str,
    item: &str,
    limit: Duration,
) -> Outcome<String> {
    // A question that nobody took before its time is over expires: why answer it?
    let properties = BasicProperties::default()
        .with_reply_to(REPLIES.into())
        .with_correlation_id(id.into())
        .with_expiration(limit.as_millis().to_string().into());
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), QUEUE.into(), options, item.as_bytes(), properties).await?;
    loop {
        let reply = replies.next().await.ok_or("the broker went away")??;
        let answer = String::from_utf8_lossy(&reply.data).into_owned();
        if reply.properties.correlation_id().as_ref().is_some_and(|of| of.as_str() == id) {
            return Ok(answer);
        }
        println!("caller: an answer of {answer} comes too late");
    }
}

/// Answers three questions. The second answer is kept back until the third question came.
async fn answer_three(channel: &Channel) -> Outcome {
    let options = BasicConsumeOptions::default();
    let mut questions =
        channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
    let mut kept_back: Option<Delivery> = None;
    for number in 0..3 {
        let question = questions.next().await.ok_or("the broker went away")??;
        if number == 1 {
            kept_back = Some(question);
            continue;
        }
        if let Some(late) = kept_back.take() {
            reply(channel, &late).await?;
        }
        reply(channel, &question).await?;
    }
    Ok(())
}

async fn reply(channel: &Channel, question: &Delivery) -> Outcome {
    let price = match question.data.as_slice() {
        b"apple" => "0.40",
        b"durian" => "25.00",
        _ => "0.30",
    };
    let (to, id) = (question.properties.reply_to(), question.properties.correlation_id());
    let to = to.clone().ok_or("a question that wants no answer")?;
    let properties = BasicProperties::default().with_correlation_id(id.clone().unwrap_or_default());
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), to, options, price.as_bytes(), properties).await?;
    question.ack(BasicAckOptions::default()).await?;
    Ok(())
}
