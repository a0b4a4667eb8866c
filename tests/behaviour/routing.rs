//! Which queues a message reaches.

use leveret::wire::{Method, Properties, Value, exchange, queue};

use super::client::*;
use super::own_queue;
use crate::support::broker::{Broker, fresh};

fn start() -> (Broker, Client) {
    let broker = Broker::start();
    let client = Client::open(&broker.address());
    (broker, client)
}

fn queue(client: &mut Client) -> String {
    let queue = fresh("q");
    client.queue(&queue, &[]);
    queue
}

fn exchange(client: &mut Client, kind: &str, arguments: Arguments<'_>) -> String {
    let exchange = fresh("x");
    client.exchange(&exchange, kind, arguments);
    exchange
}

#[track_caller]
fn check_headers(mode: &str, wanted: Arguments<'_>, cases: &[(Arguments<'_>, bool)]) {
    let (_broker, mut client) = start();
    let (x, q) = (exchange(&mut client, "headers", &[]), queue(&mut client));
    client.bind(&q, &x, "", &[&[("x-match", text(mode))], wanted].concat());
    for (sent, matches) in cases {
        client.publish(&x, "", &headers(sent), "x");
        let found = client.counts_at_last(&q) == 1;
        assert_eq!(found, *matches, "{mode} {wanted:?} on {sent:?}");
        own_queue::purge(&mut client, &q);
    }
}

#[test]
fn a_headers_exchange_wants_all_headers_or_any() {
    let a = || ("a", text("1"));
    let b = || ("b", Value::I32(2));
    let x = || ("x-c", text("3"));
    let other = || ("a", text("2"));
    check_headers(
        "all",
        &[a(), b(), x()],
        &[(&[a(), b()], true), (&[a()], false), (&[other(), b()], false), (&[], false)],
    );
    check_headers(
        "any",
        &[a(), b(), x()],
        &[(&[a()], true), (&[b(), other()], true), (&[other()], false), (&[x()], false)],
    );
    check_headers(
        "all-with-x",
        &[a(), x()],
        &[(&[a(), x()], true), (&[a()], false), (&[x()], false)],
    );
    check_headers(
        "any-with-x",
        &[a(), x()],
        &[(&[a()], true), (&[x()], true), (&[b()], false), (&[], false)],
    );
    check_headers("all", &[("a", Value::Void)], &[(&[a()], true), (&[b()], false)]);
    check_headers("all", &[], &[(&[], true), (&[a()], true)]);
    check_headers("any", &[], &[(&[], false), (&[a()], false)]);
}

#[test]
fn a_header_counts_with_its_type() {
    check_headers(
        "all",
        &[("n", Value::I32(5))],
        &[
            (&[("n", Value::I32(5))], true),
            (&[("n", Value::I64(5))], true),
            (&[("n", text("5"))], false),
        ],
    );
}

#[test]
fn a_topic_has_words_and_wildcards() {
    let (_broker, mut client) = start();
    let (x, q) = (exchange(&mut client, "topic", &[]), queue(&mut client));
    for (pattern, key, matches) in [
        ("a.*", "a.b", true),
        ("a.*", "a", false),
        ("a.*", "a.b.c", false),
        ("a.#", "a", true),
        ("a.#", "a.b.c", true),
        ("#", "", true),
        ("*", "", false),
        ("*", "a", true),
        ("#.z", "z", true),
        ("#.z", "a.b.z", true),
        ("*.*", "a.", true),
        ("*.*", ".", true),
        ("a.#.b.#.c", "a.x.b.c", true),
        ("a.#.b.#.c", "a.c", false),
        ("A", "a", false),
    ] {
        client.bind(&q, &x, pattern, &[]);
        client.publish(&x, key, &Properties::default(), "x");
        assert_eq!(client.counts_at_last(&q) == 1, matches, "{pattern} on {key:?}");
        own_queue::purge(&mut client, &q);
        let unbind =
            queue::Unbind { queue: &q, exchange: &x, routing_key: pattern, arguments: table(&[]) };
        client.call(&Method::QueueUnbind(unbind));
    }
}

#[test]
fn many_bindings_bring_one_copy() {
    let (_broker, mut client) = start();
    let (x, y, q) = (
        exchange(&mut client, "topic", &[]),
        exchange(&mut client, "fanout", &[]),
        queue(&mut client),
    );
    for pattern in ["#", "a.*", "*.b", "a.b"] {
        client.bind(&q, &x, pattern, &[]);
        client.bind_exchange(&y, &x, pattern);
    }
    client.bind(&q, &y, "", &[]);
    client.publish(&x, "a.b", &Properties::default(), "x");
    assert_eq!(client.counts_at_last(&q), 1);
}

