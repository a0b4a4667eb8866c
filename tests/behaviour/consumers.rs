//! Who gets a message when there are several.

use leveret::wire::{Method, Properties, Value, basic, queue};

use super::client::*;
use super::own_queue::{self, A_WHILE};
use crate::support::broker::{Broker, fresh};

fn start(arguments: Arguments<'_>) -> (Broker, Client, String) {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let queue = fresh("q");
    client.queue(&queue, arguments);
    (broker, client, queue)
}

fn priority(priority: i32) -> (&'static str, Value) {
    ("x-priority", Value::I32(priority))
}

fn of_priority(priority: u8) -> Properties {
    Properties { priority: Some(priority), ..Properties::default() }
}

/// Which consumers the next deliveries go to.
#[track_caller]
fn takers(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.delivered().consumer).collect()
}

#[test]
fn consumers_are_served_in_turn() {
    let (_broker, mut client, queue) = start(&[]);
    for tag in ["a", "b", "c"] {
        client.consume(&queue, tag);
    }
    for _ in 0..6 {
        client.put(&queue, "x");
    }
    assert_eq!(takers(&mut client, 6), ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn a_consumer_of_a_higher_priority_comes_first_while_it_has_credit() {
    let (_broker, mut client, queue) = start(&[]);
    client.prefetch(2);
    client.consume_with(&queue, "low", &[priority(-1)]);
    client.consume_with(&queue, "high", &[priority(10)]);
    client.consume(&queue, "middle");
    for _ in 0..5 {
        client.put(&queue, "x");
    }
    assert_eq!(takers(&mut client, 5), ["high", "high", "middle", "middle", "low"]);
}

#[test]
fn a_priority_of_a_consumer_is_a_number() {
    let (_broker, mut client, queue) = start(&[]);
    let arguments = table(&[("x-priority", text("high"))]);
    let consume = basic::Consume { arguments, ..a_consumer(&queue, "c") };
    let text = format!(
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{queue}' in vhost '/': \
         \"expected integer, got longstr\""
    );
    client.refused(&Method::BasicConsume(consume), 406, &text);
}

#[test]
fn one_consumer_is_active_where_only_one_may_be() {
    let (_broker, mut client, queue) = start(&[("x-single-active-consumer", Value::Bool(true))]);
    for tag in ["first", "second", "third"] {
        client.consume(&queue, tag);
    }
    for _ in 0..3 {
        client.put(&queue, "x");
    }
    assert_eq!(takers(&mut client, 3), ["first", "first", "first"]);
    client.cancel("second");
    client.cancel("first");
    client.put(&queue, "x");
    assert_eq!(takers(&mut client, 1), ["third"]);
    assert_eq!(client.counts(&queue), (0, 1));
}

#[test]
fn the_next_consumer_takes_over_when_the_connection_of_the_active_one_ends() {
    let (broker, mut client, queue) = start(&[("x-single-active-consumer", Value::Bool(true))]);
    let mut active = Client::open(&broker.address());
    active.consume(&queue, "active");
    client.consume(&queue, "waiting");
    client.put(&queue, "x");
    assert_eq!(active.delivered().body, "x");
    drop(active);
    let taken_over = client.delivered();
    assert_eq!((&*taken_over.body, taken_over.redelivered), ("x", true));
}

#[test]
fn an_exclusive_consumer_is_refused_where_one_is_active() {
    let (_broker, mut client, queue) = start(&[("x-single-active-consumer", Value::Bool(true))]);
    let consume = basic::Consume { exclusive: true, ..a_consumer(&queue, "c") };
    let text = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
    client.refused(&Method::BasicConsume(consume), 403, &text);
}

#[test]
fn an_exclusive_consumer_keeps_others_away_until_it_leaves() {
    let (broker, mut client, queue) = start(&[]);
    let mut other = Client::open(&broker.address());
    let exclusive = || basic::Consume { exclusive: true, ..a_consumer(&queue, "c") };
    client.call(&Method::BasicConsume(exclusive()));
    let text = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
    other.refused(&Method::BasicConsume(a_consumer(&queue, "c")), 403, &text);
    client.cancel("c");
    other.consume(&queue, "c");
    client.refused(&Method::BasicConsume(exclusive()), 403, &text);
}

#[test]
fn messages_of_a_higher_priority_are_delivered_first() {
    let (_broker, mut client, queue) = start(&[("x-max-priority", Value::I32(5))]);
    for (priority, body) in [(1, "1a"), (5, "5a"), (0, "0"), (9, "9 counts as 5"), (1, "1b")] {
        client.publish("", &queue, &of_priority(priority), body);
    }
    client.put(&queue, "none counts as 0");
    own_queue::wait_until_it_holds(&mut client, &queue, 6);
    let order = ["5a", "9 counts as 5", "1a", "1b", "0", "none counts as 0"];
    let seen: Vec<Message> = (0..6).map(|_| client.get(&queue).unwrap()).collect();
    assert_eq!(seen.iter().map(|message| &*message.body).collect::<Vec<_>>(), order);
    for message in seen.iter().rev() {
        client.requeue(message.tag);
    }
    assert_eq!(client.drain(&queue), order);
}

#[test]
fn priorities_mean_nothing_to_a_queue_without_them() {
    let (_broker, mut client, queue) = start(&[]);
    for (priority, body) in [(1, "a"), (5, "b"), (0, "c")] {
        client.publish("", &queue, &of_priority(priority), body);
    }
    assert_eq!(client.drain(&queue), ["a", "b", "c"]);
}

#[test]
fn what_is_returned_goes_back_to_where_it_was() {
    let (_broker, mut client, queue) = start(&[]);
    for body in ["a", "b", "c", "d"] {
        client.put(&queue, body);
    }
    own_queue::wait_until_it_holds(&mut client, &queue, 4);
    let held: Vec<Message> = (0..3).map(|_| client.get(&queue).unwrap()).collect();
    assert_eq!(held.iter().map(|one| one.remaining).collect::<Vec<_>>(), [3, 2, 1]);
    for index in [1, 0, 2] {
        client.requeue(held[index].tag);
    }
    let again: Vec<Message> = (0..4).map(|_| client.get(&queue).unwrap()).collect();
    let seen: Vec<_> = again.iter().map(|one| (&*one.body, one.redelivered)).collect();
    assert_eq!(seen, [("a", true), ("b", true), ("c", true), ("d", false)]);
}

#[test]
fn consumers_are_told_when_their_queue_goes() {
    let (broker, mut client, queue) = start(&[]);
    let mut other = Client::open(&broker.address());
    client.consume(&queue, "mine");
    client.put(&queue, "x");
    let held = client.delivered();
    other.put(&queue, "y");
    assert_eq!(client.delivered().body, "y");
    assert_eq!(own_queue::delete(&mut other, &queue), 0);
    assert!(client.next_is("basic.cancel"));
    // What it held may be settled, to no effect.
    client.ack(held.tag);
    client.is_quiet();
    client.queue(&queue, &[]);
    client.consume(&queue, "mine");
    assert_eq!(client.counts(&queue), (0, 1));
}

#[test]
fn a_purge_leaves_what_is_unacknowledged() {
    let (broker, mut client, queue) = start(&[]);
    for body in ["a", "b", "c"] {
        client.put(&queue, body);
    }
    own_queue::wait_until_it_holds(&mut client, &queue, 3);
    let mut other = Client::open(&broker.address());
    assert_eq!(other.get(&queue).unwrap().body, "a");
    assert_eq!(own_queue::purge(&mut client, &queue), 2);
    other.close();
    let left = own_queue::wait_for(&mut client, &queue);
    assert_eq!((&*left.body, left.redelivered), ("a", true));
    assert_eq!(own_queue::delete(&mut client, &queue), 0);
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer_and_takes_its_exchange_along() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let (queue, inner, outer) = (fresh("q"), fresh("inner"), fresh("outer"));
    for name in [&inner, &outer] {
        let declare =
            leveret::wire::exchange::Declare { auto_delete: true, ..an_exchange(name, "fanout") };
        client.call(&Method::ExchangeDeclare(declare));
    }
    client.declare(queue::Declare { auto_delete: true, ..a_queue(&queue) });
    client.bind_exchange(&inner, &outer, "");
    client.bind(&queue, &inner, "", &[]);
    // Nobody consumed yet: fetching is not consuming.
    assert_eq!(client.take(&queue), None);
    let mut other = Client::open(&broker.address());
    other.consume(&queue, "last");
    client.consume(&queue, "first");
    client.cancel("first");
    assert_eq!(client.counts(&queue), (0, 1));
    other.close();
    own_queue::wait_until_gone(&mut client, &queue);
    for name in [&inner, &outer] {
        let declare = leveret::wire::exchange::Declare { passive: true, ..an_exchange(name, "") };
        let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
        client.refused(&Method::ExchangeDeclare(declare), 404, &text);
    }
}

#[test]
fn a_consumer_that_holds_enough_gets_no_more() {
    let (_broker, mut client, queue) = start(&[]);
    client.prefetch(1);
    client.consume(&queue, "c");
    client.put(&queue, "a");
    client.put(&queue, "b");
    let first = client.delivered();
    assert!(nothing_within(&mut client, A_WHILE));
    client.ack(first.tag);
    assert_eq!(client.delivered().body, "b");
}
