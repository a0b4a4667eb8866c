//! A headers exchange's bindings, found by one header that each of them asks for, so that a message meets
//! only the bindings that it has something in common with.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::wire::{Table, Value};

use super::arguments::{Comparable, MatchMode, Quantity, satisfies};
use super::key_hash::KeyHash;
use super::search::{Search, Steps};
use super::{BindError, Destination};

/// This many headers are sorted without allocating.
const HEADERS_INLINE: usize = 16;

/// So many bytes of a value are compared in one step.
const STEP_BYTES: usize = 256;

/// The bindings of one headers exchange.
pub struct HeaderIndex<D> {
    hash: KeyHash,
    /// Bindings that ask for nothing.
    unconditional: Conditions<D>,
    /// All others: those for all headers under one that they ask for, those for any under each.
    by_header: FxHashMap<u64, Conditions<D>>,
    /// How many entries of `by_header` ask for a header's presence only.
    presences: usize,
}

/// A binding in one place of the index.
struct Condition<D> {
    arguments: Arc<Table>,
    mode: MatchMode,
    destination: D,
    /// How many bindings this stands for: they differ in their keys only, which do not count here.
    bindings: usize,
}

/// What tells conditions in one place apart: where their arguments are, and their destination. Of arguments that ask
/// for nothing it does not matter which they are.
type ConditionId = (usize, u64);

/// The bindings in one place of the index.
struct Conditions<D> {
    list: Vec<Condition<D>>,
    /// Where each stands in the list.
    places: FxHashMap<ConditionId, usize>,
}

/// One of a message's headers.
#[derive(Clone, Copy)]
struct Header<'a> {
    name: &'a str,
    value: &'a Value,
    /// Steps that it takes to compare the value.
    weight: usize,
}

/// A message's headers, sorted by name.
type Headers<'a> = SmallVec<[Header<'a>; HEADERS_INLINE]>;

impl<D: Destination> HeaderIndex<D> {
    pub fn new(hash: KeyHash) -> Self {
        let (unconditional, by_header) = (Conditions::default(), FxHashMap::default());
        HeaderIndex { hash, unconditional, by_header, presences: 0 }
    }

    /// Whether any binding asks for a header.
    pub fn needs_headers(&self) -> bool {
        !self.by_header.is_empty()
    }

    /// Adds a binding with these sorted arguments, unless its `x-match` is refused.
    pub fn insert(&mut self, arguments: &Arc<Table>, destination: &D) -> Result<(), BindError> {
        let mode = MatchMode::of(arguments)?;
        let compared = compared(arguments, mode);
        let condition = || Condition {
            arguments: arguments.clone(),
            mode,
            destination: destination.clone(),
            bindings: 1,
        };
        if compared.is_empty() && mode.quantity == Quantity::All {
            self.unconditional.add((0, destination.id()), condition());
        }
        for (name, value) in self.indexed(mode, &compared) {
            self.presences += usize::from(**value == Value::Void);
            let conditions = self.by_header.entry(self.slot(name, value)).or_default();
            conditions.add(id_of(arguments, destination.id()), condition());
        }
        Ok(())
    }

    /// Removes a binding that was inserted with this very table.
    pub fn remove(&mut self, arguments: &Arc<Table>, id: u64) {
        // What cannot be read was never inserted.
        let Ok(mode) = MatchMode::of(arguments) else { return };
        let compared = compared(arguments, mode);
        if compared.is_empty() && mode.quantity == Quantity::All {
            self.unconditional.remove((0, id));
        }
        // A binding for all headers stands under one of them, which depended on what else was there.
        for (name, value) in &compared {
            let slot = self.slot(name, value);
            if let Some(conditions) = self.by_header.get_mut(&slot)
                && conditions.remove(id_of(arguments, id))
            {
                self.presences -= usize::from(**value == Value::Void);
                if conditions.list.is_empty() {
                    self.by_header.remove(&slot);
                }
            }
        }
    }

    /// Adds every destination whose binding these headers satisfy, as far as the search's steps go.
    pub fn route(&self, headers: Option<&Table>, search: &mut Search<D>) {
        for condition in &self.unconditional.list {
            if !search.steps.take(1) {
                return;
            }
            search.found.push(&condition.destination);
        }
        let Some(headers) = headers else { return };
        if self.by_header.is_empty() || !search.steps.take(headers.len()) {
            return;
        }
        let headers = headers.iter();
        let mut sorted: Headers<'_> =
            headers.map(|(name, value)| Header { name, value, weight: weight(value) }).collect();
        sorted.sort_by_key(|header| header.name);
        // A name that came twice counts with its first value, as when the table is asked for it.
        sorted.dedup_by_key(|header| header.name);
        for header in &sorted {
            self.route_one(self.slot(header.name, header.value), *header, &sorted, search);
            if self.presences > 0 && *header.value != Value::Void {
                let slot = self.slot(header.name, &Value::Void);
                self.route_one(slot, *header, &sorted, search);
            }
        }
    }

