//! Lists of queues: what is in them, and how long they take is measured elsewhere.

use serde_json::{Value, json};

use super::row::contains;
use crate::support::http::Api;
use crate::support::peer::{Acknowledging, Durability, Event, Peer};
use crate::support::server::Server;

#[test]
fn counters_tell_what_a_client_did() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    peer.declare_queue("q", Durability::Transient, &[]).unwrap();
    peer.select_confirms().unwrap();
    for _ in 0..3 {
        let frames = crate::support::peer::publication(
            "",
            "q",
            crate::support::peer::Routing::Optional,
            crate::support::peer::Delivery::Transient,
            b"body",
        );
        peer.send(&frames).unwrap();
    }
    let mut confirmed = 0;
    while confirmed < 3 {
        if let Event::Confirmed { tag, .. } = peer.event().unwrap() {
            confirmed = tag;
        }
    }
    peer.consume("q", Acknowledging::ByConsumer).unwrap();
    for _ in 0..3 {
        assert!(matches!(peer.event().unwrap(), Event::Delivered { .. }));
    }
    peer.acknowledge(1).unwrap();
    peer.requeue(2).unwrap();
    // It comes again.
    assert!(matches!(peer.event().unwrap(), Event::Delivered { redelivered: true, .. }));
    let queue = api.get("/api/queues/%2F/q");
    let expected = json!({
        "messages": 2, "messages_ready": 0, "messages_unacknowledged": 2, "message_bytes": 8,
        "message_stats": {"publish": 3, "deliver": 4, "deliver_get": 4, "ack": 1, "redeliver": 1, "get": 0},
    });
    assert!(contains(&queue, &expected), "{queue}");
    let channel = &api.get("/api/channels")[0];
    let expected = json!({
        "confirm": true, "messages_unconfirmed": 0, "messages_unacknowledged": 2,
        "message_stats": {"publish": 3, "confirm": 3, "deliver": 4, "ack": 1, "redeliver": 1, "return_unroutable": 0},
    });
    assert!(contains(channel, &expected), "{channel}");
    let exchange = api.get("/api/exchanges/%2F/amq.default");
    assert!(
        contains(&exchange["message_stats"], &json!({"publish_in": 3, "publish_out": 3})),
        "{exchange}"
    );
    drop(peer);
    // What is gone still counts for the whole.
    while !api.get("/api/connections").as_array().unwrap().is_empty() {}
    api.done("DELETE", "/api/queues/%2F/q", "");
    let overview = api.get("/api/overview");
    let expected = json!({
        "message_stats": {"publish": 3, "confirm": 3, "deliver": 4, "ack": 1, "redeliver": 1},
        "churn_rates": {"connection_created": 1, "connection_closed": 1, "channel_created": 1, "channel_closed": 1,
            "queue_declared": 1, "queue_created": 1, "queue_deleted": 1},
        "object_totals": {"connections": 0, "channels": 0, "queues": 0},
    });
    assert!(contains(&overview, &expected), "{overview}");
}

#[test]
fn an_exclusive_queue_tells_whose_it_is_and_is_nobody_elses() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    // exclusive is the third bit of queue.declare.
    let declare = [&0_u16.to_be_bytes()[..], b"\x03own", &[0b100], &0_u32.to_be_bytes()].concat();
    peer.call(1, (50, 10), &declare, (50, 11)).unwrap();
    let queue = api.get("/api/queues/%2F/own");
    assert_eq!(queue["exclusive"], true);
    assert_eq!(queue["owner_pid_details"]["peer_host"], "127.0.0.1");
    let answer = api.request("DELETE", "/api/queues/%2F/own", "");
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("cannot obtain exclusive access"), "{}", answer.text);
}

#[test]
fn a_quorum_queue_is_shown_as_one() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let body = r#"{"durable": true, "arguments": {"x-queue-type": "quorum"}}"#;
    api.done("PUT", "/api/queues/%2F/q", body);
    let queue = api.get("/api/queues/%2F/q");
    assert_eq!(queue["type"], "quorum");
    assert_eq!(queue["arguments"]["x-queue-type"], "quorum");
}

#[test]
fn sorting_looks_into_objects_and_comes_before_paging() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    for (queue, messages) in [("a", 2), ("b", 3), ("c", 1)] {
        api.done("PUT", &format!("/api/queues/%2F/{queue}"), "{}");
        for _ in 0..messages {
            let body = json!({"routing_key": queue, "payload": "x", "payload_encoding": "string", "properties": {}});
            api.done("POST", "/api/exchanges/%2F/amq.default/publish", &body.to_string());
        }
    }
    let names = |query: &str| -> Vec<String> {
        let page = api.get(&format!("/api/queues?{query}"));
        let items = page["items"].as_array().or(page.as_array()).unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("sort=messages"), ["c", "a", "b"]);
    assert_eq!(names("sort=message_stats.publish&sort_reverse=true"), ["b", "a", "c"]);
    assert_eq!(names("sort=messages&page=2&page_size=2"), ["b"]);
    assert_eq!(names("sort_reverse=true&page=1&page_size=2"), ["c", "b"]);
    let only = api.get("/api/queues/%2F/b?columns=name,message_stats.publish");
    assert_eq!(only, json!({"name": "b", "message_stats": {"publish": 3}}));
}

#[test]
fn names_may_hold_anything() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let name = "a/b c%2F?ü#";
    let path = "/api/queues/%2F/a%2Fb%20c%252F%3F%C3%BC%23";
    assert_eq!(api.done("PUT", path, "{}").status, 201);
    assert_eq!(api.get(path)["name"], name);
    api.done(
        "POST",
        "/api/bindings/%2F/e/amq.topic/q/a%2Fb%20c%252F%3F%C3%BC%23",
        r#"{"routing_key": "k/#"}"#,
    );
    let bindings = api.get(&format!("{path}/bindings"));
    let key = bindings[1]["properties_key"].as_str().unwrap();
    assert_eq!(key, "k%2F%23");
    let binding = "/api/bindings/%2F/e/amq.topic/q/a%2Fb%20c%252F%3F%C3%BC%23/k%252F%2523";
    assert_eq!(api.get(binding)["routing_key"], "k/#");
    api.done("DELETE", binding, "");
    api.done("DELETE", path, "");
    assert_eq!(api.get("/api/queues"), Value::Array(Vec::new()));
}