#[test]
fn exchanges_may_be_bound_in_a_circle() {
    let (_broker, mut client) = start();
    let (x, y, q) = (
        exchange(&mut client, "fanout", &[]),
        exchange(&mut client, "fanout", &[]),
        queue(&mut client),
    );
    client.bind_exchange(&x, &y, "");
    client.bind_exchange(&y, &x, "");
    client.bind_exchange(&x, &x, "");
    client.bind(&q, &y, "", &[]);
    client.publish(&x, "", &Properties::default(), "x");
    assert_eq!(client.counts_at_last(&q), 1);
}

#[test]
fn alternate_exchanges_follow_one_another() {
    let (_broker, mut client) = start();
    let (last, q) = (exchange(&mut client, "fanout", &[]), queue(&mut client));
    let alternate = |name: &str| [("alternate-exchange", text(name))];
    let middle = exchange(&mut client, "direct", &alternate(&last));
    let first = exchange(&mut client, "direct", &alternate(&middle));
    client.bind(&q, &last, "", &[]);
    client.publish_mandatory(&first, "k", "to the last");
    assert_eq!(client.counts_at_last(&q), 1);
    // What the exchange itself can route does not get there.
    let own = queue(&mut client);
    client.bind(&own, &first, "k", &[]);
    client.publish(&first, "k", &Properties::default(), "to its own");
    assert_eq!(client.counts_at_last(&own), 1);
    assert_eq!(client.counts(&q).0, 1);
    own_queue::delete(&mut client, &q);
    client.publish_mandatory(&first, "other", "nobody");
    assert_eq!(client.returned().body, "nobody");
}

#[test]
fn alternate_exchanges_may_form_a_circle_or_be_missing() {
    let (_broker, mut client) = start();
    let (one, two) = (fresh("x"), fresh("x"));
    client.exchange(&one, "direct", &[("alternate-exchange", text(&two))]);
    client.publish_mandatory(&one, "k", "missing");
    assert_eq!(client.returned().body, "missing");
    client.exchange(&two, "direct", &[("alternate-exchange", text(&one))]);
    client.publish_mandatory(&one, "k", "round");
    assert_eq!(client.returned().body, "round");
}

#[test]
fn an_internal_exchange_takes_from_exchanges_only() {
    let (_broker, mut client) = start();
    let (inner, outer, q) =
        (fresh("inner"), exchange(&mut client, "fanout", &[]), queue(&mut client));
    let declare = exchange::Declare { internal: true, ..an_exchange(&inner, "fanout") };
    client.call(&Method::ExchangeDeclare(declare));
    client.bind_exchange(&inner, &outer, "");
    client.bind(&q, &inner, "", &[]);
    client.publish(&outer, "", &Properties::default(), "x");
    assert_eq!(client.counts_at_last(&q), 1);
    client.publish(&inner, "", &Properties::default(), "x");
    let text =
        format!("ACCESS_REFUSED - cannot publish to internal exchange '{inner}' in vhost '/'");
    client.channel_closed(403, &text);
}

#[test]
fn copies_go_where_their_keys_say_and_blind_ones_say_nothing() {
    let (_broker, mut client) = start();
    let (to, cc, bcc) = (queue(&mut client), queue(&mut client), queue(&mut client));
    let keys = |key: &str| Value::Array(vec![text(key)]);
    let sent = headers(&[("CC", keys(&cc)), ("BCC", keys(&bcc))]);
    client.publish("", &to, &sent, "x");
    for queue in [&to, &cc, &bcc] {
        let got = own_queue::wait_for(&mut client, queue);
        assert_eq!((&got.key, &got.properties), (&to, &headers(&[("CC", keys(&cc))])));
    }
}

#[test]
fn a_deleted_exchange_leaves_no_bindings() {
    let (_broker, mut client) = start();
    let (x, q) = (exchange(&mut client, "fanout", &[]), queue(&mut client));
    client.bind(&q, &x, "", &[]);
    let delete = exchange::Delete { exchange: &x, if_unused: false, no_wait: false };
    client.call(&Method::ExchangeDelete(delete));
    client.exchange(&x, "fanout", &[]);
    client.publish_mandatory(&x, "", "x");
    assert_eq!(client.returned().body, "x");
}

#[test]
fn a_mandatory_message_comes_back_before_its_confirm() {
    let (_broker, mut client) = start();
    client.select_confirms();
    client.publish_mandatory("amq.direct", &fresh("nowhere"), "x");
    assert_eq!(client.returned().body, "x");
    assert!(client.next_is("basic.ack"));
}
