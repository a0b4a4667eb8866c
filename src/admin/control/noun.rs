//! What can be listed: where the API has it, and the columns it has.

use serde_json::Value;

use super::column::Column;
use super::column::Kind::{Age, Bytes, Count, Exchange, Flag, Flow, Rate, Since, State, Text};
use super::column::Rank::{OnRequest, Shown, WhereSeveral};
use super::path::Path;
use crate::config::nearest;

/// Something that is listed.
#[derive(Debug)]
pub(super) struct Noun {
    /// Its name, in the plural.
    pub plural: &'static str,
    /// Where all of them are.
    everywhere: &'static [&'static str],
    /// Where those of one virtual host are; the empty part stands for its name.
    in_vhost: &'static [&'static str],
    /// The column that holds the name that it goes by.
    name_at: usize,
    /// Its columns, in the order they are shown.
    columns: &'static [Column],
}

impl Noun {
    /// Where those of a virtual host are, or all.
    pub fn path(&self, vhost: Option<&str>) -> Path {
        match vhost {
            None => Path::new(self.everywhere),
            Some(vhost) => {
                let parts =
                    self.in_vhost.iter().map(|&part| if part.is_empty() { vhost } else { part });
                Path::new(&parts.collect::<Vec<_>>())
            }
        }
    }

    /// The column that holds the name.
    pub fn named_by(&self) -> &'static Column {
        &self.columns[self.name_at]
    }

    /// The columns that are shown when none are asked for.
    pub fn usual(&self) -> impl Iterator<Item = &'static Column> {
        self.columns.iter().filter(|column| column.rank != OnRequest)
    }

    /// The column with a name, or with the path of something inside a column.
    ///
    /// # Errors
    ///
    /// When there is none: which was probably meant, and which there are.
    pub fn column(&self, name: &str) -> Result<Column, String> {
        if let Some(found) = self.columns.iter().find(|column| column.is_called(name)) {
            return Ok(found.clone());
        }
        let outer = name.split_once('.').map(|(first, _)| first);
        let around = outer.and_then(|first| self.columns.iter().find(|column| column.key == first));
        if let Some(column) = around {
            return Ok(column.inner(name));
        }
        let names = self.columns.iter().map(|column| column.short.as_ref());
        let all: Vec<&str> = names.clone().collect();
        let meant = nearest(name, names).map(|near| format!("; did you mean `{near}`?"));
        Err(format!(
            "{} have no column `{name}`{} (there are {})",
            self.plural,
            meant.unwrap_or_default(),
            all.join(", ")
        ))
    }
}

/// Queues.
pub(super) static QUEUES: Noun = Noun {
    plural: "queues",
    everywhere: &["queues"],
    in_vhost: &["queues", ""],
    name_at: 0,
    columns: &[
        Column::new("name", "name", Text, Shown(0)),
        Column::new("vhost", "vhost", Text, WhereSeveral(2)),
        Column::new("type", "type", Text, Shown(9)),
        Column::made("features", Shown(10), FEATURE_FIELDS, queue_features),
        Column::new("state", "state", State, Shown(6)),
        Column::new("messages_ready", "ready", Count, Shown(0)),
        Column::new("messages_unacknowledged", "unacked", Count, Shown(2)),
        Column::new("messages", "total", Count, Shown(5)),
        Column::new("consumers", "consumers", Count, Shown(1)),
        Column::new("message_bytes", "bytes", Bytes, Shown(8)),
        Column::new("oldest_message_age_ms", "oldest", Age, Shown(4)),
        Column::new("message_stats.publish_details.rate", "in", Rate, Shown(7)),
        Column::new("message_stats.deliver_get_details.rate", "out", Rate, Shown(7)),
        Column::new("durable", "durable", Flag, OnRequest),
        Column::new("auto_delete", "auto_delete", Flag, OnRequest),
        Column::new("exclusive", "exclusive", Flag, OnRequest),
        Column::new("arguments", "arguments", Text, OnRequest),
        Column::new("policy", "policy", Text, OnRequest),
        Column::new("idle_since", "idle_since", Text, OnRequest),
        Column::new("message_bytes_ready", "bytes_ready", Bytes, OnRequest),
        Column::new("message_bytes_unacknowledged", "bytes_unacked", Bytes, OnRequest),
        Column::new("message_stats.publish", "published", Count, OnRequest),
        Column::new("message_stats.deliver_get", "delivered", Count, OnRequest),
        Column::new("message_stats.ack", "acknowledged", Count, OnRequest),
        Column::new("message_stats.ack_details.rate", "acks", Rate, OnRequest),
        Column::new("message_stats.redeliver", "redelivered", Count, OnRequest),
        Column::new("message_stats", "stats", Text, OnRequest),
    ],
};

