//! Messages: publishing one, and getting some out of a queue or only looking at them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::call::{Call, wait};
use super::reply::{Outcome, Reply};
use super::{clock, properties};
use crate::broker::Settlement;
use crate::message::Message;
use crate::session::{Sender, read_properties};
use crate::wire::SHORTSTR_BYTES_MAX;

/// Messages that one request may get.
const COUNT_MAX: usize = 10_000;

/// Bytes of bodies that one request may get; it ends with the message that passes this.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What is asked of a queue. Counts may be texts, as some tools send.
#[derive(Debug, Deserialize)]
struct Get {
    count: Option<Json>,
    ackmode: Option<String>,
    encoding: Option<String>,
    truncate: Option<Json>,
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// As text when it is UTF-8.
    Auto,
    Base64,
}

/// What happens to the messages that were got.
enum Mode {
    Settle(Settlement),
    Peek,
}

/// A message as the API shows it.
#[derive(Serialize)]
struct MessageObject {
    payload_bytes: usize,
    redelivered: bool,
    exchange: String,
    routing_key: String,
    message_count: u64,
    properties: Map<String, Json>,
    payload: String,
    payload_encoding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
}

impl MessageObject {
    fn new(message: &Message, shown: &Shown) -> Self {
        let body = message.body();
        let cut = &body[..body.len().min(shown.truncate)];
        let (payload, payload_encoding) = match (text(cut, body), shown.encoding) {
            (Some(text), Encoding::Auto) => (text.to_owned(), "string"),
            _ => (STANDARD.encode(cut), "base64"),
        };
        Self {
            payload_bytes: body.len(),
            redelivered: false,
            exchange: message.exchange().to_owned(),
            routing_key: message.routing_key().to_owned(),
            message_count: 0,
            properties: properties::to_json(message.properties()),
            payload,
            payload_encoding,
            age_ms: None,
            position: None,
        }
    }
}

