//! The node: this process, in the fields that RabbitMQ has for one of its own.

use serde_json::{Map, Value as Json, json};

use super::call::Call;
use super::reply::{Outcome, Reply};
use super::{Api, overview, paging, process};
use crate::broker::Shortage;
use crate::footprint::resident_bytes;

/// As many threads as a process can have by Linux's default, where RabbitMQ tells its limit of Erlang processes.
const THREADS_MAX: u64 = 32_768;

/// The parts of memory that RabbitMQ tells of. Messages are `binary`, and all else is `other_system`.
const MEMORY_PARTS: &[&str] = &[
    "connection_readers",
    "connection_writers",
    "connection_channels",
    "connection_other",
    "queue_procs",
    "quorum_queue_procs",
    "quorum_queue_dlx_procs",
    "stream_queue_procs",
    "stream_queue_replica_reader_procs",
    "stream_queue_coordinator_procs",
    "plugins",
    "metadata_store",
    "other_proc",
    "metrics",
    "mgmt_db",
    "mnesia",
    "quorum_ets",
    "metadata_store_ets",
    "other_ets",
    "msg_index",
    "code",
    "atom",
    "allocated_unused",
    "reserved_unallocated",
];

/// The node as the API shows it.
fn object(api: &Api) -> Json {
    let objects = [identity(api), resources(api), churn(api)];
    Json::Object(objects.into_iter().filter_map(fields).flatten().collect())
}

fn fields(object: Json) -> Option<Map<String, Json>> {
    match object {
        Json::Object(fields) => Some(fields),
        _ => None,
    }
}

fn resources(api: &Api) -> Json {
    let broker = &api.broker;
    let shortage = broker.shortage();
    let (memory, disk) = match shortage {
        None => (false, false),
        Some(Shortage::Memory) => (true, false),
        Some(Shortage::Disk) => (false, true),
        Some(Shortage::MemoryAndDisk) => (true, true),
    };
    json!({
        "fd_used": process::open_files(),
        "fd_total": process::files_max(),
        "sockets_used": broker.client_count(),
        "sockets_total": broker.config().amqp.connections_max,
        "proc_used": process::threads(),
        "proc_total": THREADS_MAX,
        "mem_used": resident_bytes(),
        "mem_limit": broker.memory_bytes_max(),
        "mem_alarm": memory,
        "mem_calculation_strategy": "rss",
        "message_bytes_held": broker.memory().held_bytes(),
        "disk_free": broker.disk_free_bytes(),
        "disk_free_limit": broker.config().alarms.disk_free_bytes_min,
        "disk_free_alarm": disk,
    })
}

fn identity(api: &Api) -> Json {
    json!({
        "name": api.node,
        "type": "disc",
        "running": true,
        "being_drained": false,
        "os_pid": std::process::id().to_string(),
        "uptime": api.began.elapsed().as_millis() as u64,
        "processors": process::processors(),
        "run_queue": 0,
        "rates_mode": "basic",
        "enabled_plugins": ["rabbitmq_management", "rabbitmq_prometheus"],
        "db_dir": std::path::absolute(&api.broker.config().data_dir).unwrap_or_default(),
        "log_files": ["stderr"],
        "config_files": [],
        "partitions": [],
        "cluster_links": [],
        "applications": [],
        "auth_mechanisms": overview::auth_mechanisms(api),
        "exchange_types": overview::exchange_types(),
        "contexts": overview::contexts(api),
        "rabbitmq_version": overview::RABBITMQ_VERSION,
        "product_name": overview::PRODUCT,
        "product_version": env!("CARGO_PKG_VERSION"),
    })
}

fn churn(api: &Api) -> Json {
    let (totals, store) = (api.broker.totals(), api.broker.store_figures());
    json!({
        "connection_created": totals.connections_opened,
        "connection_closed": totals.connections_closed,
        "channel_created": totals.channels_opened,
        "channel_closed": totals.channels_closed,
        "queue_declared": totals.queues_declared,
        "queue_created": totals.queues_created,
        "queue_deleted": totals.queues_deleted,
        "journal_bytes": store.journal_bytes,
        "io_sync_count": store.syncs,
    })
}

/// `GET nodes`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    call.caller.expect_monitor()?;
    paging::list(call.request, vec![call.api], |api| &api.node, object)
}

fn expect_here(call: &Call<'_>) -> Result<(), Reply> {
    call.caller.expect_monitor()?;
    if call.part(0) == call.api.node { Ok(()) } else { Err(Reply::no_object()) }
}

/// `GET nodes/NODE`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    expect_here(call)?;
    paging::object(call.request, &object(call.api))
}

/// `GET nodes/NODE/memory`.
pub(super) fn memory(call: &Call<'_>) -> Outcome {
    expect_here(call)?;
    let (resident, messages) = (resident_bytes(), call.api.broker.memory().held_bytes() as u64);
    // RabbitMQ's parts are those of Erlang. What is known here stands in two of them, the others are 0.
    let mut memory: Map<String, Json> =
        MEMORY_PARTS.iter().map(|part| ((*part).to_owned(), Json::from(0))).collect();
    memory.insert("binary".to_owned(), Json::from(messages));
    memory.insert("other_system".to_owned(), Json::from(resident.saturating_sub(messages)));
    memory.insert("strategy".to_owned(), Json::from("rss"));
    let total = json!({ "erlang": resident, "rss": resident, "allocated": resident });
    memory.insert("total".to_owned(), total);
    Ok(Reply::json(&json!({ "memory": memory })))
}
