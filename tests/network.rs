//! Connections over time: heartbeats, time limits, alarms, and the end of the broker, seen by a client that speaks in
//! single frames.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use leveret::wire::{
    Frame, Method, PROTOCOL_HEADER, Properties, basic, channel, connection, queue,
};
use support::raw::{Incoming, Raw, parse, show, start_ok, tune_ok};
use support::server::Server;

const LIMIT: Duration = Duration::from_secs(20);

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}

fn open_with_heartbeat(server: &Server, seconds: u16) -> Raw {
    let mut raw = Raw::connect(&address(server));
    raw.bytes(&PROTOCOL_HEADER);
    raw.expect_method("connection.start");
    raw.send(0, &start_ok("PLAIN", b"\0guest\0guest"));
    raw.expect_method("connection.tune");
    raw.send(0, &tune_ok(2047, 131_072, seconds));
    raw.send(0, &Method::ConnectionOpen(connection::Open { virtual_host: "/" }));
    raw.expect_method("connection.open-ok");
    raw
}

fn is_heartbeat(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::Frame(frame) if matches!(parse(frame), Frame::Heartbeat { .. }))
}

/// Takes a `connection.close` and answers how it was explained.
fn closed(raw: &mut Raw) -> (u16, String) {
    let incoming = raw.next();
    let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
    match parse(frame) {
        Frame::Method { channel: 0, method: Method::ConnectionClose(close) } => {
            (close.reply_code, close.reply_text.to_owned())
        }
        _ => panic!("got {}", show(&incoming)),
    }
}

fn agree(raw: &mut Raw) {
    raw.send(0, &Method::ConnectionCloseOk(connection::CloseOk));
    assert_eq!(raw.next(), Incoming::Gone);
}

fn declare(raw: &mut Raw, queue: &str) {
    let declare = queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: leveret::wire::Table::new(),
    };
    raw.send(1, &Method::QueueDeclare(declare));
    raw.expect_method("queue.declare-ok");
}

fn publish(raw: &mut Raw, queue: &str, body: &[u8]) {
    let publish =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    raw.publish(1, publish, &Properties::default(), body);
}

#[test]
fn heartbeats_go_both_ways() {
    let server = Server::start();
    let mut silent = open_with_heartbeat(&server, 1);
    let mut alive = open_with_heartbeat(&server, 1);
    let began = Instant::now();
    // The silent one gets heartbeats until it is dropped.
    let end = loop {
        alive.bytes(&[8, 0, 0, 0, 0, 0, 0, 0xce]);
        match silent.next() {
            incoming if is_heartbeat(&incoming) => assert!(began.elapsed() < LIMIT),
            incoming => break incoming,
        }
    };
    assert_eq!(end, Incoming::Gone);
    assert!(server.log_line_with("missed heartbeats from the client", LIMIT).is_some());
    assert!(is_heartbeat(&alive.next()));
    alive.send(1, &Method::ChannelOpen(channel::Open));
    loop {
        let incoming = alive.next();
        if !is_heartbeat(&incoming) {
            assert!(show(&incoming).contains("ChannelOpenOk"), "{}", show(&incoming));
            return;
        }
    }
}

#[test]
fn a_handshake_that_takes_too_long_ends() {
    let server = Server::start_with("[amqp]\nhandshake_ms_max = 300\n");
    let mut silent = Raw::connect(&address(&server));
    let mut slow = Raw::connect(&address(&server));
    slow.bytes(&PROTOCOL_HEADER);
    slow.expect_method("connection.start");
    let mut fast = Raw::open(&address(&server));
    assert_eq!(silent.next(), Incoming::Gone);
    assert_eq!(slow.next(), Incoming::Gone);
    assert!(server.log_line_with("it took too long to open its connection", LIMIT).is_some());
    fast.open_channel(1);
}

#[test]
fn one_connection_too_many_is_closed_at_once() {
    let server = Server::start_with("[amqp]\nconnections_max = 2\n");
    let mut first = Raw::open(&address(&server));
    let second = Raw::open(&address(&server));
    let mut third = Raw::connect(&address(&server));
    assert_eq!(third.next(), Incoming::Gone);
    first.open_channel(1);
    drop(second);
    let until = Instant::now() + LIMIT;
    loop {
        let mut again = Raw::connect(&address(&server));
        again.bytes(&PROTOCOL_HEADER);
        if again.next() != Incoming::Gone {
            break;
        }
        assert!(Instant::now() < until, "a place that was left is not given again");
    }
}

