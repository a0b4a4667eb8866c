//! Whether definitions are sound, entry by entry, before any of them is applied.

use serde_json::{Map, Value as Json};

use super::file::{Binding, Exchange, File, Queue, User, Vhost};
use crate::broker::accounts::access;
use crate::broker::accounts::users::{self, pattern_fault};
use crate::broker::declaration::exchange_declaration::{self, RESERVED_PREFIX};
use crate::broker::definitions::json;
use crate::broker::resource::Resource;
use crate::broker::topology::arguments::{self, DeclaredAs, QueueSettings};
use crate::broker::topology::exchange_handle::ExchangeSettings;
use crate::config::Limits;
use crate::entropy::Entropy;
use crate::routing::Kind;
use crate::store::{PermissionRecord, UserRecord, VhostRecord};
use crate::wire::{SHORTSTR_BYTES_MAX, Table};

/// Sections that this broker does not act on; a file that uses them is refused rather than half understood.
const REFUSED_SECTIONS: &[&str] = &["policies", "topic_permissions", "parameters"];

/// A file whose every entry was checked.
pub(super) struct Checked {
    pub vhosts: Vec<VhostRecord>,
    pub users: Vec<UserRecord>,
    pub permissions: Vec<PermissionRecord>,
    pub exchanges: Vec<(Exchange, ExchangeSettings)>,
    pub queues: Vec<(Queue, QueueSettings)>,
    pub bindings: Vec<(Binding, Table)>,
}

/// Checks every entry of a file on its own.
///
/// # Errors
/// One line that names the entry and what is wrong with it.
pub(super) fn check(file: File, entropy: &dyn Entropy, limits: &Limits) -> Result<Checked, String> {
    for section in REFUSED_SECTIONS {
        if file.other.get(*section).and_then(Json::as_array).is_some_and(|list| !list.is_empty()) {
            return Err(format!("it has {section}, which this version does not support"));
        }
    }
    for permission in &file.permissions {
        access::Permission::new(permission).map_err(|error| {
            let why = pattern_fault(permission, &error);
            format!(
                "permission of user '{}' in vhost '{}': {why}",
                permission.user, permission.vhost
            )
        })?;
    }
    Ok(Checked {
        vhosts: file.vhosts.into_iter().map(check_vhost).collect::<Result<_, _>>()?,
        users: file
            .users
            .into_iter()
            .map(|user| check_user(user, entropy, limits))
            .collect::<Result<_, _>>()?,
        permissions: file.permissions,
        exchanges: file
            .exchanges
            .into_iter()
            .filter(|exchange| !is_predeclared(&exchange.name))
            .map(|exchange| check_exchange(exchange, limits))
            .collect::<Result<_, _>>()?,
        queues: file
            .queues
            .into_iter()
            .map(|queue| check_queue(queue, limits))
            .collect::<Result<_, _>>()?,
        bindings: file
            .bindings
            .into_iter()
            // Every queue is bound to the default exchange, in an export too.
            .filter(|binding| !binding.source.is_empty())
            .map(|binding| check_binding(binding, limits))
            .collect::<Result<_, _>>()?,
    })
}

/// A name is not empty, and fits a short string of the protocol.
fn expect_name(what: &str, name: &str) -> Result<(), String> {
    if (1..=SHORTSTR_BYTES_MAX).contains(&name.len()) {
        return Ok(());
    }
    // The beginning is enough to find it by.
    let beginning: String = name.chars().take(40).collect();
    Err(format!("{what} '{beginning}': a name has 1 to {SHORTSTR_BYTES_MAX} bytes"))
}

/// Arguments that can be kept.
fn check_arguments(
    what: &dyn std::fmt::Display,
    json: &Map<String, Json>,
    limits: &Limits,
) -> Result<Table, String> {
    let table = json::from_json(json).map_err(|why| format!("{what}: {why}"))?;
    arguments::expect_size(&table, limits).map_err(|why| format!("{what}: {why}"))?;
    Ok(table)
}

fn check_vhost(vhost: Vhost) -> Result<VhostRecord, String> {
    expect_name("vhost", &vhost.name)?;
    Ok(VhostRecord { name: vhost.name })
}

