//! Metrics of the whole broker and of its process.

use super::super::{Api, overview, process};
use super::{Family, Labels, PLAIN, labels};
use crate::broker::{BrokerTotals, Shortage};
use crate::footprint::resident_bytes;
use crate::queue::Totals;
use crate::store::Figures;

/// Where names begin that RabbitMQ does not have.
pub(super) const OWN: &str = "leveret_";

/// The version of what RabbitMQ is made of and Leveret is not. Prometheus drops labels that are empty.
const ABSENT: &str = "none";

fn counter(name: &str, help: &'static str) -> Family {
    Family::counter(PLAIN, name, help)
}

fn gauge(name: &str, help: &'static str) -> Family {
    Family::gauge(PLAIN, name, help)
}

/// All of them. `endpoint` says where they are asked for.
pub(super) fn families(api: &Api, endpoint: &str) -> Vec<Family> {
    let totals = api.broker.totals();
    let mut families = identity(api, endpoint);
    families.extend(of_process(api));
    families.extend(of_objects(api, &totals));
    families.extend(of_publishers(&totals));
    families.extend(of_consumers(&totals));
    families.extend(own(api, &api.broker.store_figures()));
    families
}

/// Which broker this is. Dashboards join everything with it.
pub(super) fn identity(api: &Api, endpoint: &str) -> Vec<Family> {
    let build = labels([
        ("rabbitmq_version", overview::RABBITMQ_VERSION),
        ("prometheus_plugin_version", env!("CARGO_PKG_VERSION")),
        ("prometheus_client_version", ABSENT),
        ("erlang_version", ABSENT),
    ]);
    let identity = labels([
        ("rabbitmq_node", &api.node),
        ("rabbitmq_cluster", &api.node),
        ("rabbitmq_cluster_permanent_id", &api.node),
        ("rabbitmq_endpoint", endpoint),
    ]);
    vec![
        gauge("build_info", "RabbitMQ version whose names these are").with(&build, 1),
        gauge("identity_info", "Node and cluster identity").with(&identity, 1),
    ]
}

fn of_process(api: &Api) -> Vec<Family> {
    let broker = &api.broker;
    let (memory, disk) = match broker.shortage() {
        None => (0, 0),
        Some(Shortage::Memory) => (1, 0),
        Some(Shortage::Disk) => (0, 1),
        Some(Shortage::MemoryAndDisk) => (1, 1),
    };
    let uptime = api.began.elapsed().as_secs_f64();
    let limit = broker.config().alarms.disk_free_bytes_min;
    vec![
        gauge("erlang_uptime_seconds", "Node uptime").measured(uptime),
        gauge("process_open_fds", "Open file descriptors").of(process::open_files()),
        gauge("process_max_fds", "Open file descriptors limit").of(process::files_max()),
        gauge("process_resident_memory_bytes", "Memory used in bytes").of(resident_bytes()),
        gauge("resident_memory_limit_bytes", "Memory that messages may hold, in bytes")
            .of(broker.memory_bytes_max()),
        gauge("disk_space_available_bytes", "Disk space available in bytes")
            .of(broker.disk_free_bytes().unwrap_or(0)),
        gauge("disk_space_available_limit_bytes", "Free disk space low watermark in bytes")
            .of(limit),
        gauge("alarms_memory_used_watermark", "Whether the memory alarm is on").of(memory),
        gauge("alarms_free_disk_space_watermark", "Whether the disk alarm is on").of(disk),
    ]
}

fn of_objects(api: &Api, totals: &BrokerTotals) -> Vec<Family> {
    vec![
        gauge("connections", "Connections currently open").of(totals.connections),
        gauge("channels", "Channels currently open").of(totals.channels),
        gauge("queues", "Queues available").of(api.broker.queue_count() as u64),
        counter("connections_opened", "Connections opened").of(totals.connections_opened),
        counter("connections_closed", "Connections closed or terminated")
            .of(totals.connections_closed),
        counter("channels_opened", "Channels opened").of(totals.channels_opened),
        counter("channels_closed", "Channels closed").of(totals.channels_closed),
        counter("queues_declared", "Queues declared").of(totals.queues_declared),
        counter("queues_created", "Queues created").of(totals.queues_created),
        counter("queues_deleted", "Queues deleted").of(totals.queues_deleted),
        counter("dead_letters_dropped", "Dead letters dropped at a limit")
            .of(totals.dead_letters_dropped),
    ]
}

fn protocol() -> Labels {
    labels([("protocol", "amqp091")])
}

