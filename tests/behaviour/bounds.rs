//! The limits of `broker.toml`, each at a value that a test can reach.

use std::time::{Duration, Instant};

use leveret::wire::{Method, PROTOCOL_HEADER, Table, Value, basic, channel, exchange, queue, tx};

use super::client::*;
use super::own_queue::A_WHILE;
use crate::support::raw::{Incoming, Raw};
use crate::support::server::Server;

fn start(section: &str, setting: &str) -> (Server, Client) {
    let server = Server::start_with(&format!("[{section}]\n{setting}\n"));
    let client = Client::open(&local(server.port()));
    (server, client)
}

#[test]
fn queues_of_a_virtual_host() {
    let (_server, mut client) = start("limits", "queues_per_vhost_max = 2");
    for name in ["a", "b", "b"] {
        client.queue(name, &[]);
    }
    client.refused(
        &Method::QueueDeclare(a_queue("c")),
        406,
        "PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost '/' (2) is reached",
    );
    super::own_queue::delete(&mut client, "a");
    client.queue("c", &[]);
}

#[test]
fn exchanges_of_a_virtual_host() {
    let (_server, mut client) = start("limits", "exchanges_per_vhost_max = 16");
    // Seven are there from the start.
    for number in 7..16 {
        client.exchange(&format!("x{number}"), "fanout", &[]);
    }
    client.refused(
        &Method::ExchangeDeclare(an_exchange("x", "fanout")),
        406,
        "PRECONDITION_FAILED - cannot declare exchange 'x': exchange limit in vhost '/' (16) is reached",
    );
    let delete = exchange::Delete { exchange: "x7", if_unused: false, no_wait: false };
    client.call(&Method::ExchangeDelete(delete));
    client.exchange("x", "fanout", &[]);
}

#[test]
fn bindings_of_a_virtual_host() {
    let (_server, mut client) = start("limits", "bindings_per_vhost_max = 2");
    client.queue("q", &[]);
    for key in ["a", "b", "b"] {
        client.bind("q", "amq.direct", key, &[]);
    }
    let bind = queue::Bind {
        queue: "q",
        exchange: "amq.direct",
        routing_key: "c",
        no_wait: false,
        arguments: Table::new(),
    };
    client.refused(
        &Method::QueueBind(bind),
        406,
        "PRECONDITION_FAILED - binding limit in vhost '/' (2) is reached",
    );
    super::own_queue::delete(&mut client, "q");
    client.queue("q", &[]);
    client.bind("q", "amq.direct", "c", &[]);
}

#[test]
fn bytes_of_arguments() {
    let settings = "arguments_bytes_max = 2000\narguments_bytes_per_vhost_max = 10000";
    let (_server, mut client) = start("limits", settings);
    let junk = |bytes: usize| table(&[("junk", text(&"x".repeat(bytes)))]);
    let large = || junk(2000);
    client.queue("q", &[]);
    let refused = |client: &mut Client, method: &Method<'_>, what: &str, limit: &str| {
        let (code, text) = client.closing(method);
        assert_eq!(code, 406, "{text}");
        assert!(text.contains(what) && text.contains(limit), "{text}");
    };
    let bind = |arguments| queue::Bind {
        queue: "q",
        exchange: "amq.headers",
        routing_key: "",
        no_wait: false,
        arguments,
    };
    let one = "limits.arguments_bytes_max (2000)";
    let queue = queue::Declare { arguments: large(), ..a_queue("r") };
    refused(&mut client, &Method::QueueDeclare(queue), "declare queue 'r'", one);
    let exchange = exchange::Declare { arguments: large(), ..an_exchange("x", "fanout") };
    refused(&mut client, &Method::ExchangeDeclare(exchange), "declare exchange 'x'", one);
    refused(&mut client, &Method::QueueBind(bind(large())), "bind exchange", one);
    let consume = basic::Consume { arguments: large(), ..a_consumer("q", "c") };
    refused(&mut client, &Method::BasicConsume(consume), "consume from queue 'q'", one);
    // Five of each kind together, and then no more until some go.
    let all = "limits.arguments_bytes_per_vhost_max (10000)";
    let fitting = || junk(1700);
    client.declare(queue::Declare { arguments: fitting(), ..a_queue("r") });
    let exchange = exchange::Declare { arguments: fitting(), ..an_exchange("x", "fanout") };
    client.call(&Method::ExchangeDeclare(exchange));
    client.call(&Method::QueueBind(bind(fitting())));
    for tag in ["a", "b"] {
        let consume = basic::Consume { arguments: fitting(), ..a_consumer("q", tag) };
        client.call(&Method::BasicConsume(consume));
    }
    let consume = |tag| basic::Consume { arguments: fitting(), ..a_consumer("q", tag) };
    refused(&mut client, &Method::BasicConsume(consume("c")), "consume from queue 'q'", all);
    // The channel took two consumers along.
    client.call(&Method::BasicConsume(consume("a")));
    client.call(&Method::BasicConsume(consume("b")));
    refused(&mut client, &Method::QueueBind(bind(junk(1600))), "bind exchange", all);
    super::own_queue::delete(&mut client, "q");
    client.queue("q", &[]);
    client.call(&Method::QueueBind(bind(junk(1600))));
}

