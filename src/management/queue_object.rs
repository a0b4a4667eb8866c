//! A queue as the API shows it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::call::Call;
use super::rates::{Quiet, Rates, Subject};
use super::stats::{QUEUE_NAMES, Rate, Stats, queue_values};
use super::{Api, clock};
use crate::broker::{QueueFigures, QueueKind, QueueRef, table_to_json};

/// The fields that say what a queue is.
#[derive(Serialize)]
pub(super) struct QueueObject {
    name: Arc<str>,
    vhost: Arc<str>,
    #[serde(rename = "type")]
    kind: &'static str,
    durable: bool,
    auto_delete: bool,
    exclusive: bool,
    arguments: Map<String, Json>,
    node: String,
    state: &'static str,
    policy: Option<&'static str>,
    operator_policy: Option<&'static str>,
    effective_policy_definition: Map<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_pid_details: Option<Json>,
    #[serde(flatten)]
    totals: Option<TotalsObject>,
    #[serde(flatten)]
    stats: Option<StatsObject>,
    /// For one queue alone: its consumers, and what a list would make slow.
    #[serde(flatten)]
    details: Option<Map<String, Json>>,
}

/// How many messages it has.
#[derive(Serialize)]
struct TotalsObject {
    messages: u64,
    messages_ready: u64,
    messages_unacknowledged: u64,
}

/// What is measured.
#[derive(Serialize)]
struct StatsObject {
    consumers: u64,
    message_bytes: u64,
    message_bytes_ready: u64,
    message_bytes_unacknowledged: u64,
    messages_details: Rate,
    messages_ready_details: Rate,
    messages_unacknowledged_details: Rate,
    oldest_message_age_ms: Option<u64>,
    head_message_timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_since: Option<String>,
    storage_version: u8,
    #[serde(skip_serializing_if = "Stats::is_empty")]
    message_stats: Stats<9>,
}

/// Values that are sampled of a queue: its counters, then what it holds.
pub(super) fn sampled(figures: &QueueFigures) -> [u64; 12] {
    let [a, b, c, d, e, f, g, h, i] = queue_values(&figures.totals);
    let counts = &figures.counts;
    let messages = counts.ready + counts.unacknowledged;
    [a, b, c, d, e, f, g, h, i, messages, counts.ready, counts.unacknowledged]
}

/// How much of each queue is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What it is.
    Identity,
    /// That, and how many messages it has.
    Totals,
    /// Everything.
    Full,
}

impl Detail {
    /// What the query asks for.
    pub fn wanted(call: &Call<'_>) -> Self {
        match (call.request.asks("disable_stats"), call.request.asks("enable_queue_totals")) {
            (false, _) => Self::Full,
            (true, true) => Self::Totals,
            (true, false) => Self::Identity,
        }
    }
}

impl QueueObject {
    /// A queue as it is now.
    pub fn new(api: &Api, queue: &QueueRef, rates: &Rates, detail: Detail, now_ms: u64) -> Self {
        let lifetime = queue.lifetime();
        let figures = (detail != Detail::Identity).then(|| queue.figures());
        let totals = figures.map(|figures| TotalsObject {
            messages: figures.counts.ready + figures.counts.unacknowledged,
            messages_ready: figures.counts.ready,
            messages_unacknowledged: figures.counts.unacknowledged,
        });
        let stats = figures
            .filter(|_| detail == Detail::Full)
            .map(|figures| StatsObject::new(queue, &figures, rates, now_ms));
        let mut arguments = table_to_json(queue.arguments());
        let kind = type_name(queue.kind());
        arguments.entry("x-queue-type").or_insert_with(|| Json::from(kind));
        Self {
            name: Arc::clone(queue.name()),
            vhost: Arc::clone(queue.vhost_name()),
            kind,
            durable: lifetime.durable,
            auto_delete: lifetime.auto_delete,
            exclusive: lifetime.owner.is_some(),
            arguments,
            node: api.node.clone(),
            state: "running",
            policy: None,
            operator_policy: None,
            effective_policy_definition: Map::new(),
            owner_pid_details: lifetime
                .owner
                .filter(|_| detail == Detail::Full)
                .and_then(|id| api.broker.client_numbered(id))
                .map(|client| {
                    let peer = client.peer();
                    json!({
                        "name": client.name(),
                        "peer_host": peer.ip().to_string(),
                        "peer_port": peer.port(),
                    })
                }),
            totals,
            stats,
            details: None,
        }
    }

    /// The same, with more fields.
    pub fn with(self, details: Map<String, Json>) -> Self {
        Self { details: Some(details), ..self }
    }
}

/// RabbitMQ's word for a queue's type.
pub(super) fn type_name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "classic",
        QueueKind::Quorum => "quorum",
    }
}

impl StatsObject {
    fn new(queue: &QueueRef, figures: &QueueFigures, rates: &Rates, now_ms: u64) -> Self {
        let subject = Subject::Queue(queue.id());
        let QueueFigures { counts, totals, oldest_ms, used_ms } = figures;
        let values = sampled(figures);
        let [.., messages, ready, unacknowledged] = rates.of(subject, values, now_ms);
        let idle_since = match rates.quiet_since_ms(subject, &values) {
            Quiet::No => None,
            Quiet::Always => Some(*used_ms),
            Quiet::Since(ms) => Some(ms),
        };
        Self {
            consumers: counts.consumers,
            message_bytes: counts.ready_bytes + counts.unacknowledged_bytes,
            message_bytes_ready: counts.ready_bytes,
            message_bytes_unacknowledged: counts.unacknowledged_bytes,
            messages_details: Rate { rate: messages },
            messages_ready_details: Rate { rate: ready },
            messages_unacknowledged_details: Rate { rate: unacknowledged },
            oldest_message_age_ms: oldest_ms.map(|ms| now_ms.saturating_sub(ms)),
            head_message_timestamp: oldest_ms.map(|ms| ms / 1000),
            idle_since: idle_since.map(clock::written),
            storage_version: 2,
            message_stats: Stats::new(&QUEUE_NAMES, queue_values(totals), (rates, subject, now_ms)),
        }
    }
}
