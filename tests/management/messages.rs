//! Looking at messages, taking them, and publishing them.

use serde_json::{Value, json};

use crate::support::http::Api;
use crate::support::peer::{Acknowledging, Durability, Event, Peer};
use crate::support::server::Server;

fn publish(api: &Api, queue: &str, payload: &str) {
    let body = json!({
        "routing_key": queue,
        "payload": payload,
        "payload_encoding": "string",
        "properties": { "delivery_mode": 2 },
    });
    let path = "/api/exchanges/%2F/amq.default/publish";
    let answer = api.done("POST", path, &body.to_string());
    assert_eq!(answer.json(), json!({ "routed": true }));
}

fn get(api: &Api, queue: &str, ackmode: &str, count: u64) -> Vec<Value> {
    let body = json!({ "count": count, "ackmode": ackmode, "encoding": "auto" });
    let answer = api.done("POST", &format!("/api/queues/%2F/{queue}/get"), &body.to_string());
    answer.json().as_array().unwrap().clone()
}

fn payloads(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["payload"].as_str().unwrap()).collect()
}

#[test]
fn a_look_changes_nothing() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/q", r#"{"durable": true}"#);
    for payload in ["one", "two", "three"] {
        publish(&api, "q", payload);
    }
    for _ in 0..2 {
        let looked = get(&api, "q", "peek", 2);
        assert_eq!(payloads(&looked), ["one", "two"]);
        assert_eq!(looked[0]["redelivered"], false);
        assert_eq!((&looked[0]["position"], &looked[1]["position"]), (&json!(1), &json!(2)));
        assert_eq!(looked[1]["message_count"], 1);
        assert!(looked[0]["age_ms"].as_u64().unwrap() < 60_000);
    }
    let queue = api.get("/api/queues/%2F/q");
    assert_eq!(queue["messages_ready"], 3);
    assert_eq!(queue["message_stats"]["deliver_get"], 0);
    let taken = get(&api, "q", "ack_requeue_false", 9);
    assert_eq!(payloads(&taken), ["one", "two", "three"]);
    assert_eq!(taken[0]["redelivered"], false, "a look does not count as a delivery");
}

#[test]
fn the_first_of_a_priority_queue_is_the_first_in_a_look() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/q", r#"{"arguments": {"x-max-priority": 5}}"#);
    for (payload, priority) in [("low", 1), ("high", 4), ("lower", 0), ("also high", 4)] {
        let body = json!({
            "routing_key": "q",
            "payload": payload,
            "payload_encoding": "string",
            "properties": { "priority": priority },
        });
        api.done("POST", "/api/exchanges/%2F/amq.default/publish", &body.to_string());
    }
    let expected = ["high", "also high", "low", "lower"];
    assert_eq!(payloads(&get(&api, "q", "peek", 9)), expected);
    assert_eq!(payloads(&get(&api, "q", "ack_requeue_false", 9)), expected);
}

#[test]
fn what_was_published_and_taken_is_so_after_a_crash() {
    let mut server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/q", r#"{"durable": true}"#);
    for payload in ["taken", "kept"] {
        publish(&api, "q", payload);
    }
    assert_eq!(payloads(&get(&api, "q", "ack_requeue_false", 1)), ["taken"]);
    server.kill();
    server.restart();
    let api = Api::new(&server.management());
    let looked = get(&api, "q", "peek", 9);
    assert_eq!(payloads(&looked), ["kept"]);
    // The time of arrival is in the journal.
    assert!(looked[0]["age_ms"].as_u64().unwrap() < 600_000);
    let age = &api.get("/api/queues/%2F/q")["oldest_message_age_ms"];
    assert!(age.as_u64().unwrap() >= looked[0]["age_ms"].as_u64().unwrap());
}

#[test]
fn the_age_of_the_oldest_message_is_null_when_nothing_is_ready() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/q", "{}");
    assert_eq!(api.get("/api/queues/%2F/q")["oldest_message_age_ms"], Value::Null);
    publish(&api, "q", "x");
    assert!(api.get("/api/queues/%2F/q")["oldest_message_age_ms"].is_u64());
}

#[test]
fn a_rejected_message_goes_to_the_dead_letter_exchange() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/dead", "{}");
    let arguments =
        r#"{"arguments": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}}"#;
    api.done("PUT", "/api/queues/%2F/q", arguments);
    publish(&api, "q", "x");
    assert_eq!(get(&api, "q", "reject_requeue_false", 1).len(), 1);
    let dead = get(&api, "dead", "peek", 1);
    assert_eq!(dead[0]["properties"]["headers"]["x-death"][0]["reason"], "rejected");
}

#[test]
fn a_full_queue_that_refuses_says_so() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let arguments = r#"{"arguments": {"x-max-length": 1, "x-overflow": "reject-publish"}}"#;
    api.done("PUT", "/api/queues/%2F/q", arguments);
    publish(&api, "q", "fits");
    let body =
        r#"{"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}}"#;
    let answer = api.request("POST", "/api/exchanges/%2F/amq.default/publish", body);
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("is full and refused it"), "{}", answer.text);
}

#[test]
fn a_client_of_amqp_gets_what_was_published_over_http() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    peer.declare_queue("q", Durability::Transient, &[]).unwrap();
    publish(&api, "q", "from http");
    peer.consume("q", Acknowledging::Automatic).unwrap();
    let body = b"from http".to_vec();
    assert_eq!(peer.event().unwrap(), Event::Delivered { tag: 1, redelivered: false, body });
}

#[test]
fn a_route_is_explained_without_publishing() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    for queue in ["mail", "refunds", "rest"] {
        api.done("PUT", &format!("/api/queues/%2F/{queue}"), "{}");
    }
    api.done("PUT", "/api/exchanges/%2F/other", r#"{"type": "fanout"}"#);
    let shop = r#"{"type": "topic", "arguments": {"alternate-exchange": "other"}}"#;
    api.done("PUT", "/api/exchanges/%2F/shop", shop);
    let bind = |source: &str, queue: &str, key: &str| {
        let path = format!("/api/bindings/%2F/e/{source}/q/{queue}");
        api.done("POST", &path, &json!({ "routing_key": key }).to_string());
    };
    bind("shop", "mail", "orders.*");
    bind("shop", "refunds", "orders.refund");
    bind("other", "rest", "");
    let ask = |key: &str| {
        let body = json!({ "routing_key": key }).to_string();
        api.done("POST", "/api/exchanges/%2F/shop/route", &body).json()
    };
    let answer = ask("orders.payment");
    assert_eq!((&answer["routed"], &answer["queues"]), (&json!(true), &json!(["mail"])));
    assert_eq!(answer["via_alternate_exchange"], Value::Null);
    assert_eq!(answer["bindings"][0]["destination"], "mail");
    assert_eq!(answer["bindings"][0]["matched"], true);
    let reason = "word 2 is \"payment\", the pattern wants \"refund\"";
    assert_eq!(answer["bindings"][1]["reason"], reason);
    let answer = ask("carts");
    assert_eq!(answer["queues"], json!(["rest"]));
    assert_eq!(answer["via_alternate_exchange"], "other");
    let default =
        api.done("POST", "/api/exchanges/%2F/amq.default/route", r#"{"routing_key": "mail"}"#);
    assert_eq!(default.json()["queues"], json!(["mail"]));
    assert_eq!(api.get("/api/queues/%2F/mail")["messages"], 0);
}
