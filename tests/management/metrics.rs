//! Metrics for Prometheus: every name that RabbitMQ's Overview dashboard asks for is there.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{Answer, Api, answer};
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

/// The families of queues in their order.
const OF_QUEUES: &[&str] = &[
    "rabbitmq_queue_messages_ready",
    "rabbitmq_queue_messages_unacked",
    "rabbitmq_queue_messages",
    "rabbitmq_queue_consumers",
    "rabbitmq_queue_messages_bytes",
    "rabbitmq_queue_messages_ready_bytes",
    "rabbitmq_queue_messages_unacked_bytes",
    "rabbitmq_queue_messages_published",
    "rabbitmq_queue_messages_delivered_ack",
    "rabbitmq_queue_messages_delivered",
    "rabbitmq_queue_get_ack",
    "rabbitmq_queue_get",
    "rabbitmq_queue_get_empty",
    "rabbitmq_queue_messages_redelivered",
    "rabbitmq_queue_messages_acked",
    "leveret_queue_oldest_message_age_seconds",
];

/// A reader that takes its time: the line of the status is all that it reads by itself.
struct Slow {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Slow {
    fn ask(address: &str, method: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut read = vec![0; 16];
        stream.read_exact(&mut read).unwrap();
        Self { stream, read }
    }

    fn go_on(mut self) -> Answer {
        let _ = self.stream.read_to_end(&mut self.read);
        answer(&self.read)
    }
}

fn with_queues(config: &str, count: usize) -> Server {
    let server = Server::start_managed_with(config);
    let queues: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "name": format!("queue-{number}"), "vhost": "/", "durable": true,
                "auto_delete": false, "arguments": {},
            })
        })
        .collect();
    let definitions = json!({ "queues": queues }).to_string();
    Api::new(&server.management()).done("POST", "/api/definitions", &definitions);
    server
}

/// The families in the order in which they come, each with its series.
#[track_caller]
fn families(text: &str) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().unwrap();
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            assert!(kind.starts_with(&format!("{name} ")), "{kind} of {name}");
            found.push((name.to_owned(), 0));
        } else if line != "# EOF" {
            let (name, count) = found.last_mut().unwrap();
            assert!(line.starts_with(&**name), "{line} in {name}");
            *count += 1;
        }
    }
    found
}

#[test]
fn many_readers_may_take_their_time_over_twenty_thousand_queues() {
    let server = with_queues("[management]\nbodies_bytes_max = 16000000\n", 20_000);
    let address = server.management();
    let readers: Vec<Slow> = (0..12)
        .map(|number| Slow::ask(&address, "GET", &format!("/metrics/per-object?reader={number}")))
        .collect();
    for reader in &readers {
        assert_eq!(String::from_utf8_lossy(&reader.read), "HTTP/1.1 200 OK\r");
    }
    let text = readers.into_iter().next_back().unwrap().go_on().text;
    assert!(text.len() > 16_000_000, "{} bytes would fit whole", text.len());
    assert!(text.ends_with("\n# EOF\n"));
    let families = families(&text);
    let mut times: HashMap<&str, usize> = HashMap::new();
    families.iter().for_each(|(name, _)| *times.entry(name).or_default() += 1);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let of_queues = &families[families.len() - OF_QUEUES.len()..];
    let expected = OF_QUEUES.iter().map(|name| {
        // Nothing is in the queues, so nothing has an age.
        (name.to_string(), if name.ends_with("age_seconds") { 0 } else { 20_000 })
    });
    assert!(expected.eq(of_queues.iter().cloned()), "{of_queues:?}");
    assert_eq!(families[0].0, "rabbitmq_build_info");
}

#[test]
fn the_head_of_what_is_written_while_it_is_sent_has_no_length() {
    let server = Server::start_managed();
    let answer = Slow::ask(&server.management(), "HEAD", "/metrics/per-object").go_on();
    assert_eq!((answer.status, &*answer.text), (200, ""));
    assert_eq!(answer.header("content-length"), None);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let answer = Slow::ask(&server.management(), "HEAD", "/metrics").go_on();
    assert!(answer.header("content-length").is_some());
}

#[test]
fn a_reader_that_takes_nothing_is_given_up() {
    let server = with_queues("[management]\nrequest_ms_max = 300\n", 20_000);
    let reader = Slow::ask(&server.management(), "GET", "/metrics/per-object");
    let api = Api::new(&server.management());
    let open = || value(&scraped(&api, "/metrics"), "rabbitmq_process_open_fds");
    let with_it = open();
    while open() >= with_it {
        std::thread::sleep(Duration::from_millis(20));
    }
    let answer = reader.go_on();
    assert!(!answer.text.ends_with("# EOF\n"), "all {} bytes came", answer.text.len());
}
