//! Consumers, and the parts of other objects that point at a channel.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::Api;
use super::call::Call;
use super::paging;
use super::reply::Outcome;
use crate::broker::{Client, ConsumerView, Exclusivity, QueueRef, table_to_json};
use crate::queue::AckMode;

/// A consumer as the API shows it.
#[derive(Serialize)]
pub(super) struct ConsumerObject {
    pub consumer_tag: Arc<str>,
    pub active: bool,
    pub exclusive: bool,
    activity_status: &'static str,
    ack_required: bool,
    prefetch_count: u32,
    arguments: Map<String, Json>,
    /// 0: there is none here, a delivery may take as long as it takes.
    consumer_timeout: u64,
    queue: Json,
    channel_details: Json,
}

impl ConsumerObject {
    fn new(api: &Api, view: &ConsumerView) -> Self {
        Self {
            consumer_tag: Arc::clone(&view.tag),
            active: view.state.active,
            exclusive: view.state.exclusive == Exclusivity::Exclusive,
            activity_status: if view.state.active { "up" } else { "waiting" },
            ack_required: view.state.acks == AckMode::Manual,
            prefetch_count: view.state.prefetch,
            arguments: table_to_json(&view.arguments),
            consumer_timeout: 0,
            queue: json!({ "name": &**view.queue.name(), "vhost": &**view.queue.vhost_name() }),
            channel_details: match &view.client {
                Some(client) => channel_details(api, client, view.channel),
                None => json!({}),
            },
        }
    }
}

/// Whose channel it is.
pub(super) fn channel_details(api: &Api, client: &Client, number: u16) -> Json {
    let peer = client.peer();
    json!({
        "name": channel_name(client, number),
        "number": number,
        "user": &**client.user(),
        "connection_name": client.name(),
        "peer_host": peer.ip().to_string(),
        "peer_port": peer.port(),
        "node": api.node,
    })
}

/// RabbitMQ's name for a channel.
pub(super) fn channel_name(client: &Client, number: u16) -> String {
    format!("{} ({number})", client.name())
}

/// The consumers of a queue.
pub(super) fn of_queue(api: &Api, queue: &QueueRef) -> Vec<ConsumerObject> {
    let views = api.broker.consumers(queue);
    views.iter().map(|view| ConsumerObject::new(api, view)).collect()
}

/// `GET consumers`, `GET consumers/VHOST`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let broker = &call.api.broker;
    let mut views = Vec::new();
    for vhost in call.chosen_vhosts()? {
        for queue in broker.queues(&vhost) {
            views.extend(broker.consumers(&queue));
        }
    }
    views.sort_by_key(|one: &ConsumerView| one.state.id);
    paging::list(call.request, views, |view| &view.tag, |view| ConsumerObject::new(call.api, &view))
}