fn is_predeclared(name: &str) -> bool {
    name.is_empty() || name.starts_with(RESERVED_PREFIX)
}

fn check_user(user: User, entropy: &dyn Entropy, limits: &Limits) -> Result<UserRecord, String> {
    let User { name, password, password_hash, hashing_algorithm, tags } = user;
    let password_hash = match (password, password_hash) {
        (Some(password), _) => access::hash(password.as_bytes(), entropy)
            .map_err(|error| format!("user '{name}': {error}"))?,
        (None, Some(hash)) => access::import_hash(&hash, hashing_algorithm.as_deref())
            .map_err(|why| format!("user '{name}': {why}"))?,
        (None, None) => return Err(format!("user '{name}' has no password and no password_hash")),
    };
    let user = UserRecord { name, password_hash, tags: tags.into_list() };
    users::check_user(&user, limits)?;
    Ok(user)
}

fn check_exchange(
    exchange: Exchange,
    limits: &Limits,
) -> Result<(Exchange, ExchangeSettings), String> {
    expect_name("exchange", &exchange.name)?;
    let name = Resource::exchange(&exchange.name, &exchange.vhost);
    let arguments = check_arguments(&name, &exchange.arguments, limits)?;
    let Ok(kind) = exchange.kind.parse::<Kind>() else {
        return Err(format!("{name}: unknown exchange type '{}'", exchange.kind));
    };
    let alternate = exchange_declaration::alternate_exchange(&arguments, &name)
        .map_err(|refusal| refusal.text)?;
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

fn check_queue(queue: Queue, limits: &Limits) -> Result<(Queue, QueueSettings), String> {
    expect_name("queue", &queue.name)?;
    let name = Resource::queue(&queue.name, &queue.vhost);
    let arguments = check_arguments(&name, &queue.arguments, limits)?;
    let declared =
        DeclaredAs { durable: queue.durable, exclusive: false, auto_delete: queue.auto_delete };
    let settings = arguments::parse(&arguments, declared, &name).map_err(|refusal| refusal.text)?;
    Ok((queue, settings))
}

fn check_binding(binding: Binding, limits: &Limits) -> Result<(Binding, Table), String> {
    if binding.routing_key.len() > SHORTSTR_BYTES_MAX {
        let (source, destination) = (&binding.source, &binding.destination);
        return Err(format!(
            "binding of '{source}' to '{destination}': a routing key has at most {SHORTSTR_BYTES_MAX} bytes"
        ));
    }
    let arguments = check_arguments(&title(&binding), &binding.arguments, limits)?;
    Ok((binding, arguments))
}

/// A binding as error texts name it.
pub(super) fn title(binding: &Binding) -> String {
    let Binding { source, destination, routing_key, vhost, .. } = binding;
    format!("binding of '{source}' to '{destination}' by '{routing_key}' in vhost '{vhost}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn check_refused(json: &str, expected: &str) {
        let file: File = serde_json::from_str(json).unwrap();
        let why = check(file, &SystemEntropy, &Limits::default()).err().unwrap();
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
            {"name": "u", "password_hash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
             "hashing_algorithm": "rabbit_password_hashing_sha256",
             "tags": ["administrator"], "limits": {}},
            {"name": "v", "password": "p", "tags": "monitoring, management"}],
          "vhosts": [{"name": "/", "metadata": {}}],
          "exchanges": [{"name": "x", "vhost": "/", "type": "topic", "durable": true}],
          "queues": [{"name": "q", "vhost": "/", "durable": true, "arguments": {"x-max-length": 5}}],
          "bindings": [{"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue",
                        "routing_key": "a.*", "arguments": {}}]}"#;
        let checked =
            check(serde_json::from_str(json).unwrap(), &SystemEntropy, &Limits::default()).unwrap();
        assert_eq!(checked.users[0].password_hash, format!("rabbit-sha256:{}", "A".repeat(48)));
        assert_eq!(checked.users[1].tags, ["monitoring", "management"]);
        assert_eq!(checked.queues[0].1.options.length_max, Some(5));
        assert_eq!(checked.bindings.len(), 1);
    }
}
