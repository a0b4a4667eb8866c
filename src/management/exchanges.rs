//! Exchanges: listing, declaring, deleting.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::call::{Call, declared, wait};
use super::queues::Flag;
use super::rates::{Rates, Subject};
use super::reply::{Outcome, Reply};
use super::stats::{EXCHANGE_NAMES, Stats, exchange_values};
use super::{clock, paging};
use crate::broker::{
    DeclareMode, DeleteExchange, ExchangeDeclaration, ExchangeRef, object_from_json,
    table_from_json, table_to_json,
};

/// Who made what was there from the start, in RabbitMQ's words.
const INTERNAL_USER: &str = "rmq-internal";

/// An exchange as the API shows it.
#[derive(Serialize)]
struct ExchangeObject {
    name: Arc<str>,
    vhost: Arc<str>,
    #[serde(rename = "type")]
    kind: &'static str,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Map<String, Json>,
    policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_who_performed_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Stats::is_empty")]
    message_stats: Stats<2>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incoming: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outgoing: Option<[(); 0]>,
}

impl ExchangeObject {
    fn new(exchange: &ExchangeRef, rates: &Rates, now_ms: u64) -> Self {
        let subject = Subject::Exchange(exchange.id());
        let predeclared = exchange.name().is_empty() || exchange.name().starts_with("amq.");
        Self {
            name: Arc::clone(exchange.name()),
            vhost: Arc::clone(exchange.vhost_name()),
            kind: exchange.kind().as_str(),
            durable: exchange.is_durable(),
            auto_delete: exchange.is_auto_delete(),
            internal: exchange.is_internal(),
            arguments: table_to_json(exchange.arguments()),
            policy: None,
            user_who_performed_action: predeclared.then_some(INTERNAL_USER),
            message_stats: Stats::new(
                &EXCHANGE_NAMES,
                exchange_values(exchange.passed()),
                (rates, subject, now_ms),
            ),
            incoming: None,
            outgoing: None,
        }
    }
}

/// What a declaration says.
#[derive(Debug, Default, Deserialize)]
struct Declaration {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    durable: Flag,
    #[serde(default)]
    auto_delete: Flag,
    #[serde(default)]
    internal: Flag,
    #[serde(default, deserialize_with = "object_from_json")]
    arguments: Map<String, Json>,
}

/// `GET exchanges`, `GET exchanges/VHOST`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let mut exchanges: Vec<ExchangeRef> = Vec::new();
    for vhost in call.chosen_vhosts()? {
        exchanges.extend(call.api.broker.exchanges(&vhost));
    }
    exchanges.sort_unstable_by(|one, other| {
        (one.vhost_name(), one.name()).cmp(&(other.vhost_name(), other.name()))
    });
    let now_ms = clock::now_ms();
    let rates = call.api.rates.read();
    let show = |exchange: ExchangeRef| ExchangeObject::new(&exchange, &rates, now_ms);
    paging::list(call.request, exchanges, |exchange| exchange.name(), show)
}

/// `GET exchanges/VHOST/EXCHANGE`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let exchange = call.exchange()?;
    let object = ExchangeObject::new(&exchange, &call.api.rates.read(), clock::now_ms());
    let object = ExchangeObject { incoming: Some([]), outgoing: Some([]), ..object };
    paging::object(call.request, &object)
}

/// `PUT exchanges/VHOST/EXCHANGE`.
pub(super) fn put(call: &Call<'_>) -> Outcome {
    let operator = call.operator(call.part(0))?;
    let declaration: Declaration = call.body_or_empty()?;
    let arguments = table_from_json(&declaration.arguments).map_err(Reply::bad_request)?;
    let name = call.exchange_part(1);
    let known = call.api.broker.exchange(call.part(0), name).is_some();
    let pending = operator.declare_exchange(&ExchangeDeclaration {
        name,
        kind: declaration.kind.as_deref().unwrap_or("direct"),
        mode: DeclareMode::Active,
        durable: declaration.durable.0,
        auto_delete: declaration.auto_delete.0,
        internal: declaration.internal.0,
        arguments: &arguments,
    });
    declared(known, pending)
}

/// `DELETE exchanges/VHOST/EXCHANGE`.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.exchange()?;
    let operator = call.operator(call.part(0))?;
    let condition = DeleteExchange { if_unused: call.request.asks("if-unused") };
    wait(operator.delete_exchange(call.exchange_part(1), condition)?)?;
    Ok(Reply::done())
}
