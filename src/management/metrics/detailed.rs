//! The families that somebody asks for by name: `?family=queue_coarse_metrics&vhost=…`.

use super::super::Api;
use super::super::reply::Reply;
use super::super::request::Request;
use super::queues::{Wanted, of_each};
use super::{DETAILED, Family, figures, labels};
use crate::broker::{Client, bindings_from};
use crate::outbox::Tally;

/// Families and virtual hosts that one request may name.
const NAMES_MAX: usize = 100;

/// Where names begin that are about the cluster as a whole.
const CLUSTER: &str = "rabbitmq_cluster_";

/// The families that are asked for.
///
/// # Errors
/// 400 when too many names are given.
pub(super) fn families(api: &Api, request: &Request) -> Result<Vec<Family>, Reply> {
    let named = |name| request.queries(name).map(str::to_owned).collect::<Vec<String>>();
    let (groups, vhosts) = (named("family"), named("vhost"));
    if groups.len() > NAMES_MAX || vhosts.len() > NAMES_MAX {
        return Err(Reply::bad_request(format!("at most {NAMES_MAX} families and vhosts")));
    }
    let wanted = Wanted::groups(groups, vhosts);
    let mut families = figures::identity(api, "detailed");
    families.extend(of_each(api, DETAILED, &wanted));
    families.extend(of_connections(api, &wanted));
    families.extend(of_channels(api, &wanted));
    families.extend(of_exchanges(api, &wanted));
    families.extend(of_vhosts(api, &wanted));
    Ok(families)
}

fn clients(api: &Api, wanted: &Wanted) -> Vec<std::sync::Arc<Client>> {
    let clients = api.broker.clients().into_iter();
    clients.filter(|client| wanted.has_vhost(client.vhost_name())).collect()
}

fn of_connections(api: &Api, wanted: &Wanted) -> Vec<Family> {
    let gauge = |name, help| Family::gauge(DETAILED, name, help);
    let counter = |name, help| Family::counter(DETAILED, name, help);
    let mut coarse = [
        counter("connection_incoming_bytes", "Bytes received on a connection"),
        counter("connection_outgoing_bytes", "Bytes sent on a connection"),
    ];
    let mut fine = [
        gauge("connection_channels", "Channels on a connection"),
        gauge("connection_pending_bytes", "Bytes that wait to be sent on a connection"),
    ];
    let (has_coarse, has_fine) =
        (wanted.has("connection_coarse_metrics"), wanted.has("connection_metrics"));
    if !has_coarse && !has_fine {
        return Vec::new();
    }
    for client in clients(api, wanted) {
        let traffic = client.outbox().traffic();
        let labels = labels([("connection", client.name()), ("vhost", client.vhost_name())]);
        coarse[0].push(&labels, traffic.received_bytes);
        coarse[1].push(&labels, traffic.written_bytes);
        fine[0].push(&labels, traffic.channels as u64);
        fine[1].push(&labels, traffic.waiting_bytes as u64);
    }
    let mut families = Vec::new();
    if has_coarse {
        families.extend(coarse);
    }
    if has_fine {
        families.extend(fine);
    }
    families
}