#[test]
fn an_alarm_holds_publishers_back_and_consumers_go_on() {
    let server = Server::start_with("[alarms]\nmemory_bytes_max = 200000\n");
    let mut consumer = Raw::open(&address(&server));
    consumer.open_channel(1);
    declare(&mut consumer, "q");
    let mut publisher = Raw::open(&address(&server));
    publisher.open_channel(1);
    for _ in 0..30 {
        publish(&mut publisher, "q", &[1; 10_000]);
    }
    publisher.expect_method("connection.blocked");
    // Others open, declare and consume meanwhile.
    let mut other = Raw::open(&address(&server));
    other.open_channel(1);
    declare(&mut other, "q2");
    consumer.send(1, &Method::QueuePurge(queue::Purge { queue: "q", no_wait: false }));
    consumer.expect_method("queue.purge-ok");
    publisher.expect_method("connection.unblocked");
    declare(&mut publisher, "q");
}

#[test]
fn the_end_of_the_broker_is_told_to_everyone() {
    let mut server = Server::start();
    let mut polite = Raw::open(&address(&server));
    let mut busy = Raw::open(&address(&server));
    busy.open_channel(1);
    let mut early = Raw::connect(&address(&server));
    early.bytes(&PROTOCOL_HEADER);
    early.expect_method("connection.start");
    let end = thread::spawn(move || server.terminate());
    let reason = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    for raw in [&mut polite, &mut busy] {
        assert_eq!(closed(raw), (320, reason.to_owned()));
        agree(raw);
    }
    assert_eq!(early.next(), Incoming::Gone);
    assert!(end.join().unwrap().success());
}

#[test]
fn a_client_that_does_not_agree_does_not_hold_the_broker_up() {
    let mut server =
        Server::start_with("[amqp]\nshutdown_ms_max = 500\n[alarms]\nmemory_bytes_max = 1\n");
    let mut deaf = Raw::open(&address(&server));
    deaf.open_channel(1);
    // One that is held back by an alarm, too.
    let mut held = Raw::open(&address(&server));
    held.open_channel(1);
    declare(&mut held, "q");
    publish(&mut held, "q", b"x");
    held.expect_method("connection.blocked");
    assert!(server.terminate().success());
    assert_eq!(closed(&mut deaf).0, 320);
    assert_eq!(closed(&mut held).0, 320);
}

#[test]
fn a_refused_login_waits_but_not_longer_than_the_broker() {
    let mut server = Server::start();
    let mut guesser = Raw::connect(&address(&server));
    guesser.bytes(&PROTOCOL_HEADER);
    guesser.expect_method("connection.start");
    guesser.send(
        0,
        &Method::ConnectionStartOk(connection::StartOk {
            client_properties: leveret::wire::Table::new(),
            mechanism: "PLAIN",
            response: b"\0guest\0guess",
            locale: "en_US",
        }),
    );
    assert!(server.log_line_with("wrong password for user 'guest'", LIMIT).is_some());
    assert!(!server.log().contains("guess\""), "a password in the log");
    assert!(server.terminate().success());
    assert_eq!(guesser.next(), Incoming::Gone);
}

/// A client that has said a user and a password, and waits for what comes of it.
fn log_in(server: &Server, response: &'static [u8]) -> Raw {
    let mut raw = Raw::connect(&address(server));
    raw.bytes(&PROTOCOL_HEADER);
    raw.expect_method("connection.start");
    raw.send(0, &start_ok("PLAIN", response));
    raw
}

#[test]
fn a_flood_of_wrong_passwords_locks_nobody_out() {
    let server = Server::start_with("[amqp]\nhandshake_ms_max = 300\n");
    let mut flood: Vec<Raw> = (0..40).map(|_| log_in(&server, b"\0nobody\0guess")).collect();
    let mut other = log_in(&server, b"\0guest\0guest");
    other.expect_method("connection.tune");
    assert!(server.log().matches("there is no user 'nobody'").count() < flood.len());
    // Who waits for its turn is not late: each is told.
    for raw in &mut flood {
        assert_eq!(closed(raw).0, 403);
    }
}

#[test]
fn after_too_many_failures_a_user_is_refused_from_there_and_others_are_not() {
    let server = Server::start_with("[access]\nfailed_logins_per_minute_max = 2\n");
    for _ in 0..2 {
        assert_eq!(closed(&mut log_in(&server, b"\0other\0guess")).0, 403);
    }
    assert_eq!(closed(&mut log_in(&server, b"\0other\0guess")).0, 403);
    assert!(server.log_line_with("too many logins of user 'other'", LIMIT).is_some());
    log_in(&server, b"\0guest\0guest").expect_method("connection.tune");
}
