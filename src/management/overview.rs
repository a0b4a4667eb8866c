//! The broker at a glance, and the small answers about it that tools ask for first.

use serde_json::{Map, Value as Json, json};

use super::call::Call;
use super::rates::Subject;
use super::reply::{Outcome, Reply};
use super::stats::{CHANNEL_NAMES, Name, channel_values, name, queue_values};
use super::{Api, clock, paging};
use crate::broker::{Broker, BrokerTotals};
use crate::config::TlsClients;
use crate::queue::Counts;
use crate::socket::Served;

/// The version of RabbitMQ whose API this is: what tools compare, that would not know ours.
pub(super) const RABBITMQ_VERSION: &str = "4.3.0";

/// What this is.
pub(super) const PRODUCT: &str = "Leveret";

const CHURN_NAMES: [Name; 7] = [
    name!("connection_created"),
    name!("connection_closed"),
    name!("channel_created"),
    name!("channel_closed"),
    name!("queue_declared"),
    name!("queue_created"),
    name!("queue_deleted"),
];

const TOTAL_NAMES: [Name; 3] =
    [name!("messages"), name!("messages_ready"), name!("messages_unacknowledged")];

/// Sampled values of the whole broker: messages, churn, totals.
const SAMPLED: usize = CHANNEL_NAMES.len() + CHURN_NAMES.len() + TOTAL_NAMES.len();

/// The broker's counters in the order in which they are sampled.
pub(super) fn sampled(broker: &Broker) -> [u64; SAMPLED] {
    values(&broker.totals(), &counts(broker))
}

fn values(totals: &BrokerTotals, counts: &Counts) -> [u64; SAMPLED] {
    let mut values = [0; SAMPLED];
    let all = message_values(totals).into_iter().chain(churn_values(totals));
    for (value, one) in values.iter_mut().zip(all.chain(total_values(counts))) {
        *value = one;
    }
    values
}

/// What clients published, and what queues gave.
fn message_values(totals: &BrokerTotals) -> [u64; CHANNEL_NAMES.len()] {
    let mut values = channel_values(&totals.tally);
    // An operator gets messages without a channel, so what was given is what the queues counted.
    let [_, given @ ..] = queue_values(&totals.queues.all());
    values[4..].copy_from_slice(&given);
    values
}

fn churn_values(totals: &BrokerTotals) -> [u64; CHURN_NAMES.len()] {
    [
        totals.connections_opened,
        totals.connections_closed,
        totals.channels_opened,
        totals.channels_closed,
        totals.queues_declared,
        totals.queues_created,
        totals.queues_deleted,
    ]
}

fn total_values(counts: &Counts) -> [u64; TOTAL_NAMES.len()] {
    [counts.ready + counts.unacknowledged, counts.ready, counts.unacknowledged]
}

/// What all queues hold together.
pub(super) fn counts(broker: &Broker) -> Counts {
    let mut all = Counts::default();
    for queue in broker.vhost_names().iter().flat_map(|vhost| broker.queues(vhost)) {
        let counts = queue.figures().counts;
        all.ready += counts.ready;
        all.unacknowledged += counts.unacknowledged;
        all.consumers += counts.consumers;
        all.ready_bytes += counts.ready_bytes;
        all.unacknowledged_bytes += counts.unacknowledged_bytes;
    }
    all
}

/// `GET overview`. Who is no monitor sees the figures of its own virtual hosts, and nothing of the node.
pub(super) fn get(call: &Call<'_>) -> Outcome {
    let (api, broker) = (call.api, &call.api.broker);
    let (totals, counts) = (broker.totals(), counts(broker));
    let mut object = identity(api);
    let rates = api.rates.read();
    let all = rates.of(Subject::Broker, values(&totals, &counts), clock::now_ms());
    drop(rates);
    let (messages, rest) = all.split_at(CHANNEL_NAMES.len());
    let (churn, held) = rest.split_at(CHURN_NAMES.len());
    let monitor = call.caller.is_monitor();
    let mut put = |name: &str, value: Json| object.insert(name.to_owned(), value);
    put("churn_rates", measured(&CHURN_NAMES, &churn_values(&totals), churn));
    if monitor {
        put("message_stats", measured(&CHANNEL_NAMES, &message_values(&totals), messages));
        put("queue_totals", measured(&TOTAL_NAMES, &total_values(&counts), held));
        put("node", Json::from(api.node.as_str()));
        put("listeners", listeners(api));
        put("contexts", contexts(api));
    } else {
        put("message_stats", json!({}));
        put("queue_totals", own_totals(call));
    }
    put("object_totals", object_totals(call, &totals, &counts));
    paging::object(call.request, &object)
}

fn measured(names: &[Name], values: &[u64], rates: &[f64]) -> Json {
    let mut object = Map::new();
    for ((name, value), rate) in names.iter().zip(values).zip(rates) {
        object.insert(name.0.to_owned(), Json::from(*value));
        object.insert(name.1.to_owned(), json!({ "rate": rate }));
    }
    Json::Object(object)
}

fn own_totals(call: &Call<'_>) -> Json {
    let (mut ready, mut unacknowledged) = (0, 0);
    for queue in call.vhosts().iter().flat_map(|vhost| call.api.broker.queues(vhost)) {
        let counts = queue.figures().counts;
        ready += counts.ready;
        unacknowledged += counts.unacknowledged;
    }
    json!({
        "messages": ready + unacknowledged,
        "messages_ready": ready,
        "messages_unacknowledged": unacknowledged,
    })
}

