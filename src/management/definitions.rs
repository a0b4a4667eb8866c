//! Definitions: carrying users, virtual hosts, permissions, exchanges, queues and bindings from one broker to another.

use serde_json::{Map, Value as Json};

use super::Api;
use super::call::{Call, wait};
use super::overview::{PRODUCT, RABBITMQ_VERSION};
use super::reply::{Outcome, Reply};
use super::{clock, paging};

/// Puts in front of definitions where they come from.
fn introduced(api: &Api, explanation: String, format: &str, mut parts: Map<String, Json>) -> Json {
    let mut definitions = Map::new();
    let words = [
        ("rabbit_version", RABBITMQ_VERSION),
        ("rabbitmq_version", RABBITMQ_VERSION),
        ("product_name", PRODUCT),
        ("product_version", env!("CARGO_PKG_VERSION")),
        ("rabbitmq_definition_format", format),
        ("original_cluster_name", &api.node),
        ("explanation", &explanation),
    ];
    for (name, word) in words {
        definitions.insert(name.to_owned(), Json::from(word));
    }
    definitions.append(&mut parts);
    Json::Object(definitions)
}

/// `GET definitions`.
pub(super) fn export(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let explanation = format!("Definitions of cluster '{}'", call.api.node);
    let definitions = introduced(call.api, explanation, "cluster", call.api.broker.export());
    paging::object(call.request, &definitions)
}

/// `GET definitions/VHOST`.
pub(super) fn export_vhost(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let vhost = call.part(0);
    let parts = call.api.broker.export_vhost(vhost).ok_or_else(Reply::no_object)?;
    let explanation = format!("Definitions of virtual host '{vhost}'");
    let mut definitions = introduced(call.api, explanation, "single_virtual_host", parts);
    definitions["original_vhost_name"] = Json::from(vhost);
    paging::object(call.request, &definitions)
}

/// `POST definitions`. Everything in it, or nothing.
pub(super) fn import(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let imported = call.api.broker.import_definitions(&call.request.body, clock::now_ms());
    wait(imported.map_err(Reply::bad_request)?)?;
    log::info!("definitions imported by user '{}'", call.caller.user);
    Ok(Reply::done())
}

/// `POST definitions/VHOST`. Everything in it, or nothing.
pub(super) fn import_vhost(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let (vhost, broker) = (call.part(0), &call.api.broker);
    if !broker.has_vhost(vhost) {
        return Err(Reply::no_object());
    }
    let body = &call.request.body;
    let imported = broker.import_vhost_definitions(vhost, body, clock::now_ms());
    wait(imported.map_err(Reply::bad_request)?)?;
    log::info!("definitions of vhost '{vhost}' imported by user '{}'", call.caller.user);
    Ok(Reply::done())
}
