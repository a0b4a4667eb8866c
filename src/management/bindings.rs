//! Bindings. Each has a name of its own among those between the same two ends, its properties key: made of its
//! routing key and, when it has arguments, of a digest of them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::call::{Call, wait};
use super::paging;
use super::reply::{Outcome, Reply};
use crate::broker::{
    BindingRequest, BindingView, QueueRef, bindings_from, bindings_to_exchange, bindings_to_queue,
    object_from_json, table_from_json, table_to_json,
};
use crate::store::DestinationKind;
use crate::wire::Table;

/// What stays as it is in a properties key. The tilde separates key and digest.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b' ');

/// What stays as it is in a part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'~').remove(b'.').remove(b'-').remove(b'_');

/// Bytes of the digest of arguments.
const DIGEST_BYTES: usize = 6;

/// The properties key of a binding with neither key nor arguments.
const NOTHING: &str = "~";

/// A binding as the API shows it.
#[derive(Serialize)]
pub(super) struct BindingObject {
    source: Arc<str>,
    vhost: Arc<str>,
    destination: Arc<str>,
    destination_type: &'static str,
    routing_key: Arc<str>,
    arguments: Map<String, Json>,
    properties_key: String,
}

impl BindingObject {
    pub fn new(vhost: &Arc<str>, view: &BindingView) -> Self {
        Self {
            source: Arc::clone(&view.source),
            vhost: Arc::clone(vhost),
            destination: Arc::clone(&view.destination),
            destination_type: destination_type(view.kind),
            routing_key: Arc::clone(&view.key),
            arguments: table_to_json(&view.arguments),
            properties_key: properties_key(&view.key, &view.arguments),
        }
    }

    /// The binding that every queue has to the default exchange.
    fn to_default(queue: &QueueRef) -> Self {
        Self {
            source: Arc::from(""),
            vhost: Arc::clone(queue.vhost_name()),
            destination: Arc::clone(queue.name()),
            destination_type: "queue",
            routing_key: Arc::clone(queue.name()),
            arguments: Map::new(),
            properties_key: properties_key(queue.name(), &Table::new()),
        }
    }

    fn order(&self) -> (&str, &str, &str, &str, &str, &str) {
        (
            &self.vhost,
            &self.source,
            &self.destination,
            self.destination_type,
            &self.routing_key,
            &self.properties_key,
        )
    }
}

/// RabbitMQ's word for what a binding ends at.
pub(super) fn destination_type(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Queue => "queue",
        DestinationKind::Exchange => "exchange",
    }
}

/// A binding's properties key.
pub(super) fn properties_key(key: &str, arguments: &Table) -> String {
    let quoted = utf8_percent_encode(key, KEPT).to_string().replace(' ', "+");
    if arguments.is_empty() {
        return if quoted.is_empty() { NOTHING.to_owned() } else { quoted };
    }
    let digest = Sha256::digest(arguments.to_bytes());
    format!("{quoted}~{}", URL_SAFE_NO_PAD.encode(&digest[..DIGEST_BYTES]))
}

fn listed(call: &Call<'_>, mut objects: Vec<BindingObject>) -> Outcome {
    objects.sort_unstable_by(|one, other| one.order().cmp(&other.order()));
    paging::list(call.request, objects, |object| &object.destination, |object| object)
}

/// `GET bindings`, `GET bindings/VHOST`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let broker = &call.api.broker;
    let mut objects = Vec::new();
    for vhost in call.chosen_vhosts()? {
        objects.extend(broker.queues(&vhost).iter().map(BindingObject::to_default));
        for exchange in broker.exchanges(&vhost) {
            let views = bindings_from(&exchange);
            objects.extend(views.iter().map(|view| BindingObject::new(&vhost, view)));
        }
    }
    listed(call, objects)
}

/// `GET queues/VHOST/QUEUE/bindings`.
pub(super) fn of_queue(call: &Call<'_>) -> Outcome {
    let queue = call.queue()?;
    let views = bindings_to_queue(&queue);
    let mut objects = vec![BindingObject::to_default(&queue)];
    objects.extend(views.iter().map(|view| BindingObject::new(queue.vhost_name(), view)));
    listed(call, objects)
}

/// `GET exchanges/VHOST/EXCHANGE/bindings/source`.
pub(super) fn from_exchange(call: &Call<'_>) -> Outcome {
    let exchange = call.exchange()?;
    let objects = if exchange.name().is_empty() {
        call.api.broker.queues(call.part(0)).iter().map(BindingObject::to_default).collect()
    } else {
        let views = bindings_from(&exchange);
        views.iter().map(|view| BindingObject::new(exchange.vhost_name(), view)).collect()
    };
    listed(call, objects)
}

/// `GET exchanges/VHOST/EXCHANGE/bindings/destination`.
pub(super) fn to_exchange(call: &Call<'_>) -> Outcome {
    let exchange = call.exchange()?;
    let views = bindings_to_exchange(&exchange);
    let objects = views.iter().map(|view| BindingObject::new(exchange.vhost_name(), view));
    listed(call, objects.collect())
}

/// What a path `bindings/VHOST/e/SOURCE/KIND/DESTINATION` names.
struct Ends<'a> {
    vhost: &'a str,
    source: &'a str,
    kind: DestinationKind,
    destination: &'a str,
}

