//! `route`: where a message would go, and why not elsewhere. Nothing is published.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::bindings::{destination_type, properties_key};
use super::call::Call;
use super::reply::{Outcome, Reply};
use crate::broker::{Explained, table_from_json, table_to_json};

/// Bindings that are told of; the matched ones come first.
const BINDINGS_MAX: usize = 10_000;

/// The message that would be published.
#[derive(Debug, Deserialize)]
struct Question {
    routing_key: String,
    #[serde(default)]
    headers: Option<Map<String, Json>>,
}

/// `POST exchanges/VHOST/EXCHANGE/route`.
pub(super) fn route(call: &Call<'_>) -> Outcome {
    let exchange = call.exchange()?;
    let question: Question = call.body()?;
    let headers = table_from_json(&question.headers.unwrap_or_default());
    let headers = headers.map_err(Reply::bad_request)?;
    let key = &question.routing_key;
    let explanation = call.api.broker.explain(&exchange, key, &headers);
    let queues: Vec<&str> = explanation.queues.iter().map(|name| &**name).collect();
    let mut bindings: Vec<&Explained> = explanation.bindings.iter().collect();
    bindings.sort_by_key(|one| !one.matched);
    let bindings: Vec<Json> = bindings
        .into_iter()
        .take(BINDINGS_MAX)
        .map(|one| {
            let view = &one.binding;
            json!({
                "source": &*view.source,
                "destination": &*view.destination,
                "destination_type": destination_type(view.kind),
                "routing_key": &*view.key,
                "arguments": table_to_json(&view.arguments),
                "properties_key": properties_key(&view.key, &view.arguments),
                "matched": one.matched,
                "reason": one.reason,
            })
        })
        .collect();
    Ok(Reply::json(&json!({
        "exchange": &**exchange.name(),
        "vhost": &**exchange.vhost_name(),
        "routing_key": key,
        "routed": !queues.is_empty(),
        "queues": queues,
        "bindings": bindings,
        "via_alternate_exchange": explanation.alternate.as_deref(),
    })))
}