fn object_totals(call: &Call<'_>, totals: &BrokerTotals, counts: &Counts) -> Json {
    let broker = &call.api.broker;
    let monitor = call.caller.is_monitor();
    let vhosts = if monitor { broker.vhost_names() } else { call.vhosts() };
    let own: Vec<_> = broker
        .clients()
        .into_iter()
        .filter(|client| monitor || *client.user() == call.caller.user)
        .collect();
    let channels = own.iter().map(|client| client.outbox().traffic().channels).sum::<usize>();
    let consumers = if monitor {
        counts.consumers
    } else {
        let queues = vhosts.iter().flat_map(|vhost| broker.queues(vhost));
        queues.map(|queue| queue.figures().counts.consumers).sum()
    };
    json!({
        "connections": if monitor { totals.connections } else { own.len() as u64 },
        "channels": channels,
        "consumers": consumers,
        "exchanges": vhosts.iter().map(|vhost| broker.exchanges(vhost).len()).sum::<usize>(),
        "queues": vhosts.iter().map(|vhost| broker.queues(vhost).len()).sum::<usize>(),
    })
}

fn identity(api: &Api) -> Map<String, Json> {
    let object = json!({
        "management_version": RABBITMQ_VERSION,
        "rabbitmq_version": RABBITMQ_VERSION,
        "product_name": PRODUCT,
        "product_version": env!("CARGO_PKG_VERSION"),
        "cluster_name": api.node,
        "cluster_tags": {},
        "node_tags": {},
        "erlang_version": "",
        "erlang_full_version": "",
        "crypto_lib_version": "",
        "rates_mode": "basic",
        "sample_retention_policies": { "global": [10], "basic": [10], "detailed": [10] },
        "exchange_types": exchange_types(),
        "default_queue_type": "classic",
        "disable_stats": false,
        "enable_queue_totals": false,
        "is_op_policy_updating_enabled": false,
        "require_definition_json_extension": false,
        "statistics_db_event_queue": 0,
    });
    match object {
        Json::Object(object) => object,
        _ => Map::new(),
    }
}

/// The types of exchanges.
pub(super) fn exchange_types() -> Json {
    let types = ["direct", "fanout", "headers", "topic"];
    let object = |name: &str| {
        let description = format!("AMQP {name} exchange, as per the AMQP specification");
        json!({ "name": name, "description": description, "enabled": true })
    };
    Json::Array(types.into_iter().map(object).collect())
}

/// How users may log in.
pub(super) fn auth_mechanisms(api: &Api) -> Json {
    let tls = &api.broker.config().tls;
    let is_by_certificate = tls.address().is_some() && tls.clients != TlsClients::Anonymous;
    let external = is_by_certificate.then_some("EXTERNAL");
    let mechanisms = ["PLAIN", "AMQPLAIN"].into_iter().chain(external);
    let object = |name: &str| {
        let description = format!("SASL {name} authentication mechanism");
        json!({ "name": name, "description": description, "enabled": true })
    };
    Json::Array(mechanisms.map(object).collect())
}

fn listeners(api: &Api) -> Json {
    let object = |protocol: &str, served: &Served| {
        json!({
            "node": api.node,
            "protocol": protocol,
            "ip_address": served.address.ip().to_string(),
            "port": served.address.port(),
            "tls": served.is_secured(),
            "socket_opts": {},
        })
    };
    let objects = api.served.iter().map(|served| object(served.protocol, served));
    // RabbitMQ serves the metrics elsewhere.
    let metrics =
        over_http(api).map(|served| object(&format!("{}/prometheus", served.protocol), served));
    Json::Array(objects.chain(metrics).collect())
}

/// Where the API is served.
pub(super) fn over_http(api: &Api) -> impl Iterator<Item = &Served> {
    api.served.iter().filter(|served| served.protocol.starts_with("http"))
}

/// What is served over HTTP.
pub(super) fn contexts(api: &Api) -> Json {
    let object = |served: &Served| {
        json!({
            "node": api.node,
            "description": "Leveret Management",
            "path": "/",
            "ip": served.address.ip().to_string(),
            "port": served.address.port().to_string(),
            "ssl_opts": [],
        })
    };
    Json::Array(over_http(api).map(object).collect())
}

/// `GET cluster-name`.
pub(super) fn cluster_name(call: &Call<'_>) -> Outcome {
    Ok(Reply::json(&json!({ "name": call.api.node })))
}

/// `GET extensions`: there are none to RabbitMQ's page.
pub(super) fn extensions(_: &Call<'_>) -> Outcome {
    Ok(Reply::json(&[(); 0]))
}

/// `GET auth`: there is no other way to log in than user and password.
pub(super) fn auth(_: &Call<'_>) -> Outcome {
    Ok(Reply::json(&json!({ "oauth_enabled": false })))
}

/// What tools look for among RabbitMQ's feature flags, as far as it is so here.
const FEATURE_FLAGS: &[&str] = &[
    "detailed_queues_endpoint",
    "direct_exchange_routing_v2",
    "feature_flags_v2",
    "maintenance_mode_status",
    "quorum_queue",
    "user_limits",
    "virtual_host_metadata",
];

/// `GET feature-flags`.
pub(super) fn feature_flags(call: &Call<'_>) -> Outcome {
    let show = |name: &str| {
        json!({
            "name": name,
            "desc": "",
            "doc_url": "",
            "state": "enabled",
            "stability": "required",
            "require_level": "hard",
            "experiment_level": "supported",
            "callbacks": [],
            "provided_by": "leveret",
        })
    };
    paging::list(call.request, FEATURE_FLAGS.to_vec(), |name| name, show)
}
