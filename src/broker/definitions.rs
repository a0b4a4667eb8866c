//! Definitions: users, virtual hosts, permissions, exchanges, queues and bindings from a JSON file in the format
//! that RabbitMQ exports, applied at start. What is there already stays as it is, save users and permissions,
//! which take the file's word. A file with anything wrong in it changes nothing.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::access;
use super::arguments::{self, DeclaredAs, QueueSettings};
use super::exchange::{ExchangeSettings, Target};
use super::exchanges::{self, RESERVED_PREFIX};
use super::queue_handle::Lifetime;
use super::resource::Resource;
use super::{Broker, OpenError, json};
use crate::routing::Kind;
use crate::store::{Change, DestinationKind, PermissionRecord, UserRecord, VhostRecord};
use crate::wire::Table;

/// Sections that this broker does not act on; a file that uses them is refused rather than half understood.
const REFUSED_SECTIONS: &[&str] = &["policies", "topic_permissions", "parameters"];

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    vhosts: Vec<Vhost>,
    #[serde(default)]
    permissions: Vec<PermissionRecord>,
    #[serde(default)]
    exchanges: Vec<Exchange>,
    #[serde(default)]
    queues: Vec<Queue>,
    #[serde(default)]
    bindings: Vec<Binding>,
    #[serde(flatten)]
    other: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
struct Vhost {
    name: String,
}

#[derive(Debug, Deserialize)]
struct User {
    name: String,
    password: Option<String>,
    password_hash: Option<String>,
    hashing_algorithm: Option<String>,
    #[serde(default)]
    tags: Tags,
}

/// Tags are a list, or in older files a string with commas.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Default for Tags {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
struct Exchange {
    name: String,
    vhost: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    durable: bool,
    #[serde(default)]
    auto_delete: bool,
    #[serde(default)]
    internal: bool,
    #[serde(default)]
    arguments: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    vhost: String,
    #[serde(default)]
    durable: bool,
    #[serde(default)]
    auto_delete: bool,
    #[serde(default)]
    arguments: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
struct Binding {
    source: String,
    vhost: String,
    destination: String,
    destination_type: DestinationType,
    #[serde(default)]
    routing_key: String,
    #[serde(default)]
    arguments: Map<String, Json>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DestinationType {
    Queue,
    Exchange,
}

/// A file whose every entry was checked.
struct Checked {
    vhosts: Vec<VhostRecord>,
    users: Vec<UserRecord>,
    permissions: Vec<PermissionRecord>,
    exchanges: Vec<(Exchange, ExchangeSettings)>,
    queues: Vec<(Queue, QueueSettings)>,
    bindings: Vec<(Binding, Table)>,
}

impl Broker {
    /// Applies a definitions file.
    ///
    /// # Errors
    /// One line that names the file and what is wrong in it.
    pub(super) fn apply_definitions(&self, path: &Path, now_ms: u64) -> Result<(), OpenError> {
        let fail = |why: String| OpenError::Definitions { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let file: File = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        let checked = check(file).map_err(fail)?;
        let changes = self.take_definitions(checked, now_ms).map_err(fail)?;
        self.commit(changes).wait_blocking().map_err(|_| fail("it could not be stored".to_owned()))
    }

    fn take_definitions(&self, file: Checked, now_ms: u64) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        for vhost in file.vhosts {
            if !self.vhosts.contains(&*vhost.name) {
                self.add_vhost(&vhost.name);
                changes.push(Change::PutVhost(vhost));
            }
        }
        for user in file.users {
            self.access.put_user(user.clone());
            changes.push(Change::PutUser(user));
        }
        for permission in file.permissions {
            self.put_permission(&permission);
            changes.push(Change::PutPermission(permission));
        }
        for (exchange, settings) in file.exchanges {
            let vhost = self.restored_vhost(&exchange.vhost)?;
            if vhost.exchanges.contains(&*exchange.name) {
                continue;
            }
            let durable = settings.durable;
            let handle = self.add_exchange(&vhost, Arc::from(&*exchange.name), settings);
            if durable {
                changes.push(Change::PutExchange(handle.record()));
            }
        }
        for (queue, settings) in file.queues {
            let vhost = self.restored_vhost(&queue.vhost)?;
            if vhost.queues.contains(&*queue.name) {
                continue;
            }
            let lifetime =
                Lifetime { durable: queue.durable, auto_delete: queue.auto_delete, owner: None };
            let id = self.next_queue_id();
            let name = Arc::from(&*queue.name);
            let handle = self.add_queue(id, &vhost, name, lifetime, settings, now_ms);
            if queue.durable {
                changes.push(Change::PutQueue(handle.record()));
            }
        }
        for (binding, arguments) in file.bindings {
            changes.extend(self.take_binding(&binding, &arguments)?);
        }
        Ok(changes)
    }

