//! The families that somebody asks for by name: `?family=queue_coarse_metrics&vhost=…`.

use std::sync::Arc;

use super::super::Api;
use super::super::reply::Reply;
use super::super::request::Request;
use super::queues::{Wanted, of_each};
use super::scrape::Scrape;
use super::{DETAILED, Family, Labels, figures, labels};
use crate::broker::{Client, ExchangeRef, bindings_from};
use crate::outbox::{ChannelState, Tally, Traffic};

/// Families and virtual hosts that one request may name.
const NAMES_MAX: usize = 100;

/// Where names begin that are about the cluster as a whole.
const CLUSTER: &str = "rabbitmq_cluster_";

/// The families that are asked for.
///
/// # Errors
/// 400 when too many names are given.
pub(super) fn families(api: &Api, request: &Request) -> Result<Scrape, Reply> {
    let named = |name| request.queries(name).map(str::to_owned).collect::<Vec<String>>();
    let (groups, vhosts) = (named("family"), named("vhost"));
    if groups.len() > NAMES_MAX || vhosts.len() > NAMES_MAX {
        return Err(Reply::bad_request(format!("at most {NAMES_MAX} families and vhosts")));
    }
    let wanted = Wanted::groups(groups, vhosts);
    let mut scrape = Scrape::new(figures::identity(api, "detailed"));
    of_each(api, DETAILED, &wanted, &mut scrape);
    of_connections(api, &wanted, &mut scrape);
    of_channels(api, &wanted, &mut scrape);
    of_exchanges(api, &wanted, &mut scrape);
    of_vhosts(api, &wanted, &mut scrape);
    Ok(scrape)
}

fn clients(api: &Api, wanted: &Wanted) -> impl Iterator<Item = Arc<Client>> {
    let clients = api.broker.clients().into_iter();
    clients.filter(|client| wanted.has_vhost(client.vhost_name()))
}