    fn route_one(
        &self,
        slot: u64,
        header: Header<'_>,
        headers: &Headers<'_>,
        search: &mut Search<D>,
    ) {
        let Some(conditions) = self.by_header.get(&slot) else { return };
        for condition in &conditions.list {
            if !search.steps.take(1) {
                return;
            }
            if !search.found.contains(condition.destination.id())
                && condition.holds(header, headers, &mut search.steps)
            {
                search.found.push(&condition.destination);
            }
        }
    }

    /// Those of the `compared` arguments under which the binding is indexed. A value tells more than presence, and
    /// one that few others ask for tells more than one that many do.
    fn indexed<'a, 'b>(
        &self,
        mode: MatchMode,
        compared: &'b [(&'a str, &'a Value)],
    ) -> &'b [(&'a str, &'a Value)] {
        match mode.quantity {
            Quantity::Any => compared,
            Quantity::All => {
                let crowd = |(name, value): &(&str, &Value)| {
                    let there = self.by_header.get(&self.slot(name, value));
                    (**value == Value::Void, there.map_or(0, |there| there.list.len()))
                };
                let best = compared.iter().enumerate().min_by_key(|(_, argument)| crowd(argument));
                let best = best.map_or(0, |(best, _)| best);
                compared.get(best..=best).unwrap_or_default()
            }
        }
    }

    /// Where bindings that ask for this header stand. Values that satisfy each other give the same slot.
    fn slot(&self, name: &str, value: &Value) -> u64 {
        let mut hasher = self.hash.build_hasher();
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
}

impl<D> Default for Conditions<D> {
    fn default() -> Self {
        Self { list: Vec::new(), places: FxHashMap::default() }
    }
}

impl<D> Conditions<D> {
    fn add(&mut self, id: ConditionId, condition: Condition<D>) {
        let next = self.list.len();
        match *self.places.entry(id).or_insert(next) {
            at if at == next => self.list.push(condition),
            at => self.list[at].bindings += 1,
        }
    }

    /// Takes one binding out. False when it does not stand here.
    fn remove(&mut self, id: ConditionId) -> bool
    where
        D: Destination,
    {
        let Some(&at) = self.places.get(&id) else { return false };
        self.list[at].bindings -= 1;
        if self.list[at].bindings > 0 {
            return true;
        }
        self.places.remove(&id);
        self.list.swap_remove(at);
        if let Some(moved) = self.list.get(at) {
            // Without conditions all stand for the same, whatever their arguments.
            let moved = match id.0 {
                0 => (0, moved.destination.id()),
                _ => id_of(&moved.arguments, moved.destination.id()),
            };
            self.places.insert(moved, at);
        }
        true
    }
}

fn id_of(arguments: &Arc<Table>, destination: u64) -> ConditionId {
    (Arc::as_ptr(arguments) as usize, destination)
}

impl<D> Condition<D> {
    /// Whether the message matches, given the header that led here. Slots are hashes, so that header is
    /// compared as well.
    fn holds(&self, header: Header<'_>, headers: &Headers<'_>, steps: &mut Steps) -> bool {
        let mut wanted = self.arguments.iter().filter(|(name, _)| self.mode.compares(name));
        match self.mode.quantity {
            Quantity::Any => wanted.any(|(name, wanted)| {
                steps.take(1)
                    && name == header.name
                    && steps.take(header.weight)
                    && satisfies(wanted, header.value)
            }),
            Quantity::All => wanted.all(|(name, wanted)| {
                steps.take(1)
                    && find(headers, name).is_some_and(|header| {
                        steps.take(header.weight) && satisfies(wanted, header.value)
                    })
            }),
        }
    }
}

fn find<'a>(headers: &Headers<'a>, name: &str) -> Option<Header<'a>> {
    let position = headers.partition_point(|header| header.name < name);
    headers.get(position).filter(|header| header.name == name).copied()
}

/// Steps that it takes to compare a value: by its bytes, and by its members, which are nested a few deep at most.
fn weight(value: &Value) -> usize {
    match value {
        Value::LongStr(bytes) | Value::Bytes(bytes) => bytes.len() / STEP_BYTES,
        Value::Array(members) => members.iter().map(|member| 1 + weight(member)).sum(),
        Value::Table(table) => table.iter().map(|(_, member)| 1 + weight(member)).sum(),
        _ => 0,
    }
}

/// The arguments that are compared with headers.
fn compared(arguments: &Table, mode: MatchMode) -> Vec<(&str, &Value)> {
    arguments.iter().filter(|(name, _)| mode.compares(name)).collect()
}

#[cfg(test)]
mod tests;
