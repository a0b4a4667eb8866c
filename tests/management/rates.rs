//! Rates come from samples of the counters.

use serde_json::json;

use crate::support::http::Api;
use crate::support::server::Server;

#[test]
fn a_rate_shows_after_two_samples_and_goes_back_to_zero() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/q", "{}");
    let publish = || {
        let body = r#"{"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}}"#;
        api.done("POST", "/api/exchanges/%2F/amq.default/publish", body);
    };
    let rate = || api.get("/api/queues/%2F/q")["message_stats"]["publish_details"]["rate"].as_f64();
    publish();
    while rate().unwrap_or(0.0) == 0.0 {
        publish();
    }
    let queue = api.get("/api/queues/%2F/q");
    assert!(queue["messages_details"]["rate"].as_f64().unwrap() > 0.0, "{queue}");
    assert!(queue["idle_since"].is_null(), "{queue}");
    let exchange = api.get("/api/exchanges/%2F/amq.default");
    assert!(exchange["message_stats"]["publish_in_details"]["rate"].as_f64().unwrap() > 0.0);
    let overview = api.get("/api/overview");
    assert!(overview["message_stats"]["publish_details"]["rate"].as_f64().unwrap() > 0.0);
    while rate() != Some(0.0) {}
    assert_eq!(rate(), Some(0.0));
    while api.get("/api/queues/%2F/q")["idle_since"].is_null() {}
    assert_ne!(api.get("/api/queues/%2F/q?columns=idle_since"), json!({}));
}