/// Exchanges.
pub(super) static EXCHANGES: Noun = Noun {
    plural: "exchanges",
    everywhere: &["exchanges"],
    in_vhost: &["exchanges", ""],
    name_at: 0,
    columns: &[
        Column::new("name", "name", Exchange, Shown(0)),
        Column::new("vhost", "vhost", Text, WhereSeveral(2)),
        Column::new("type", "type", Text, Shown(1)),
        Column::made("features", Shown(3), EXCHANGE_FEATURE_FIELDS, exchange_features),
        Column::new("message_stats.publish_in_details.rate", "in", Rate, Shown(4)),
        Column::new("message_stats.publish_out_details.rate", "out", Rate, Shown(4)),
        Column::new("durable", "durable", Flag, OnRequest),
        Column::new("auto_delete", "auto_delete", Flag, OnRequest),
        Column::new("internal", "internal", Flag, OnRequest),
        Column::new("arguments", "arguments", Text, OnRequest),
        Column::new("policy", "policy", Text, OnRequest),
        Column::new("message_stats", "stats", Text, OnRequest),
    ],
};

/// Bindings.
pub(super) static BINDINGS: Noun = Noun {
    plural: "bindings",
    everywhere: &["bindings"],
    in_vhost: &["bindings", ""],
    name_at: 0,
    columns: &[
        Column::new("source", "source", Exchange, Shown(0)),
        Column::new("vhost", "vhost", Text, WhereSeveral(1)),
        Column::new("destination", "destination", Text, Shown(0)),
        Column::new("destination_type", "kind", Text, Shown(3)),
        Column::new("routing_key", "key", Text, Shown(0)),
        Column::new("arguments", "arguments", Text, Shown(2)),
        Column::new("properties_key", "properties_key", Text, OnRequest),
    ],
};

/// Consumers.
pub(super) static CONSUMERS: Noun = Noun {
    plural: "consumers",
    everywhere: &["consumers"],
    in_vhost: &["consumers", ""],
    name_at: 0,
    columns: &[
        Column::new("queue.name", "queue", Text, Shown(0)),
        Column::new("queue.vhost", "vhost", Text, WhereSeveral(2)),
        Column::new("consumer_tag", "tag", Text, Shown(0)),
        Column::new("channel_details.name", "channel", Text, Shown(1)),
        Column::new("channel_details.user", "user", Text, OnRequest),
        Column::new("ack_required", "ack", Flag, Shown(4)),
        Column::new("prefetch_count", "prefetch", Count, Shown(3)),
        Column::new("exclusive", "exclusive", Flag, Shown(6)),
        Column::new("active", "active", Flag, Shown(5)),
        Column::new("arguments", "arguments", Text, Shown(7)),
        Column::new("consumer_timeout", "timeout", Text, OnRequest),
        Column::new("channel_details", "channel_details", Text, OnRequest),
    ],
};

/// Connections.
pub(super) static CONNECTIONS: Noun = Noun {
    plural: "connections",
    everywhere: &["connections"],
    in_vhost: &["vhosts", "", "connections"],
    name_at: 0,
    columns: &[
        Column::new("name", "name", Text, Shown(0)),
        Column::new("user", "user", Text, Shown(1)),
        Column::new("vhost", "vhost", Text, WhereSeveral(3)),
        Column::new("state", "state", State, Shown(2)),
        Column::new("channels", "channels", Count, Shown(4)),
        Column::made("client", Shown(7), &["client_properties", "user_provided_name"], client_of),
        Column::new("recv_oct_details.rate", "in", Flow, Shown(6)),
        Column::new("send_oct_details.rate", "out", Flow, Shown(6)),
        Column::new("connected_at", "connected", Since, Shown(5)),
        Column::new("peer_host", "peer_host", Text, OnRequest),
        Column::new("peer_port", "peer_port", Text, OnRequest),
        Column::new("protocol", "protocol", Text, OnRequest),
        Column::new("auth_mechanism", "auth_mechanism", Text, OnRequest),
        Column::new("frame_max", "frame_max", Text, OnRequest),
        Column::new("channel_max", "channel_max", Text, OnRequest),
        Column::new("timeout", "heartbeat", Text, OnRequest),
        Column::new("recv_oct", "received", Bytes, OnRequest),
        Column::new("send_oct", "sent", Bytes, OnRequest),
        Column::new("ssl", "tls", Flag, OnRequest),
        Column::new("client_properties", "client_properties", Text, OnRequest),
    ],
};

