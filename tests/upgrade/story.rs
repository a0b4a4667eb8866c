//! What happens on a broker whose data directory becomes a fixture: something of everything that is kept.

use std::time::Duration;

use async_std::future::timeout;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

use crate::support::http::Api;
use crate::support::server::Server;

const LIMIT: Duration = Duration::from_secs(120);

/// Longer than fixtures will be kept.
const LONG_MS: &str = "4000000000";

/// Before the first stop.
pub fn first(server: &Server) {
    accounts(&Api::new(&server.management()));
    with_channel(&server.uri(), async |channel| {
        exchanges(&channel).await;
        queues(&channel).await;
        bindings(&channel).await;
        for number in 0..400 {
            let body = format!("deep {number:05} {}", "leveret ".repeat(40));
            publish(&channel, "", "deep", &body, plain()).await;
        }
        for number in 0..20 {
            let properties = full(number);
            publish(&channel, "events", "orders.created", &format!("event {number}"), properties)
                .await;
        }
        for number in 0..12_u8 {
            let properties = plain().with_priority(number % 6);
            publish(&channel, "", "urgent", &format!("urgent {number}"), properties).await;
        }
        for number in 0..5 {
            publish(&channel, "", "returned", &format!("returned {number}"), plain()).await;
        }
        publish(&channel, "", "returned", "", plain()).await;
        for number in 0..30 {
            publish(&channel, "everybody", "", &format!("all {number}"), plain()).await;
        }
        settle(&channel, "deep", 0..40).await;
        give_back(&channel, "returned", 3).await;
        settle(&channel, "emptied", 0..30).await;
    });
    let orders = server.uri().replace("%2f", "orders");
    with_channel(&orders, async |channel| {
        queue(&channel, "audit", &[]).await;
        for number in 0..70 {
            publish(&channel, "", "audit", &format!("audit {number}"), full(number)).await;
        }
    });
}

