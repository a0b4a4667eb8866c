//! Queues that hold only so much.

use leveret::wire::{Method, Properties, Value, queue, tx};

use super::client::*;
use crate::support::broker::{Broker, fresh};

fn bounded(arguments: Arguments<'_>) -> (Broker, Client, String) {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let queue = fresh("q");
    client.queue(&queue, arguments);
    client.select_confirms();
    (broker, client, queue)
}

fn fill(client: &mut Client, queue: &str, bodies: &[&str]) -> Vec<u64> {
    for body in bodies {
        client.put(queue, body);
    }
    client.confirmed_through(bodies.len() as u64)
}

#[track_caller]
fn check(arguments: Arguments<'_>, bodies: &[&str], refused: &[u64], kept: &[&str]) {
    let (_broker, mut client, queue) = bounded(arguments);
    assert_eq!(fill(&mut client, &queue, bodies), refused);
    assert_eq!(client.drain(&queue), kept);
}

#[test]
fn a_full_queue_drops_its_oldest() {
    check(&[("x-max-length", Value::I32(2))], &["a", "b", "c", "d"], &[], &["c", "d"]);
    let spelled = [("x-max-length", Value::I32(2)), ("x-overflow", text("drop-head"))];
    check(&spelled, &["a", "b", "c"], &[], &["b", "c"]);
}

#[test]
fn a_queue_may_be_full_of_bytes() {
    let bytes = [("x-max-length-bytes", Value::I32(6))];
    check(&bytes, &["aaa", "bbb", "c"], &[], &["bbb", "c"]);
    check(&bytes, &["aaa", "bbbbbb"], &[], &["bbbbbb"]);
    check(&bytes, &["aaa", "bbbbbbb"], &[], &[]);
}

#[test]
fn a_queue_may_be_full_either_way() {
    let both = [("x-max-length", Value::I32(3)), ("x-max-length-bytes", Value::I32(4))];
    check(&both, &["a", "b", "c", "d"], &[], &["b", "c", "d"]);
    check(&both, &["aa", "bb", "cc"], &[], &["bb", "cc"]);
}

#[test]
fn a_queue_of_no_length_keeps_nothing() {
    check(&[("x-max-length", Value::I32(0))], &["a", "b"], &[], &[]);
}

#[test]
fn a_consumer_that_waits_gets_a_message_that_a_queue_could_not_keep() {
    let (_broker, mut client, queue) = bounded(&[("x-max-length", Value::I32(0))]);
    client.consume(&queue, "c");
    client.put(&queue, "x");
    let (mut delivered, mut confirmed) = (None, false);
    while delivered.is_none() || !confirmed {
        if client.next_is("basic.ack") {
            confirmed = true;
        } else {
            delivered = Some(client.delivered());
        }
    }
    assert_eq!(delivered.unwrap().body, "x");
}

#[test]
fn a_full_queue_refuses_the_newest_if_it_is_declared_so() {
    let refusing = [("x-max-length", Value::I32(2)), ("x-overflow", text("reject-publish"))];
    check(&refusing, &["a", "b", "c", "d"], &[3, 4], &["a", "b"]);
}

#[test]
fn room_that_a_consumer_made_is_used() {
    let (_broker, mut client, queue) =
        bounded(&[("x-max-length", Value::I32(1)), ("x-overflow", text("reject-publish"))]);
    client.put(&queue, "a");
    assert!(client.confirmed_through(1).is_empty());
    let held = client.get(&queue).unwrap();
    client.put(&queue, "what is unacknowledged does not count");
    client.answer("basic.ack");
    client.put(&queue, "refused");
    client.answer("basic.nack");
    client.ack(held.tag);
    assert_eq!(client.drain(&queue), ["what is unacknowledged does not count"]);
}

#[test]
fn a_message_that_one_queue_refuses_stands_in_the_other() {
    let (_broker, mut client, full) =
        bounded(&[("x-max-length", Value::I32(1)), ("x-overflow", text("reject-publish"))]);
    let (roomy, exchange) = (fresh("roomy"), fresh("x"));
    client.queue(&roomy, &[]);
    client.exchange(&exchange, "fanout", &[]);
    client.bind(&full, &exchange, "", &[]);
    client.bind(&roomy, &exchange, "", &[]);
    for body in ["a", "b"] {
        client.publish(&exchange, "", &Properties::default(), body);
    }
    assert_eq!(client.confirmed_through(2), [2]);
    assert_eq!(client.drain(&full), ["a"]);
    assert_eq!(client.drain(&roomy), ["a", "b"]);
}