/// Channels.
pub(super) static CHANNELS: Noun = Noun {
    plural: "channels",
    everywhere: &["channels"],
    in_vhost: &["vhosts", "", "channels"],
    name_at: 0,
    columns: &[
        Column::new("name", "name", Text, Shown(0)),
        Column::new("user", "user", Text, Shown(2)),
        Column::new("vhost", "vhost", Text, WhereSeveral(3)),
        Column::new("state", "state", State, Shown(4)),
        Column::new("consumer_count", "consumers", Count, Shown(1)),
        Column::new("prefetch_count", "prefetch", Count, Shown(5)),
        Column::new("messages_unacknowledged", "unacked", Count, Shown(1)),
        Column::new("messages_unconfirmed", "unconfirmed", Count, Shown(6)),
        Column::new("confirm", "confirm", Flag, Shown(7)),
        Column::new("message_stats.publish_details.rate", "in", Rate, Shown(8)),
        Column::new("message_stats.deliver_get_details.rate", "out", Rate, Shown(8)),
        Column::new("number", "number", Text, OnRequest),
        Column::new("transactional", "transactional", Flag, OnRequest),
        Column::new("messages_uncommitted", "uncommitted", Count, OnRequest),
        Column::new("global_prefetch_count", "global_prefetch", Count, OnRequest),
        Column::new("connection_details.name", "connection", Text, OnRequest),
        Column::new("message_stats", "stats", Text, OnRequest),
    ],
};

/// Virtual hosts.
pub(super) static VHOSTS: Noun = Noun {
    plural: "vhosts",
    everywhere: &["vhosts"],
    in_vhost: &["vhosts"],
    name_at: 0,
    columns: &[
        Column::new("name", "name", Text, Shown(0)),
        Column::new("messages_ready", "ready", Count, Shown(1)),
        Column::new("messages_unacknowledged", "unacked", Count, Shown(2)),
        Column::new("messages", "total", Count, Shown(2)),
        Column::new("default_queue_type", "default_queue_type", Text, OnRequest),
        Column::new("tracing", "tracing", Flag, OnRequest),
    ],
};

/// Users.
pub(super) static USERS: Noun = Noun {
    plural: "users",
    everywhere: &["users"],
    in_vhost: &["users"],
    name_at: 0,
    columns: &[
        Column::new("name", "name", Text, Shown(0)),
        Column::new("tags", "tags", Text, Shown(0)),
        Column::new("hashing_algorithm", "hashing_algorithm", Text, OnRequest),
        Column::new("limits", "limits", Text, OnRequest),
    ],
};

/// Permissions.
pub(super) static PERMISSIONS: Noun = Noun {
    plural: "permissions",
    everywhere: &["permissions"],
    in_vhost: &["vhosts", "", "permissions"],
    name_at: 0,
    columns: &[
        Column::new("user", "user", Text, Shown(0)),
        Column::new("vhost", "vhost", Text, Shown(0)),
        Column::new("configure", "configure", Text, Shown(0)),
        Column::new("write", "write", Text, Shown(0)),
        Column::new("read", "read", Text, Shown(0)),
    ],
};

/// Messages, as `get` shows them.
pub(super) static MESSAGES: Noun = Noun {
    plural: "messages",
    everywhere: &[],
    in_vhost: &[],
    name_at: 7,
    columns: &[
        Column::new("position", "position", Count, WhereSeveral(2)),
        Column::new("age_ms", "age", Age, Shown(3)),
        Column::new("exchange", "exchange", Exchange, Shown(5)),
        Column::new("routing_key", "key", Text, Shown(1)),
        Column::new("redelivered", "redelivered", Flag, Shown(6)),
        Column::new("payload_bytes", "bytes", Bytes, Shown(7)),
        Column::new("properties", "properties", Text, Shown(4)),
        Column::new("payload", "payload", Text, Shown(0)),
        Column::new("payload_encoding", "encoding", Text, OnRequest),
        Column::new("message_count", "left", Count, OnRequest),
    ],
};

