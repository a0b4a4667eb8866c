//! Whether a second declaration means the same as the first, and RabbitMQ's words when it does not.

use std::fmt;

use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::wire::Value;

/// Compares one property of the declaration, such as `durable`.
///
/// # Errors
/// Precondition failed when the values differ.
pub fn field<T: PartialEq + fmt::Display>(
    key: &str,
    current: &T,
    received: &T,
    name: &Resource<'_>,
) -> Result<(), Refusal> {
    if current == received {
        return Ok(());
    }
    Err(inequivalent(key, name, format_args!("'{received}'"), format_args!("'{current}'")))
}

/// Compares one argument. Integers are equal whatever their width.
///
/// # Errors
/// Precondition failed when the values differ or one is absent.
pub fn argument(
    key: &str,
    current: Option<&Value>,
    received: Option<&Value>,
    name: &Resource<'_>,
) -> Result<(), Refusal> {
    match (current, received) {
        (None, None) => Ok(()),
        (Some(current), Some(received)) if same(current, received) => Ok(()),
        (Some(current), Some(received)) => Err(inequivalent(
            key,
            name,
            format_args!("'{}'", Plain(received)),
            format_args!("'{}'", Plain(current)),
        )),
        (current, received) => Err(inequivalent(
            key,
            name,
            format_args!("{}", Typed(received)),
            format_args!("{}", Typed(current)),
        )),
    }
}

fn same(current: &Value, received: &Value) -> bool {
    match (current.as_int(), received.as_int()) {
        (Some(one), Some(other)) => one == other,
        _ => current == received,
    }
}

fn inequivalent(
    key: &str,
    name: &Resource<'_>,
    received: fmt::Arguments<'_>,
    current: fmt::Arguments<'_>,
) -> Refusal {
    let text = format!(
        "inequivalent arg '{key}' for {name}: received {received} but current is {current}"
    );
    Refusal::precondition_failed(text)
}

/// A value without its type.
struct Plain<'a>(&'a Value);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Bool(value) => write!(f, "{value}"),
            Value::LongStr(bytes) | Value::Bytes(bytes) => {
                write!(f, "{}", String::from_utf8_lossy(bytes))
            }
            other => match other.as_int() {
                Some(number) => write!(f, "{number}"),
                None => write!(f, "{other:?}"),
            },
        }
    }
}

/// A value with its type, or its absence.
struct Typed<'a>(Option<&'a Value>);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some(value) => {
                write!(f, "the value '{}' of type '{}'", Plain(value), value.type_name())
            }
        }
    }
}