/// What is told of a connection: group, name, help, and where it is.
type ConnectionMetric = (&'static str, Family, fn(&Traffic) -> u64);

fn of_connections(api: &Api, wanted: &Wanted, scrape: &mut Scrape) {
    let gauge = |name, help| Family::gauge(DETAILED, name, help);
    let counter = |name, help| Family::counter(DETAILED, name, help);
    let (coarse, fine) = ("connection_coarse_metrics", "connection_metrics");
    let metrics: [ConnectionMetric; 4] = [
        (coarse, counter("connection_incoming_bytes", "Bytes received on a connection"), |one| {
            one.received_bytes
        }),
        (coarse, counter("connection_outgoing_bytes", "Bytes sent on a connection"), |one| {
            one.written_bytes
        }),
        (fine, gauge("connection_channels", "Channels on a connection"), |one| one.channels as u64),
        (
            fine,
            gauge("connection_pending_bytes", "Bytes that wait to be sent on a connection"),
            |one| one.waiting_bytes as u64,
        ),
    ];
    let mut metrics = metrics.into_iter().filter(|(group, ..)| wanted.has(group)).peekable();
    if metrics.peek().is_none() {
        return;
    }
    let ids = scrape.snapshot(clients(api, wanted).map(|client| client.id()).collect());
    for (_, family, value) in metrics {
        scrape.each(family, &ids, move |api, ids, family| {
            for client in ids.iter().filter_map(|id| api.broker.client_numbered(*id)) {
                let labels =
                    labels([("connection", client.name()), ("vhost", client.vhost_name())]);
                family.push(&labels, value(&client.outbox().traffic()));
            }
        });
    }
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

/// What a channel has at the moment: name, help, and where.
type ChannelGauge = (&'static str, &'static str, fn(&ChannelState) -> u64);

const CHANNEL_GAUGES: [ChannelGauge; 4] = [
    ("channel_consumers", "Consumers on a channel", |one| one.consumers.into()),
    ("channel_messages_unacked", "Delivered but not yet acknowledged messages", |one| {
        one.unacknowledged as u64
    }),
    ("channel_messages_unconfirmed", "Published but not yet confirmed messages", |one| {
        one.unconfirmed
    }),
    ("channel_prefetch", "Limit of unacknowledged messages of all consumers", |one| {
        one.prefetch_global.into()
    }),
];

/// A connection's number, and a channel of it.
type ChannelId = (u64, u16);

fn of_channels(api: &Api, wanted: &Wanted, scrape: &mut Scrape) {
    let mut counters = CHANNEL_COUNTERS.iter().filter(|(group, ..)| wanted.has(group)).peekable();
    let has_gauges = wanted.has("channel_metrics");
    if counters.peek().is_none() && !has_gauges {
        return;
    }
    let channels = clients(api, wanted).flat_map(|client| {
        let channels = client.outbox().channels().into_iter();
        channels.map(move |channel| (client.id(), channel.number))
    });
    let channels = scrape.snapshot(channels.collect());
    for (_, name, help, count) in counters {
        scrape.each(Family::counter(DETAILED, name, help), &channels, |api, channels, family| {
            for_each_channel(api, channels, |labels, state| {
                family.push(labels, count(&state.tally));
            });
        });
    }
    for (name, help, value) in CHANNEL_GAUGES.iter().filter(|_| has_gauges) {
        scrape.each(Family::gauge(DETAILED, name, help), &channels, |api, channels, family| {
            for_each_channel(api, channels, |labels, state| family.push(labels, value(state)));
        });
    }
}

/// Goes through those that are still there. The channels of one connection stand side by side.
fn for_each_channel(
    api: &Api,
    channels: &[ChannelId],
    mut found: impl FnMut(&Labels, &ChannelState),
) {
    for of_client in channels.chunk_by(|one, other| one.0 == other.0) {
        let Some(client) = api.broker.client_numbered(of_client[0].0) else { continue };
        for state in client.outbox().channels() {
            if of_client.binary_search(&(client.id(), state.number)).is_ok() {
                let name = super::super::consumers::channel_name(&client, state.number);
                found(&labels([("channel", &name), ("vhost", client.vhost_name())]), &state);
            }
        }
    }
}

/// What is told of an exchange: group, family, and where it is.
type ExchangeMetric = (&'static str, Family, fn(&ExchangeRef) -> u64);

fn of_exchanges(api: &Api, wanted: &Wanted, scrape: &mut Scrape) {
    let counter = |name, help| Family::counter(DETAILED, name, help);
    let metrics: [ExchangeMetric; 3] = [
        (
            "exchange_metrics",
            counter("exchange_messages_published", "Messages published to an exchange"),
            |one| one.passed().entered,
        ),
        (
            "exchange_metrics",
            counter("exchange_messages_routed", "Copies given to queues"),
            |one| one.passed().left,
        ),
        (
            "exchange_bindings",
            Family::gauge(CLUSTER, "exchange_bindings", "Bindings of an exchange"),
            |one| bindings_from(one).len() as u64,
        ),
    ];
    let mut metrics = metrics.into_iter().filter(|(group, ..)| wanted.has(group)).peekable();
    if metrics.peek().is_none() {
        return;
    }
    let vhosts = api.broker.vhost_names().into_iter().filter(|vhost| wanted.has_vhost(vhost));
    let exchanges = vhosts.flat_map(|vhost| api.broker.exchanges(&vhost));
    let names = exchanges
        .map(|exchange| (Arc::clone(exchange.vhost_name()), Arc::clone(exchange.name())))
        .collect();
    let names = scrape.snapshot(names);
    for (_, family, value) in metrics {
        scrape.each(family, &names, move |api, names, family| {
            for (vhost, name) in names {
                if let Some(exchange) = api.broker.exchange(vhost, name) {
                    let labels = labels([("vhost", vhost), ("exchange", name)]);
                    family.push(&labels, value(&exchange));
                }
            }
        });
    }
}

fn of_vhosts(api: &Api, wanted: &Wanted, scrape: &mut Scrape) {
    if !wanted.has("vhost_status") {
        return;
    }
    let status = Family::gauge(CLUSTER, "vhost_status", "Whether a virtual host is running");
    let vhosts = api.broker.vhost_names().into_iter().filter(|vhost| wanted.has_vhost(vhost));
    let vhosts = scrape.snapshot(vhosts.collect());
    scrape.each(status, &vhosts, |api, vhosts, family| {
        for vhost in vhosts.iter().filter(|vhost| api.broker.has_vhost(vhost)) {
            family.push(&labels([("vhost", vhost)]), 1);
        }
    });
}
