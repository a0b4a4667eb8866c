//! The requests that well-known tools make, as they make them.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::row::contains;
use crate::support::http::Api;
use crate::support::interpreter::has_executable;
use crate::support::process::run;
use crate::support::server::Server;

fn with_a_message() -> (Server, Api) {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/jobs", r#"{"durable": true}"#);
    let body = r#"{"routing_key": "jobs", "payload": "x", "payload_encoding": "string", "properties": {}}"#;
    api.done("POST", "/api/exchanges/%2F/amq.default/publish", body);
    (server, api)
}

#[test]
fn keda_reads_the_length_and_the_rates_of_a_queue() {
    let (_server, api) = with_a_message();
    let needed = json!({
        "messages": 1, "messages_ready": 1, "messages_unacknowledged": 0,
        "message_stats": {"publish_details": {"rate": "*"}, "deliver_get_details": {"rate": "*"}},
    });
    let queue = api.get("/api/queues/%2F/jobs");
    assert!(contains(&queue, &needed), "{queue}");
    let page = api.get(
        "/api/queues/%2F?page=1&use_regex=true&pagination=false&name=%5Ejobs%24&page_size=100",
    );
    assert_eq!(page["page_count"], 1);
    assert!(contains(&page["items"][0], &needed), "{page}");
}

#[test]
fn flower_reads_what_it_shows_of_queues() {
    let (_server, api) = with_a_message();
    let queues = api.get("/api/queues/%2F");
    let needed = json!([{
        "name": "jobs", "messages": 1, "messages_unacknowledged": 0, "messages_ready": 1, "consumers": 0,
    }]);
    assert!(contains(&queues, &needed), "{queues}");
    // As in RabbitMQ it stands there once nothing happens any more.
    while api.get("/api/queues/%2F")[0]["idle_since"].is_null() {}
    let since = api.get("/api/queues/%2F")[0]["idle_since"].clone();
    assert!(
        since.as_str().is_some_and(|since| since.len() >= "2026-01-01 00:00:00".len()),
        "{since}"
    );
}

#[test]
fn nservicebus_finds_the_version_and_the_flags_that_it_asks_for() {
    let (_server, api) = with_a_message();
    let version = api.get("/api/overview")["rabbitmq_version"].as_str().unwrap().to_owned();
    let major: u32 = version.split('.').next().unwrap().parse().unwrap();
    assert!(major >= 4, "{version}");
    let flags = api.get("/api/feature-flags");
    let is_enabled = |flag: &Value| flag["name"] == "quorum_queue" && flag["state"] == "enabled";
    assert!(flags.as_array().unwrap().iter().any(is_enabled));
}

#[test]
fn curl_works() {
    if !has_executable("curl") {
        return;
    }
    let (server, _api) = with_a_message();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--user", "guest:guest"]);
    curl.arg(format!("http://{}/api/queues?columns=name,messages", server.management()));
    let printed = run(curl, Duration::from_secs(60));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed, json!([{ "name": "jobs", "messages": 1 }]));
}
