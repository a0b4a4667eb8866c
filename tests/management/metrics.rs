//! Metrics for Prometheus: every name that RabbitMQ's Overview dashboard asks for is there.

use crate::support::http::Api;
use crate::support::peer::{Delivery, Durability, Peer, Routing, publication};
use crate::support::server::Server;

/// What the dashboard queries, without the prefix `rabbitmq_`.
const DASHBOARD: &[&str] = &[
    "identity_info{rabbitmq_node=",
    "build_info{rabbitmq_version=",
    "erlang_uptime_seconds",
    "connections",
    "channels",
    "queues",
    "queue_messages_ready",
    "queue_messages_unacked",
    "connections_opened_total",
    "connections_closed_total",
    "channels_opened_total",
    "channels_closed_total",
    "queues_declared_total",
    "queues_created_total",
    "queues_deleted_total",
    "resident_memory_limit_bytes",
    "process_resident_memory_bytes",
    "disk_space_available_bytes",
    "disk_space_available_limit_bytes",
    "process_max_fds",
    "process_open_fds",
    "global_publishers",
    "global_consumers",
    "global_messages_received_total",
    "global_messages_received_confirm_total",
    "global_messages_routed_total",
    "global_messages_confirmed_total",
    "global_messages_unroutable_dropped_total",
    "global_messages_unroutable_returned_total",
    "global_messages_delivered_total",
    "global_messages_redelivered_total",
    "global_messages_acknowledged_total",
    "global_messages_get_empty_total",
    "global_messages_delivered_consume_auto_ack_total",
    "global_messages_delivered_consume_manual_ack_total",
    "global_messages_delivered_get_auto_ack_total",
    "global_messages_delivered_get_manual_ack_total",
    "message_size_bytes_sum",
    "message_size_bytes_count",
];

const BOUNDS: &[&str] =
    &["100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"];

fn scraped(api: &Api, path: &str) -> String {
    let answer = api.as_nobody().request("GET", path, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(answer.text.ends_with("# EOF\n"));
    answer.text
}

/// The value of the one series that begins like this.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| {
        let rest = line.strip_prefix(series);
        rest.is_some_and(|rest| rest.starts_with([' ', '{', ',', '"']) || series.ends_with('='))
    });
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn every_name_of_the_dashboard_is_there() {
    let server = Server::start_managed();
    let text = scraped(&Api::new(&server.management()), "/metrics");
    for name in DASHBOARD {
        value(&text, &format!("rabbitmq_{name}"));
    }
    for bound in BOUNDS {
        value(
            &text,
            &format!("rabbitmq_message_size_bytes_bucket{{le=\"{bound}\",protocol=\"amqp091\"}}"),
        );
    }
    let labels = [
        "rabbitmq_node=",
        "rabbitmq_cluster=",
        "rabbitmq_cluster_permanent_id=",
        "rabbitmq_endpoint=\"aggregated\"",
    ];
    let identity = text.lines().find(|line| line.starts_with("rabbitmq_identity_info{")).unwrap();
    assert!(labels.iter().all(|label| identity.contains(label)), "{identity}");
    // To Prometheus a label without a value is none, and a dashboard loses its column.
    let build = text.lines().find(|line| line.starts_with("rabbitmq_build_info{")).unwrap();
    assert!(build.contains("rabbitmq_version=") && build.contains("erlang_version="), "{build}");
    assert!(!build.contains("\"\"") && !identity.contains("\"\""), "{build} {identity}");
}

#[test]
fn metrics_tell_what_happened() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    let mut peer = Peer::connect(server.port()).unwrap();
    peer.declare_queue("q", Durability::Durable, &[]).unwrap();
    for (key, routing) in
        [("q", Routing::Optional), ("none", Routing::Optional), ("none", Routing::Mandatory)]
    {
        let body = vec![0; 500];
        peer.send(&publication("", key, routing, Delivery::Persistent, &body)).unwrap();
    }
    // The answer comes after what was sent before.
    assert_eq!(peer.depth("q").unwrap(), 1);
    let text = scraped(&api, "/metrics");
    let check =
        |series: &str, expected: f64| assert_eq!(value(&text, series), expected, "{series}");
    check("rabbitmq_connections", 1.0);
    check("rabbitmq_channels", 1.0);
    check("rabbitmq_queues", 1.0);
    check("rabbitmq_queue_messages_ready", 1.0);
    check("rabbitmq_global_publishers", 1.0);
    check("rabbitmq_global_messages_received_total", 3.0);
    check("rabbitmq_global_messages_routed_total", 1.0);
    check("rabbitmq_global_messages_unroutable_dropped_total", 1.0);
    check("rabbitmq_global_messages_unroutable_returned_total", 1.0);
    check("rabbitmq_message_size_bytes_count", 3.0);
    check("rabbitmq_message_size_bytes_sum", 1500.0);
    check("rabbitmq_message_size_bytes_bucket{le=\"100.0\",protocol=\"amqp091\"}", 0.0);
    check("rabbitmq_message_size_bytes_bucket{le=\"1000.0\",protocol=\"amqp091\"}", 3.0);
    assert!(value(&text, "leveret_journal_bytes") > 0.0);
    assert!(value(&text, "leveret_journal_syncs_total") > 0.0);
    assert!(value(&text, "leveret_queue_oldest_message_age_seconds") >= 0.0);
}

#[test]
fn series_are_there_for_each_object_where_that_is_asked_for() {
    let server = Server::start_managed();
    let api = Api::new(&server.management());
    api.done("PUT", "/api/queues/%2F/one", "{}");
    api.done("PUT", "/api/queues/%2F/t%22o", "{}");
    let _peer = Peer::connect(server.port()).unwrap();
    let text = scraped(&api, "/metrics/per-object");
    value(&text, "rabbitmq_queue_messages_ready{vhost=\"/\",queue=\"one\"}");
    value(&text, "rabbitmq_queue_messages_ready{vhost=\"/\",queue=\"t\\\"o\"}");
    let detailed = |query: &str| scraped(&api, &format!("/metrics/detailed?{query}"));
    let text = detailed("family=queue_coarse_metrics&vhost=%2F");
    value(&text, "rabbitmq_detailed_queue_messages_ready{vhost=\"/\",queue=\"one\"}");
    assert!(!text.contains("rabbitmq_detailed_queue_consumers"));
    assert!(!detailed("family=queue_coarse_metrics&vhost=none").contains("queue=\"one\""));
    let families = [
        ("queue_consumer_count", "rabbitmq_detailed_queue_consumers"),
        ("queue_metrics", "rabbitmq_detailed_queue_messages_bytes"),
        ("queue_delivery_metrics", "rabbitmq_detailed_queue_messages_acked_total"),
        ("connection_coarse_metrics", "rabbitmq_detailed_connection_incoming_bytes_total"),
        ("connection_metrics", "rabbitmq_detailed_connection_channels"),
        ("channel_metrics", "rabbitmq_detailed_channel_consumers"),
        ("channel_exchange_metrics", "rabbitmq_detailed_channel_messages_published_total"),
        ("channel_queue_metrics", "rabbitmq_detailed_channel_messages_acked_total"),
        ("exchange_metrics", "rabbitmq_detailed_exchange_messages_published_total"),
        ("exchange_bindings", "rabbitmq_cluster_exchange_bindings"),
        ("vhost_status", "rabbitmq_cluster_vhost_status"),
    ];
    for (family, name) in families {
        value(&detailed(&format!("family={family}")), name);
    }
    assert_eq!(api.as_nobody().request("GET", "/metrics/none", "").status, 404);
}
