//! What publishers meet when memory or the disk runs short.

use leveret::wire::{Frame, Method};

use super::client::*;
use super::own_queue::A_WHILE;
use crate::support::raw::{Incoming, parse, show};
use crate::support::server::Server;

#[track_caller]
fn blocked(client: &mut Client) -> String {
    let frame = client.answer("connection.blocked");
    let Frame::Method { channel: 0, method: Method::ConnectionBlocked(blocked) } = parse(&frame)
    else {
        panic!("not on channel 0: {}", show(&Incoming::Frame(frame)))
    };
    blocked.reason.to_owned()
}

#[test]
fn a_publisher_is_blocked_while_the_disk_is_nearly_full() {
    let server = Server::start_with("[alarms]\ndisk_free_bytes_min = 1000000000000\n");
    let mut publisher = Client::open(&local(server.port()));
    assert!(nothing_within(&mut publisher, A_WHILE), "only those that publish are told");
    publisher.queue("q", &[]);
    publisher.put("q", "x");
    assert_eq!(blocked(&mut publisher), "low on disk");
    // Others go on.
    let mut other = Client::open(&local(server.port()));
    other.queue("other", &[]);
    other.consume("q", "c");
    other.cancel("c");
}

#[test]
fn a_publisher_is_blocked_until_memory_is_free_again() {
    let server = Server::start_with("[alarms]\nmemory_bytes_max = 200000\n");
    let mut publisher = Client::open(&local(server.port()));
    let mut consumer = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    let body = "x".repeat(1000);
    for _ in 0..400 {
        publisher.put("q", &body);
    }
    assert_eq!(blocked(&mut publisher), "low on memory");
    // What a blocked publisher sends waits in its socket.
    publisher.put("q", "after all");
    let mut last = String::new();
    consumer.consume("q", "c");
    while last != "after all" {
        let message = consumer.delivered();
        consumer.ack(message.tag);
        last = message.body;
    }
    publisher.answer("connection.unblocked");
    publisher.queue("q", &[]);
}
