//! Definitions that are taken in: whole or not at all, within the limits, and never seen before the journal has them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use leveret::broker::{Broker, Client, Meet, Meeting};

use crate::desk::Desk;

/// Publishes to a queue the moment that it can be seen.
#[test]
fn a_queue_that_is_imported_can_be_published_to_from_its_first_moment() {
    let publisher: Arc<OnceLock<(Arc<Broker>, Arc<Client>)>> = Arc::default();
    let (there, once) = (Arc::clone(&publisher), AtomicBool::new(false));
    let meet = Meet::new(Arc::new(move |meeting| {
        let Some((broker, client)) = there.get() else { return };
        if meeting == Meeting::Registered
            && broker.queue("/", "q0").is_some()
            && !once.swap(true, Ordering::Relaxed)
        {
            Desk::publish_persistent(broker, client, "q0");
        }
    }));
    let mut desk = Desk::open_meeting(meet);
    let both = (Arc::clone(&desk.broker), Arc::clone(&desk.client));
    assert!(publisher.set(both).is_ok());
    let queues: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"name": "q{n}", "vhost": "/", "durable": true}}"#))
        .collect();
    desk.import(&format!(r#"{{"queues": [{}]}}"#, queues.join(","))).unwrap();
    assert_eq!(desk.ready("q0"), 1);
    desk.reopen();
    assert_eq!(desk.ready("q0"), 1, "after a clean stop");
    assert_eq!(desk.queue_count(), 1000);
}

#[track_caller]
fn refused(desk: &Desk, json: &str, why: &str) {
    let before = desk.everything();
    let refusal = desk.import(json).unwrap_err();
    assert!(refusal.contains(why), "{refusal}");
    assert_eq!(desk.everything(), before, "nothing is half done");
}

#[test]
fn definitions_keep_within_the_limits_exactly() {
    let desk = Desk::open_with(|config| {
        let limits = &mut config.limits;
        (limits.vhosts_max, limits.users_max, limits.permissions_max) = (2, 2, 2);
        (limits.queues_per_vhost_max, limits.exchanges_per_vhost_max) = (3, 16);
        (limits.bindings_per_vhost_max, limits.tags_per_user_max) = (2, 2);
    });
    let hash = "A".repeat(48);
    let user =
        |name: &str| format!(r#"{{"name": "{name}", "password_hash": "{hash}", "tags": []}}"#);
    let queue = |name: &str| format!(r#"{{"name": "{name}", "vhost": "/", "durable": true}}"#);
    let exchange =
        |n: usize| format!(r#"{{"name": "x{n}", "vhost": "/", "type": "topic", "durable": true}}"#);
    let binding = |key: &str| {
        format!(
            r#"{{"source": "amq.topic", "vhost": "/", "destination": "a",
                "destination_type": "queue", "routing_key": "{key}"}}"#
        )
    };
    let section =
        |name: &str, entries: &[String]| format!(r#"{{"{name}": [{}]}}"#, entries.join(","));
    let vhosts = [r#"{"name": "one"}"#.to_owned(), r#"{"name": "two"}"#.to_owned()];
    refused(&desk, &section("vhosts", &vhosts), "virtual host limit (2) is reached");
    desk.import(&section("vhosts", &[&vhosts[..1], &vhosts[..1]].concat())).unwrap();
    refused(&desk, &section("vhosts", &vhosts), "virtual host limit (2) is reached");
    refused(&desk, &section("users", &[user("a"), user("b")]), "user limit (2) is reached");
    desk.import(&section("users", &[user("a"), user("a"), user("guest")])).unwrap();
    let may = |vhost: &str| {
        format!(r#"{{"user": "a", "vhost": "{vhost}", "configure": "", "write": "", "read": ""}}"#)
    };
    refused(&desk, &section("permissions", &[may("/"), may("one")]), "permission limit (2)");
    desk.import(&section("permissions", &[may("/"), may("/")])).unwrap();
    let queues: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| queue(name)).collect();
    refused(&desk, &section("queues", &queues), "queue limit in vhost '/' (3) is reached");
    desk.import(&section("queues", &[&queues[..2], &queues[..3]].concat())).unwrap();
    refused(&desk, &section("queues", &queues), "queue limit in vhost '/' (3) is reached");
    let exchanges: Vec<String> = (0..10).map(exchange).collect();
    refused(&desk, &section("exchanges", &exchanges), "exchange limit in vhost '/' (16)");
    desk.import(&section("exchanges", &exchanges[..9])).unwrap();
    let bindings = [binding("a"), binding("b"), binding("c")];
    refused(&desk, &section("bindings", &bindings), "binding limit in vhost '/' (2) is reached");
    desk.import(&section("bindings", &bindings[..2])).unwrap();
    refused(&desk, &section("bindings", &bindings), "binding limit in vhost '/' (2) is reached");
    desk.import(&section("bindings", &bindings[..2])).unwrap();
    // What was kept for an import is free again: a queue that goes makes room for one.
    desk.delete_queue("c");
    desk.import(&section("queues", &queues[3..])).unwrap();
}

#[test]
fn definitions_hold_no_name_or_argument_that_a_client_could_not_have_sent() {
    let desk = Desk::open_with(|_| ());
    let long = "x".repeat(256);
    let hash = "A".repeat(48);
    let rows = [
        format!(r#"{{"vhosts": [{{"name": "{long}"}}]}}"#),
        r#"{"vhosts": [{"name": ""}]}"#.to_owned(),
        format!(r#"{{"users": [{{"name": "{long}", "password_hash": "{hash}", "tags": []}}]}}"#),
        format!(r#"{{"exchanges": [{{"name": "{long}", "vhost": "/", "type": "topic"}}]}}"#),
        format!(r#"{{"queues": [{{"name": "{long}", "vhost": "/"}}]}}"#),
        r#"{"queues": [{"name": "", "vhost": "/"}]}"#.to_owned(),
        format!(
            r#"{{"bindings": [{{"source": "amq.topic", "vhost": "/", "destination": "amq.fanout",
                "destination_type": "exchange", "routing_key": "{long}"}}]}}"#
        ),
    ];
    for row in rows {
        refused(&desk, &row, " bytes");
    }
    let nested = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    let deep =
        format!(r#"{{"queues": [{{"name": "q", "vhost": "/", "arguments": {{"a": {nested}}}}}]}}"#);
    refused(&desk, &deep, "nested more than 64 deep");
    let large = format!(
        r#"{{"queues": [{{"name": "q", "vhost": "/", "arguments": {{"a": "{}"}}}}]}}"#,
        "x".repeat(70_000)
    );
    refused(&desk, &large, "limits.arguments_bytes_max (65536)");
    let both = format!(
        r#"{{"queues": [{{"name": "fine", "vhost": "/"}}, {{"name": "{long}", "vhost": "/"}}]}}"#
    );
    refused(&desk, &both, " bytes");
}

#[test]
fn what_arguments_hold_counts_as_memory_until_they_go() {
    let desk = Desk::open_with(|_| ());
    let held = || desk.broker.memory().held_bytes();
    let before = held();
    let junk = "x".repeat(10_000);
    let arguments = format!(r#""arguments": {{"junk": "{junk}"}}"#);
    desk.import(&format!(
        r#"{{"queues": [{{"name": "q", "vhost": "/", {arguments}}}],
            "exchanges": [{{"name": "x", "vhost": "/", "type": "headers", {arguments}}}],
            "bindings": [{{"source": "x", "vhost": "/", "destination": "q",
                           "destination_type": "queue", "routing_key": "", {arguments}}}]}}"#
    ))
    .unwrap();
    let of_three = held() - before;
    assert!((30_000..31_000).contains(&of_three), "{of_three}");
    desk.delete_queue("q");
    let of_one = held() - before;
    assert!((10_000..10_400).contains(&of_one), "{of_one}");
    desk.delete_exchange("x");
    assert_eq!(held(), before);
}