/// What is counted on a channel: group, name, help, and where.
type ChannelCounter = (&'static str, &'static str, &'static str, fn(&Tally) -> u64);

const CHANNEL_COUNTERS: [ChannelCounter; 11] = [
    ("channel_exchange_metrics", "channel_messages_published", "Messages published", |one| {
        one.published
    }),
    ("channel_exchange_metrics", "channel_messages_confirmed", "Messages confirmed", |one| {
        one.confirmed
    }),
    (
        "channel_exchange_metrics",
        "channel_messages_unroutable_returned",
        "Messages returned as unroutable",
        |one| one.returned,
    ),
    (
        "channel_exchange_metrics",
        "channel_messages_unroutable_dropped",
        "Messages dropped as unroutable",
        |one| one.dropped,
    ),
    (
        "channel_queue_metrics",
        "channel_messages_delivered_ack",
        "Messages delivered with manual acknowledgement",
        |one| one.delivered,
    ),
    (
        "channel_queue_metrics",
        "channel_messages_delivered",
        "Messages delivered with automatic acknowledgement",
        |one| one.delivered_automatic,
    ),
    ("channel_queue_metrics", "channel_get_ack", "Messages got, to be acknowledged", |one| one.got),
    ("channel_queue_metrics", "channel_get", "Messages got", |one| one.got_automatic),
    ("channel_queue_metrics", "channel_get_empty", "Times there was none", |one| one.got_empty),
    ("channel_queue_metrics", "channel_messages_redelivered", "Messages redelivered", |one| {
        one.redelivered
    }),
    ("channel_queue_metrics", "channel_messages_acked", "Messages acknowledged", |one| {
        one.acknowledged
    }),
];

fn of_channels(api: &Api, wanted: &Wanted) -> Vec<Family> {
    let gauge = |name, help| Family::gauge(DETAILED, name, help);
    let mut states = [
        gauge("channel_consumers", "Consumers on a channel"),
        gauge("channel_messages_unacked", "Delivered but not yet acknowledged messages"),
        gauge("channel_messages_unconfirmed", "Published but not yet confirmed messages"),
        gauge("channel_prefetch", "Limit of unacknowledged messages of all consumers"),
    ];
    let counted: Vec<&ChannelCounter> =
        CHANNEL_COUNTERS.iter().filter(|(group, ..)| wanted.has(group)).collect();
    let has_states = wanted.has("channel_metrics");
    if counted.is_empty() && !has_states {
        return Vec::new();
    }
    let mut counters: Vec<Family> =
        counted.iter().map(|(_, name, help, _)| Family::counter(DETAILED, name, help)).collect();
    for client in clients(api, wanted) {
        for channel in client.outbox().channels() {
            let name = super::super::consumers::channel_name(&client, channel.number);
            let labels = labels([("channel", &name), ("vhost", client.vhost_name())]);
            states[0].push(&labels, channel.consumers.into());
            states[1].push(&labels, channel.unacknowledged as u64);
            states[2].push(&labels, channel.unconfirmed);
            states[3].push(&labels, channel.prefetch_global.into());
            for (family, (.., count)) in counters.iter_mut().zip(&counted) {
                family.push(&labels, count(&channel.tally));
            }
        }
    }
    if has_states {
        counters.extend(states);
    }
    counters
}

fn of_exchanges(api: &Api, wanted: &Wanted) -> Vec<Family> {
    let mut published = Family::counter(
        DETAILED,
        "exchange_messages_published",
        "Messages published to an exchange",
    );
    let mut copies =
        Family::counter(DETAILED, "exchange_messages_routed", "Copies given to queues");
    let mut bindings = Family::gauge(CLUSTER, "exchange_bindings", "Bindings of an exchange");
    let (has_messages, has_bindings) =
        (wanted.has("exchange_metrics"), wanted.has("exchange_bindings"));
    if !has_messages && !has_bindings {
        return Vec::new();
    }
    let vhosts = api.broker.vhost_names().into_iter().filter(|vhost| wanted.has_vhost(vhost));
    for exchange in vhosts.flat_map(|vhost| api.broker.exchanges(&vhost)) {
        let labels = labels([("vhost", exchange.vhost_name()), ("exchange", exchange.name())]);
        let passed = exchange.passed();
        published.push(&labels, passed.entered);
        copies.push(&labels, passed.left);
        if has_bindings {
            bindings.push(&labels, bindings_from(&exchange).len() as u64);
        }
    }
    let mut families = Vec::new();
    if has_messages {
        families.extend([published, copies]);
    }
    if has_bindings {
        families.push(bindings);
    }
    families
}

fn of_vhosts(api: &Api, wanted: &Wanted) -> Vec<Family> {
    if !wanted.has("vhost_status") {
        return Vec::new();
    }
    let mut status = Family::gauge(CLUSTER, "vhost_status", "Whether a virtual host is running");
    for vhost in api.broker.vhost_names().iter().filter(|vhost| wanted.has_vhost(vhost)) {
        status.push(&labels([("vhost", vhost)]), 1);
    }
    vec![status]
}
