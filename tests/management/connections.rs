//! Connections, channels and consumers as they are seen, and closing them.

use serde_json::json;

use super::row::contains;
use crate::support::http::Api;
use crate::support::peer::{Acknowledging, Durability, Peer};
use crate::support::server::Server;

#[test]
fn a_connection_is_seen_with_its_channels_and_consumers() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    peer.declare_queue("q", Durability::Transient, &[]).unwrap();
    peer.prefetch(7).unwrap();
    peer.consume("q", Acknowledging::ByConsumer).unwrap();
    let connections = api.get("/api/connections");
    let name = connections[0]["name"].as_str().unwrap().to_owned();
    assert!(name.ends_with(&format!(" -> 127.0.0.1:{}", server.port())), "{name}");
    assert!(contains(
        &connections,
        &json!([{ "node": "*", "protocol": "AMQP 0-9-1", "user": "guest", "vhost": "/", "state": "running",
            "connected_at": "*", "client_properties": {}, "auth_mechanism": "*", "channel_max": "*", "frame_max": "*",
            "timeout": "*", "channels": 1, "peer_host": "127.0.0.1", "peer_port": "*", "host": "127.0.0.1",
            "port": server.port(), "ssl": false, "recv_oct": "*", "send_oct": "*", "recv_oct_details": {"rate": "*"} }])
    ));
    assert!(contains(
        &api.get("/api/channels"),
        &json!([{ "number": 1, "name": format!("{name} (1)"), "vhost": "/", "user": "guest", "state": "running",
            "consumer_count": 1, "confirm": "*", "prefetch_count": 7, "messages_unacknowledged": 0,
            "messages_unconfirmed": 0, "connection_details": {"name": name, "peer_host": "127.0.0.1", "peer_port": "*"} }])
    ));
    assert!(contains(
        &api.get("/api/consumers"),
        &json!([{ "consumer_tag": "*", "active": true, "ack_required": true, "prefetch_count": 7, "exclusive": false,
            "arguments": {}, "consumer_timeout": 0, "queue": {"name": "q", "vhost": "/"},
            "channel_details": {"name": format!("{name} (1)"), "connection_name": name, "number": 1} }])
    ));
    let path = name.replace(' ', "%20").replace(':', "%3A").replace('>', "%3E");
    assert_eq!(api.get(&format!("/api/connections/{path}"))["name"], name.as_str());
    assert_eq!(api.get(&format!("/api/connections/{path}/channels"))[0]["number"], 1);
    assert_eq!(api.get(&format!("/api/channels/{path}%20(1)"))["number"], 1);
    assert_eq!(api.get("/api/vhosts/%2F/connections")[0]["name"], name.as_str());
    assert_eq!(api.get("/api/vhosts/%2F/channels")[0]["number"], 1);
    assert_eq!(api.get("/api/connections/username/guest")[0]["name"], name.as_str());
    let queue = api.get("/api/queues/%2F/q");
    assert!(contains(
        &queue,
        &json!({ "consumers": 1, "consumer_details": [{ "prefetch_count": 7 }] })
    ));
    drop(peer);
}

#[test]
fn a_connection_is_closed_with_the_reason_that_was_given() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    peer.declare_queue("q", Durability::Transient, &[]).unwrap();
    let name = api.get("/api/connections")[0]["name"].as_str().unwrap().replace(' ', "%20");
    let path = format!("/api/connections/{}", name.replace('>', "%3E"));
    let answer = api.request_with("DELETE", &path, &[("X-Reason", "spring cleaning")], b"");
    assert_eq!(answer.status, 204, "{answer:?}");
    let ended = peer.declare_queue("r", Durability::Transient, &[]).unwrap_err().to_string();
    assert!(ended.contains("CONNECTION_FORCED - spring cleaning"), "{ended}");
}

#[test]
fn a_user_sees_and_closes_its_own_connections_only() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/users/some", r#"{"password": "some", "tags": "management"}"#);
    let everything = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
    api.done("PUT", "/api/permissions/%2F/some", everything);
    let _peer = Peer::connect(server.port()).unwrap();
    let some = api.as_user("some", "some");
    assert_eq!(some.get("/api/connections"), json!([]));
    assert_eq!(some.get("/api/channels"), json!([]));
    let name = api.get("/api/connections")[0]["name"].as_str().unwrap().replace(' ', "%20");
    let path = format!("/api/connections/{}", name.replace('>', "%3E"));
    for method in ["GET", "DELETE"] {
        assert_eq!(some.request(method, &path, "").status, 401, "{method}");
    }
    assert_eq!(api.get("/api/connections").as_array().unwrap().len(), 1);
}

#[test]
fn deleting_a_user_or_a_virtual_host_closes_their_connections() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    api.done("DELETE", "/api/vhosts/%2F", "");
    let ended = peer.declare_queue("q", Durability::Transient, &[]).unwrap_err().to_string();
    assert!(ended.contains("vhost '/' is deleted"), "{ended}");
    api.done("PUT", "/api/vhosts/%2F", "");
    let everything = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
    api.done("PUT", "/api/permissions/%2F/guest", everything);
    let mut peer = Peer::connect(server.port()).unwrap();
    api.done("DELETE", "/api/users/guest", "");
    let ended = peer.declare_queue("q", Durability::Transient, &[]).unwrap_err().to_string();
    assert!(ended.contains("user 'guest' was deleted"), "{ended}");
}
