//! Channels.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::call::Call;
use super::connections::sees;
use super::consumers::channel_name;
use super::rates::{Rates, Subject};
use super::reply::{Outcome, Reply};
use super::stats::{CHANNEL_NAMES, Stats, channel_values};
use super::{Api, clock, paging};
use crate::broker::Client;
use crate::outbox::{ChannelMode, ChannelState};

/// A channel as the API shows it.
#[derive(Serialize)]
struct ChannelObject {
    name: String,
    number: u16,
    node: String,
    vhost: Arc<str>,
    user: Arc<str>,
    user_who_performed_action: Arc<str>,
    connection_details: Json,
    state: &'static str,
    confirm: bool,
    transactional: bool,
    consumer_count: u32,
    prefetch_count: u16,
    global_prefetch_count: u16,
    messages_unacknowledged: usize,
    messages_unconfirmed: u64,
    messages_uncommitted: u64,
    acks_uncommitted: u64,
    #[serde(skip_serializing_if = "Stats::is_empty")]
    message_stats: Stats<12>,
}

/// A channel and whose it is.
struct Owned {
    client: Arc<Client>,
    channel: ChannelState,
    name: String,
}

impl ChannelObject {
    fn new(api: &Api, owned: &Owned, rates: &Rates, now_ms: u64) -> Self {
        let Owned { client, channel, name } = owned;
        let peer = client.peer();
        let subject = Subject::Channel(client.id(), channel.number);
        let values = channel_values(&channel.tally);
        Self {
            name: name.clone(),
            number: channel.number,
            node: api.node.clone(),
            vhost: Arc::clone(client.vhost_name()),
            user: Arc::clone(client.user()),
            user_who_performed_action: Arc::clone(client.user()),
            connection_details: json!({
                "name": client.name(),
                "peer_host": peer.ip().to_string(),
                "peer_port": peer.port(),
            }),
            state: "running",
            confirm: channel.mode == ChannelMode::Confirm,
            transactional: channel.mode == ChannelMode::Transaction,
            consumer_count: channel.consumers,
            prefetch_count: channel.prefetch,
            global_prefetch_count: channel.prefetch_global,
            messages_unacknowledged: channel.unacknowledged,
            messages_unconfirmed: channel.unconfirmed,
            messages_uncommitted: 0,
            acks_uncommitted: 0,
            message_stats: Stats::new(&CHANNEL_NAMES, values, (rates, subject, now_ms)),
        }
    }
}

fn channels(call: &Call<'_>, keep: impl Fn(&Client) -> bool) -> Vec<Owned> {
    let clients = call.api.broker.clients().into_iter();
    let clients = clients.filter(|client| sees(call, client) && keep(client));
    let owned = clients.flat_map(|client| {
        client.outbox().channels().into_iter().map(move |channel| Owned {
            name: channel_name(&client, channel.number),
            client: Arc::clone(&client),
            channel,
        })
    });
    owned.collect()
}

fn listed(call: &Call<'_>, keep: impl Fn(&Client) -> bool) -> Outcome {
    let now_ms = clock::now_ms();
    let channels = channels(call, keep);
    let rates = call.api.rates.read();
    let show = |owned: Owned| ChannelObject::new(call.api, &owned, &rates, now_ms);
    paging::list(call.request, channels, |owned| &owned.name, show)
}

/// `GET channels`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    listed(call, |_| true)
}

/// `GET vhosts/VHOST/channels`.
pub(super) fn of_vhost(call: &Call<'_>) -> Outcome {
    call.enter(call.part(0))?;
    listed(call, |client| **client.vhost_name() == *call.part(0))
}

/// `GET connections/NAME/channels`.
pub(super) fn of_connection(call: &Call<'_>) -> Outcome {
    let client = call.api.broker.client_named(call.part(0)).ok_or_else(Reply::no_object)?;
    listed(call, |other| other.id() == client.id())
}

/// `GET channels/NAME`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let name = call.part(0);
    let mut owned = channels(call, |client| name.starts_with(client.name())).into_iter();
    let owned = owned.find(|owned| owned.name == name).ok_or_else(Reply::no_object)?;
    let rates = call.api.rates.read();
    let object = ChannelObject::new(call.api, &owned, &rates, clock::now_ms());
    paging::object(call.request, &object)
}
