//! Queues: listing, declaring, deleting, purging.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::call::{Call, declared, wait};
use super::paging;
use super::queue_object::{Detail, QueueObject};
use super::reply::{Outcome, Reply};
use super::{clock, consumers};
use crate::broker::{
    DeclareMode, DeleteQueue, QueueDeclaration, QueueRef, object_from_json, table_from_json,
};

/// What a declaration says.
#[derive(Debug, Default, Deserialize)]
struct Declaration {
    #[serde(default)]
    durable: Flag,
    #[serde(default)]
    auto_delete: Flag,
    #[serde(default, deserialize_with = "object_from_json")]
    arguments: Map<String, Json>,
}

/// A boolean, or the word for it, as some tools send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Json")]
pub(super) struct Flag(pub bool);

impl TryFrom<Json> for Flag {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        match json {
            Json::Bool(value) => Ok(Self(value)),
            Json::Null => Ok(Self(false)),
            Json::String(text) if text == "true" => Ok(Self(true)),
            Json::String(text) if text == "false" => Ok(Self(false)),
            other => Err(format!("{other} is neither true nor false")),
        }
    }
}

/// `GET queues`, `GET queues/VHOST`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    listed(call, &call.chosen_vhosts()?)
}

/// `GET queues/detailed`.
pub(super) fn list_all(call: &Call<'_>) -> Outcome {
    listed(call, &call.vhosts())
}

fn listed(call: &Call<'_>, vhosts: &[Arc<str>]) -> Outcome {
    let mut queues: Vec<QueueRef> = Vec::new();
    for vhost in vhosts {
        queues.extend(call.api.broker.queues(vhost));
    }
    queues.sort_unstable_by(|one, other| {
        (one.vhost_name(), one.name()).cmp(&(other.vhost_name(), other.name()))
    });
    let (now_ms, detail) = (clock::now_ms(), Detail::wanted(call));
    let rates = call.api.rates.read();
    let show = |queue: QueueRef| QueueObject::new(call.api, &queue, &rates, detail, now_ms);
    paging::list(call.request, queues, |queue| queue.name(), show)
}

/// `GET queues/VHOST/QUEUE`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let queue = call.queue()?;
    let consumers = consumers::of_queue(call.api, &queue);
    let rates = call.api.rates.read();
    let object = QueueObject::new(call.api, &queue, &rates, Detail::Full, clock::now_ms());
    drop(rates);
    let mut details = Map::new();
    let single = queue.arguments().get("x-single-active-consumer").and_then(|one| one.as_bool());
    let active = consumers.iter().find(|one| one.active).filter(|_| single == Some(true));
    let tag = active.map(|consumer| consumer.consumer_tag.to_string());
    details.insert("single_active_consumer_tag".to_owned(), tag.into());
    let exclusive = consumers.iter().find(|one| one.exclusive);
    let tag = exclusive.map(|consumer| consumer.consumer_tag.to_string());
    details.insert("exclusive_consumer_tag".to_owned(), tag.into());
    let shown = serde_json::to_value(&consumers).unwrap_or(Json::Null);
    details.insert("consumer_details".to_owned(), shown);
    details.insert("incoming".to_owned(), Json::Array(Vec::new()));
    details.insert("deliveries".to_owned(), Json::Array(Vec::new()));
    paging::object(call.request, &object.with(details))
}

/// `PUT queues/VHOST/QUEUE`.
pub(super) fn put(call: &Call<'_>) -> Outcome {
    let operator = call.operator(call.part(0))?;
    let declaration: Declaration = call.body_or_empty()?;
    let arguments = table_from_json(&declaration.arguments).map_err(Reply::bad_request)?;
    let known = call.api.broker.queue(call.part(0), call.part(1)).is_some();
    let made = operator.declare_queue(
        &QueueDeclaration {
            name: call.part(1),
            mode: DeclareMode::Active,
            durable: declaration.durable.0,
            exclusive: false,
            auto_delete: declaration.auto_delete.0,
            arguments: &arguments,
        },
        clock::now_ms(),
    );
    declared(known, made.map(|queue| queue.pending))
}

/// `DELETE queues/VHOST/QUEUE`.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.queue()?;
    let conditions = DeleteQueue {
        if_unused: call.request.asks("if-unused"),
        if_empty: call.request.asks("if-empty"),
    };
    let operator = call.operator(call.part(0))?;
    let (_, pending) = operator.delete_queue(call.part(1), conditions, clock::now_ms())?;
    wait(pending)?;
    Ok(Reply::done())
}

/// `DELETE queues/VHOST/QUEUE/contents`.
pub(super) fn purge(call: &Call<'_>) -> Outcome {
    call.queue()?;
    let operator = call.operator(call.part(0))?;
    operator.purge_queue(call.part(1), clock::now_ms())?;
    wait(operator.barrier())?;
    Ok(Reply::done())
}
