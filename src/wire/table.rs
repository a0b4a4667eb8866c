//! Field tables (specification 4.2.5.5): names and values in the order that they came in.

use super::error::{Flaw, WireError};
use super::field::{self, Parsed};
use super::value::{self, Value};

/// How deep tables and arrays may be nested, the outermost table being 1. Reading recurses once per level.
pub const TABLE_DEPTH_MAX: usize = 64;

/// Memory of an entry, with what the allocator adds.
const ENTRY_BYTES: usize = size_of::<(String, Value)>() + 16;

/// A field table. It keeps the order of its entries, and a name that came twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table(Vec<(String, Value)>);

impl Table {
    /// A table without entries.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether there is a value of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts a value where the first of that name is, or at the end.
    ///
    /// A name longer than 255 bytes is cut when the table is written.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes out every value of that name and gives back the first.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.0.remove(place);
        self.0.retain(|(key, _)| key != name);
        Some(value)
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of memory that the table holds, about. Small values take many times what they have on the wire.
    pub fn held_bytes(&self) -> usize {
        let entries = self.0.iter();
        entries.map(|(name, value)| ENTRY_BYTES + name.len() + value.held_bytes()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a table's payload: its entries, without the length in front.
    ///
    /// # Errors
    /// 501 when a length points past the end, a tag is unknown or a name is not UTF-8; 502 when it is nested
    /// more than [`TABLE_DEPTH_MAX`] deep.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        Ok(Self::parse_flaw(payload)?)
    }

    pub(super) fn parse_flaw(payload: &[u8]) -> Result<Self, Flaw> {
        let (_, table) = parse(payload, 1)?;
        Ok(table)
    }

    /// Checks a table's payload without building it; accepts exactly what [`Table::parse`] accepts.
    pub(super) fn check_flaw(payload: &[u8]) -> Result<(), Flaw> {
        skip(payload, 1)?;
        Ok(())
    }

    /// The table's payload, as [`Table::parse`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.0 {
            field::put_shortstr(&mut out, name);
            value.encode(&mut out);
        }
        out
    }

    /// Appends the table with its length in front.
    pub fn encode(&self, out: &mut Vec<u8>) {
        field::put_sized(out, |out| {
            for (name, value) in &self.0 {
                field::put_shortstr(out, name);
                value.encode(out);
            }
        });
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Table {
    /// Keeps every entry, in order.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl IntoIterator for Table {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The depth of what stands inside a table or array of this depth.
pub(super) fn deeper(depth: usize) -> Result<usize, nom::Err<Flaw>> {
    if depth < TABLE_DEPTH_MAX { Ok(depth + 1) } else { Err(nom::Err::Error(Flaw::TableDepth)) }
}

/// Reads all of `payload` as entries of a table at this depth.
pub(super) fn parse(mut payload: &[u8], depth: usize) -> Parsed<'_, Table> {
    let mut entries = Vec::new();
    while !payload.is_empty() {
        let (rest, name) = field::shortstr(payload)?;
        let (rest, value) = value::parse(rest, depth)?;
        entries.push((name.to_owned(), value));
        payload = rest;
    }
    Ok((payload, Table(entries)))
}

/// Checks all of `payload` as entries of a table at this depth.
pub(super) fn skip(mut payload: &[u8], depth: usize) -> Parsed<'_, ()> {
    while !payload.is_empty() {
        let (rest, _) = field::shortstr(payload)?;
        (payload, ()) = value::skip(rest, depth)?;
    }
    Ok((payload, ()))
}
