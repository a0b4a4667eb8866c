//! What a client says that knows its business: methods that fit the queues `q`, `r` and `d` and the exchange `e`, so
//! that messages flow, wait, die and come back.

use leveret::wire::{
    FRAME_BYTES_MIN, Method, Properties, Table, Value, basic, channel, encode_content, exchange,
    queue, tx,
};

use super::language::{self, Bytes, pick};
use super::random::Random;

const QUEUES: &[&str] = &["q", "q", "r", "d", "d", "t"];
const TAGS: &[&str] = &["", "", "", "c2"];
const KEYS: &[&str] = &["q", "q", "r", "d", "t", "a.b"];

fn framed(channel: u16, method: &Method<'_>) -> Vec<Bytes> {
    let mut frame = Vec::new();
    method.encode_frame(channel, &mut frame);
    vec![frame]
}

/// The next thing that is said on a channel.
pub fn line(random: &mut Random, channel: u16) -> Vec<Bytes> {
    match random.within(0..20) {
        0..6 => publish(random, channel),
        6 | 7 => framed(channel, &consume(random)),
        8 | 9 => {
            let get = basic::Get { queue: pick(random, QUEUES), no_ack: random.once_in(4) };
            framed(channel, &Method::BasicGet(get))
        }
        10..12 => publish(random, channel),
        12 => framed(channel, &settle(random)),
        13 | 14 => declare(random, channel),
        15 => framed(channel, &bind(random)),
        16 => {
            let (prefetch_count, global) = (random.within(0..3) as u16, random.once_in(2));
            let qos = basic::Qos { prefetch_size: 0, prefetch_count, global };
            framed(channel, &Method::BasicQos(qos))
        }
        17 => framed(channel, &Method::BasicRecover(basic::Recover { requeue: true })),
        18 => framed(channel, &ending(random)),
        _ => framed(channel, &leaving(random)),
    }
}

fn publish(random: &mut Random, channel: u16) -> Vec<Bytes> {
    let exchange = pick(random, &["", "", "e", "amq.fanout"]);
    let (routing_key, mandatory) = (pick(random, KEYS), random.once_in(4));
    let publish = basic::Publish { exchange, routing_key, mandatory, immediate: false };
    let mut frames = framed(channel, &Method::BasicPublish(publish));
    if random.once_in(16) {
        frames.extend(language::content(random, channel));
        return frames;
    }
    let properties = Properties {
        delivery_mode: Some(1 + random.within(0..2) as u8),
        priority: random.once_in(4).then(|| random.within(0..4) as u8),
        expiration: random.once_in(6).then(|| pick(random, &["0", "500", "1001"]).to_owned()),
        reply_to: random.once_in(32).then(|| "amq.rabbitmq.reply-to".to_owned()),
        ..Properties::default()
    };
    let (mut list, mut content) = (Vec::new(), Vec::new());
    properties.encode(&mut list);
    let body = vec![b'm'; *pick(random, &[&0_usize, &1, &9, &300, &5000])];
    encode_content(&mut content, channel, basic::CLASS_ID, &list, &body, FRAME_BYTES_MIN);
    frames.extend(language::frames_of(&content));
    frames
}

fn consume(random: &mut Random) -> Method<'static> {
    let mut arguments = Table::new();
    if random.once_in(3) {
        arguments.insert("x-priority", random.within(0..3) as i32);
    }
    Method::BasicConsume(basic::Consume {
        queue: pick(random, QUEUES),
        consumer_tag: pick(random, TAGS),
        no_local: false,
        no_ack: random.once_in(4),
        exclusive: random.once_in(8),
        no_wait: random.once_in(8),
        arguments,
    })
}

fn settle(random: &mut Random) -> Method<'static> {
    let (delivery_tag, multiple) = (random.within(1..6), random.once_in(3));
    let requeue = random.once_in(2);
    match random.within(0..4) {
        0 => Method::BasicReject(basic::Reject { delivery_tag, requeue }),
        1 => Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue }),
        _ => Method::BasicAck(basic::Ack { delivery_tag, multiple }),
    }
}

fn declare(random: &mut Random, channel: u16) -> Vec<Bytes> {
    let declare = queue::Declare {
        queue: pick(random, &["t", "t", "r"]),
        passive: false,
        durable: random.once_in(2),
        exclusive: random.once_in(6),
        auto_delete: random.once_in(4),
        no_wait: false,
        arguments: arguments(random),
    };
    framed(channel, &Method::QueueDeclare(declare))
}

fn arguments(random: &mut Random) -> Table {
    let text = |text: &str| Value::from(text);
    let number = random.within(0..4) as i32;
    let choices = [
        ("x-message-ttl", Value::from(number * 500)),
        ("x-expires", Value::from(number * 500 + 1)),
        ("x-max-length", Value::from(number)),
        ("x-max-length-bytes", Value::from(number * 4)),
        ("x-overflow", text("reject-publish-dlx")),
        ("x-overflow", text("reject-publish")),
        ("x-dead-letter-exchange", text("e")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(pick(random, KEYS))),
        ("x-max-priority", Value::from(number + 1)),
        ("x-single-active-consumer", Value::from(true)),
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", Value::from(number)),
    ];
    let mut table = Table::new();
    for _ in 0..random.within(0..4) {
        let (name, value) = &choices[random.within(0..choices.len() as u64) as usize];
        table.insert(*name, value.clone());
    }
    table
}

fn bind(random: &mut Random) -> Method<'static> {
    let arguments = Table::new();
    let (source, routing_key) =
        (pick(random, &["e", "amq.fanout", "amq.topic"]), pick(random, &["#", "a.*", "q"]));
    if random.once_in(4) {
        let destination = pick(random, &["e", "amq.fanout", "amq.topic"]);
        let bind = exchange::Bind { destination, source, routing_key, no_wait: false, arguments };
        return Method::ExchangeBind(bind);
    }
    let queue = pick(random, QUEUES);
    Method::QueueBind(queue::Bind {
        queue,
        exchange: source,
        routing_key,
        no_wait: false,
        arguments,
    })
}

/// What ends a part of the work.
fn ending(random: &mut Random) -> Method<'static> {
    match random.within(0..12) {
        0 => Method::TxCommit(tx::Commit),
        1 => Method::TxRollback(tx::Rollback),
        _ => {
            Method::BasicCancel(basic::Cancel { consumer_tag: pick(random, TAGS), no_wait: false })
        }
    }
}

/// What takes something away.
fn leaving(random: &mut Random) -> Method<'static> {
    let queue = pick(random, QUEUES);
    match random.within(0..4) {
        0 => {
            let delete = queue::Delete { queue, if_unused: false, if_empty: false, no_wait: false };
            Method::QueueDelete(delete)
        }
        1 => Method::QueuePurge(queue::Purge { queue, no_wait: false }),
        2 => {
            let (reply_code, reply_text) = (200, "bye");
            let close = channel::Close { reply_code, reply_text, class_id: 0, method_id: 0 };
            Method::ChannelClose(close)
        }
        _ => Method::BasicCancel(basic::Cancel { consumer_tag: "c", no_wait: true }),
    }
}
