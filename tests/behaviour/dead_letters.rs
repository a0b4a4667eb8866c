//! Where messages go that died in a queue, and what they tell of it.

use leveret::wire::{Properties, Table, Value};

use super::client::*;
use super::own_queue;
use crate::support::broker::{Broker, fresh};

/// A queue whose dead letters go to another, which is consumed.
struct Grave {
    client: Client,
    queue: String,
    letters: String,
    exchange: String,
    _broker: Broker,
}

fn grave(arguments: Arguments<'_>) -> Grave {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let (queue, letters, exchange) = (fresh("mortal"), fresh("letters"), fresh("grave"));
    client.exchange(&exchange, "topic", &[]);
    client.queue(&letters, &[]);
    client.bind(&letters, &exchange, "#", &[]);
    let target = [("x-dead-letter-exchange", text(&exchange))];
    client.queue(&queue, &[&target, arguments].concat());
    client.consume(&letters, "letters");
    Grave { client, queue, letters, exchange, _broker: broker }
}

fn deaths(letter: &Message) -> Vec<Table> {
    let Some(Value::Array(deaths)) = letter.header("x-death") else {
        panic!("no x-death in {:?}", letter.properties)
    };
    deaths.iter().map(|death| death.as_table().expect("a table for each death").clone()).collect()
}

/// Checks one death to the byte, save its time.
#[track_caller]
fn check_death(death: &Table, expected: &[(&str, Value)]) {
    let is_timed =
        matches!(death.get("time"), Some(Value::Timestamp(time)) if *time > 1_600_000_000);
    assert!(is_timed, "{death:?}");
    let rest = death.iter().map(|(name, value)| match name {
        "time" => (name, Value::Void),
        _ => (name, value.clone()),
    });
    assert_eq!(rest.collect::<Vec<_>>(), expected);
}

fn keys(keys: &[&str]) -> Value {
    Value::Array(keys.iter().map(|key| text(key)).collect())
}

fn summary(letter: &Message) -> Vec<(String, String, i64)> {
    let entry = |death: &Table, name| death.get(name).unwrap().as_str().unwrap().to_owned();
    let count = |death: &Table| death.get("count").unwrap().as_int().unwrap();
    deaths(letter)
        .iter()
        .map(|death| (entry(death, "queue"), entry(death, "reason"), count(death)))
        .collect()
}

fn owned(deaths: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    deaths.iter().map(|(queue, why, count)| ((*queue).into(), (*why).into(), *count)).collect()
}

#[test]
fn a_death_is_written_down_as_rabbitmq_writes_it() {
    let mut grave = grave(&[("x-message-ttl", Value::I32(40))]);
    let (client, queue, exchange) = (&mut grave.client, &grave.queue, &grave.exchange);
    let source = fresh("source");
    client.exchange(&source, "direct", &[]);
    client.bind(queue, &source, "k", &[]);
    let sent = Properties {
        expiration: Some("30".to_owned()),
        ..headers(&[("CC", keys(&["k2", "k3"])), ("BCC", keys(&["k4"])), ("a", text("1"))])
    };
    client.publish(&source, "k", &sent, "x");
    let letter = client.delivered();
    assert_eq!((&letter.exchange, &*letter.key, &*letter.body), (exchange, "k", "x"));
    assert_eq!((letter.redelivered, &letter.properties.expiration), (false, &None));
    check_death(
        &deaths(&letter)[0],
        &[
            ("original-expiration", text("30")),
            ("count", Value::I64(1)),
            ("reason", text("expired")),
            ("queue", text(queue)),
            ("time", Value::Void),
            ("exchange", text(&source)),
            ("routing-keys", keys(&["k", "k2", "k3"])),
        ],
    );
    let names: Vec<_> = letter
        .properties
        .headers
        .as_ref()
        .unwrap()
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "CC",
            "a",
            "x-death",
            "x-first-death-exchange",
            "x-first-death-queue",
            "x-first-death-reason",
            "x-last-death-exchange",
            "x-last-death-queue",
            "x-last-death-reason"
        ]
    );
    for which in ["first", "last"] {
        let death = |part| letter.header(&format!("x-{which}-death-{part}")).cloned().unwrap();
        assert_eq!(death("exchange"), text(&source));
        assert_eq!(death("queue"), text(queue));
        assert_eq!(death("reason"), text("expired"));
    }
}

