//! The arguments of a binding: `x-match`, which of two tables are the same, and when a binding's value and a
//! message's header agree.

use std::sync::Arc;

use crate::wire::{Table, Value};

use super::Kind;
use super::term::Term;

/// The argument of a headers binding that says how many of the others must match.
pub const X_MATCH: &str = "x-match";

/// Why a binding was refused. The text is RabbitMQ's, after `PRECONDITION_FAILED - `; the reply code is 406.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// `x-match` is a string, but none of the four. Holds the string as RabbitMQ prints it.
    #[error("Invalid x-match field value {0}; expected all, any, all-with-x, or any-with-x")]
    MatchValue(String),
    /// `x-match` is not a string. Holds its type's name, and its value as RabbitMQ prints it.
    #[error("Invalid x-match field type {0} (value {1}); expected longstr")]
    MatchType(&'static str, String),
}

/// What a headers binding asks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchMode {
    pub quantity: Quantity,
    pub x_names: XNames,
}

/// How many of a binding's arguments must agree with the message's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    All,
    Any,
}

/// Whether arguments whose names begin with `x-` are compared too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XNames {
    Skipped,
    Compared,
}

impl MatchMode {
    /// Reads `x-match`; all is what its absence means.
    pub fn of(arguments: &Table) -> Result<Self, BindError> {
        let text = match arguments.get(X_MATCH) {
            None => b"all".as_slice(),
            Some(Value::LongStr(text)) => text.as_slice(),
            Some(other) => {
                let value = Term::Value(other).to_string();
                return Err(BindError::MatchType(other.type_name(), value));
            }
        };
        let (quantity, x_names) = match text {
            b"all" => (Quantity::All, XNames::Skipped),
            b"any" => (Quantity::Any, XNames::Skipped),
            b"all-with-x" => (Quantity::All, XNames::Compared),
            b"any-with-x" => (Quantity::Any, XNames::Compared),
            _ => return Err(BindError::MatchValue(Term::Binary(text).to_string())),
        };
        Ok(MatchMode { quantity, x_names })
    }

    /// Whether the argument `name` is compared with the message's headers.
    pub fn compares(self, name: &str) -> bool {
        name != X_MATCH && (self.x_names == XNames::Compared || !name.starts_with("x-"))
    }
}

/// Whether an exchange of this kind can match bindings with these arguments. Only a headers exchange reads them.
///
/// # Errors
/// When `x-match` is none of the four words.
pub fn check_arguments(kind: Kind, arguments: &Table) -> Result<(), BindError> {
    match kind {
        Kind::Headers => MatchMode::of(arguments).map(drop),
        Kind::Direct | Kind::Fanout | Kind::Topic => Ok(()),
    }
}

/// The arguments as a binding keeps them: sorted by name, and with one tag for each type. Two tables that make
/// the same binding give the same bytes, so what is stored of a binding is to be made from this.
pub fn canonical_arguments(arguments: &Table) -> Arc<Table> {
    let mut entries: Vec<(&str, &Value)> = arguments.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    Arc::new(entries.into_iter().map(|(name, value)| (name, canonical_value(value))).collect())
}

/// Tables inside keep their order, which RabbitMQ lets count.
fn canonical_value(value: &Value) -> Value {
    match value {
        Value::I16Standard(n) => Value::I16(*n),
        Value::I64Standard(n) => Value::I64(*n),
        Value::Array(members) => Value::Array(members.iter().map(canonical_value).collect()),
        Value::Table(table) => {
            Value::Table(table.iter().map(|(name, value)| (name, canonical_value(value))).collect())
        }
        other => other.clone(),
    }
}

/// Whether two canonical tables make the same binding. Types count, and so does the order inside nested tables.
pub fn same_table(one: &Table, other: &Table) -> bool {
    one.len() == other.len()
        && one.iter().zip(other.iter()).all(|((one_name, one_value), (name, value))| {
            one_name == name && same_value(one_value, value)
        })
}

/// As `==`, but a float is the same as itself even when it is not a number: what was bound can be unbound.
fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::F32(one), Value::F32(other)) => one.to_bits() == other.to_bits(),
        (Value::F64(one), Value::F64(other)) => one.to_bits() == other.to_bits(),
        (Value::Table(one), Value::Table(other)) => same_table(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        _ => one == other,
    }
}

/// A header's value without what the comparison passes over: the widths of numbers, and the kinds of strings.
#[derive(Clone, Copy)]
pub enum Comparable<'a> {
    /// Only presence is asked for.
    Void,
    /// Any integer or timestamp.
    Integer(i128),
    /// The bits of a double; a shorter float is widened. Never equal to an integer.
    Float(u64),
    /// Either kind of string.
    Text(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// An array or table without members.
    Empty,
    /// Compared as it is, types of members included.
    Whole(&'a Value),
}

impl<'a> Comparable<'a> {
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Void => Comparable::Void,
            Value::I8(n) => Comparable::Integer(i128::from(*n)),
            Value::U8(n) => Comparable::Integer(i128::from(*n)),
            Value::I16(n) | Value::I16Standard(n) => Comparable::Integer(i128::from(*n)),
            Value::U16(n) => Comparable::Integer(i128::from(*n)),
            Value::I32(n) => Comparable::Integer(i128::from(*n)),
            Value::U32(n) => Comparable::Integer(i128::from(*n)),
            Value::I64(n) | Value::I64Standard(n) => Comparable::Integer(i128::from(*n)),
            Value::Timestamp(n) => Comparable::Integer(i128::from(*n)),
            Value::F32(x) => Comparable::Float(f64::from(*x).to_bits()),
            Value::F64(x) => Comparable::Float(x.to_bits()),
            Value::LongStr(text) | Value::Bytes(text) => Comparable::Text(text),
            Value::Bool(flag) => Comparable::Bool(*flag),
            Value::Array(members) if members.is_empty() => Comparable::Empty,
            Value::Table(table) if table.is_empty() => Comparable::Empty,
            Value::Decimal { .. } | Value::Array(_) | Value::Table(_) => Comparable::Whole(value),
        }
    }
}

impl PartialEq for Comparable<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Comparable::Void, Comparable::Void) | (Comparable::Empty, Comparable::Empty) => true,
            (Comparable::Integer(one), Comparable::Integer(other)) => one == other,
            (Comparable::Float(one), Comparable::Float(other)) => one == other,
            (Comparable::Text(one), Comparable::Text(other)) => one == other,
            (Comparable::Bool(one), Comparable::Bool(other)) => one == other,
            (Comparable::Whole(one), Comparable::Whole(other)) => same_value(one, other),
            _ => false,
        }
    }
}

/// Whether a message's header satisfies the binding's value. A binding's void asks for presence only.
pub fn satisfies(wanted: &Value, header: &Value) -> bool {
    let wanted = Comparable::of(wanted);
    wanted == Comparable::Void || wanted == Comparable::of(header)
}