#[test]
fn steps_of_routing_one_message() {
    let (server, mut client) = start("limits", "routing_steps_max = 100");
    client.queue("q", &[]);
    client.bind("q", "amq.direct", "k", &[]);
    client.select_confirms();
    client.publish("amq.direct", "k", &headers(&[]), "few");
    assert!(client.confirmed_through(1).is_empty());
    let copies = (0..200).map(|n| text(&n.to_string())).collect();
    client.publish("amq.direct", "k", &headers(&[("CC", Value::Array(copies))]), "many");
    client.publish("amq.direct", "k", &headers(&[]), "behind");
    let text = "PRECONDITION_FAILED - routing takes more than 100 steps (limits.routing_steps_max); use fewer \
                bindings, wildcards or CC keys. Exchange 'amq.direct', routing key 'k'";
    client.channel_closed(406, text);
    assert_eq!(client.drain("q"), ["few"]);
    // In a transaction, the commit tells.
    client.call(&Method::TxSelect(tx::Select));
    let copies = (0..200).map(|n| super::client::text(&n.to_string())).collect();
    client.publish("amq.direct", "k", &headers(&[("CC", Value::Array(copies))]), "many");
    client.refused(&Method::TxCommit(tx::Commit), 406, text);
    assert_eq!(client.drain("q"), [""; 0]);
    // A dead letter is dropped, and that is told.
    for number in 0..110 {
        let name = format!("d{number}");
        client.queue(&name, &[]);
        client.bind(&name, "amq.fanout", "", &[]);
    }
    let dying = [("x-dead-letter-exchange", "amq.fanout".into()), ("x-message-ttl", 1.into())];
    client.queue("dying", &dying);
    client.put("dying", "x");
    assert!(server.log_line_with("took more steps to route than", A_WHILE * 20).is_some());
    assert_eq!(client.counts("d0"), (0, 0));
}

#[test]
fn unacknowledged_deliveries_of_a_channel() {
    let (_server, mut client) = start("limits", "unacked_per_channel_max = 3");
    client.queue("q", &[]);
    client.consume("q", "c");
    for body in ["a", "b", "c", "d"] {
        client.put("q", body);
    }
    assert_eq!(client.bodies(3), ["a", "b", "c"]);
    assert!(nothing_within(&mut client, A_WHILE));
    client.ack(2);
    assert_eq!(client.delivered().body, "d");
}

#[test]
fn bytes_of_unacknowledged_deliveries_of_a_channel() {
    let (_server, mut client) = start("limits", "unacked_bytes_per_channel_max = 1000");
    client.queue("q", &[]);
    client.consume("q", "c");
    let bodies = ["a".repeat(999), "b".repeat(2000), "c".into(), "d".repeat(5000), "e".into()];
    for body in &bodies {
        client.put("q", body);
    }
    // What passes the limit is the last.
    assert_eq!(client.bodies(2), bodies[..2]);
    assert!(nothing_within(&mut client, A_WHILE));
    client.ack(1);
    assert!(nothing_within(&mut client, A_WHILE), "the other alone is over it");
    client.ack(2);
    // One always goes, however large it is.
    assert_eq!(client.bodies(2), bodies[2..4]);
    assert!(nothing_within(&mut client, A_WHILE));
    client.ack(4);
    assert_eq!(client.delivered().body, "e");
}

#[test]
fn consumers_of_a_channel() {
    let (_server, mut client) = start("amqp", "consumers_per_channel_max = 2");
    client.queue("q", &[]);
    client.consume("q", "a");
    client.consume("q", "b");
    client.cancel("a");
    client.consume("q", "c");
    client.refused(
        &Method::BasicConsume(a_consumer("q", "d")),
        406,
        "PRECONDITION_FAILED - reached maximum (2) of consumers per channel",
    );
}

#[test]
fn bytes_of_a_message() {
    let (_server, mut client) = start("amqp", "message_bytes_max = 10");
    client.queue("q", &[]);
    client.put("q", "ten bytes!");
    client.put("q", "more than ten");
    client.channel_closed(
        406,
        "PRECONDITION_FAILED - message size 13 is larger than configured max size 10",
    );
    assert_eq!(client.drain("q"), ["ten bytes!"]);
}