#[test]
fn a_message_without_properties_dies_as_well() {
    let mut grave = grave(&[("x-message-ttl", Value::I32(1))]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    client.put(queue, "x");
    let letter = client.delivered();
    assert_eq!((&letter.exchange, &letter.key), (&grave.exchange, queue));
    check_death(
        &deaths(&letter)[0],
        &[
            ("count", Value::I64(1)),
            ("reason", text("expired")),
            ("queue", text(queue)),
            ("time", Value::Void),
            ("exchange", text("")),
            ("routing-keys", keys(&[queue])),
        ],
    );
}

#[test]
fn every_way_to_die_has_its_reason() {
    let mut grave = grave(&[("x-max-length", Value::I32(1))]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    client.put(queue, "dropped");
    client.put(queue, "rejected");
    assert_eq!(summary(&client.delivered()), owned(&[(queue, "maxlen", 1)]));
    let held = client.get(queue).unwrap();
    client.reject(held.tag);
    let letter = client.delivered();
    assert_eq!((&*letter.body, summary(&letter)), ("rejected", owned(&[(queue, "rejected", 1)])));
}

#[test]
fn a_second_death_is_counted_and_stands_first() {
    let mut grave = grave(&[]);
    let (client, queue, letters) = (&mut grave.client, &grave.queue, &grave.letters);
    // What is rejected in the second queue comes back to the first, by the default exchange.
    let back = fresh("back");
    client.queue(
        &back,
        &[("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(queue))],
    );
    client.bind(&back, &grave.exchange, "#", &[]);
    client.put(queue, "x");
    let mut held = client.get(queue).unwrap();
    client.reject(held.tag);
    let letter = client.delivered();
    assert_eq!(summary(&letter), owned(&[(queue, "rejected", 1)]));
    held = own_queue::wait_for(client, &back);
    client.reject(held.tag);
    held = own_queue::wait_for(client, queue);
    let both = [(&**queue, "rejected", 1), (&*back, "rejected", 1)];
    assert_eq!(summary(&held), owned(&[both[1], both[0]]));
    client.reject(held.tag);
    let letter = client.delivered();
    assert_eq!(summary(&letter), owned(&[(queue, "rejected", 2), both[1]]));
    assert_eq!(letter.header("x-first-death-queue"), Some(&text(queue)));
    assert_eq!(letter.header("x-last-death-queue"), Some(&text(queue)));
    assert_eq!(letter.header("x-last-death-reason"), Some(&text("rejected")));
    assert_eq!(client.counts(letters).0, 0);
}

#[test]
fn deaths_that_a_client_brings_along_are_not_believed() {
    let mut grave = grave(&[]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    client.put(queue, "x");
    for _ in 0..2 {
        let held = client.get(queue).unwrap();
        client.reject(held.tag);
        let letter = client.delivered();
        assert_eq!(summary(&letter), owned(&[(queue, "rejected", 1)]));
        client.publish("", queue, &letter.properties, "x");
    }
}

#[test]
fn a_queue_may_give_its_dead_a_routing_key() {
    let mut grave = grave(&[("x-dead-letter-routing-key", text("new"))]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    let other = fresh("other");
    client.queue(&other, &[]);
    client.bind(&other, &grave.exchange, "k2", &[]);
    client.publish("", queue, &headers(&[("CC", keys(&["k2"]))]), "x");
    let held = client.get(queue).unwrap();
    client.reject(held.tag);
    let letter = client.delivered();
    assert_eq!(letter.key, "new");
    assert_eq!(deaths(&letter)[0].get("routing-keys"), Some(&keys(&[queue, "k2"])));
    assert_eq!(client.counts(&other).0, 0, "the keys of the CC header count no more");
}

#[test]
fn a_copy_dies_with_all_its_routing_keys() {
    let mut grave = grave(&[]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    let other = fresh("other");
    client.queue(&other, &[]);
    client.bind(&other, &grave.exchange, "k2", &[]);
    client.publish("", queue, &headers(&[("CC", keys(&["k2"]))]), "x");
    let held = client.get(queue).unwrap();
    client.reject(held.tag);
    assert_eq!(client.delivered().key, *queue);
    assert_eq!(own_queue::wait_for(client, &other).key, *queue);
}

#[test]
fn a_cycle_of_deaths_that_no_consumer_wanted_ends() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let (one, two, end) = (fresh("one"), fresh("two"), fresh("end"));
    let to = |queue: &str| {
        [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(queue)),
            ("x-message-ttl", Value::I32(1)),
        ]
    };
    // From the second queue messages go back to the first, and to a third where they are seen.
    let exchange = fresh("fork");
    client.exchange(&exchange, "fanout", &[]);
    client.queue(&one, &to(&two));
    client.queue(
        &two,
        &[("x-dead-letter-exchange", text(&exchange)), ("x-message-ttl", Value::I32(1))],
    );
    client.queue(&end, &[]);
    client.bind(&one, &exchange, "", &[]);
    client.bind(&end, &exchange, "", &[]);
    client.consume(&end, "end");
    client.put(&one, "x");
    let letter = client.delivered();
    assert_eq!(summary(&letter), owned(&[(&two, "expired", 1), (&one, "expired", 1)]));
    assert!(nothing_within(&mut client, own_queue::A_WHILE), "it went round again");
}

#[test]
fn a_queue_may_be_its_own_grave_for_what_is_rejected() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let queue = fresh("phoenix");
    client.queue(
        &queue,
        &[("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&queue))],
    );
    client.consume(&queue, "c");
    client.put(&queue, "x");
    for count in 1..4 {
        let held = client.delivered();
        assert_eq!(held.header("x-death").is_some(), count > 1);
        client.reject(held.tag);
    }
    assert_eq!(summary(&client.delivered()), owned(&[(&queue, "rejected", 3)]));
}

#[test]
fn without_its_dead_letter_exchange_a_message_is_gone() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let queue = fresh("q");
    client.queue(&queue, &[("x-dead-letter-exchange", text(&fresh("missing")))]);
    client.put(&queue, "x");
    let held = client.get(&queue).unwrap();
    client.reject(held.tag);
    assert_eq!(client.counts(&queue), (0, 0));
}

#[test]
fn what_is_deleted_or_purged_is_no_dead_letter() {
    let mut grave = grave(&[]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    client.put(queue, "x");
    assert_eq!(own_queue::purge(client, queue), 1);
    client.put(queue, "y");
    assert_eq!(own_queue::delete(client, queue), 1);
    client.is_quiet();
}

#[test]
fn a_quorum_queue_counts_deliveries_to_its_limit() {
    let mut grave = grave(&[("x-queue-type", text("quorum")), ("x-delivery-limit", Value::I32(2))]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    client.put(queue, "x");
    for returns in 0..3 {
        let held = own_queue::wait_for(client, queue);
        assert_eq!(held.redelivered, returns > 0);
        for header in ["x-delivery-count", "x-acquired-count"] {
            let count = held.header(header).cloned();
            assert_eq!(count, (returns > 0).then_some(Value::I64(returns)), "{header}");
        }
        client.requeue(held.tag);
    }
    let letter = client.delivered();
    assert_eq!(summary(&letter), owned(&[(queue, "delivery_limit", 1)]));
    assert_eq!(letter.header("x-delivery-count"), None);
}

#[test]
fn a_channel_that_goes_counts_as_a_delivery_of_a_quorum_queue() {
    let broker = Broker::start();
    let mut client = Client::open(&broker.address());
    let queue = fresh("q");
    client.queue(&queue, &[("x-queue-type", text("quorum"))]);
    client.put(&queue, "x");
    for returns in 0..3 {
        let mut other = Client::open(&broker.address());
        let held = own_queue::wait_for(&mut other, &queue);
        let count = held.header("x-delivery-count").cloned();
        assert_eq!(count, (returns > 0).then_some(Value::I64(returns)));
        other.close();
    }
}

#[test]
fn a_full_queue_dead_letters_what_it_refuses_if_it_is_declared_so() {
    let mut grave =
        grave(&[("x-max-length", Value::I32(1)), ("x-overflow", text("reject-publish-dlx"))]);
    let (client, queue) = (&mut grave.client, &grave.queue);
    client.select_confirms();
    client.put(queue, "kept");
    assert!(client.confirmed_through(1).is_empty());
    client.put(queue, "refused");
    // The letter and the confirm come in any order.
    client.answer("basic.nack");
    let letter = client.delivered();
    assert_eq!((&*letter.body, summary(&letter)), ("refused", owned(&[(queue, "maxlen", 1)])));
    assert_eq!(client.drain(queue), ["kept"]);
}
