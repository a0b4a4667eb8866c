//! A message's properties as JSON, both ways.

use serde_json::{Map, Value as Json};

use crate::broker::{table_from_json, table_to_json};
use crate::wire::{Properties, PropertiesView};

/// Properties as they came, as JSON; what is absent is left out.
pub(super) fn to_json(encoded: &[u8]) -> Map<String, Json> {
    let mut json = Map::new();
    // They were read once when the message was published, so this does not fail.
    let Ok(view) = PropertiesView::parse(encoded) else { return json };
    let texts = [
        ("content_type", view.content_type),
        ("content_encoding", view.content_encoding),
        ("correlation_id", view.correlation_id),
        ("reply_to", view.reply_to),
        ("expiration", view.expiration),
        ("message_id", view.message_id),
        ("type", view.message_type),
        ("user_id", view.user_id),
        ("app_id", view.app_id),
        ("cluster_id", view.cluster_id),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            json.insert(name.to_owned(), Json::from(text));
        }
    }
    let numbers = [
        ("delivery_mode", view.delivery_mode.map(u64::from)),
        ("priority", view.priority.map(u64::from)),
        ("timestamp", view.timestamp),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            json.insert(name.to_owned(), Json::from(number));
        }
    }
    if let Ok(Some(headers)) = view.headers_table() {
        json.insert("headers".to_owned(), Json::Object(table_to_json(&headers)));
    }
    json
}

/// Properties as a client would have encoded them. Names that AMQP does not have are passed over, as in RabbitMQ.
///
/// # Errors
/// One line about the property that is not of its type.
pub(super) fn from_json(json: &Map<String, Json>) -> Result<Vec<u8>, String> {
    let text = |name: &str| match json.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.len() <= usize::from(u8::MAX) => Ok(Some(text.clone())),
        Some(Json::String(_)) => Err(format!("property {name} is longer than 255 bytes")),
        Some(_) => Err(format!("property {name} must be a string")),
    };
    let number = |name: &str, most: u64| match json.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|number| *number <= most) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("property {name} must be an integer from 0 to {most}")),
        },
    };
    let octet = |name: &str| number(name, u8::MAX.into()).map(|one| one.map(|one| one as u8));
    let properties = Properties {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers: match json.get("headers") {
            None | Some(Json::Null) => None,
            Some(Json::Object(headers)) => Some(table_from_json(headers)?),
            Some(_) => return Err("property headers must be an object".to_owned()),
        },
        delivery_mode: octet("delivery_mode")?,
        priority: octet("priority")?,
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: number("timestamp", u64::MAX)?,
        message_type: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    };
    let mut encoded = Vec::new();
    properties.encode(&mut encoded);
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_survive_the_way_through_json() {
        let json: Map<String, Json> = serde_json::from_str(
            r#"{"content_type": "text/plain", "headers": {"a": 1, "b": {"c": "d"}}, "delivery_mode": 2,
                "priority": 9, "timestamp": 7, "type": "t", "app_id": "a"}"#,
        )
        .unwrap();
        assert_eq!(to_json(&from_json(&json).unwrap()), json);
    }

    #[test]
    fn a_property_of_the_wrong_type_is_named() {
        let check = |text: &str, expected: &str| {
            let why = from_json(&serde_json::from_str(text).unwrap()).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(r#"{"priority": "high"}"#, "priority must be an integer from 0 to 255");
        check(r#"{"delivery_mode": 300}"#, "delivery_mode");
        check(r#"{"message_id": 5}"#, "message_id must be a string");
        check(r#"{"headers": []}"#, "headers must be an object");
    }
}