#[test]
fn connections() {
    let (server, client) = start("amqp", "connections_max = 2");
    let second = Client::open(&local(server.port()));
    let mut third = Raw::connect(&local(server.port()));
    third.bytes(&PROTOCOL_HEADER);
    assert_eq!(third.next(), Incoming::Gone);
    drop(second);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        // The broker may not have seen yet that the second is gone.
        let mut again = Raw::connect(&local(server.port()));
        again.bytes(&PROTOCOL_HEADER);
        if again.next() != Incoming::Gone {
            break;
        }
        assert!(Instant::now() < until, "a connection that went still counts");
    }
    client.close();
}

#[test]
fn the_time_of_a_handshake() {
    let server = Server::start_with("[amqp]\nhandshake_ms_max = 200\n");
    let mut silent = Raw::connect(&local(server.port()));
    assert_eq!(silent.next(), Incoming::Gone);
    let mut slow = Raw::connect(&local(server.port()));
    slow.bytes(&PROTOCOL_HEADER);
    slow.expect_method("connection.start");
    assert_eq!(slow.next(), Incoming::Gone);
    // An open connection may be silent for longer.
    let mut client = Client::open(&local(server.port()));
    assert!(nothing_within(&mut client, 2 * A_WHILE));
    client.queue("q", &[]);
}

#[test]
fn channels_and_the_size_of_frames() {
    let server = Server::start_with("[amqp]\nchannel_max = 2\nframe_bytes_max = 4096\n");
    let mut raw = Raw::connect(&local(server.port()));
    raw.bytes(&PROTOCOL_HEADER);
    raw.expect_method("connection.start");
    raw.send(0, &crate::support::raw::start_ok("PLAIN", b"\0guest\0guest"));
    let tune = raw.expect_method("connection.tune");
    let leveret::wire::Frame::Method { method: Method::ConnectionTune(tune), .. } =
        crate::support::raw::parse(&tune)
    else {
        panic!("tune was checked")
    };
    assert_eq!((tune.channel_max, tune.frame_max), (2, 4096));
    raw.send(0, &crate::support::raw::tune_ok(0, 0, 0));
    let open = leveret::wire::connection::Open { virtual_host: "/" };
    raw.send(0, &Method::ConnectionOpen(open));
    raw.expect_method("connection.open-ok");
    raw.open_channel(1);
    raw.send(1, &Method::QueueDeclare(a_queue("q")));
    raw.expect_method("queue.declare-ok");
    // A body of 10,000 bytes, in frames that both sides take.
    let publish =
        basic::Publish { exchange: "", routing_key: "q", mandatory: false, immediate: false };
    let mut frames = Vec::new();
    Method::BasicPublish(publish).encode_frame(1, &mut frames);
    let body = [7; 10_000];
    leveret::wire::encode_content(&mut frames, 1, basic::CLASS_ID, &[0, 0], &body, 4096);
    raw.bytes(&frames);
    raw.send(1, &Method::BasicGet(basic::Get { queue: "q", no_ack: true }));
    raw.expect_method("basic.get-ok");
    let mut received = 0;
    while received < body.len() {
        let Incoming::Frame(frame) = raw.next() else { panic!("the message is cut short") };
        assert!(frame.len() <= 4096, "a frame of {} bytes", frame.len());
        if let leveret::wire::Frame::Body { payload, .. } = crate::support::raw::parse(&frame) {
            received += payload.len();
        }
    }
    raw.open_channel(7);
    raw.send(8, &Method::ChannelOpen(channel::Open));
    raw.expect_method("connection.close");
}

#[test]
fn heartbeats_come_and_are_missed() {
    let server = Server::start();
    let login = Login { heartbeat_s: 1, ..GUEST };
    let mut client = Client::log_in(&local(server.port()), login).unwrap();
    let heartbeat = Incoming::Frame(vec![8, 0, 0, 0, 0, 0, 0, 0xce]);
    for _ in 0..3 {
        assert_eq!(client.next(), heartbeat);
    }
    // A client that says nothing is dropped after a few more.
    let rest = std::iter::from_fn(|| Some(client.next()).filter(|next| *next == heartbeat)).count();
    assert!(rest < 20);
    assert!(server.log_line_with("missed heartbeats from the client", A_WHILE).is_some());
    // One that sends heartbeats stays.
    let mut client = Client::log_in(&local(server.port()), login).unwrap();
    for _ in 0..10 {
        assert_eq!(client.next(), heartbeat);
        client.raw.bytes(&[8, 0, 0, 0, 0, 0, 0, 0xce]);
    }
}

#[test]
fn what_waits_to_be_written_to_a_connection() {
    let (_server, mut client) = start("amqp", "outbox_bytes_max = 4096");
    client.queue("q", &[]);
    let body = "x".repeat(3000);
    for _ in 0..50 {
        client.put("q", &body);
    }
    client.call(&Method::BasicConsume(basic::Consume { no_ack: true, ..a_consumer("q", "c") }));
    assert_eq!(client.bodies(50).len(), 50);
}
