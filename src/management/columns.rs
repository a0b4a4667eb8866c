//! `columns=name,message_stats.publish`: the parts of an object that somebody asked for.

use serde_json::{Map, Value};

/// Names that may be asked for in one request.
const COLUMNS_MAX: usize = 200;

/// The wanted parts, as a tree of names.
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

    /// The wanted parts of an object; those of each where it is a list.
    pub fn of(&self, value: Value) -> Value {
        match value {
            Value::Object(mut object) => {
                let mut kept = Map::new();
                for (name, inner) in &self.wanted {
                    if let Some(value) = object.remove(name) {
                        let whole = inner.wanted.is_empty();
                        kept.insert(name.clone(), if whole { value } else { inner.of(value) });
                    }
                }
                Value::Object(kept)
            }
            Value::Array(values) => {
                Value::Array(values.into_iter().map(|value| self.of(value)).collect())
            }
            other => other,
        }
    }
}

/// What stands at a dotted path in an object.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_wanted_parts_stay() {
        let object =
            json!({"name": "q", "a": {"b": 1, "c": {"d": 2, "e": 3}}, "list": [{"x": 1, "y": 2}]});
        let check = |columns: &str, expected: Value| {
            assert_eq!(Columns::parse(columns).of(object.clone()), expected, "{columns}");
        };
        check("name", json!({"name": "q"}));
        check("name,a.c.d,nope", json!({"name": "q", "a": {"c": {"d": 2}}}));
        check("a.b,a.c.e", json!({"a": {"b": 1, "c": {"e": 3}}}));
        check("list.y", json!({"list": [{"y": 2}]}));
        check("a", json!({"a": {"b": 1, "c": {"d": 2, "e": 3}}}));
    }

    #[test]
    fn a_dotted_path_leads_into_an_object() {
        let object = json!({"a": {"b": 7}});
        assert_eq!(at(&object, "a.b"), Some(&json!(7)));
        assert_eq!(at(&object, "a.x"), None);
    }
}