/// Bindings, as `route` shows them.
pub(super) static ROUTES: Noun = Noun {
    plural: "bindings",
    everywhere: &[],
    in_vhost: &[],
    name_at: 0,
    columns: &[
        Column::new("source", "source", Exchange, WhereSeveral(3)),
        Column::new("matched", "matched", Flag, Shown(0)),
        Column::new("destination", "destination", Text, Shown(0)),
        Column::new("destination_type", "kind", Text, WhereSeveral(2)),
        Column::new("routing_key", "key", Text, Shown(0)),
        Column::new("arguments", "arguments", Text, WhereSeveral(4)),
        Column::new("reason", "why", Text, Shown(0)),
        Column::new("properties_key", "properties_key", Text, OnRequest),
    ],
};

const FEATURE_FIELDS: &[&str] = &["durable", "auto_delete", "exclusive", "arguments", "policy"];
const EXCHANGE_FEATURE_FIELDS: &[&str] = &["durable", "auto_delete", "internal", "arguments"];

/// Each argument with the short name of what it does to a queue.
const QUEUE_ARGUMENTS: &[(&str, &str)] = &[
    ("x-message-ttl", "TTL"),
    ("x-expires", "Exp"),
    ("x-max-length", "Lim"),
    ("x-max-length-bytes", "LimB"),
    ("x-overflow", "Ovfl"),
    ("x-dead-letter-exchange", "DLX"),
    ("x-dead-letter-routing-key", "DLK"),
    ("x-max-priority", "Pri"),
    ("x-single-active-consumer", "SAC"),
    ("x-delivery-limit", "DL"),
];

fn queue_features(queue: &Value) -> Value {
    let mut found = flags(queue, &[("durable", "D"), ("auto_delete", "AD"), ("exclusive", "E")]);
    let is_on = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    let arguments = QUEUE_ARGUMENTS.iter().filter(|(name, _)| is_on(&queue["arguments"][*name]));
    found.extend(arguments.map(|(_, short)| *short));
    if queue["policy"].as_str().is_some_and(|policy| !policy.is_empty()) {
        found.push("Pol");
    }
    Value::from(found.join(" "))
}

fn exchange_features(exchange: &Value) -> Value {
    let mut found = flags(exchange, &[("durable", "D"), ("auto_delete", "AD"), ("internal", "I")]);
    if !exchange["arguments"]["alternate-exchange"].is_null() {
        found.push("AE");
    }
    Value::from(found.join(" "))
}

fn flags(object: &Value, names: &[(&str, &'static str)]) -> Vec<&'static str> {
    let set = names.iter().filter(|(name, _)| object[*name] == Value::Bool(true));
    set.map(|(_, short)| *short).collect()
}

/// The name that a client has given its connection, or else what the client is.
fn client_of(connection: &Value) -> Value {
    let properties = &connection["client_properties"];
    let given = [&connection["user_provided_name"], &properties["connection_name"]];
    if let Some(name) = given.into_iter().find(|name| name.is_string()) {
        return name.clone();
    }
    let parts = [&properties["product"], &properties["version"]];
    let parts: Vec<&str> = parts.into_iter().filter_map(Value::as_str).collect();
    Value::from(parts.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{QUEUES, exchange_features, queue_features};

    #[test]
    fn features_have_short_names() {
        let queue = json!({
            "durable": true, "auto_delete": false, "exclusive": true,
            "arguments": {"x-message-ttl": 1, "x-max-length": 5, "x-single-active-consumer": false, "x-other": 1},
        });
        assert_eq!(queue_features(&queue), "D E TTL Lim");
        assert_eq!(queue_features(&json!({})), "");
        let exchange =
            json!({"durable": true, "internal": true, "arguments": {"alternate-exchange": "x"}});
        assert_eq!(exchange_features(&exchange), "D I AE");
    }

    #[test]
    fn a_column_has_a_short_name_and_the_field_s() {
        let key = |name: &str| QUEUES.column(name).map(|column| column.key.into_owned());
        assert_eq!(key("ready").as_deref(), Ok("messages_ready"));
        assert_eq!(key("messages_ready").as_deref(), Ok("messages_ready"));
        assert_eq!(key("arguments.x-max-length").as_deref(), Ok("arguments.x-max-length"));
        let fault = key("readdy").unwrap_err();
        assert!(
            fault.starts_with("queues have no column `readdy`; did you mean `ready`?"),
            "{fault}"
        );
    }
}
