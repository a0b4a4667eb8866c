//! Queues, exchanges and bindings: declaring them, binding, and taking bindings away.

use serde_json::{Map, Value, json};

use super::client::{Change, Client, Fault};
use super::options::{BindingEnds, Declare};
use super::pairs;
use super::path::{self, Path};
use super::terminal::say;
use crate::admin::failure::Failure;

/// Declares something.
///
/// # Errors
///
/// What the broker says, such as that it is there and different.
pub(super) fn declare(client: &Client, what: &Declare) -> Result<(), Failure> {
    match what {
        Declare::Queue { name, kind, transient, auto_delete, arguments, place } => {
            let mut arguments = pairs::arguments(arguments)?;
            if let Some(kind) = kind {
                arguments.insert("x-queue-type".to_owned(), Value::from(kind.as_str()));
            }
            let body =
                json!({"durable": !transient, "auto_delete": auto_delete, "arguments": arguments});
            put(client, "queue", "queues", &place.vhost, name, &body)
        }
        Declare::Exchange { name, kind, transient, auto_delete, internal, arguments, place } => {
            let body = json!({
                "type": kind, "durable": !transient, "auto_delete": auto_delete, "internal": internal,
                "arguments": pairs::arguments(arguments)?,
            });
            put(client, "exchange", "exchanges", &place.vhost, name, &body)
        }
        Declare::Binding(ends) => bind(client, ends),
    }
}

fn put(
    client: &Client,
    noun: &str,
    nouns: &str,
    vhost: &str,
    name: &str,
    body: &Value,
) -> Result<(), Failure> {
    match client.put(&Path::new(&[nouns, vhost, name]), body) {
        Ok(Change::Created) => say(&format!("{noun} '{name}' declared")),
        Ok(Change::Done) => say(&format!("{noun} '{name}' was there already")),
        Err(fault) => Err(no_vhost(client, fault, vhost)),
    }
}

/// Binds.
///
/// # Errors
///
/// What the broker says, or which of the two ends is missing.
pub(super) fn bind(client: &Client, ends: &BindingEnds) -> Result<(), Failure> {
    let body = json!({"routing_key": ends.key, "arguments": pairs::arguments(&ends.arguments)?});
    client.post(&between(ends), &body).map_err(|fault| missing_end(client, ends, fault))?;
    say(&format!(
        "{} bound to exchange '{}' with the key '{}'",
        destination(ends),
        ends.source,
        ends.key
    ))
}

/// Takes away the binding with this key and these arguments; without arguments, all with this key.
///
/// # Errors
///
/// That there is none, or what the broker says.
pub(super) fn unbind(client: &Client, ends: &BindingEnds) -> Result<(), Failure> {
    let arguments = pairs::arguments(&ends.arguments)?;
    let all = client.get(&between(ends)).map_err(|fault| missing_end(client, ends, fault))?;
    let all = all.as_array().cloned().unwrap_or_default();
    let wanted: Vec<&Value> =
        all.iter().filter(|binding| is_meant(binding, ends, &arguments)).collect();
    if wanted.is_empty() {
        both_exist(client, ends)?;
        return Err(format!(
            "{} is not bound to exchange '{}' with the key '{}'; `leveret admin bindings` lists what is",
            destination(ends),
            ends.source,
            ends.key
        )
        .into());
    }
    for binding in wanted {
        let key = binding["properties_key"].as_str().unwrap_or("~");
        let key = if key.is_empty() { "~" } else { key };
        client.delete(&between_with(ends, Some(key)))?;
    }
    say(&format!(
        "{} is not bound to exchange '{}' with the key '{}' any more",
        destination(ends),
        ends.source,
        ends.key
    ))
}

fn is_meant(binding: &Value, ends: &BindingEnds, arguments: &Map<String, Value>) -> bool {
    let has = binding["arguments"].as_object();
    let same = arguments.is_empty() || has.is_some_and(|has| has == arguments);
    same && binding["routing_key"] == ends.key.as_str()
}

fn between(ends: &BindingEnds) -> Path {
    between_with(ends, None)
}

fn between_with(ends: &BindingEnds, key: Option<&str>) -> Path {
    let kind = if ends.to_exchange { "e" } else { "q" };
    let source = path::exchange(&ends.source);
    let mut parts = vec!["bindings", &ends.place.vhost, "e", source, kind, &ends.destination];
    parts.extend(key);
    Path::new(&parts)
}

fn destination(ends: &BindingEnds) -> String {
    let kind = if ends.to_exchange { "exchange" } else { "queue" };
    format!("{kind} '{}'", ends.destination)
}

/// Which end of a binding is not there.
fn missing_end(client: &Client, ends: &BindingEnds, fault: Fault) -> Failure {
    match (&fault, both_exist(client, ends)) {
        (Fault::NotFound(_), Err(missing)) => missing,
        _ => fault.into(),
    }
}

/// Looks for both ends of a binding.
fn both_exist(client: &Client, ends: &BindingEnds) -> Result<(), Failure> {
    let (vhost, source, destination) = (&ends.place.vhost, &ends.source, &ends.destination);
    let there = |noun, nouns: &str, name: &str, in_path: &str| {
        let found = client.get(&Path::new(&[nouns, vhost, in_path]));
        found.map(drop).map_err(|fault| absent(client, noun, nouns, vhost, name, fault))
    };
    there("exchange", "exchanges", source, path::exchange(source))?;
    if ends.to_exchange {
        there("exchange", "exchanges", destination, destination)
    } else {
        there("queue", "queues", destination, destination)
    }
}

/// What is not there: the thing, or its virtual host.
pub(super) fn absent(
    client: &Client,
    noun: &str,
    nouns: &str,
    vhost: &str,
    name: &str,
    fault: Fault,
) -> Failure {
    if !matches!(fault, Fault::NotFound(_)) {
        return fault.into();
    }
    if matches!(client.get(&Path::new(&["vhosts", vhost])), Err(Fault::NotFound(_))) {
        return no_vhost(client, fault, vhost);
    }
    fault.about(
        &format!("{noun} '{name}' in virtual host '{vhost}'"),
        &format!("`leveret admin {nouns}` lists those there are"),
    )
}

/// A virtual host that is not there.
pub(super) fn no_vhost(client: &Client, fault: Fault, vhost: &str) -> Failure {
    // One that the user may not enter is answered just as one that there is not.
    fault.about(
        &format!("virtual host '{vhost}' that user '{}' may enter", client.user),
        "`leveret admin vhosts` lists those there are",
    )
}
