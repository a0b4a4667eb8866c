//! The format of definitions, as RabbitMQ exports it. What is not known is kept, to be looked at.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::json;

use crate::store::{DestinationKind, PermissionRecord};

/// A file of definitions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub users: Vec<User>,
    pub vhosts: Vec<Vhost>,
    pub permissions: Vec<PermissionRecord>,
    pub exchanges: Vec<Exchange>,
    pub queues: Vec<Queue>,
    pub bindings: Vec<Binding>,
    #[serde(flatten)]
    pub other: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vhost {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub name: String,
    pub password: Option<String>,
    pub password_hash: Option<String>,
    pub hashing_algorithm: Option<String>,
    #[serde(default)]
    pub tags: Tags,
}

/// Tags are a list, or in older files a string with commas.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Default for Tags {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    pub name: String,
    /// Left out in a file for one virtual host.
    #[serde(default)]
    pub vhost: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub durable: bool,
    #[serde(default)]
    pub auto_delete: bool,
    #[serde(default)]
    pub internal: bool,
    #[serde(default, deserialize_with = "json::object")]
    pub arguments: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Queue {
    pub name: String,
    /// Left out in a file for one virtual host.
    #[serde(default)]
    pub vhost: String,
    #[serde(default)]
    pub durable: bool,
    #[serde(default)]
    pub auto_delete: bool,
    #[serde(default, deserialize_with = "json::object")]
    pub arguments: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Binding {
    pub source: String,
    #[serde(default)]
    pub vhost: String,
    pub destination: String,
    pub destination_type: DestinationType,
    #[serde(default)]
    pub routing_key: String,
    #[serde(default, deserialize_with = "json::object")]
    pub arguments: Map<String, Json>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DestinationType {
    Queue,
    Exchange,
}

impl DestinationType {
    /// The same in the store's words.
    pub fn kind(self) -> DestinationKind {
        match self {
            Self::Queue => DestinationKind::Queue,
            Self::Exchange => DestinationKind::Exchange,
        }
    }
}

impl Tags {
    /// Each tag.
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::List(tags) => tags,
            Self::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }
}
