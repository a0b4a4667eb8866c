//! Which rows of a listing are wanted: those whose name contains a text, or in which a column compares as
//! asked.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

use super::column::{Column, words};
use super::noun::Noun;
use super::numbers;
use super::terminal::now_ms;

/// Each way to compare, the longer ones first, so that `>=` is not read as `>`.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::Not),
    ("!~", Operator::Unlike),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=", Operator::Is),
    ("~", Operator::Like),
    (">", Operator::Above),
    ("<", Operator::Below),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    Not,
    Like,
    Unlike,
    Above,
    Below,
    AtLeast,
    AtMost,
}

/// A condition on a row.
#[derive(Debug)]
pub(super) struct Filter {
    column: Column,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Contains(String),
    Number(Operator, f64),
    Text(Operator, String),
    Pattern(Regex, Operator),
}

impl Filter {
    /// Reads `TEXT`, or `COLUMN`, an operator and what to compare with.
    ///
    /// # Errors
    ///
    /// A column that there is not, a pattern that is none, a number that is none.
    pub fn parse(text: &str, noun: &Noun) -> Result<Self, String> {
        let is_name = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        let name_end = text.find(|letter: char| !is_name(letter)).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let operator = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
        let (Some(&(sign, operator)), false) = (operator, name.is_empty()) else {
            let test = Test::Contains(text.to_lowercase());
            return Ok(Self { column: noun.named_by().clone(), test });
        };
        let column = noun.column(name)?;
        let wanted = &rest[sign.len()..];
        let test = match operator {
            Operator::Like | Operator::Unlike => {
                let pattern = Regex::new(wanted)
                    .map_err(|_| format!("{wanted:?} is not a regular expression"))?;
                Test::Pattern(pattern, operator)
            }
            _ if column.kind.is_number() => {
                let number = numbers::parse(wanted, column.kind.units())
                    .ok_or_else(|| format!("{name} is a number, and {wanted:?} is none"))?;
                Test::Number(operator, number)
            }
            _ => Test::Text(operator, wanted.to_owned()),
        };
        Ok(Self { column, test })
    }

    /// The top-level fields that it looks at.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.column.fields()
    }

    /// Whether a row is wanted.
    pub fn wants(&self, object: &Value) -> bool {
        let value = self.column.value(object);
        match &self.test {
            Test::Contains(text) => words(&value).to_lowercase().contains(text),
            Test::Pattern(pattern, operator) => {
                pattern.is_match(&words(&value)) == (*operator == Operator::Like)
            }
            Test::Text(operator, text) => operator.holds(words(&value).as_str().cmp(text.as_str())),
            Test::Number(operator, number) => match self.column.compared(&value, now_ms()) {
                Some(value) => operator.holds(value.total_cmp(number)),
                // What is not there is neither more nor less than anything.
                None => *operator == Operator::Not,
            },
        }
    }
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Is | Self::Like => order.is_eq(),
            Self::Not | Self::Unlike => order.is_ne(),
            Self::Above => order.is_gt(),
            Self::Below => order.is_lt(),
            Self::AtLeast => order.is_ge(),
            Self::AtMost => order.is_le(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Filter;
    use crate::admin::control::noun;

    #[test]
    fn a_filter_compares_a_column_or_looks_for_a_name() {
        let queue = json!({
            "name": "Orders.new", "messages_ready": 12, "consumers": 0, "message_bytes": 2048, "durable": true,
            "oldest_message_age_ms": 400_000, "state": "running", "arguments": {"x-max-length": 5},
        });
        let check = |filter: &str, expected: bool| {
            let filter =
                Filter::parse(filter, &noun::QUEUES).unwrap_or_else(|fault| panic!("{fault}"));
            assert_eq!(filter.wants(&queue), expected, "{filter:?}");
        };
        check("orders", true);
        check("payments", false);
        check("a b", false);
        check("ready>0", true);
        check("ready>12", false);
        check("ready>=12", true);
        check("messages_ready=12", true);
        check("consumers=0", true);
        check("consumers!=0", false);
        check("bytes>1k", true);
        check("oldest>5m", true);
        check("oldest<5m", false);
        check("name~^Orders\\.", true);
        check("name!~^Orders\\.", false);
        check("state=running", true);
        check("durable=yes", true);
        check("arguments.x-max-length=5", true);
        check("idle_since=", true);
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_refused() {
        let check = |filter: &str, expected: &str| {
            let fault = Filter::parse(filter, &noun::QUEUES).map(|_| ()).unwrap_err();
            assert!(fault.contains(expected), "{fault}");
        };
        check("redy>0", "did you mean `ready`?");
        check("ready>many", "is a number");
        check("name~(", "not a regular expression");
    }
}
