//! Arguments and headers as JSON, as RabbitMQ's definitions and its management API write them.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::{Map, Number, Value as Json};

use crate::wire::{SHORTSTR_BYTES_MAX, TABLE_DEPTH_MAX, Table, Value};

/// Arguments as a client would have sent them.
///
/// # Errors
/// One line about the value that has no place in a table.
pub fn from_json(arguments: &Map<String, Json>) -> Result<Table, String> {
    table_from_json(arguments, 1)
}

/// Reads an object. An empty list stands for an empty one: some languages write it so, and RabbitMQ takes it.
///
/// # Errors
/// When it is neither.
pub fn object<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Json>, D::Error> {
    match Json::deserialize(from)? {
        Json::Object(entries) => Ok(entries),
        Json::Array(values) if values.is_empty() => Ok(Map::new()),
        other => Err(D::Error::custom(format!("expected an object, not {other}"))),
    }
}

/// A table at this depth. What is nested deeper than a client may nest could not be read back.
fn table_from_json(entries: &Map<String, Json>, depth: usize) -> Result<Table, String> {
    if depth > TABLE_DEPTH_MAX {
        return Err(format!("a value is nested more than {TABLE_DEPTH_MAX} deep"));
    }
    let entries = entries.iter().map(|(name, value)| {
        if name.len() > SHORTSTR_BYTES_MAX {
            return Err(format!(
                "the name of an argument is longer than {SHORTSTR_BYTES_MAX} bytes"
            ));
        }
        Ok((name.clone(), value_from_json(value, depth)?))
    });
    entries.collect::<Result<Vec<(String, Value)>, String>>().map(Table::from_iter)
}

fn value_from_json(json: &Json, depth: usize) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Void,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::I64(integer),
            (None, Some(float)) => Value::F64(float),
            (None, None) => return Err(format!("the number {number} is out of range")),
        },
        Json::String(text) => Value::LongStr(text.as_bytes().to_vec()),
        Json::Array(_) if depth >= TABLE_DEPTH_MAX => {
            return Err(format!("a value is nested more than {TABLE_DEPTH_MAX} deep"));
        }
        Json::Array(values) => {
            let values = values.iter().map(|value| value_from_json(value, depth + 1));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Json::Object(entries) => Value::Table(table_from_json(entries, depth + 1)?),
    })
}

/// A table as JSON. What JSON has no word for becomes the nearest thing that it has: bytes that are not UTF-8 are
/// shown with replacement characters, a decimal as a number.
pub fn to_json(table: &Table) -> Map<String, Json> {
    table.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect()
}

fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::F32(value) => float(f64::from(*value)),
        Value::F64(value) => float(*value),
        Value::Decimal { scale, value } => {
            float(f64::from(*value) / 10_f64.powi(i32::from(*scale)))
        }
        Value::LongStr(bytes) | Value::Bytes(bytes) => {
            Json::String(String::from_utf8_lossy(bytes).into_owned())
        }
        Value::Array(values) => Json::Array(values.iter().map(value_to_json).collect()),
        Value::Timestamp(seconds) => Json::from(*seconds),
        Value::Table(table) => Json::Object(to_json(table)),
        Value::Void => Json::Null,
        integer => integer.as_int().map_or(Json::Null, Json::from),
    }
}

fn float(value: f64) -> Json {
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_the_way_through_json() {
        let json: Map<String, Json> = serde_json::from_str(
            r#"{"a": 1, "b": "text", "c": true, "d": null, "e": [1.5, {"f": -7}]}"#,
        )
        .unwrap();
        assert_eq!(to_json(&from_json(&json).unwrap()), json);
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let check = |open: &str, close: &str, depth: usize| {
            let text = format!(r#"{{"a": {}1{}}}"#, open.repeat(depth), close.repeat(depth));
            let table = from_json(&serde_json::from_str(&text).unwrap());
            match table {
                Ok(table) => assert_eq!(Table::parse(&table.to_bytes()), Ok(table)),
                Err(why) => assert!(why.contains("64 deep") && depth >= TABLE_DEPTH_MAX, "{why}"),
            }
        };
        for depth in [1, 62, 63, 64, 65, 100] {
            check("[", "]", depth);
            check(r#"{"b":"#, "}", depth);
        }
        let long = format!(r#"{{"{}": 1}}"#, "x".repeat(256));
        assert!(from_json(&serde_json::from_str(&long).unwrap()).is_err());
    }

    #[test]
    fn every_kind_of_value_has_a_json_form() {
        let check = |value: Value, expected: Json| assert_eq!(value_to_json(&value), expected);
        check(Value::U8(7), Json::from(7));
        check(Value::Timestamp(5), Json::from(5));
        check(Value::Decimal { scale: 2, value: 125 }, Json::from(1.25));
        check(Value::F64(f64::NAN), Json::Null);
        check(Value::Bytes(vec![0xff, b'a']), Json::from("\u{fffd}a"));
    }
}
