//! Messages: publishing one, looking at some or taking them, and asking where one would go.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::ask::several;
use super::client::Client;
use super::column::words;
use super::listing::Listing;
use super::noun;
use super::options::{Format, ListOptions, Publish};
use super::pairs;
use super::path::{self, Path};
use super::removal::no_queue;
use super::terminal::{Terminal, print, say};
use super::text::escaped;
use super::topology::absent;
use crate::admin::complain;
use crate::admin::failure::Failure;

/// Bytes of a message to publish: RabbitMQ's own ceiling.
const PAYLOAD_BYTES_MAX: u64 = 512 << 20;
/// AMQP's number for a message that survives a restart.
const PERSISTENT: u8 = 2;

/// Properties that are numbers, and whose values must be.
const NUMBERS: &[&str] = &["priority", "delivery_mode", "timestamp"];
/// Every property that a message can have.
const PROPERTIES: &[&str] = &[
    "content_type",
    "content_encoding",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
];

/// Whether a message that is shown stays in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// It stays.
    Peek,
    /// It is gone.
    Take,
}

/// Publishes a message.
///
/// # Errors
///
/// That no queue takes it, that it cannot be read, or what the broker says.
pub(super) fn publish(client: &Client, message: &Publish) -> Result<(), Failure> {
    let properties = properties(message)?;
    let payload = payload(message)?;
    let bytes = payload.len();
    let (payload, encoding) = match String::from_utf8(payload) {
        Ok(text) => (text, "string"),
        Err(binary) => (BASE64.encode(binary.as_bytes()), "base64"),
    };
    let vhost = &message.place.vhost;
    let exchange = path::exchange(&message.exchange);
    let body = json!({
        "routing_key": message.key, "payload": payload, "payload_encoding": encoding, "properties": properties,
    });
    let answer =
        client.post(&Path::new(&["exchanges", vhost, exchange, "publish"]), &body).map_err(
            |fault| absent(client, "exchange", "exchanges", vhost, &message.exchange, fault),
        )?;
    if answer["routed"] == Value::Bool(true) {
        return say(&format!("published {bytes} bytes"));
    }
    Err(format!(
        "no queue takes it, and so it is gone; `leveret admin route '{}' '{}'` says why",
        message.exchange, message.key
    )
    .into())
}

fn properties(message: &Publish) -> Result<Map<String, Value>, Failure> {
    let mut properties = pairs::pairs("--property", &message.properties)?;
    for (name, value) in &mut properties {
        if !PROPERTIES.contains(&name.as_str()) {
            return Err(Failure::Usage(format!(
                "messages have no property `{name}`; there are {}",
                PROPERTIES.join(", ")
            )));
        }
        if NUMBERS.contains(&name.as_str()) {
            if !value.is_u64() {
                return Err(Failure::Usage(format!(
                    "the property `{name}` must be a number, not {value}"
                )));
            }
        } else if !value.is_string() {
            // What looks like a number is text here all the same, such as an expiration.
            *value = Value::from(words(value));
        }
    }
    if !message.transient {
        properties.entry("delivery_mode").or_insert(Value::from(PERSISTENT));
    }
    let headers = pairs::pairs("--header", &message.headers)?;
    if !headers.is_empty() {
        properties.insert("headers".to_owned(), Value::Object(headers));
    }
    Ok(properties)
}

fn payload(message: &Publish) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let (read, named) = match (&message.file, message.payload.as_deref()) {
        (Some(file), _) => {
            let opened = std::fs::File::open(file);
            let read =
                opened.and_then(|file| file.take(PAYLOAD_BYTES_MAX + 1).read_to_end(&mut bytes));
            (read, file.display().to_string())
        }
        (None, Some(text)) if text != "-" => return Ok(text.as_bytes().to_vec()),
        (None, _) => {
            let input = std::io::stdin().lock();
            (input.take(PAYLOAD_BYTES_MAX + 1).read_to_end(&mut bytes), "standard input".to_owned())
        }
    };
    read.map_err(|error| format!("cannot read {named}: {error}"))?;
    if bytes.len() as u64 > PAYLOAD_BYTES_MAX {
        return Err(
            format!("{named} has more than {PAYLOAD_BYTES_MAX} bytes, and no message may").into()
        );
    }
    Ok(bytes)
}

/// Shows the first messages of a queue.
///
/// # Errors
///
/// That there is no such queue, or what the broker says.
pub(super) fn get(
    client: &Client,
    (vhost, queue): (&str, &str),
    count: u64,
    taking: Taking,
    options: &ListOptions,
) -> Result<(), Failure> {
    let listing = Listing::new(&noun::MESSAGES, options)?;
    let mode = if taking == Taking::Take { "ack_requeue_false" } else { "peek" };
    let body = json!({"count": count, "ackmode": mode, "encoding": "auto"});
    let messages = client
        .post(&Path::new(&["queues", vhost, queue, "get"]), &body)
        .map_err(|fault| no_queue(client, vhost, queue, fault))?;
    let messages = messages.as_array().cloned().unwrap_or_default();
    let left = match messages.last() {
        Some(last) if (messages.len() as u64) < count => last["message_count"].as_u64(),
        _ => None,
    };
    let messages = listing.arrange(messages);
    print(&listing.text(&messages, &Terminal::of_standard_output()))?;
    if let Some(left @ 1..) = left {
        let left = several(left, "more ready message");
        complain(&match taking {
            Taking::Peek => format!(
                "{left} not shown: a look reaches what is in memory of a queue, and no more than one answer holds"
            ),
            Taking::Take => format!("{left} not taken: one answer holds no more; take again"),
        });
    }
    Ok(())
}

/// Shows which queues a message would reach, and which bindings matched.
///
/// # Errors
///
/// That there is no such exchange, or what the broker says.
pub(super) fn route(
    client: &Client,
    (vhost, exchange): (&str, &str),
    key: &str,
    headers: &[String],
    options: &ListOptions,
) -> Result<(), Failure> {
    let listing = Listing::new(&noun::ROUTES, options)?;
    let body = json!({"routing_key": key, "headers": pairs::pairs("--header", headers)?});
    let mut answer = client
        .post(&Path::new(&["exchanges", vhost, path::exchange(exchange), "route"]), &body)
        .map_err(|fault| absent(client, "exchange", "exchanges", vhost, exchange, fault))?;
    let bindings = listing.arrange(answer["bindings"].as_array().cloned().unwrap_or_default());
    match listing.format {
        Format::Json => {
            answer["bindings"] = listing.objects(bindings);
            print(&format!("{answer:#}\n"))
        }
        Format::Csv => print(&listing.text(&bindings, &Terminal::of_standard_output())),
        Format::Table => {
            let terminal = Terminal::of_standard_output();
            print(&format!("{}\n\n", escaped(&verdict(&answer))))?;
            print(&listing.text(&bindings, &terminal))
        }
    }
}

/// Where the message would go, in a sentence.
fn verdict(answer: &Value) -> String {
    let queues: Vec<String> = answer["queues"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| format!("'{}'", words(name)))
        .collect();
    let by_way = match answer["via_alternate_exchange"].as_str() {
        Some(alternate) => format!(" by way of the alternate exchange '{alternate}'"),
        None => String::new(),
    };
    match queues.as_slice() {
        [] => {
            "No queue gets it: a publisher would lose it, or have it returned if it is mandatory."
                .to_owned()
        }
        [one] => format!("Queue {one} gets it{by_way}."),
        several => format!("{} queues get it{by_way}: {}.", several.len(), several.join(", ")),
    }
}