impl<'a> Ends<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self, Reply> {
        let kind = match call.part(2) {
            "q" => DestinationKind::Queue,
            "e" => DestinationKind::Exchange,
            _ => return Err(Reply::no_object()),
        };
        call.enter(call.part(0))?;
        let destination = match kind {
            DestinationKind::Queue => call.part(3),
            DestinationKind::Exchange => call.exchange_part(3),
        };
        Ok(Self { vhost: call.part(0), source: call.exchange_part(1), kind, destination })
    }

    /// The bindings between the two ends.
    fn bindings(&self, call: &Call<'_>) -> Vec<BindingView> {
        let Some(source) = call.api.broker.exchange(self.vhost, self.source) else {
            return Vec::new();
        };
        let mut views = bindings_from(&source);
        views.retain(|view| view.kind == self.kind && *view.destination == *self.destination);
        views
    }

    /// The binding of a properties key between them.
    fn binding(&self, call: &Call<'_>) -> Result<BindingView, Reply> {
        let wanted = call.part(4);
        let mut views = self.bindings(call).into_iter();
        views
            .find(|view| properties_key(&view.key, &view.arguments) == wanted)
            .ok_or_else(Reply::no_object)
    }
}

/// `GET bindings/VHOST/e/SOURCE/KIND/DESTINATION`.
pub(super) fn between(call: &Call<'_>) -> Outcome {
    let ends = Ends::of(call)?;
    let vhost = Arc::from(ends.vhost);
    let default = (ends.source.is_empty() && ends.kind == DestinationKind::Queue)
        .then(|| call.api.broker.queue(ends.vhost, ends.destination))
        .flatten();
    let views = ends.bindings(call);
    let objects = views.iter().map(|view| BindingObject::new(&vhost, view));
    listed(call, default.iter().map(BindingObject::to_default).chain(objects).collect())
}

/// What a new binding says.
#[derive(Debug, Default, Deserialize)]
struct Bind {
    #[serde(default)]
    routing_key: String,
    #[serde(default, deserialize_with = "object_or_null")]
    arguments: Map<String, Json>,
}

fn object_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Json>, D::Error> {
    match Json::deserialize(from)? {
        Json::Null => Ok(Map::new()),
        other => object_from_json(other).map_err(D::Error::custom),
    }
}

/// `POST bindings/VHOST/e/SOURCE/KIND/DESTINATION`.
pub(super) fn bind(call: &Call<'_>) -> Outcome {
    let ends = Ends::of(call)?;
    let bind: Bind = call.body_or_empty()?;
    let arguments = table_from_json(&bind.arguments);
    let arguments = arguments.map_err(Reply::bad_request)?;
    let request = BindingRequest {
        source: ends.source,
        destination: ends.destination,
        routing_key: &bind.routing_key,
        arguments: &arguments,
    };
    let operator = call.operator(ends.vhost)?;
    wait(match ends.kind {
        DestinationKind::Queue => operator.bind_queue(&request)?,
        DestinationKind::Exchange => operator.bind_exchange(&request)?,
    })?;
    let made = ends
        .bindings(call)
        .into_iter()
        .find(|view| *view.key == bind.routing_key && same(&view.arguments, &arguments));
    let key = match made {
        Some(view) => properties_key(&view.key, &view.arguments),
        None => properties_key(&bind.routing_key, &arguments),
    };
    let whole = |text: &str| utf8_percent_encode(text, IN_PATH).to_string();
    // The path decodes once, and the key that comes out is percent-encoded itself.
    let key = utf8_percent_encode(&key, IN_PATH).to_string();
    Ok(Reply { location: Some(format!("{}/{key}", whole(ends.destination))), ..Reply::created() })
}

fn same(canonical: &Table, given: &Table) -> bool {
    *crate::routing::canonical_arguments(given) == *canonical
}

/// `GET bindings/VHOST/e/SOURCE/KIND/DESTINATION/PROPERTIES_KEY`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let ends = Ends::of(call)?;
    let view = ends.binding(call)?;
    paging::object(call.request, &BindingObject::new(&Arc::from(ends.vhost), &view))
}

/// `DELETE bindings/VHOST/e/SOURCE/KIND/DESTINATION/PROPERTIES_KEY`.
pub(super) fn unbind(call: &Call<'_>) -> Outcome {
    let ends = Ends::of(call)?;
    let view = ends.binding(call)?;
    let request = BindingRequest {
        source: ends.source,
        destination: ends.destination,
        routing_key: &view.key,
        arguments: &view.arguments,
    };
    let operator = call.operator(ends.vhost)?;
    wait(match ends.kind {
        DestinationKind::Queue => operator.unbind_queue(&request)?,
        DestinationKind::Exchange => operator.unbind_exchange(&request)?,
    })?;
    Ok(Reply::done())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_properties_key_is_quoted_as_rabbitmq_does() {
        let check = |key: &str, expected: &str| {
            assert_eq!(properties_key(key, &Table::new()), expected);
        };
        check("", "~");
        check("a.*", "a.%2A");
        check("k#", "k%23");
        check("a b/c~", "a+b%2Fc%7E");
        check("x-y_z", "x-y_z");
    }

    #[test]
    fn arguments_have_a_part_in_the_properties_key() {
        let arguments = |value: i64| Table::from_iter([("x", value)]);
        let one = properties_key("k", &arguments(1));
        assert!(one.starts_with("k~"));
        assert_eq!(one, properties_key("k", &arguments(1)));
        assert_ne!(one, properties_key("k", &arguments(2)));
        assert!(properties_key("", &arguments(1)).starts_with('~'));
    }
}
