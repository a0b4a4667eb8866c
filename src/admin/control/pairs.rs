//! `NAME=VALUE` on the command line, and JSON objects: arguments, headers and properties.

use serde_json::{Map, Value};

use super::options::Arguments;
use crate::admin::failure::Failure;

/// The arguments of what is declared or bound.
///
/// # Errors
///
/// What is not JSON, or no object, or has no `=`.
pub(super) fn arguments(given: &Arguments) -> Result<Map<String, Value>, Failure> {
    let Some(text) = &given.all else { return pairs("--argument", &given.each) };
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(Failure::Usage(format!(
            "--arguments must be a JSON object, such as {{\"x-max-length\": 10}}, not {other}"
        ))),
        Err(error) => Err(Failure::Usage(format!("--arguments is not JSON: {error}"))),
    }
}

/// Names with values. A value that is JSON is taken as such, anything else as text.
///
/// # Errors
///
/// A pair without a `=`, or without a name.
pub(super) fn pairs(option: &str, given: &[String]) -> Result<Map<String, Value>, Failure> {
    let pairs = given.iter().map(|pair| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value_of(value))),
        _ => Err(Failure::Usage(format!("{option} must be NAME=VALUE, not {pair:?}"))),
    });
    pairs.collect()
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::pairs;

    #[test]
    fn a_value_is_json_or_text() {
        let check = |pair: &str, expected: serde_json::Value| {
            assert_eq!(pairs("-a", &[pair.to_owned()]).map(Into::into), Ok(expected));
        };
        check("x-max-length=10", json!({"x-max-length": 10}));
        check("x-match=all", json!({"x-match": "all"}));
        check("eq=a=b", json!({"eq": "a=b"}));
        check("on=true", json!({"on": true}));
        check("text=\"10\"", json!({"text": "10"}));
        check("list=[1,2]", json!({"list": [1, 2]}));
        check("empty=", json!({"empty": ""}));
        assert!(pairs("-a", &["x".to_owned()]).is_err());
        assert!(pairs("-a", &["=x".to_owned()]).is_err());
    }
}
