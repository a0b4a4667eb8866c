//! Values of a field table, with the tags as RabbitMQ reads them (specification 4.2.5.5 and its errata):
//! `s` is a 16-bit integer and not a string, and both `l` and `L` are signed.

use super::error::Flaw;
use super::field::{self, Parsed};
use super::table::{self, Table};

/// A value in a table or array. Each variant has a tag of its own, so that a value read and written again
/// gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `t`. Any octet but 0 reads as true; true is written as 1.
    Bool(bool),
    /// `b`.
    I8(i8),
    /// `B`.
    U8(u8),
    /// `s`.
    I16(i16),
    /// `U`, the specification's own tag for a 16-bit signed integer.
    I16Standard(i16),
    /// `u`.
    U16(u16),
    /// `I`.
    I32(i32),
    /// `i`.
    U32(u32),
    /// `l`.
    I64(i64),
    /// `L`, the specification's own tag for a 64-bit signed integer.
    I64Standard(i64),
    /// `f`.
    F32(f32),
    /// `d`.
    F64(f64),
    /// `D`: `value` divided by ten to the power of `scale`.
    Decimal {
        /// Digits after the point.
        scale: u8,
        /// The number without the point.
        value: i32,
    },
    /// `S`: text by custom, but any bytes are allowed.
    LongStr(Vec<u8>),
    /// `x`.
    Bytes(Vec<u8>),
    /// `A`.
    Array(Vec<Value>),
    /// `T`: seconds since the Unix epoch.
    Timestamp(u64),
    /// `F`.
    Table(Table),
    /// `V`.
    Void,
}

