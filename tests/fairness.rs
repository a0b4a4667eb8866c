//! A client that behaves badly beside a pair that does not: the pair gets its messages through, and the broker's memory
//! stays bounded although hundreds of megabytes are thrown at it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod fairness {
    pub mod flood;
    pub mod pair;
    pub mod watch;
}

use std::thread;

use fairness::flood::{BODY_BYTES, FLOOD_BYTES, Flood};
use fairness::pair;
use fairness::watch::Watch;
use support::peer::{Acknowledging, Argument, Delivery, Durability, Event, Peer, Routing};
use support::server::Server;

const QUEUE: &str = "flooded";

/// A queue that drops its oldest when it is full, so that a flood into it is nobody's fault.
const DROPPING: &[(&str, Argument<'_>)] =
    &[("x-max-length-bytes", Argument::Number(8 * 1024 * 1024))];

#[test]
fn a_consumer_that_does_not_read_its_socket_harms_nobody() {
    let server = Server::start();
    let mut stuck = Peer::connect(server.port()).unwrap();
    stuck.declare_queue(QUEUE, Durability::Durable, DROPPING).unwrap();
    stuck.consume(QUEUE, Acknowledging::Automatic).unwrap();
    check(&server, || Flood::into_queue(server.port(), QUEUE, Delivery::Transient));
    drop(stuck);
}

#[test]
fn a_consumer_that_does_not_read_and_does_not_acknowledge_harms_nobody() {
    let server = Server::start();
    let mut stuck = Peer::connect(server.port()).unwrap();
    stuck.declare_queue(QUEUE, Durability::Durable, DROPPING).unwrap();
    stuck.consume(QUEUE, Acknowledging::ByConsumer).unwrap();
    check(&server, || Flood::into_queue(server.port(), QUEUE, Delivery::Persistent));
    drop(stuck);
}

#[test]
fn a_consumer_that_never_acknowledges_is_given_no_more_than_the_limit() {
    const LIMIT: u64 = 1000;
    let server = Server::start_with(&format!("[limits]\nunacked_per_channel_max = {LIMIT}\n"));
    let mut forgetful = Peer::connect(server.port()).unwrap();
    forgetful.declare_queue(QUEUE, Durability::Durable, DROPPING).unwrap();
    forgetful.consume(QUEUE, Acknowledging::ByConsumer).unwrap();
    let socket = forgetful.socket().unwrap();
    let reading = thread::spawn(move || {
        let mut delivered = 0;
        while let Ok(Event::Delivered { .. }) = forgetful.event() {
            delivered += 1;
        }
        delivered
    });
    check(&server, || Flood::into_queue(server.port(), QUEUE, Delivery::Transient));
    socket.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(reading.join().unwrap(), LIMIT);
}

#[test]
fn a_publisher_that_never_reads_its_returns_and_confirms_harms_nobody() {
    let server = Server::start();
    check(&server, || Flood::of_returns(server.port()));
}

#[test]
fn a_flood_into_a_queue_without_a_limit_is_held_back_until_somebody_consumes() {
    let server = Server::start_with("[alarms]\nmemory_bytes_max = 67108864\n");
    let watch = Watch::start(server.pid());
    let mut consumer = Peer::connect(server.port()).unwrap();
    consumer.declare_queue(QUEUE, Durability::Durable, &[]).unwrap();
    let mut publisher = Peer::connect(server.port()).unwrap();
    let mut socket = publisher.socket().unwrap();
    let flooding = thread::spawn(move || {
        Flood::write(&mut socket, "", QUEUE, Routing::Optional, Delivery::Transient)
    });
    assert_eq!(publisher.event().unwrap(), Event::Other(10, 60), "connection.blocked");
    // Others go on: they may open, declare and consume.
    Peer::connect(server.port()).unwrap().declare_queue("b", Durability::Transient, &[]).unwrap();
    consumer.prefetch(100).unwrap();
    consumer.consume(QUEUE, Acknowledging::ByConsumer).unwrap();
    for _ in 0..FLOOD_BYTES / BODY_BYTES {
        let Event::Delivered { tag, body, .. } = consumer.event().unwrap() else { panic!() };
        assert_eq!(body.len(), BODY_BYTES);
        consumer.acknowledge(tag).unwrap();
    }
    assert_eq!(flooding.join().unwrap().unwrap(), FLOOD_BYTES);
    assert_eq!(publisher.event().unwrap(), Event::Other(10, 61), "connection.unblocked");
    watch.finish();
}

/// Runs a flood and the pair beside each other to the pair's end, and looks at the broker's memory meanwhile.
fn check(server: &Server, flood: impl FnOnce() -> Flood) {
    let watch = Watch::start(server.pid());
    let flood = flood();
    pair::exchange(server.port());
    if let Some(thrown) = flood.finish() {
        assert_eq!(thrown.unwrap(), FLOOD_BYTES, "{}", server.log());
    }
    // The broker serves as before.
    pair::exchange(server.port());
    watch.finish();
}
