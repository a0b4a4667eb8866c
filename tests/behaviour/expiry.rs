//! Messages and queues whose time runs out.

use std::time::Duration;

use leveret::wire::{Method, Value, basic, queue};

use super::client::*;
use super::own_queue::{self, A_WHILE};
use crate::support::broker::{Broker, fresh};

fn start() -> (Broker, Client, String) {
    let broker = Broker::start();
    let client = Client::open(&broker.address());
    (broker, client, fresh("q"))
}

#[test]
fn a_message_expires_by_its_own_time() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[]);
    client.publish("", &queue, &expiring("60000"), "stays");
    client.publish("", &queue, &expiring("1"), "goes behind one that stays");
    assert_eq!(own_queue::wait_for(&mut client, &queue).body, "stays");
    own_queue::wait_until_it_holds(&mut client, &queue, 0);
    assert_eq!(client.take(&queue), None);
}

#[test]
fn the_shorter_of_two_times_counts() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[("x-message-ttl", Value::I32(60_000))]);
    client.publish("", &queue, &expiring("1"), "its own");
    own_queue::wait_until_it_holds(&mut client, &queue, 0);
    let other = fresh("q");
    client.queue(&other, &[("x-message-ttl", Value::I32(1))]);
    client.publish("", &other, &expiring("60000"), "the queue's");
    own_queue::wait_until_it_holds(&mut client, &other, 0);
}

#[test]
fn a_message_keeps_its_expiration_property() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[]);
    client.publish("", &queue, &expiring("60000"), "x");
    assert_eq!(client.take(&queue).unwrap().properties, expiring("60000"));
}

#[test]
fn no_time_at_all_is_enough_for_a_consumer_that_waits() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[("x-message-ttl", Value::I32(0))]);
    client.put(&queue, "nobody waits");
    own_queue::wait_until_it_holds(&mut client, &queue, 0);
    client.consume(&queue, "c");
    client.put(&queue, "somebody waits");
    assert_eq!(client.delivered().body, "somebody waits");
    client.publish("", &queue, &expiring("0"), "its own");
    assert_eq!(client.delivered().body, "its own");
}

#[test]
fn a_message_does_not_expire_in_a_consumer_s_hands() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[("x-message-ttl", Value::I32(50))]);
    client.consume(&queue, "c");
    client.put(&queue, "x");
    let held = client.delivered();
    assert!(nothing_within(&mut client, A_WHILE));
    // Returned after its time it expires, and is not delivered again.
    client.requeue(held.tag);
    assert!(nothing_within(&mut client, A_WHILE));
    assert_eq!(client.counts(&queue), (0, 1));
}

#[test]
fn a_queue_that_nobody_uses_expires() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[("x-expires", Value::I32(100))]);
    // Declaring it again would renew its time, passively or not.
    own_queue::wait_until_gone(&mut client, &queue);
}

#[test]
fn a_queue_with_a_consumer_does_not_expire() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[("x-expires", Value::I32(1000))]);
    client.consume(&queue, "c");
    assert!(nothing_within(&mut client, Duration::from_millis(1300)));
    assert_eq!(client.counts(&queue), (0, 1));
    client.cancel("c");
    own_queue::wait_until_gone(&mut client, &queue);
}

#[test]
fn an_expired_queue_loses_its_bindings() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[("x-expires", Value::I32(1000))]);
    client.bind(&queue, "amq.direct", &queue, &[]);
    own_queue::wait_until_gone(&mut client, &queue);
    client.publish_mandatory("amq.direct", &queue, "x");
    assert_eq!(client.returned().body, "x");
}

#[test]
fn what_expires_is_not_fetched_or_delivered() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[]);
    for number in 0..20 {
        let properties = if number % 2 == 0 { expiring("1") } else { expiring("60000") };
        client.publish("", &queue, &properties, &number.to_string());
    }
    assert!(nothing_within(&mut client, A_WHILE));
    client.consume(&queue, "c");
    let odd: Vec<String> = (0..10).map(|number| (2 * number + 1).to_string()).collect();
    assert_eq!(client.bodies(10), odd);
    client.is_quiet();
}

#[test]
fn an_expiration_that_makes_no_sense_is_refused() {
    let (_broker, mut client, queue) = start();
    client.queue(&queue, &[]);
    for (expiration, why) in
        [("abc", "no_integer"), ("-1", "{value_negative,-1}"), ("1x", "{leftover_string,\"x\"}")]
    {
        client.publish("", &queue, &expiring(expiration), "x");
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {why}");
        client.channel_closed(406, &text);
    }
    let declare = |ms: i64| {
        let arguments = table(&[("x-expires", Value::I64(ms))]);
        Method::QueueDeclare(queue::Declare { arguments, ..a_queue("expiring") })
    };
    let text = |why: &str| {
        format!(
            "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'expiring' in vhost '/': {why}"
        )
    };
    client.refused(&declare(-5), 406, &text("{value_negative,-5}"));
    client.refused(&declare(0), 406, &text("{value_zero,0}"));
    client.refused(
        &Method::BasicGet(basic::Get { queue: "expiring", no_ack: true }),
        404,
        "NOT_FOUND - no queue 'expiring' in vhost '/'",
    );
}