fn of_publishers(totals: &BrokerTotals) -> Vec<Family> {
    let (tally, protocol) = (&totals.tally, protocol());
    let unroutable = tally.returned + tally.dropped;
    let one = |name, help, value| counter(name, help).with(&protocol, value);
    vec![
        gauge("global_publishers", "Connections that have published")
            .with(&protocol, totals.publishers),
        one("global_messages_received", "Messages received from publishers", tally.published),
        one(
            "global_messages_received_confirm",
            "Messages received from publishers expecting confirmations",
            tally.published_confirm,
        ),
        one(
            "global_messages_routed",
            "Messages routed to queues",
            tally.published.saturating_sub(unroutable),
        ),
        one("global_messages_confirmed", "Messages confirmed to publishers", tally.confirmed),
        one(
            "global_messages_unroutable_dropped",
            "Messages published as non-mandatory and dropped as unroutable",
            tally.dropped,
        ),
        one(
            "global_messages_unroutable_returned",
            "Messages published as mandatory and returned to the publisher as unroutable",
            tally.returned,
        ),
        Family::histogram(PLAIN, "message_size_bytes", "Size of messages received from publishers")
            .with_sizes(&protocol, totals.sizes),
    ]
}

/// Name, help, and where the count is.
type QueueCounter = (&'static str, &'static str, fn(&Totals) -> u64);

const QUEUE_COUNTERS: [QueueCounter; 12] = [
    ("global_messages_delivered", "Messages delivered to consumers", |one| {
        one.delivered + one.delivered_automatic + one.got + one.got_automatic
    }),
    (
        "global_messages_delivered_consume_auto_ack",
        "Messages delivered with automatic acknowledgement",
        |one| one.delivered_automatic,
    ),
    (
        "global_messages_delivered_consume_manual_ack",
        "Messages delivered with manual acknowledgement",
        |one| one.delivered,
    ),
    (
        "global_messages_delivered_get_auto_ack",
        "Messages got with automatic acknowledgement",
        |one| one.got_automatic,
    ),
    (
        "global_messages_delivered_get_manual_ack",
        "Messages got with manual acknowledgement",
        |one| one.got,
    ),
    ("global_messages_get_empty", "Times basic.get fetched no message", |one| one.got_empty),
    ("global_messages_redelivered", "Messages redelivered to consumers", |one| one.redelivered),
    ("global_messages_acknowledged", "Messages acknowledged by consumers", |one| one.acknowledged),
    ("global_messages_dead_lettered_expired", "Messages that ran out of time", |one| one.expired),
    ("global_messages_dead_lettered_maxlen", "Messages dropped at a length limit", |one| {
        one.dropped
    }),
    ("global_messages_dead_lettered_rejected", "Messages rejected by consumers", |one| {
        one.rejected
    }),
    ("global_messages_dead_lettered_delivery_limit", "Messages that came back too often", |one| {
        one.over_delivered
    }),
];

fn of_consumers(totals: &BrokerTotals) -> Vec<Family> {
    let kinds = [
        ("rabbit_classic_queue", &totals.queues.classic),
        ("rabbit_quorum_queue", &totals.queues.quorum),
    ]
    .map(|(name, one)| (labels([("protocol", "amqp091"), ("queue_type", name)]), one));
    let families = QUEUE_COUNTERS.into_iter().map(|(name, help, count)| {
        let mut family = counter(name, help);
        kinds.iter().for_each(|(labels, totals)| family.push(labels, count(totals)));
        family
    });
    families.collect()
}

fn own(api: &Api, store: &Figures) -> Vec<Family> {
    let counter = |name, help, value| Family::counter(OWN, name, help).of(value);
    let gauge = |name, help, value| Family::gauge(OWN, name, help).of(value);
    let consumers = overview::counts(&api.broker).consumers;
    vec![
        Family::gauge(PLAIN, "global_consumers", "Current number of consumers")
            .with(&protocol(), consumers),
        gauge("journal_bytes", "Bytes of all journal files", store.journal_bytes),
        gauge("journal_segments", "Journal files", store.segments),
        counter("journal_syncs", "Times the journal was synced", store.syncs),
        counter("journal_groups", "Groups written to the journal", store.groups),
        counter("journal_records", "Records written to the journal", store.written),
        counter("journal_elided", "Messages settled before they were written", store.elided),
        counter("checkpoints", "Times the index was brought up to date", store.checkpoints),
        gauge(
            "message_held_bytes",
            "Memory that messages hold",
            api.broker.memory().held_bytes() as u64,
        ),
    ]
}
