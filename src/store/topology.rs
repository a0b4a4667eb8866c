//! The durable topology as it stands: what all changes so far have added up to. It also remembers which
//! records the index does not have yet.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::operation::{BindingRecord, Change, DestinationKind, QueueId};

/// Numbers a record of the topology in order of creation.
pub(super) type Serial = u64;

/// Virtual hosts, users, permissions, exchanges, queues, and bindings.
#[derive(Debug, Clone, Default)]
pub(super) struct Topology {
    /// Only `Put` changes. A record that is replaced gets a new serial, so that one under a serial
    /// never changes.
    records: BTreeMap<Serial, Change>,
    names: FxHashMap<Name, Serial>,
    /// Which bindings start or end at an exchange, or end at a queue.
    ends: FxHashMap<End, BTreeSet<Serial>>,
    serial_next: Serial,
    queue_id_max: QueueId,
    /// Serials that came or went since the index was last brought up to date.
    dirty: BTreeSet<Serial>,
    /// Something changed since the last snapshot.
    unsaved: bool,
}

/// What makes a record the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Vhost(String),
    User(String),
    Permission { user: String, vhost: String },
    Exchange { vhost: String, name: String },
    Queue { vhost: String, name: String },
    Binding(BindingRecord),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct End {
    vhost: String,
    kind: DestinationKind,
    name: String,
}

/// What a change means for the queues' messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) opened: Vec<QueueId>,
    pub(super) closed: Vec<QueueId>,
}

impl Topology {
    /// Applies one change.
    pub(super) fn apply(&mut self, change: &Change) -> Effect {
        let mut effect = Effect::default();
        match change {
            Change::DeleteVhost { name } => {
                self.remove_where(|record| vhost_of(record) == Some(name), &mut effect);
            }
            Change::DeleteUser { name } => self.remove_where(
                |record| match record {
                    Change::PutUser(user) => user.name == *name,
                    Change::PutPermission(permission) => permission.user == *name,
                    _ => false,
                },
                &mut effect,
            ),
            Change::DeletePermission { user, vhost } => {
                let name = Name::Permission { user: user.clone(), vhost: vhost.clone() };
                self.remove_name(&name, &mut effect);
            }
            Change::DeleteExchange { vhost, name } => {
                self.remove_ends(vhost, DestinationKind::Exchange, name, &mut effect);
                let name = Name::Exchange { vhost: vhost.clone(), name: name.clone() };
                self.remove_name(&name, &mut effect);
            }
            Change::DeleteQueue { vhost, name, id } => {
                let key = Name::Queue { vhost: vhost.clone(), name: name.clone() };
                if self.queue_id(&key) == Some(*id) {
                    self.remove_ends(vhost, DestinationKind::Queue, name, &mut effect);
                    self.remove_name(&key, &mut effect);
                }
            }
            Change::DeleteBinding(binding) => {
                self.remove_name(&Name::Binding(binding.clone()), &mut effect);
            }
            put => self.put(put, &mut effect),
        }
        effect
    }

    /// Puts back a record that the index holds. Records come in order of their serials.
    pub(super) fn load(&mut self, serial: Serial, record: Change) {
        // The index may have been left in the middle of a replacement.
        if let Some(name) = name_of(&record) {
            self.remove_name(&name, &mut Effect::default());
        }
        self.insert(serial, record, &mut Effect::default());
        self.dirty.remove(&serial);
        self.unsaved = false;
    }