    fn take_binding(&self, binding: &Binding, arguments: &Table) -> Result<Option<Change>, String> {
        let vhost = self.restored_vhost(&binding.vhost)?;
        let missing = |name: &str| format!("a binding names '{name}', which is not there");
        let source =
            vhost.exchanges.get(&*binding.source).ok_or_else(|| missing(&binding.source))?;
        let kind = match binding.destination_type {
            DestinationType::Queue => DestinationKind::Queue,
            DestinationType::Exchange => DestinationKind::Exchange,
        };
        let destination = Target::find(&vhost, kind, &binding.destination)
            .ok_or_else(|| missing(&binding.destination))?;
        let mut topology = vhost.topology.lock();
        self.add_binding(&mut topology, &source, &binding.routing_key, arguments, destination)
            .map_err(|fault| fault.text)
    }
}

fn check(file: File) -> Result<Checked, String> {
    for section in REFUSED_SECTIONS {
        if file.other.get(*section).and_then(Json::as_array).is_some_and(|list| !list.is_empty()) {
            return Err(format!("it has {section}, which this version does not support"));
        }
    }
    for permission in &file.permissions {
        access::Permission::new(permission)
            .map_err(|error| format!("permission of user '{}': {error}", permission.user))?;
    }
    let vhosts = file.vhosts.into_iter().map(|vhost| VhostRecord { name: vhost.name });
    Ok(Checked {
        vhosts: vhosts.collect(),
        users: file.users.into_iter().map(check_user).collect::<Result<_, _>>()?,
        permissions: file.permissions,
        exchanges: file
            .exchanges
            .into_iter()
            .filter(|exchange| !is_predeclared(&exchange.name))
            .map(check_exchange)
            .collect::<Result<_, _>>()?,
        queues: file.queues.into_iter().map(check_queue).collect::<Result<_, _>>()?,
        bindings: file
            .bindings
            .into_iter()
            // Every queue is bound to the default exchange, in an export too.
            .filter(|binding| !binding.source.is_empty())
            .map(|binding| Ok((json::from_json(&binding.arguments)?, binding)))
            .map(|pair: Result<_, String>| pair.map(|(arguments, binding)| (binding, arguments)))
            .collect::<Result<_, _>>()?,
    })
}

fn is_predeclared(name: &str) -> bool {
    name.is_empty() || name.starts_with(RESERVED_PREFIX)
}

fn check_user(user: User) -> Result<UserRecord, String> {
    let User { name, password, password_hash, hashing_algorithm, tags } = user;
    let password_hash = match (password, password_hash) {
        (Some(password), _) => {
            access::hash(password.as_bytes()).map_err(|error| format!("user '{name}': {error}"))?
        }
        (None, Some(hash)) => access::import_hash(&hash, hashing_algorithm.as_deref())
            .map_err(|why| format!("user '{name}': {why}"))?,
        (None, None) => return Err(format!("user '{name}' has no password and no password_hash")),
    };
    let tags = match tags {
        Tags::List(tags) => tags,
        Tags::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    Ok(UserRecord { name, password_hash, tags })
}

fn check_exchange(exchange: Exchange) -> Result<(Exchange, ExchangeSettings), String> {
    let arguments = json::from_json(&exchange.arguments)?;
    let name = Resource::exchange(&exchange.name, &exchange.vhost);
    let Ok(kind) = exchange.kind.parse::<Kind>() else {
        return Err(format!("{name}: unknown exchange type '{}'", exchange.kind));
    };
    let alternate = exchanges::alternate_exchange(&arguments, &name).map_err(|fault| fault.text)?;
    let settings = ExchangeSettings {
        kind,
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        arguments,
        alternate,
    };
    Ok((exchange, settings))
}

fn check_queue(queue: Queue) -> Result<(Queue, QueueSettings), String> {
    let arguments = json::from_json(&queue.arguments)?;
    let declared =
        DeclaredAs { durable: queue.durable, exclusive: false, auto_delete: queue.auto_delete };
    let name = Resource::queue(&queue.name, &queue.vhost);
    let settings = arguments::parse(&arguments, declared, &name).map_err(|fault| fault.text)?;
    Ok((queue, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(json: &str, expected: &str) {
        let file: File = serde_json::from_str(json).unwrap();
        let why = check(file).err().unwrap();
        assert!(why.contains(expected), "{why}");
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        check_refused(r#"{"policies": [{"name": "p"}]}"#, "policies");
        check_refused(
            r#"{"users": [{"name": "u", "password_hash": "x", "hashing_algorithm": "md5"}]}"#,
            "hashing_algorithm",
        );
        check_refused(r#"{"users": [{"name": "u"}]}"#, "no password");
        check_refused(
            r#"{"exchanges": [{"name": "x", "vhost": "/", "type": "x-odd"}]}"#,
            "unknown exchange type 'x-odd'",
        );
        check_refused(
            r#"{"queues": [{"name": "q", "vhost": "/", "arguments": {"x-max-length": -1}}]}"#,
            "value_negative",
        );
        check_refused(
            r#"{"permissions": [{"user": "u", "vhost": "/", "configure": "(", "write": "", "read": ""}]}"#,
            "permission of user 'u'",
        );
    }

    #[test]
    fn an_exported_file_is_understood() {
        let json = r#"{"rabbit_version": "4.3.0", "policies": [], "users": [
            {"name": "u", "password_hash": "abc", "hashing_algorithm": "rabbit_password_hashing_sha256",
             "tags": ["administrator"], "limits": {}},
            {"name": "v", "password": "p", "tags": "monitoring, management"}],
          "vhosts": [{"name": "/", "metadata": {}}],
          "exchanges": [{"name": "x", "vhost": "/", "type": "topic", "durable": true}],
          "queues": [{"name": "q", "vhost": "/", "durable": true, "arguments": {"x-max-length": 5}}],
          "bindings": [{"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue",
                        "routing_key": "a.*", "arguments": {}}]}"#;
        let checked = check(serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(checked.users[0].password_hash, "rabbit-sha256:abc");
        assert_eq!(checked.users[1].tags, ["monitoring", "management"]);
        assert_eq!(checked.queues[0].1.options.length_max, Some(5));
        assert_eq!(checked.bindings.len(), 1);
    }
}