/// Between the first stop and the end.
pub fn second(server: &Server) {
    let api = Api::new(&server.management());
    api.done("DELETE", "/api/users/leaver", "");
    api.done("PUT", "/api/users/carol", r#"{"password":"c","tags":""}"#);
    with_channel(&server.uri(), async |channel| {
        channel.queue_delete("doomed".into(), QueueDeleteOptions::default()).await.unwrap();
        let unbind = channel.queue_unbind(
            "emptied".into(),
            "everybody".into(),
            "".into(),
            FieldTable::default(),
        );
        unbind.await.unwrap();
        queue(&channel, "late", &[("x-max-length", AMQPValue::LongInt(10))]).await;
        for number in 0..15 {
            publish(&channel, "", "late", &format!("late {number}"), plain()).await;
        }
        for number in 0..10 {
            publish(&channel, "", "deep", &format!("more {number}"), plain()).await;
        }
        let expiring = plain().with_expiration(LONG_MS.into());
        publish(&channel, "", "deep", "expires", expiring).await;
        settle(&channel, "deep", 0..30).await;
        give_back(&channel, "returned", 2).await;
        // What was given back is in the journal when what comes after it is.
        publish(&channel, "", "deep", "the last", plain()).await;
    });
}

fn accounts(api: &Api) {
    for vhost in ["orders", "archive", "doomed"] {
        api.done("PUT", &format!("/api/vhosts/{vhost}"), "");
    }
    api.done("DELETE", "/api/vhosts/doomed", "");
    for (user, tags) in
        [("alice", "administrator"), ("bob", "monitoring,management"), ("leaver", "")]
    {
        let body = format!(r#"{{"password":"{user}","tags":"{tags}"}}"#);
        api.done("PUT", &format!("/api/users/{user}"), &body);
    }
    for (vhost, user, patterns) in [
        ("orders", "guest", [".*", ".*", ".*"]),
        ("orders", "alice", ["^a", "^(a|b)", ".*"]),
        ("archive", "bob", ["", "", "x.*"]),
        ("%2f", "leaver", ["", "", ""]),
    ] {
        let [configure, write, read] = patterns;
        let body = format!(r#"{{"configure":"{configure}","write":"{write}","read":"{read}"}}"#);
        api.done("PUT", &format!("/api/permissions/{vhost}/{user}"), &body);
    }
}

async fn exchanges(channel: &Channel) {
    let alternate = [("alternate-exchange", text("everybody"))];
    for (name, kind, arguments, auto_delete, internal) in [
        ("everybody", ExchangeKind::Fanout, &[][..], false, false),
        ("events", ExchangeKind::Topic, &alternate, false, false),
        ("by-header", ExchangeKind::Headers, &[], true, false),
        ("inside", ExchangeKind::Direct, &[], false, true),
    ] {
        let options =
            ExchangeDeclareOptions { durable: true, auto_delete, internal, ..Default::default() };
        channel.exchange_declare(name.into(), kind, options, table(arguments)).await.unwrap();
    }
}

async fn queues(channel: &Channel) {
    queue(channel, "deep", &[]).await;
    queue(channel, "emptied", &[]).await;
    queue(channel, "doomed", &[]).await;
    queue(channel, "urgent", &[("x-max-priority", AMQPValue::LongInt(5))]).await;
    queue(channel, "returned", &[("x-queue-type", text("quorum"))]).await;
    let arguments = [
        ("x-max-length", AMQPValue::LongInt(1000)),
        ("x-overflow", text("reject-publish")),
        ("x-message-ttl", AMQPValue::LongLongInt(4_000_000_000)),
        ("x-dead-letter-exchange", text("everybody")),
        ("x-dead-letter-routing-key", text("dead")),
    ];
    queue(channel, "limited", &arguments).await;
}

async fn bindings(channel: &Channel) {
    let headers = table(&[("x-match", text("any")), ("colour", text("red"))]);
    for (name, exchange, key, arguments) in [
        ("limited", "events", "orders.*", FieldTable::default()),
        ("emptied", "everybody", "", FieldTable::default()),
        ("doomed", "everybody", "", FieldTable::default()),
        ("limited", "by-header", "", headers),
        ("urgent", "inside", "key", FieldTable::default()),
    ] {
        let options = QueueBindOptions::default();
        channel
            .queue_bind(name.into(), exchange.into(), key.into(), options, arguments)
            .await
            .unwrap();
    }
    let options = ExchangeBindOptions::default();
    channel
        .exchange_bind("inside".into(), "events".into(), "#".into(), options, FieldTable::default())
        .await
        .unwrap();
}

fn plain() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}

/// Every property, and every type of header that clients write.
fn full(number: u32) -> BasicProperties {
    let mut inner = FieldTable::default();
    inner.insert("deep".into(), AMQPValue::Boolean(true));
    let headers = table(&[
        ("text", text("a text")),
        ("flag", AMQPValue::Boolean(false)),
        ("small", AMQPValue::ShortShortInt(-3)),
        ("long", AMQPValue::LongLongInt(-1 << 40)),
        ("double", AMQPValue::Double(0.5)),
        ("time", AMQPValue::Timestamp(1_700_000_000)),
        ("nothing", AMQPValue::Void),
        ("list", AMQPValue::FieldArray(vec![AMQPValue::LongInt(1), text("two")].into())),
        ("table", AMQPValue::FieldTable(inner)),
    ]);
    plain()
        .with_content_type("text/plain".into())
        .with_content_encoding("identity".into())
        .with_headers(headers)
        .with_priority((number % 10) as u8)
        .with_correlation_id(format!("correlation {number}").into())
        .with_reply_to("replies".into())
        .with_message_id(format!("message {number}").into())
        .with_timestamp(1_700_000_000 + u64::from(number))
        .with_type("story".into())
        .with_user_id("guest".into())
        .with_app_id("upgrade".into())
        .with_cluster_id("".into())
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(ShortString::from(*name), value.clone());
    }
    table
}

async fn queue(channel: &Channel, name: &str, arguments: &[(&str, AMQPValue)]) {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), options, table(arguments)).await.unwrap();
}

async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &str,
    properties: BasicProperties,
) {
    let options = BasicPublishOptions::default();
    let confirm =
        channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
    assert!(confirm.await.unwrap().await.unwrap().is_ack());
}

async fn settle(channel: &Channel, queue: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let got =
            channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap().unwrap();
        // One in ten comes back, so that there are holes.
        let tag = got.delivery_tag;
        if number % 10 == 9 {
            let options = BasicNackOptions { requeue: true, multiple: false };
            channel.basic_nack(tag, options).await.unwrap();
        } else {
            channel.basic_ack(tag, BasicAckOptions::default()).await.unwrap();
        }
    }
}

/// The first message comes back so many times.
async fn give_back(channel: &Channel, queue: &str, times: u32) {
    for _ in 0..times {
        let got =
            channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap().unwrap();
        let options = BasicNackOptions { requeue: true, multiple: false };
        channel.basic_nack(got.delivery_tag, options).await.unwrap();
    }
}

fn with_channel(uri: &str, work: impl AsyncFnOnce(Channel)) {
    let story = async {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        work(channel.clone()).await;
        connection.close(200, "".into()).await.unwrap();
    };
    async_std::task::block_on(timeout(LIMIT, story)).expect("told in time");
}