    /// All records in order of creation. Each is a `Put`.
    pub(super) fn records(&self) -> impl Iterator<Item = &Change> {
        self.records.values()
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The ids of all queues.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> {
        self.records.values().filter_map(|record| match record {
            Change::PutQueue(queue) => Some(queue.id),
            _ => None,
        })
    }

    /// The highest id that a queue ever had, deleted ones too.
    pub(super) fn queue_id_max(&self) -> QueueId {
        self.queue_id_max
    }

    /// Takes note that an id was in use once.
    pub(super) fn note_queue_id(&mut self, id: QueueId) {
        self.queue_id_max = self.queue_id_max.max(id);
    }

    /// What the index has to change: a record to keep, or nothing where one has gone.
    pub(super) fn dirty(&self) -> impl Iterator<Item = (Serial, Option<&Change>)> {
        self.dirty.iter().map(|serial| (*serial, self.records.get(serial)))
    }

    /// The index is up to date.
    pub(super) fn mark_indexed(&mut self) {
        self.dirty.clear();
    }

    /// Every record is to be given to the index again.
    pub(super) fn mark_unindexed(&mut self) {
        self.dirty = self.records.keys().copied().collect();
    }

    /// Something changed since the last snapshot.
    pub(super) fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    /// A snapshot holds all of this.
    pub(super) fn mark_saved(&mut self) {
        self.unsaved = false;
    }

    /// There is no snapshot that could be read.
    pub(super) fn mark_unsaved(&mut self) {
        self.unsaved = true;
    }

    fn put(&mut self, record: &Change, effect: &mut Effect) {
        if let Some(name) = name_of(record) {
            if self.names.get(&name).and_then(|serial| self.records.get(serial)) == Some(record) {
                return;
            }
            self.remove_name(&name, effect);
        }
        self.insert(self.serial_next, record.clone(), effect);
        if let Change::PutQueue(queue) = record {
            // The same id under changed arguments is the same queue.
            effect.closed.retain(|id| *id != queue.id);
        }
    }

    fn insert(&mut self, serial: Serial, record: Change, effect: &mut Effect) {
        let Some(name) = name_of(&record) else { return };
        if let Change::PutQueue(queue) = &record {
            self.note_queue_id(queue.id);
            effect.opened.push(queue.id);
        }
        if let Change::PutBinding(binding) = &record {
            for end in ends_of(binding) {
                self.ends.entry(end).or_default().insert(serial);
            }
        }
        self.names.insert(name, serial);
        self.records.insert(serial, record);
        self.serial_next = self.serial_next.max(serial + 1);
        self.dirty.insert(serial);
        self.unsaved = true;
    }

    fn remove_name(&mut self, name: &Name, effect: &mut Effect) {
        if let Some(serial) = self.names.get(name).copied() {
            self.remove(serial, effect);
        }
    }

    fn remove(&mut self, serial: Serial, effect: &mut Effect) {
        let Some(record) = self.records.remove(&serial) else { return };
        if let Some(name) = name_of(&record) {
            self.names.remove(&name);
        }
        match &record {
            Change::PutQueue(queue) => effect.closed.push(queue.id),
            Change::PutBinding(binding) => {
                for end in ends_of(binding) {
                    if let Some(serials) = self.ends.get_mut(&end) {
                        serials.remove(&serial);
                        if serials.is_empty() {
                            self.ends.remove(&end);
                        }
                    }
                }
            }
            _ => {}
        }
        self.dirty.insert(serial);
        self.unsaved = true;
    }

    fn remove_where(&mut self, is_gone: impl Fn(&Change) -> bool, effect: &mut Effect) {
        let gone: Vec<Serial> = self
            .records
            .iter()
            .filter(|(_, record)| is_gone(record))
            .map(|(serial, _)| *serial)
            .collect();
        for serial in gone {
            self.remove(serial, effect);
        }
    }

    fn remove_ends(&mut self, vhost: &str, kind: DestinationKind, name: &str, effect: &mut Effect) {
        let end = End { vhost: vhost.to_owned(), kind, name: name.to_owned() };
        for serial in self.ends.get(&end).cloned().unwrap_or_default() {
            self.remove(serial, effect);
        }
    }

    fn queue_id(&self, name: &Name) -> Option<QueueId> {
        match self.records.get(self.names.get(name)?) {
            Some(Change::PutQueue(queue)) => Some(queue.id),
            _ => None,
        }
    }
}

fn ends_of(binding: &BindingRecord) -> [End; 2] {
    let end = |kind, name: &str| End { vhost: binding.vhost.clone(), kind, name: name.to_owned() };
    [
        end(DestinationKind::Exchange, &binding.source),
        end(binding.destination_kind, &binding.destination),
    ]
}

/// What a `Put` names; nothing for a `Delete`.
fn name_of(record: &Change) -> Option<Name> {
    Some(match record {
        Change::PutVhost(vhost) => Name::Vhost(vhost.name.clone()),
        Change::PutUser(user) => Name::User(user.name.clone()),
        Change::PutPermission(permission) => {
            Name::Permission { user: permission.user.clone(), vhost: permission.vhost.clone() }
        }
        Change::PutExchange(exchange) => {
            Name::Exchange { vhost: exchange.vhost.clone(), name: exchange.name.clone() }
        }
        Change::PutQueue(queue) => {
            Name::Queue { vhost: queue.vhost.clone(), name: queue.name.clone() }
        }
        Change::PutBinding(binding) => Name::Binding(binding.clone()),
        Change::DeleteVhost { .. }
        | Change::DeleteUser { .. }
        | Change::DeletePermission { .. }
        | Change::DeleteExchange { .. }
        | Change::DeleteQueue { .. }
        | Change::DeleteBinding(_) => return None,
    })
}

/// The virtual host that a record is, or is part of.
fn vhost_of(record: &Change) -> Option<&String> {
    match record {
        Change::PutVhost(vhost) => Some(&vhost.name),
        Change::PutPermission(permission) => Some(&permission.vhost),
        Change::PutExchange(exchange) => Some(&exchange.vhost),
        Change::PutQueue(queue) => Some(&queue.vhost),
        Change::PutBinding(binding) => Some(&binding.vhost),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
