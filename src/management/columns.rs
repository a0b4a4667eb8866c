//! `columns=name,message_stats.publish`: the parts of an object that somebody asked for. They are read out of the
//! object as it is written, and the rest is passed over.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Names that may be asked for in one request.
const COLUMNS_MAX: usize = 200;

/// The wanted parts, as a tree of names. One without names below it is wanted whole.
#[derive(Debug, Default)]
pub(super) struct Columns {
    wanted: Vec<(String, Columns)>,
}

impl Columns {
    /// Reads the parameter. Names behind the most that are looked at are left out.
    pub fn parse(text: &str) -> Self {
        let mut columns = Self::default();
        for path in text.split(',').filter(|path| !path.is_empty()).take(COLUMNS_MAX) {
            columns.add(path);
        }
        columns
    }

    fn add(&mut self, path: &str) {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let at = match self.wanted.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                self.wanted.push((name.to_owned(), Self::default()));
                self.wanted.len() - 1
            }
        };
        if !rest.is_empty() {
            self.wanted[at].1.add(rest);
        }
    }

    /// The wanted parts of an object that is written as JSON; those of each where it is a list.
    pub fn of(&self, text: &[u8]) -> Value {
        let mut json = serde_json::Deserializer::from_slice(text);
        Parts(self).deserialize(&mut json).unwrap_or(Value::Null)
    }

    fn named(&self, name: &str) -> Option<&Self> {
        self.wanted.iter().find(|(known, _)| known == name).map(|(_, inner)| inner)
    }
}

/// What stands at a dotted path in an object that is written as JSON.
pub(super) fn at(text: &[u8], path: &str) -> Value {
    let mut wanted = Columns::default();
    wanted.add(path);
    let found = wanted.of(text);
    path.split('.').try_fold(&found, |value, name| value.get(name)).cloned().unwrap_or_default()
}

/// Reads the wanted parts and skips the others.
struct Parts<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for Parts<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Parts<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = object.next_key::<std::borrow::Cow<'_, str>>()? {
            match self.0.named(&name) {
                None => drop(object.next_value::<IgnoredAny>()?),
                Some(inner) if inner.wanted.is_empty() => {
                    kept.insert(name.into_owned(), object.next_value()?);
                }
                Some(inner) => {
                    kept.insert(name.into_owned(), object.next_value_seed(Parts(inner))?);
                }
            }
        }
        Ok(Value::Object(kept))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Parts(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_wanted_parts_stay() {
        let object =
            json!({"name": "q", "a": {"b": 1, "c": {"d": 2, "e": 3}}, "list": [{"x": 1, "y": 2}]});
        let text = object.to_string();
        let check = |columns: &str, expected: Value| {
            assert_eq!(Columns::parse(columns).of(text.as_bytes()), expected, "{columns}");
        };
        check("name", json!({"name": "q"}));
        check("name,a.c.d,nope", json!({"name": "q", "a": {"c": {"d": 2}}}));
        check("a.b,a.c.e", json!({"a": {"b": 1, "c": {"e": 3}}}));
        check("list.y", json!({"list": [{"y": 2}]}));
        check("a", json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}}));
        check("name.inside", json!({"name": "q"}));
    }

    #[test]
    fn a_dotted_path_leads_into_an_object() {
        let text = br#"{"x": [1, {"a": 2}], "a": {"b": 7, "c": null}}"#;
        assert_eq!(at(text, "a.b"), json!(7));
        assert_eq!(at(text, "a.c"), Value::Null);
        assert_eq!(at(text, "a.x"), Value::Null);
        assert_eq!(at(text, "none"), Value::Null);
    }
}
