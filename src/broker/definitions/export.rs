//! Definitions of what there is, in RabbitMQ's format: durable exchanges, queues and bindings, users, virtual hosts and
//! permissions. RabbitMQ and this broker both take them in again.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::json as tables;
use crate::broker::accounts::access::shown_hash;
use crate::broker::declaration::exchange_declaration::RESERVED_PREFIX;
use crate::broker::topology::vhost::Vhost;
use crate::broker::watch::listing::{BindingView, bindings_from};
use crate::broker::{Broker, QueueKind};
use crate::store::{DestinationKind, UserRecord};

/// Where an entry says which virtual host it belongs to: not in a file for one alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Named,
    Unnamed,
}

/// A user as definitions and the management API show it.
pub fn user_to_json(user: &UserRecord) -> Json {
    let (hash, algorithm) = shown_hash(&user.password_hash);
    json!({
        "name": user.name,
        "password_hash": hash,
        "hashing_algorithm": algorithm,
        "tags": user.tags,
        "limits": {},
    })
}

impl Broker {
    /// Definitions of everything.
    pub fn export(&self) -> Map<String, Json> {
        let users = self.users().into_iter().map(|user| user_to_json(&user));
        let names = self.vhost_names();
        let vhosts = names.iter().map(|name| {
            json!({ "name": &**name, "limits": {}, "metadata": { "description": "", "tags": [] } })
        });
        let mut definitions = Map::new();
        let mut put = |name: &str, value: Json| definitions.insert(name.to_owned(), value);
        put("users", Json::Array(users.collect()));
        put("vhosts", Json::Array(vhosts.collect()));
        put("permissions", serde_json::to_value(self.permissions()).unwrap_or_default());
        for section in ["topic_permissions", "parameters", "global_parameters", "policies"] {
            put(section, Json::Array(Vec::new()));
        }
        let mut parts = Parts::default();
        for vhost in names.iter().filter_map(|name| self.vhosts.get(name)) {
            parts.add(&vhost, Naming::Named);
        }
        parts.put_into(&mut definitions);
        definitions
    }

    /// Definitions of one virtual host. None when there is none.
    pub fn export_vhost(&self, name: &str) -> Option<Map<String, Json>> {
        let vhost = self.vhosts.get(name)?;
        let mut definitions = Map::new();
        for section in ["parameters", "policies"] {
            definitions.insert(section.to_owned(), Json::Array(Vec::new()));
        }
        let mut parts = Parts::default();
        parts.add(&vhost, Naming::Unnamed);
        parts.put_into(&mut definitions);
        Some(definitions)
    }
}

#[derive(Default)]
struct Parts {
    exchanges: Vec<Json>,
    queues: Vec<Json>,
    bindings: Vec<Json>,
}

impl Parts {
    fn add(&mut self, vhost: &Arc<Vhost>, naming: Naming) {
        let mut exchanges = vhost.exchanges.values();
        exchanges.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        let mut bindings: Vec<BindingView> = Vec::new();
        for exchange in exchanges.iter().filter(|exchange| exchange.is_durable()) {
            bindings.extend(bindings_from(exchange).into_iter().filter(|view| view.durable));
            if exchange.name().is_empty() || exchange.name().starts_with(RESERVED_PREFIX) {
                continue;
            }
            self.exchanges.push(named(
                vhost,
                naming,
                json!({
                    "name": &**exchange.name(),
                    "type": exchange.kind().as_str(),
                    "durable": true,
                    "auto_delete": exchange.is_auto_delete(),
                    "internal": exchange.is_internal(),
                    "arguments": tables::to_json(exchange.arguments()),
                }),
            ));
        }
        let mut queues = vhost.queues.values();
        queues.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        for queue in queues.iter().filter(|queue| queue.lifetime().is_stored()) {
            self.queues.push(named(
                vhost,
                naming,
                json!({
                    "name": &**queue.name(),
                    "type": match queue.kind() {
                        QueueKind::Classic => "classic",
                        QueueKind::Quorum => "quorum",
                    },
                    "durable": true,
                    "auto_delete": queue.lifetime().auto_delete,
                    "arguments": tables::to_json(queue.arguments()),
                }),
            ));
        }
        bindings.sort_unstable_by(|one, other| {
            (&one.source, &one.destination, &one.key).cmp(&(
                &other.source,
                &other.destination,
                &other.key,
            ))
        });
        for view in bindings {
            self.bindings.push(named(
                vhost,
                naming,
                json!({
                    "source": &*view.source,
                    "destination": &*view.destination,
                    "destination_type": match view.kind {
                        DestinationKind::Queue => "queue",
                        DestinationKind::Exchange => "exchange",
                    },
                    "routing_key": &*view.key,
                    "arguments": tables::to_json(&view.arguments),
                }),
            ));
        }
    }

    fn put_into(self, definitions: &mut Map<String, Json>) {
        definitions.insert("exchanges".to_owned(), Json::Array(self.exchanges));
        definitions.insert("queues".to_owned(), Json::Array(self.queues));
        definitions.insert("bindings".to_owned(), Json::Array(self.bindings));
    }
}

fn named(vhost: &Vhost, naming: Naming, mut entry: Json) -> Json {
    if naming == Naming::Named {
        entry["vhost"] = Json::from(&*vhost.name);
    }
    entry
}
