//! A headers exchange's bindings, found by one header that each of them asks for, so that a message meets
//! only the bindings that it has something in common with.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::wire::{Table, Value};

use super::arguments::{Comparable, MatchMode, Quantity, satisfies};
use super::key_hash::KeyHash;
use super::{BindError, Destination, Destinations};

/// This many headers are sorted without allocating.
const HEADERS_INLINE: usize = 16;

/// The bindings of one headers exchange.
pub struct HeaderIndex<D> {
    /// Bindings that ask for nothing.
    unconditional: Vec<Condition<D>>,
    /// All others: those for all headers under one that they ask for, those for any under each.
    by_header: FxHashMap<u64, Vec<Condition<D>>>,
    /// How many entries of `by_header` ask for a header's presence only.
    presences: usize,
}

/// A binding in one place of the index.
struct Condition<D> {
    arguments: Arc<Table>,
    mode: MatchMode,
    destination: D,
}

/// A message's headers, sorted by name.
type Headers<'a> = SmallVec<[(&'a str, &'a Value); HEADERS_INLINE]>;

impl<D: Destination> HeaderIndex<D> {
    pub fn new() -> Self {
        HeaderIndex { unconditional: Vec::new(), by_header: FxHashMap::default(), presences: 0 }
    }

    /// Whether any binding asks for a header.
    pub fn needs_headers(&self) -> bool {
        !self.by_header.is_empty()
    }

    /// Adds a binding with these sorted arguments, unless its `x-match` is refused.
    pub fn insert(&mut self, arguments: &Arc<Table>, destination: &D) -> Result<(), BindError> {
        let mode = MatchMode::of(arguments)?;
        let compared = compared(arguments, mode);
        let condition =
            || Condition { arguments: arguments.clone(), mode, destination: destination.clone() };
        if compared.is_empty() && mode.quantity == Quantity::All {
            self.unconditional.push(condition());
        }
        for (name, value) in indexed(mode, &compared) {
            self.presences += usize::from(**value == Value::Void);
            self.by_header.entry(slot(name, value)).or_default().push(condition());
        }
        Ok(())
    }

    /// Removes a binding that was inserted with this very table.
    pub fn remove(&mut self, arguments: &Arc<Table>, id: u64) {
        // What cannot be read was never inserted.
        let Ok(mode) = MatchMode::of(arguments) else { return };
        let take = |conditions: &mut Vec<Condition<D>>| {
            let is_it = |one: &Condition<D>| {
                Arc::ptr_eq(&one.arguments, arguments) && one.destination.id() == id
            };
            if let Some(position) = conditions.iter().position(is_it) {
                conditions.swap_remove(position);
            }
        };
        let compared = compared(arguments, mode);
        if compared.is_empty() {
            take(&mut self.unconditional);
        }
        for (name, value) in indexed(mode, &compared) {
            let slot = slot(name, value);
            if let Some(conditions) = self.by_header.get_mut(&slot) {
                take(conditions);
                self.presences -= usize::from(**value == Value::Void);
                if conditions.is_empty() {
                    self.by_header.remove(&slot);
                }
            }
        }
    }

    /// Adds every destination whose binding these headers satisfy.
    pub fn route(&self, headers: Option<&Table>, into: &mut Destinations<D>) {
        for condition in &self.unconditional {
            into.push(&condition.destination);
        }
        let Some(headers) = headers else { return };
        if self.by_header.is_empty() {
            return;
        }
        let mut sorted: Headers<'_> = headers.iter().collect();
        sorted.sort_by_key(|(name, _)| *name);
        // A name that came twice counts with its first value, as when the table is asked for it.
        sorted.dedup_by_key(|(name, _)| *name);
        for (name, value) in &sorted {
            self.route_one(slot(name, value), (name, value), &sorted, into);
            if self.presences > 0 && **value != Value::Void {
                self.route_one(slot(name, &Value::Void), (name, value), &sorted, into);
            }
        }
    }

    fn route_one(
        &self,
        slot: u64,
        header: (&str, &Value),
        headers: &Headers<'_>,
        into: &mut Destinations<D>,
    ) {
        for condition in self.by_header.get(&slot).into_iter().flatten() {
            if !into.contains(condition.destination.id()) && condition.holds(header, headers) {
                into.push(&condition.destination);
            }
        }
    }
}

impl<D> Condition<D> {
    /// Whether the message matches, given the header that led here. Slots are hashes, so that header is
    /// compared as well.
    fn holds(&self, (name, value): (&str, &Value), headers: &Headers<'_>) -> bool {
        let mut wanted = self.arguments.iter().filter(|(name, _)| self.mode.compares(name));
        match self.mode.quantity {
            Quantity::Any => {
                wanted.any(|(wanted_name, wanted)| wanted_name == name && satisfies(wanted, value))
            }
            Quantity::All => wanted.all(|(name, wanted)| {
                find(headers, name).is_some_and(|value| satisfies(wanted, value))
            }),
        }
    }
}

fn find<'a>(headers: &Headers<'a>, name: &str) -> Option<&'a Value> {
    let position = headers.partition_point(|(header, _)| *header < name);
    headers.get(position).filter(|(header, _)| *header == name).map(|(_, value)| *value)
}

/// The arguments that are compared with headers.
fn compared(arguments: &Table, mode: MatchMode) -> Vec<(&str, &Value)> {
    arguments.iter().filter(|(name, _)| mode.compares(name)).collect()
}

/// Those of the `compared` arguments under which the binding is indexed. A value tells more than presence.
fn indexed<'a, 'b>(
    mode: MatchMode,
    compared: &'b [(&'a str, &'a Value)],
) -> &'b [(&'a str, &'a Value)] {
    match mode.quantity {
        Quantity::Any => compared,
        Quantity::All => {
            let best = compared.iter().position(|(_, value)| **value != Value::Void).unwrap_or(0);
            compared.get(best..=best).unwrap_or_default()
        }
    }
}

/// Where bindings that ask for this header stand. Values that satisfy each other give the same slot.
fn slot(name: &str, value: &Value) -> u64 {
    let mut hasher = KeyHash.build_hasher();
    name.hash(&mut hasher);
    match Comparable::of(value) {
        Comparable::Void => hasher.write_u8(0),
        Comparable::Integer(n) => {
            hasher.write_u8(1);
            hasher.write_u64(n as u64);
        }
        Comparable::Float(bits) => {
            hasher.write_u8(2);
            hasher.write_u64(bits);
        }
        Comparable::Text(text) => {
            hasher.write_u8(3);
            hasher.write(text);
        }
        Comparable::Bool(flag) => hasher.write_u8(4 + u8::from(flag)),
        // Few bind by these; the comparison proper tells them apart.
        Comparable::Empty | Comparable::Whole(_) => hasher.write_u8(6),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