#[test]
fn what_is_returned_to_a_full_queue_may_push_out_the_oldest() {
    let (_broker, mut client, queue) = bounded(&[("x-max-length", Value::I32(2))]);
    assert!(fill(&mut client, &queue, &["a", "b"]).is_empty());
    let held = client.get(&queue).unwrap();
    client.put(&queue, "c");
    client.answer("basic.ack");
    client.requeue(held.tag);
    assert_eq!(client.drain(&queue), ["b", "c"]);
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let long = "k".repeat(256);
    for (key, value, why) in [
        ("x-dead-letter-exchange", text(&long), "longer than 255 bytes"),
        ("x-max-length", Value::I32(-1), "{value_negative,-1}"),
        ("x-max-length-bytes", Value::I32(-1), "{value_negative,-1}"),
        ("x-max-length", text("many"), "\"expected integer, got longstr\""),
        ("x-overflow", text("burst"), "invalid_overflow"),
        ("x-overflow", Value::I32(1), "{unacceptable_type,signedint}"),
        ("x-max-priority", Value::I32(256), "{max_value_exceeded,256}"),
        ("x-max-priority", Value::I32(-1), "{value_negative,-1}"),
        ("x-single-active-consumer", text("yes"), "{unacceptable_type,longstr}"),
        ("x-dead-letter-routing-key", text("k"), "routing_key_but_no_dlx_defined"),
    ] {
        let arguments = table(&[(key, value)]);
        let declare = queue::Declare { arguments, ..a_queue("bounded") };
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{key}' for queue 'bounded' in vhost '/': {why}"
        );
        client.refused(&Method::QueueDeclare(declare), 406, &text);
    }
}

#[test]
fn a_queue_type_refuses_what_it_has_not_got() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let quorum = || ("x-queue-type", text("quorum"));
    let mut check = |declare: queue::Declare<'_>, why: &str| {
        let text = format!("PRECONDITION_FAILED - {why}");
        client.refused(&Method::QueueDeclare(declare), 406, &text);
    };
    let q = || queue::Declare { arguments: table(&[quorum()]), ..a_queue("typed") };
    check(
        queue::Declare { durable: false, ..q() },
        "invalid property 'non-durable' for queue 'typed' in vhost '/'",
    );
    check(
        queue::Declare { exclusive: true, ..q() },
        "invalid property 'exclusive-owner' for queue 'typed' in vhost '/'",
    );
    check(
        queue::Declare { auto_delete: true, ..q() },
        "invalid property 'auto-delete' for queue 'typed' in vhost '/'",
    );
    check(
        queue::Declare {
            arguments: table(&[quorum(), ("x-queue-mode", text("lazy"))]),
            ..a_queue("typed")
        },
        "invalid arg 'x-queue-mode' for queue 'typed' in vhost '/' of queue type \
         rabbit_quorum_queue",
    );
    check(
        queue::Declare {
            arguments: table(&[("x-delivery-limit", Value::I32(3))]),
            ..a_queue("typed")
        },
        "invalid arg 'x-delivery-limit' for queue 'typed' in vhost '/' of queue type \
         rabbit_classic_queue",
    );
}

#[test]
fn arguments_that_change_nothing_here_are_taken() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    for (key, value) in [
        ("x-queue-mode", text("lazy")),
        ("x-queue-version", Value::I32(2)),
        ("x-queue-leader-locator", text("balanced")),
        ("x-nobody-knows", Value::Bool(true)),
    ] {
        client.queue(&fresh("q"), &[(key, value)]);
    }
    let quorum = ("x-queue-type", text("quorum"));
    client.queue(&fresh("q"), &[quorum, ("x-quorum-initial-group-size", Value::I32(1))]);
}

#[test]
fn a_transaction_says_when_a_full_queue_refused_part_of_it() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let queue = fresh("q");
    client
        .queue(&queue, &[("x-max-length", Value::I32(1)), ("x-overflow", text("reject-publish"))]);
    client.call(&Method::TxSelect(tx::Select));
    client.put(&queue, "a");
    client.put(&queue, "b");
    let text = "PRECONDITION_FAILED - partial tx completion";
    client.refused(&Method::TxCommit(tx::Commit), 406, text);
    assert_eq!(client.drain(&queue), ["a"]);
}