impl Value {
    /// The number, when it is an integer of any width.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Value::I8(value) => Some(value.into()),
            Value::U8(value) => Some(value.into()),
            Value::I16(value) | Value::I16Standard(value) => Some(value.into()),
            Value::U16(value) => Some(value.into()),
            Value::I32(value) => Some(value.into()),
            Value::U32(value) => Some(value.into()),
            Value::I64(value) | Value::I64Standard(value) => Some(value),
            _ => None,
        }
    }

    /// The text, when it is a long string and UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::LongStr(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The boolean, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The elements, when it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The table, when it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Bytes of memory that the value holds beside itself, about.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Value::LongStr(bytes) | Value::Bytes(bytes) => bytes.len(),
            Value::Array(values) => {
                values.iter().map(|value| size_of::<Self>() + value.held_bytes()).sum()
            }
            Value::Table(table) => table.held_bytes(),
            _ => 0,
        }
    }

    /// RabbitMQ's name for the type, as its error texts print it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Bool(_) => "bool",
            Value::I8(_) => "byte",
            Value::U8(_) => "unsignedbyte",
            Value::I16(_) | Value::I16Standard(_) => "short",
            Value::U16(_) => "unsignedshort",
            Value::I32(_) => "signedint",
            Value::U32(_) => "unsignedint",
            Value::I64(_) | Value::I64Standard(_) => "long",
            Value::F32(_) => "float",
            Value::F64(_) => "double",
            Value::Decimal { .. } => "decimal",
            Value::LongStr(_) => "longstr",
            Value::Bytes(_) => "binary",
            Value::Array(_) => "array",
            Value::Timestamp(_) => "timestamp",
            Value::Table(_) => "table",
            Value::Void => "void",
        }
    }

    /// Appends tag and value.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.tag());
        match self {
            Value::Bool(value) => out.push((*value).into()),
            Value::I8(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::U8(value) => out.push(*value),
            Value::I16(value) | Value::I16Standard(value) => {
                out.extend_from_slice(&value.to_be_bytes());
            }
            Value::U16(value) => field::put_short(out, *value),
            Value::I32(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::U32(value) => field::put_long(out, *value),
            Value::I64(value) | Value::I64Standard(value) => {
                out.extend_from_slice(&value.to_be_bytes());
            }
            Value::F32(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::F64(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::Decimal { scale, value } => {
                out.push(*scale);
                out.extend_from_slice(&value.to_be_bytes());
            }
            Value::LongStr(bytes) | Value::Bytes(bytes) => field::put_longstr(out, bytes),
            Value::Array(values) => {
                field::put_sized(out, |out| values.iter().for_each(|value| value.encode(out)));
            }
            Value::Timestamp(value) => field::put_timestamp(out, *value),
            Value::Table(table) => table.encode(out),
            Value::Void => {}
        }
    }

    fn tag(&self) -> u8 {
        match self {
            Value::Bool(_) => b't',
            Value::I8(_) => b'b',
            Value::U8(_) => b'B',
            Value::I16(_) => b's',
            Value::I16Standard(_) => b'U',
            Value::U16(_) => b'u',
            Value::I32(_) => b'I',
            Value::U32(_) => b'i',
            Value::I64(_) => b'l',
            Value::I64Standard(_) => b'L',
            Value::F32(_) => b'f',
            Value::F64(_) => b'd',
            Value::Decimal { .. } => b'D',
            Value::LongStr(_) => b'S',
            Value::Bytes(_) => b'x',
            Value::Array(_) => b'A',
            Value::Timestamp(_) => b'T',
            Value::Table(_) => b'F',
            Value::Void => b'V',
        }
    }
}

/// Reads one value. `depth` counts the tables and arrays around it, the outermost table being 1.
pub(super) fn parse(input: &[u8], depth: usize) -> Parsed<'_, Value> {
    let (input, tag) = field::octet(input)?;
    match tag {
        b't' => map(field::octet(input), |value| Value::Bool(value != 0)),
        b'b' => map(field::octet(input), |value| Value::I8(value.cast_signed())),
        b'B' => map(field::octet(input), Value::U8),
        b's' => map(field::short(input), |value| Value::I16(value.cast_signed())),
        b'U' => map(field::short(input), |value| Value::I16Standard(value.cast_signed())),
        b'u' => map(field::short(input), Value::U16),
        b'I' => map(field::long(input), |value| Value::I32(value.cast_signed())),
        b'i' => map(field::long(input), Value::U32),
        b'l' => map(field::longlong(input), |value| Value::I64(value.cast_signed())),
        b'L' => map(field::longlong(input), |value| Value::I64Standard(value.cast_signed())),
        b'f' => map(field::long(input), |value| Value::F32(f32::from_bits(value))),
        b'd' => map(field::longlong(input), |value| Value::F64(f64::from_bits(value))),
        b'D' => {
            let (input, scale) = field::octet(input)?;
            map(field::long(input), |value| Value::Decimal { scale, value: value.cast_signed() })
        }
        b'S' => map(field::longstr(input), |bytes| Value::LongStr(bytes.to_vec())),
        b'x' => map(field::longstr(input), |bytes| Value::Bytes(bytes.to_vec())),
        b'T' => map(field::timestamp(input), Value::Timestamp),
        b'V' => Ok((input, Value::Void)),
        b'A' => {
            let (input, payload) = field::longstr(input)?;
            Ok((input, Value::Array(parse_array(payload, table::deeper(depth)?)?)))
        }
        b'F' => {
            let (input, payload) = field::longstr(input)?;
            let (_, table) = table::parse(payload, table::deeper(depth)?)?;
            Ok((input, Value::Table(table)))
        }
        _ => field::fail(Flaw::TableTag(tag)),
    }
}

fn parse_array(mut payload: &[u8], depth: usize) -> Result<Vec<Value>, nom::Err<Flaw>> {
    let mut values = Vec::new();
    while !payload.is_empty() {
        let (rest, value) = parse(payload, depth)?;
        values.push(value);
        payload = rest;
    }
    Ok(values)
}

/// Checks one value without building it; accepts exactly what [`parse`] accepts.
pub(super) fn skip(input: &[u8], depth: usize) -> Parsed<'_, ()> {
    let (input, tag) = field::octet(input)?;
    match tag {
        b't' | b'b' | b'B' => map(field::octet(input), drop),
        b's' | b'U' | b'u' => map(field::short(input), drop),
        b'I' | b'i' | b'f' => map(field::long(input), drop),
        b'l' | b'L' | b'd' | b'T' => map(field::longlong(input), drop),
        b'D' => {
            let (input, _) = field::octet(input)?;
            map(field::long(input), drop)
        }
        b'S' | b'x' => map(field::longstr(input), drop),
        b'V' => Ok((input, ())),
        b'A' => {
            let (input, mut payload) = field::longstr(input)?;
            let depth = table::deeper(depth)?;
            while !payload.is_empty() {
                (payload, ()) = skip(payload, depth)?;
            }
            Ok((input, ()))
        }
        b'F' => {
            let (input, payload) = field::longstr(input)?;
            table::skip(payload, table::deeper(depth)?)?;
            Ok((input, ()))
        }
        _ => field::fail(Flaw::TableTag(tag)),
    }
}

#[inline]
fn map<T, U>(parsed: Parsed<'_, T>, wrap: impl FnOnce(T) -> U) -> Parsed<'_, U> {
    parsed.map(|(rest, value)| (rest, wrap(value)))
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::I32(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::I64(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::LongStr(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::LongStr(text.into_bytes())
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Value::Array(values)
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Value::Table(table)
    }
}