/// The text of a body that may have been cut in the middle of a letter.
fn text<'a>(cut: &'a [u8], body: &[u8]) -> Option<&'a str> {
    match std::str::from_utf8(cut) {
        Ok(text) => Some(text),
        Err(error) if cut.len() < body.len() && error.error_len().is_none() => {
            std::str::from_utf8(&cut[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// How messages are shown.
struct Shown {
    encoding: Encoding,
    truncate: usize,
}

/// `POST queues/VHOST/QUEUE/get`.
pub(super) fn get(call: &Call<'_>) -> Outcome {
    let operator = call.operator(call.part(0))?;
    let get: Get = call.body()?;
    let missing = [
        ("ackmode", get.ackmode.is_none()),
        ("count", get.count.is_none()),
        ("encoding", get.encoding.is_none()),
    ];
    refuse_missing(&missing)?;
    let count = number("count", get.count.as_ref())?.unwrap_or(0).min(COUNT_MAX);
    let truncate = number("truncate", get.truncate.as_ref())?.unwrap_or(usize::MAX);
    let encoding = match get.encoding.as_deref() {
        Some("auto") => Encoding::Auto,
        Some("base64") => Encoding::Base64,
        other => {
            let other = other.unwrap_or_default();
            let reason = format!("Unsupported encoding '{other}'; there are: auto, base64");
            return Err(Reply::bad_request(reason));
        }
    };
    let mode = mode(get.ackmode.as_deref().unwrap_or_default())?;
    let shown = Shown { encoding, truncate };
    let (name, now_ms) = (call.part(1), clock::now_ms());
    let objects: Vec<MessageObject> = match mode {
        Mode::Settle(how) => {
            let fetched = operator.fetch(name, count, ANSWER_BYTES_MAX, how, now_ms)?;
            // What was taken for good is gone from the disk before anybody hears of it.
            if how == Settlement::Acknowledge {
                wait(operator.barrier())?;
            }
            let objects = fetched.iter().map(|one| MessageObject {
                redelivered: one.redelivered,
                message_count: one.remaining,
                ..MessageObject::new(&one.message, &shown)
            });
            objects.collect()
        }
        Mode::Peek => {
            let (peeked, ready) = operator.peek(name, count, ANSWER_BYTES_MAX, now_ms)?;
            let objects = (1..).zip(&peeked).map(|(position, one)| MessageObject {
                redelivered: one.redelivered,
                message_count: ready.saturating_sub(position as u64),
                age_ms: Some(now_ms.saturating_sub(one.message.facts().accepted_ms)),
                position: Some(position),
                ..MessageObject::new(&one.message, &shown)
            });
            objects.collect()
        }
    };
    Ok(Reply::json(&objects))
}

fn refuse_missing(keys: &[(&str, bool)]) -> Result<(), Reply> {
    let missing: Vec<String> = keys
        .iter()
        .filter(|(_, missing)| *missing)
        .map(|(key, _)| format!("{{key_missing,{key}}}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Reply::bad_request(format!("[{}]", missing.join(","))))
}

fn mode(ackmode: &str) -> Result<Mode, Reply> {
    Ok(match ackmode {
        "ack_requeue_false" => Mode::Settle(Settlement::Acknowledge),
        "ack_requeue_true" | "reject_requeue_true" => Mode::Settle(Settlement::Requeue),
        "reject_requeue_false" => Mode::Settle(Settlement::Reject),
        "peek" => Mode::Peek,
        other => {
            return Err(Reply::bad_request(format!(
                "Invalid ackmode value: {other}. Valid values are: ack_requeue_true, ack_requeue_false, \
                 reject_requeue_true, reject_requeue_false, peek"
            )));
        }
    })
}

fn number(name: &str, value: Option<&Json>) -> Result<Option<usize>, Reply> {
    let number = match value {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Reply::bad_request(format!("{name} must be an integer, 0 or more"))),
    }
}

/// A message to be published.
#[derive(Debug, Deserialize)]
struct Publishing {
    routing_key: Option<String>,
    payload: Option<String>,
    payload_encoding: Option<String>,
    properties: Option<Json>,
}

/// `POST exchanges/VHOST/EXCHANGE/publish`. The answer comes when a persistent message is on the disk.
pub(super) fn publish(call: &Call<'_>) -> Outcome {
    let operator = call.operator(call.part(0))?;
    let publishing: Publishing = call.body()?;
    let missing = [
        ("routing_key", publishing.routing_key.is_none()),
        ("payload", publishing.payload.is_none()),
        ("payload_encoding", publishing.payload_encoding.is_none()),
        ("properties", publishing.properties.is_none()),
    ];
    refuse_missing(&missing)?;
    let exchange = operator.target(call.exchange_part(1))?;
    let routing_key = publishing.routing_key.unwrap_or_default();
    if routing_key.len() > SHORTSTR_BYTES_MAX {
        let reason = format!("routing_key is longer than {SHORTSTR_BYTES_MAX} bytes");
        return Err(Reply::bad_request(reason));
    }
    let payload = publishing.payload.unwrap_or_default();
    let body = match publishing.payload_encoding.as_deref() {
        Some("string") => payload.into_bytes(),
        Some("base64") => STANDARD
            .decode(&payload)
            .map_err(|error| Reply::bad_request(format!("payload is not base64: {error}")))?,
        other => {
            let other = other.unwrap_or_default();
            let reason = format!("Unsupported encoding '{other}'; there are: string, base64");
            return Err(Reply::bad_request(reason));
        }
    };
    let most = call.api.broker.config().amqp.message_bytes_max;
    if body.len() as u64 > most {
        let size = body.len();
        let reason = format!("message size {size} is larger than configured max size {most}");
        return Err(Reply::bad_request(reason));
    }
    let encoded = match publishing.properties {
        Some(Json::Object(json)) => properties::from_json(&json).map_err(Reply::bad_request)?,
        // What an empty table looks like coming from some languages.
        Some(Json::Array(list)) if list.is_empty() => {
            properties::from_json(&Map::new()).map_err(Reply::bad_request)?
        }
        _ => return Err(Reply::bad_request("properties must be an object")),
    };
    let now_ms = clock::now_ms();
    let sender = Sender {
        user: operator.user(),
        is_impersonator: operator.is_impersonator(),
        reply_address: None,
    };
    let read = read_properties(&encoded, &sender, now_ms)
        .map_err(|fault| Reply::bad_request(fault.text))?;
    let encoded = read.rewritten.as_deref().unwrap_or(&encoded);
    let name = exchange.name();
    let message =
        Message::new(call.api.broker.memory(), name, &routing_key, encoded, &body, read.facts);
    if call.api.broker.shortage().is_some() {
        let reason = "an alarm holds publishers back; `GET /api/health/checks/alarms` says which";
        return Err(Reply::bad_request(reason));
    }
    let published = operator.publish_one(&exchange, message, read.extra_keys, now_ms)?;
    wait(published.pending)?;
    if published.refused_by.is_some() {
        return Err(Reply::bad_request(
            "a queue that the message belongs to is full and refused it",
        ));
    }
    Ok(Reply::json(&json!({ "routed": published.routed })))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_text_is_cut_between_letters_and_bytes_are_no_text() {
        let check = |body: &[u8], cut: usize, expected: Option<&str>| {
            assert_eq!(text(&body[..cut], body), expected);
        };
        check("aä".as_bytes(), 3, Some("aä"));
        check("aä".as_bytes(), 2, Some("a"));
        check(b"\xff\xfe", 2, None);
        check(b"a\xff\xfe", 2, None);
    }
}
