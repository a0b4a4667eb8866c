//! Definitions are carried from one broker to another whole, or not at all.

use serde_json::{Value, json};

use super::row::contains;
use crate::support::http::Api;
use crate::support::server::Server;

const EVERYTHING: &str = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;

fn furnished(api: &Api) {
    api.done("PUT", "/api/vhosts/store", "");
    api.done("PUT", "/api/users/shop", r#"{"password": "secret", "tags": "management"}"#);
    api.done("PUT", "/api/permissions/store/shop", EVERYTHING);
    api.done("PUT", "/api/permissions/store/guest", EVERYTHING);
    let orders =
        r#"{"type": "topic", "durable": true, "arguments": {"alternate-exchange": "rest"}}"#;
    api.done("PUT", "/api/exchanges/store/orders", orders);
    api.done("PUT", "/api/exchanges/store/passing", r#"{"type": "fanout"}"#);
    let mail = r#"{"durable": true, "arguments": {"x-max-length": 7, "x-queue-type": "quorum"}}"#;
    api.done("PUT", "/api/queues/store/mail", mail);
    api.done("PUT", "/api/queues/store/passing", "{}");
    let body = r#"{"routing_key": "a.*", "arguments": {"n": 1}}"#;
    api.done("POST", "/api/bindings/store/e/orders/q/mail", body);
    api.done("POST", "/api/bindings/store/e/orders/e/amq.fanout", r#"{"routing_key": "b"}"#);
    api.done("POST", "/api/bindings/store/e/orders/q/passing", r#"{"routing_key": "c"}"#);
}

#[test]
fn what_is_exported_makes_another_broker_alike() {
    let one = Server::start_managed();
    let api = Api::new(&one.management());
    furnished(&api);
    let definitions = api.get("/api/definitions");
    let sections = [
        "users",
        "vhosts",
        "permissions",
        "topic_permissions",
        "parameters",
        "policies",
        "queues",
        "exchanges",
        "bindings",
    ];
    for section in sections {
        assert!(definitions[section].is_array(), "{section} is missing in {definitions}");
    }
    let names = |section: &str| -> Vec<&str> {
        let entries = definitions[section].as_array().unwrap().iter();
        entries.map(|entry| entry["name"].as_str().unwrap()).collect()
    };
    assert_eq!(names("queues"), ["mail"], "only what survives a restart");
    assert_eq!(names("exchanges"), ["orders"]);
    assert_eq!(definitions["bindings"].as_array().unwrap().len(), 2);

    let mut other = Server::start_managed();
    let api = Api::new(&other.management());
    let answer = api.done("POST", "/api/definitions", &definitions.to_string());
    assert_eq!(answer.status, 204);
    other.kill();
    other.restart();
    let api = Api::new(&other.management());
    let again = api.get("/api/definitions");
    for section in sections {
        assert_eq!(again[section], definitions[section], "{section}");
    }
    let shop = api.as_user("shop", "secret");
    assert_eq!(shop.get("/api/queues/store/mail")["type"], "quorum");
}

#[test]
fn a_virtual_host_is_carried_to_another() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    furnished(&api);
    let definitions = api.get("/api/definitions/store");
    assert!(definitions["queues"][0].get("vhost").is_none(), "{definitions}");
    api.done("PUT", "/api/vhosts/copy", "");
    api.done("PUT", "/api/permissions/copy/guest", EVERYTHING);
    api.done("POST", "/api/definitions/copy", &definitions.to_string());
    let bindings = api.get("/api/bindings/copy/e/orders/q/mail");
    assert!(contains(&bindings, &json!([{"routing_key": "a.*", "arguments": {"n": 1}}])));
    assert_eq!(api.request("GET", "/api/definitions/none", "").status, 404);
    assert_eq!(api.request("POST", "/api/definitions/none", "{}").status, 404);
}

#[test]
fn definitions_with_anything_wrong_change_nothing() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let before = api.get("/api/definitions");
    let check = |wrong: Value, expected: &str| {
        let mut definitions = json!({
            "vhosts": [{"name": "new"}],
            "users": [{"name": "new", "password": "x", "tags": []}],
            "queues": [{"name": "new", "vhost": "/", "durable": true, "arguments": {}}],
        });
        for (section, entries) in wrong.as_object().unwrap() {
            let mut all = definitions[section].as_array().cloned().unwrap_or_default();
            all.extend(entries.as_array().unwrap().iter().cloned());
            definitions[section] = Value::Array(all);
        }
        let answer = api.request("POST", "/api/definitions", &definitions.to_string());
        assert_eq!(answer.status, 400, "{wrong}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
        assert_eq!(api.get("/api/definitions"), before, "{wrong}");
        assert_eq!(api.get("/api/queues"), json!([]), "{wrong}");
    };
    check(
        json!({"queues": [{"name": "q", "vhost": "none", "durable": true}]}),
        "queue 'q': there is no vhost 'none'",
    );
    check(
        json!({"bindings": [{"source": "amq.topic", "vhost": "new", "destination": "q", "destination_type": "queue", "routing_key": "k"}]}),
        "binding of 'amq.topic' to 'q' by 'k' in vhost 'new': there is no 'q'",
    );
    check(
        json!({"bindings": [{"source": "none", "vhost": "/", "destination": "new", "destination_type": "queue", "routing_key": "k"}]}),
        "there is no 'none'",
    );
    check(
        json!({"bindings": [{"source": "amq.headers", "vhost": "/", "destination": "new", "destination_type": "queue", "arguments": {"x-match": "odd"}}]}),
        "x-match",
    );
    check(
        json!({"permissions": [{"user": "none", "vhost": "/", "configure": "", "write": "", "read": ""}]}),
        "there is no user 'none'",
    );
    check(
        json!({"permissions": [{"user": "new", "vhost": "/", "configure": "(", "write": "", "read": ""}]}),
        "the configure pattern '('",
    );
    check(
        json!({"exchanges": [{"name": "x", "vhost": "/", "type": "odd"}]}),
        "unknown exchange type 'odd'",
    );
    check(json!({"users": [{"name": "u"}]}), "user 'u' has no password");
    check(json!({"policies": [{"name": "p"}]}), "it has policies");
    let answer = api.request("POST", "/api/definitions", "{");
    assert_eq!(answer.status, 400);
    let answer = api.request("POST", "/api/definitions/%2F", r#"{"users": [{"name": "u"}]}"#);
    assert!(answer.text.contains("have no users"), "{}", answer.text);
}
