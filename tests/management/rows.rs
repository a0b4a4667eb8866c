//! What each request is answered, by status and fields. `LEVERET_TEST_MANAGEMENT_URI` runs the same rows against
//! RabbitMQ, save those of our own texts.

use super::row::{Row, Subject, check};

const NOT_FOUND: &str = r#"{"error": "Object Not Found", "reason": "Not Found"}"#;
const NOT_ADMINISTRATOR: &str =
    r#"{"error": "not_authorised", "reason": "Not administrator user"}"#;
const REFUSED: &str = r#"{"error": "not_authorised", "reason": "*"}"#;
const BAD_REQUEST: &str = r#"{"error": "bad_request", "reason": "*"}"#;

#[rustfmt::skip]
const LOGINS: &[Row<'_>] = &[
    ("", "GET", "/api/whoami", "", 401, ""),
    ("guessed", "GET", "/api/whoami", "", 401, r#"{"error": "not_authorized", "reason": "Not_Authorized"}"#),
    ("nobody", "GET", "/api/whoami", "", 401, r#"{"error": "not_authorised", "reason": "Not management user"}"#),
    ("some", "GET", "/api/whoami", "", 200, r#"{"name": "some", "tags": ["management"]}"#),
    ("guest", "GET", "/api/whoami", "", 200, r#"{"name": "guest", "tags": ["administrator"], "is_internal_user": true}"#),
];

#[rustfmt::skip]
const GLANCES: &[Row<'_>] = &[
    ("guest", "GET", "/api/overview", "", 200, r#"{"rabbitmq_version": "*", "product_name": "*", "product_version": "*", "node": "*",
        "cluster_name": "*", "erlang_version": "*", "churn_rates": {"queue_declared": "*", "queue_declared_details": {"rate": "*"}},
        "object_totals": {"queues": "*", "exchanges": "*", "connections": "*", "channels": "*", "consumers": "*"},
        "queue_totals": {}, "message_stats": {}, "listeners": "*", "statistics_db_event_queue": 0, "rates_mode": "basic"}"#),
    ("some", "GET", "/api/overview", "", 200, r#"{"rabbitmq_version": "*", "object_totals": {"queues": "*"}}"#),
    ("guest", "GET", "/api/nodes", "", 200, r#"[{"name": "*", "running": true, "uptime": "*", "run_queue": "*", "processors": "*", "os_pid": "*",
        "fd_total": "*", "proc_total": "*", "mem_limit": "*", "mem_alarm": false, "disk_free_limit": "*", "disk_free_alarm": false,
        "rates_mode": "*", "enabled_plugins": "*", "being_drained": false, "mem_used": "*", "disk_free": "*", "fd_used": "*"}]"#),
    ("some", "GET", "/api/nodes", "", 401, r#"{"error": "not_authorised", "reason": "Not monitor user"}"#),
    ("guest", "GET", "/api/nodes/none", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/cluster-name", "", 200, r#"{"name": "*"}"#),
    ("guest", "GET", "/api/nothing", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/policies", "", 200, "[]"),
    ("guest", "GET", "/api/operator-policies", "", 200, "[]"),
    ("guest", "GET", "/api/parameters", "", 200, "[]"),
    ("guest", "GET", "/api/vhost-limits", "", 200, "[]"),
    ("guest", "GET", "/api/user-limits", "", 200, "[]"),
    ("guest", "GET", "/api/topic-permissions", "", 200, "[]"),
    ("guest", "GET", "/api/health/checks/alarms", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/is-in-service", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/ready-to-serve-clients", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/metadata-store/initialized", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/below-node-connection-limit", "", 200, r#"{"status": "ok", "limit": 100000}"#),
    ("guest", "GET", "/api/health/checks/certificate-expiration/1/days", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/certificate-expiration/1/eons", "", 400, BAD_REQUEST),
    ("guest", "GET", "/api/aliveness-test/%2F", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/aliveness-test/nowhere", "", 404, r#"{}"#),
    ("guest", "GET", "/api/healthchecks/node", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/deprecated-features/used", "", 200, r#"[]"#),
    ("guest", "GET", "/api/health/checks/local-alarms", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/virtual-hosts", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/node-is-quorum-critical", "", 200, r#"{"status": "ok", "reason": "single node cluster"}"#),
    ("guest", "GET", "/api/health/checks/port-listener/1", "", 503, r#"{"status": "failed", "reason": "No active listener", "missing": 1, "ports": "*"}"#),
    ("guest", "GET", "/api/health/checks/port-listener/x", "", 400, r#"{"error": "bad_request", "reason": "Invalid port"}"#),
    ("guest", "GET", "/api/health/checks/protocol-listener/amqp", "", 200, r#"{"status": "ok"}"#),
    ("guest", "GET", "/api/health/checks/protocol-listener/odd", "", 503, r#"{"status": "failed", "reason": "No active listener", "missing": ["odd"]}"#),
];

#[rustfmt::skip]
const QUEUES: &[Row<'_>] = &[
    ("guest", "PUT", "/api/queues/rows/q", r#"{"durable": true, "arguments": {"x-max-length": 9}}"#, 201, ""),
    ("guest", "PUT", "/api/queues/rows/q", r#"{"durable": true, "arguments": {"x-max-length": 9}}"#, 204, ""),
    ("guest", "PUT", "/api/queues/rows/q", r#"{"durable": false}"#, 400,
        r#"{"error": "bad_request", "reason": "inequivalent arg 'durable' for queue 'q' in vhost 'rows': received 'false' but current is 'true'"}"#),
    ("guest", "PUT", "/api/queues/rows/q", "{bad", 400, BAD_REQUEST),
    ("guest", "PUT", "/api/queues/rows/bad", r#"{"arguments": {"x-max-length": -1}}"#, 400, BAD_REQUEST),
    ("guest", "PUT", "/api/queues/rows/amq.own", "{}", 401, REFUSED),
    ("guest", "GET", "/api/queues/rows/q", "", 200, r#"{"name": "q", "vhost": "rows", "type": "classic", "durable": true, "auto_delete": false,
        "exclusive": false, "arguments": {"x-max-length": 9}, "node": "*", "state": "running", "messages": 0, "messages_ready": 0,
        "messages_unacknowledged": 0, "consumers": 0, "message_bytes": 0, "message_bytes_ready": 0, "message_bytes_unacknowledged": 0,
        "consumer_details": [], "policy": null, "effective_policy_definition": {}}"#),
    ("guest", "GET", "/api/queues/rows/none", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/queues/nowhere", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/queues/rows?columns=name,arguments.x-max-length", "", 200, r#"[{"name": "q", "arguments": {"x-max-length": 9}}]"#),
    ("guest", "GET", "/api/queues/rows?disable_stats=true&enable_queue_totals=true", "", 200, r#"[{"name": "q", "messages": 0}]"#),
    ("monitor", "GET", "/api/queues/rows", "", 404, r#"{"error": "not_found"}"#),
    ("monitor", "GET", "/api/queues", "", 200, "[]"),
    ("some", "PUT", "/api/queues/rows/other", "{}", 401, REFUSED),
    ("some", "PUT", "/api/queues/rows/mine", "{}", 201, ""),
    ("some", "DELETE", "/api/queues/rows/q", "", 401, REFUSED),
    ("some", "GET", "/api/queues/rows/q", "", 200, r#"{"name": "q"}"#),
    ("some", "DELETE", "/api/queues/rows/mine", "", 204, ""),
    ("guest", "PATCH", "/api/queues/rows/q", "", 405, ""),
    ("guest", "POST", "/api/queues/rows/q", "", 405, ""),
    ("guest", "DELETE", "/api/queues/rows/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/queues/rows/none/contents", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/queues/rows/q/contents", "", 204, ""),
    ("guest", "GET", "/api/queues/rows/q/", "", 200, r#"{"name": "q"}"#),
];

#[rustfmt::skip]
const EXCHANGES: &[Row<'_>] = &[
    ("guest", "PUT", "/api/exchanges/rows/x", r#"{"type": "topic", "durable": true}"#, 201, ""),
    ("guest", "PUT", "/api/exchanges/rows/x", r#"{"type": "topic", "durable": true}"#, 204, ""),
    ("guest", "PUT", "/api/exchanges/rows/x", r#"{"type": "topic", "durable": true, "arguments": []}"#, 204, ""),
    ("guest", "PUT", "/api/exchanges/rows/x", r#"{"type": "topic", "durable": true, "arguments": [1]}"#, 400, BAD_REQUEST),
    ("guest", "PUT", "/api/exchanges/rows/x", r#"{"type": "fanout", "durable": true}"#, 400,
        r#"{"reason": "inequivalent arg 'type' for exchange 'x' in vhost 'rows': received 'fanout' but current is 'topic'"}"#),
    ("guest", "PUT", "/api/exchanges/rows/odd", r#"{"type": "odd"}"#, 400, r#"{"error": "bad_request", "reason": "unknown exchange type 'odd'"}"#),
    ("guest", "PUT", "/api/exchanges/rows/plain", "{}", 201, ""),
    ("guest", "GET", "/api/exchanges/rows/plain", "", 200, r#"{"name": "plain", "vhost": "rows", "type": "direct", "durable": false,
        "auto_delete": false, "internal": false, "arguments": {}, "incoming": [], "outgoing": []}"#),
    ("guest", "GET", "/api/exchanges/rows/amq.default", "", 200, r#"{"name": "", "type": "direct", "durable": true}"#),
    ("guest", "GET", "/api/exchanges/rows/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/exchanges/rows/amq.direct", "", 401, REFUSED),
    ("guest", "DELETE", "/api/exchanges/rows/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/exchanges/rows/plain", "", 204, ""),
    ("some", "PUT", "/api/exchanges/rows/other", r#"{"type": "topic"}"#, 401, REFUSED),
];

#[rustfmt::skip]
const BINDINGS: &[Row<'_>] = &[
    ("guest", "POST", "/api/bindings/rows/e/x/q/q", r#"{"routing_key": "a.*"}"#, 201, ""),
    ("guest", "POST", "/api/bindings/rows/e/x/q/q", r#"{"routing_key": ""}"#, 201, ""),
    ("guest", "POST", "/api/bindings/rows/e/x/q/q", r#"{"routing_key": "", "arguments": []}"#, 201, ""),
    ("guest", "POST", "/api/bindings/rows/e/x/q/q", r#"{"routing_key": "", "arguments": null}"#, 201, ""),
    ("guest", "POST", "/api/bindings/rows/e/x/e/amq.fanout", r#"{"routing_key": "k"}"#, 201, ""),
    ("guest", "GET", "/api/bindings/rows/e/x/q/q", "", 200, r#"[{"routing_key": "", "properties_key": "~"}, {"source": "x", "vhost": "rows",
        "destination": "q", "destination_type": "queue", "routing_key": "a.*", "arguments": {}, "properties_key": "a.%2A"}]"#),
    ("guest", "GET", "/api/bindings/rows/e/x/q/q/a.%252A", "", 200, r#"{"routing_key": "a.*"}"#),
    ("guest", "GET", "/api/bindings/rows/e/x/q/q/~", "", 200, r#"{"routing_key": ""}"#),
    ("guest", "GET", "/api/bindings/rows/e/x/q/q/none", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/bindings/rows/e/none/q/q", "", 200, "[]"),
    ("guest", "GET", "/api/queues/rows/q/bindings", "", 200, r#"[{"source": "", "routing_key": "q"}, {"source": "x"}, {"source": "x"}]"#),
    ("guest", "GET", "/api/exchanges/rows/x/bindings/source", "", 200, r#"[{"destination": "amq.fanout", "destination_type": "exchange"},
        {"destination": "q"}, {"destination": "q"}]"#),
    ("guest", "GET", "/api/exchanges/rows/amq.fanout/bindings/destination", "", 200, r#"[{"source": "x"}]"#),
    ("guest", "DELETE", "/api/exchanges/rows/x?if-unused=true", "", 400, r#"{"reason": "exchange 'x' in vhost 'rows' in use"}"#),
    ("guest", "DELETE", "/api/bindings/rows/e/x/q/q/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/bindings/rows/e/x/q/q/~", "", 204, ""),
    ("guest", "POST", "/api/bindings/rows/e/x/q/none", r#"{"routing_key": "k"}"#, 404, r#"{"error": "not_found", "reason": "no queue 'none' in vhost 'rows'"}"#),
    ("some", "POST", "/api/bindings/rows/e/x/q/q", r#"{"routing_key": "k"}"#, 401, REFUSED),
    ("guest", "GET", "/api/bindings/nowhere", "", 404, NOT_FOUND),
];

#[rustfmt::skip]
const MESSAGES: &[Row<'_>] = &[
    ("guest", "POST", "/api/exchanges/rows/x/publish", r#"{"routing_key": "a.b", "payload": "one", "payload_encoding": "string", "properties": {"delivery_mode": 2,
        "headers": {"h": 1}, "content_type": "text/plain"}}"#, 200, r#"{"routed": true}"#),
    ("guest", "POST", "/api/exchanges/rows/x/publish", r#"{"routing_key": "b.b", "payload": "", "payload_encoding": "string", "properties": {}}"#, 200, r#"{"routed": false}"#),
    ("guest", "POST", "/api/exchanges/rows/amq.default/publish", r#"{"routing_key": "q", "payload": "/w==", "payload_encoding": "base64", "properties": {}}"#, 200, r#"{"routed": true}"#),
    ("guest", "POST", "/api/exchanges/rows/x/publish", r#"{"routing_key": "a.b", "properties": {}}"#, 400,
        r#"{"error": "bad_request", "reason": "[{key_missing,payload},{key_missing,payload_encoding}]"}"#),
    ("guest", "POST", "/api/exchanges/rows/x/publish", r#"{"routing_key": "a.b", "payload": "x", "payload_encoding": "odd", "properties": {}}"#, 400, BAD_REQUEST),
    ("guest", "POST", "/api/exchanges/rows/x/publish", r#"{"routing_key": "a.b", "payload": "x", "payload_encoding": "string", "properties": {"priority": "high"}}"#, 400, BAD_REQUEST),
    ("guest", "POST", "/api/exchanges/rows/none/publish", r#"{"routing_key": "a.b", "payload": "x", "payload_encoding": "string", "properties": {}}"#, 404, r#"{"error": "not_found"}"#),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 2}"#, 200,
        r#"[{"payload_bytes": 3, "redelivered": false, "exchange": "x", "routing_key": "a.b", "message_count": 1, "payload": "on", "payload_encoding": "string",
        "properties": {"delivery_mode": 2, "headers": {"h": 1}, "content_type": "text/plain"}}]"#),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": 5, "ackmode": "reject_requeue_true", "encoding": "base64"}"#, 200,
        r#"[{"redelivered": true, "payload": "b25l", "payload_encoding": "base64"}, {"redelivered": false, "payload": "/w==", "message_count": 0}]"#),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": "1", "ackmode": "ack_requeue_false", "encoding": "auto"}"#, 200, r#"[{"payload": "one"}]"#),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": 5, "ackmode": "reject_requeue_false", "encoding": "auto"}"#, 200, r#"[{"payload": "/w==", "payload_encoding": "base64"}]"#),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}"#, 200, "[]"),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": 5, "ackmode": "odd", "encoding": "auto"}"#, 400, BAD_REQUEST),
    ("guest", "POST", "/api/queues/rows/q/get", r#"{"count": 5, "encoding": "auto"}"#, 400, r#"{"reason": "[{key_missing,ackmode}]"}"#),
    ("guest", "POST", "/api/queues/rows/none/get", r#"{"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}"#, 404, r#"{"error": "not_found"}"#),
    ("some", "POST", "/api/queues/rows/q/get", r#"{"count": 5, "ackmode": "ack_requeue_true", "encoding": "auto"}"#, 401,
        r#"{"error": "not_authorised", "reason": "ACCESS_REFUSED - read access to queue 'q' in vhost 'rows' refused for user 'some'"}"#),
];

#[rustfmt::skip]
const PAGES: &[Row<'_>] = &[
    ("guest", "PUT", "/api/queues/rows/q2", "{}", 201, ""),
    ("guest", "PUT", "/api/queues/rows/p3", "{}", 201, ""),
    ("guest", "GET", "/api/queues/rows?page=1&page_size=2&columns=name", "", 200, r#"{"filtered_count": 3, "item_count": 2, "items": [{"name": "p3"}, {"name": "q"}],
        "page": 1, "page_count": 2, "page_size": 2, "total_count": 3}"#),
    ("guest", "GET", "/api/queues/rows?page=2&page_size=2&columns=name", "", 200, r#"{"item_count": 1, "items": [{"name": "q2"}]}"#),
    ("guest", "GET", "/api/queues/rows?page=3&page_size=2", "", 400, r#"{"error": "page_out_of_range", "reason": "Page out of range, page: 3 page size: 2, len: 3"}"#),
    ("guest", "GET", "/api/queues/rows?page=x", "", 400, r#"{"error": "bad_request", "reason": "Pagination parameters are invalid"}"#),
    ("guest", "GET", "/api/queues/rows?page=1&page_size=501", "", 400,
        r#"{"error": "invalid_pagination_parameters", "reason": "Invalid pagination parameters: page number 1, page size 501"}"#),
    ("guest", "GET", "/api/queues/rows?page=1&name=Q&columns=name", "", 200, r#"{"filtered_count": 2, "total_count": 3, "page_size": 100}"#),
    ("guest", "GET", "/api/queues/rows?page=1&name=%5Eq.%24&use_regex=true&pagination=false&page_size=100&columns=name", "", 200, r#"{"items": [{"name": "q2"}], "page_count": 1}"#),
    ("guest", "GET", "/api/queues/rows?sort=name&sort_reverse=true&columns=name", "", 200, r#"[{"name": "q2"}, {"name": "q"}, {"name": "p3"}]"#),
    ("guest", "GET", "/api/queues/rows?sort=none&columns=name", "", 200, r#"[{"name": "*"}, {"name": "*"}, {"name": "*"}]"#),
    ("guest", "GET", "/api/queues/rows?name=q2&columns=name", "", 200, r#"[{"name": "p3"}, {"name": "q"}, {"name": "q2"}]"#),
];

#[rustfmt::skip]
const ACCOUNTS: &[Row<'_>] = &[
    ("guest", "PUT", "/api/users/some", r#"{"password": "some", "tags": ["management"]}"#, 204, ""),
    ("guest", "PUT", "/api/users/some", r#"{"password": "some"}"#, 400, r#"{"error": "bad_request", "reason": "tags_not_present"}"#),
    ("guest", "PUT", "/api/users/some", r#"{"password_hash": "abc", "tags": ""}"#, 400, BAD_REQUEST),
    ("guest", "GET", "/api/users/some", "", 200, r#"{"name": "some", "password_hash": "*", "hashing_algorithm": "*", "tags": ["management"], "limits": {}}"#),
    ("guest", "GET", "/api/users/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/users/none", "", 404, NOT_FOUND),
    ("some", "GET", "/api/users", "", 401, NOT_ADMINISTRATOR),
    ("monitor", "GET", "/api/users", "", 401, NOT_ADMINISTRATOR),
    ("some", "GET", "/api/permissions", "", 401, NOT_ADMINISTRATOR),
    ("some", "GET", "/api/definitions", "", 401, NOT_ADMINISTRATOR),
    ("some", "PUT", "/api/vhosts/other", "", 401, NOT_ADMINISTRATOR),
    ("some", "GET", "/api/vhosts", "", 200, r#"[{"name": "rows"}]"#),
    ("some", "GET", "/api/connections", "", 200, "[]"),
    ("guest", "GET", "/api/permissions/rows/some", "", 200, r#"{"user": "some", "vhost": "rows", "configure": "^mine.*", "write": "^mine.*", "read": "^mine.*"}"#),
    ("guest", "GET", "/api/permissions/rows/none", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/vhosts/rows/permissions", "", 200, r#"[{"user": "guest"}, {"user": "some"}]"#),
    ("guest", "GET", "/api/users/some/permissions", "", 200, r#"[{"vhost": "rows"}]"#),
    ("guest", "PUT", "/api/permissions/rows/some", r#"{"configure": "(", "write": "", "read": ""}"#, 400, BAD_REQUEST),
    ("guest", "PUT", "/api/permissions/rows/some", r#"{"configure": "", "write": ""}"#, 400, r#"{"reason": "[{key_missing,read}]"}"#),
    ("guest", "PUT", "/api/permissions/rows/none", r#"{"configure": "", "write": "", "read": ""}"#, 400, r#"{"reason": "vhost_or_user_not_found"}"#),
    ("guest", "PUT", "/api/permissions/nowhere/some", r#"{"configure": "", "write": "", "read": ""}"#, 400, r#"{"reason": "vhost_or_user_not_found"}"#),
    ("guest", "DELETE", "/api/permissions/rows/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/permissions/rows/some", "", 204, ""),
    ("some", "GET", "/api/queues/rows", "", 404, r#"{"error": "not_found"}"#),
    ("guest", "POST", "/api/users/bulk-delete", r#"{"users": ["some", "none-such"]}"#, 204, ""),
    ("guest", "DELETE", "/api/users/monitor", "", 204, ""),
    ("guest", "DELETE", "/api/users/nobody", "", 204, ""),
    ("some", "GET", "/api/whoami", "", 401, r#"{"error": "not_authorized"}"#),
    ("guest", "PUT", "/api/vhosts/rows", "", 204, ""),
    ("guest", "GET", "/api/vhosts/rows", "", 200, r#"{"name": "rows", "tracing": false, "cluster_state": "*", "default_queue_type": "classic"}"#),
    ("guest", "DELETE", "/api/vhosts/rows", "", 204, ""),
    ("guest", "DELETE", "/api/vhosts/rows", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/connections/none", "", 404, NOT_FOUND),
    ("guest", "DELETE", "/api/connections/none", "", 404, NOT_FOUND),
    ("guest", "GET", "/api/channels/none", "", 404, NOT_FOUND),
];

/// What RabbitMQ has and we refuse, and what only we have.
#[rustfmt::skip]
const OWN: &[Row<'_>] = &[
    ("guest", "PUT", "/api/policies/rows/p", r#"{"pattern": "", "definition": {"max-length": 1}}"#, 400, BAD_REQUEST),
    ("guest", "PUT", "/api/parameters/shovel/rows/p", "{}", 400, BAD_REQUEST),
    ("guest", "PUT", "/api/vhost-limits/rows/max-queues", "{}", 400, BAD_REQUEST),
    ("guest", "PUT", "/api/topic-permissions/rows/some", "{}", 400, BAD_REQUEST),
    ("some", "PUT", "/api/policies/rows/p", "{}", 401, REFUSED),
    ("guest", "GET", "/api/overview", "", 200, r#"{"product_name": "Leveret", "rabbitmq_version": "4.3.0"}"#),
    ("guest", "GET", "/api/queues/rows?page=1&name=(&use_regex=true", "", 400, r#"{"error": "bad_request", "reason": "name '(' is not a regular expression"}"#),
    ("guest", "PUT", "/api/permissions/rows/some", r#"{"configure": "", "write": "(", "read": ""}"#, 400,
        r#"{"reason": "the write pattern '(' is not a regular expression: unclosed group"}"#),
    ("guest", "POST", "/api/exchanges/rows/x/route", "{}", 404, NOT_FOUND),
    ("guest", "POST", "/api/exchanges/rows/amq.direct/route", "{}", 400, BAD_REQUEST),
];

#[test]
fn requests_are_answered_as_rabbitmq_answers_them() {
    let subject = Subject::start();
    subject.prepare();
    for rows in [LOGINS, GLANCES, QUEUES, EXCHANGES, BINDINGS, MESSAGES, PAGES, ACCOUNTS] {
        check(&subject, rows);
    }
}

#[test]
fn what_is_not_supported_is_refused_with_what_to_do() {
    let subject = Subject::start();
    if subject.is_own {
        subject.prepare();
        check(&subject, OWN);
    }
}

#[test]
fn an_answer_tells_what_else_can_be_done_there() {
    let subject = Subject::start();
    let answer = subject.api.request("OPTIONS", "/api/queues/%2F/q", "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("allow"), Some("HEAD, GET, PUT, DELETE, OPTIONS"));
    let answer = subject.api.request("HEAD", "/api/whoami", "");
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    let answer = subject.api.as_nobody().request("GET", "/api/whoami", "");
    assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")));
}

#[test]
fn a_name_that_does_not_fit_the_protocol_is_refused() {
    let subject = Subject::start();
    subject.prepare();
    let long = "n".repeat(256);
    for (kind, body) in [("queue", "{}"), ("exchange", r#"{"type": "topic"}"#)] {
        let path = format!("/api/{kind}s/rows/{long}");
        let refusal = format!(
            r#"{{"error": "bad_request", "reason": "the {kind} name is longer than 255 bytes"}}"#
        );
        check(&subject, &[("guest", "PUT", &path, body, 400, &refusal)]);
    }
}
