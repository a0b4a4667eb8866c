//! The durable topology as it stands: what all changes so far have added up to. It also remembers which
//! records the index and the definitions on the disk do not have yet.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use self::lag::Lag;
use super::operation::{BindingRecord, Change, DestinationKind, QueueId};

mod lag;

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
    /// What goes with a virtual host.
    of_vhosts: FxHashMap<String, BTreeSet<Serial>>,
    /// What goes with a user.
    of_users: FxHashMap<String, BTreeSet<Serial>>,
    serial_next: Serial,
    queue_id_max: QueueId,
    /// The highest that the definitions on the disk tell of.
    saved_queue_id_max: Option<QueueId>,
    /// What the index lacks.
    unindexed: Lag,
    /// What the definitions on the disk lack.
    unsaved: Lag,
}

/// Who keeps the records beside memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// In the index.
    Index,
    /// In the definitions on the disk.
    Definitions,
}

/// A record that a keeper lacks, or nothing where it has one that is to go.
pub(super) type Lacking<'a> = (Serial, Option<&'a Change>);

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
                let gone = self.of_vhosts.remove(name).unwrap_or_default();
                self.remove_all(gone, &mut effect);
            }
            Change::DeleteUser { name } => {
                let gone = self.of_users.remove(name).unwrap_or_default();
                self.remove_all(gone, &mut effect);
            }
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
                // Where the queue is gone already, a keeper may have been left with it taken out and its bindings still
                // there.
                if self.queue_id(&key).is_none_or(|there| there == *id) {
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

    /// Puts back a record that a keeper has. Records come in order of their serials.
    pub(super) fn load(&mut self, keeper: Keeper, serial: Serial, record: Change) {
        // The keeper may have been left in the middle of a replacement.
        if let Some(name) = name_of(&record) {
            self.remove_name(&name, &mut Effect::default());
        }
        self.insert(serial, record, &mut Effect::default());
        self.lag(keeper).load(serial);
    }

    /// Takes out a record that a keeper had and has no more.
    pub(super) fn unload(&mut self, keeper: Keeper, serial: Serial) {
        self.remove(serial, &mut Effect::default());
        self.lag(keeper).unload(serial);
    }

    /// All records in order of creation. Each is a `Put`.
    pub(super) fn records(&self) -> impl Iterator<Item = &Change> {
        self.records.values()
    }

    /// Whether another has the same records under the same serials, and knows of the same ids.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.records == other.records && self.queue_id_max == other.queue_id_max
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

    /// Whether a keeper lacks anything.
    pub(super) fn is_behind(&self, keeper: Keeper) -> bool {
        // An id may have come and gone. It must not be given again. And of none at all the file has to tell too, where
        // one was there that nobody could read.
        let is_id_unsaved =
            keeper == Keeper::Definitions && self.saved_queue_id_max != Some(self.queue_id_max);
        is_id_unsaved || !self.lag_of(keeper).is_empty()
    }

    /// How many records a keeper has.
    pub(super) fn held_by(&self, keeper: Keeper) -> u64 {
        self.lag_of(keeper).held()
    }

    /// What a keeper lacks by now is what the next calls of `take_lacking` hand out. What changes from here on waits for
    /// the next time.
    pub(super) fn freeze(&mut self, keeper: Keeper) {
        self.lag(keeper).freeze();
        if keeper == Keeper::Definitions {
            self.saved_queue_id_max = Some(self.queue_id_max);
        }
    }

    /// The next records for a keeper, in order of their serials, at most so many; they count as kept from now on. None
    /// when it has all that it lacked when that was frozen.
    ///
    /// So what a keeper has in the meantime is the topology as it was when that was frozen, up to some serial, without
    /// some of what went since. Nothing newer is in it: applying the changes since then leads to what is now.
    pub(super) fn take_lacking(&mut self, keeper: Keeper, count_max: usize) -> Vec<Lacking<'_>> {
        let serials = self.lag(keeper).take(count_max);
        serials.into_iter().map(|serial| (serial, self.records.get(&serial))).collect()
    }

    /// Nobody knows any more what a keeper has: it is to be given every record again.
    pub(super) fn forget_keeper(&mut self, keeper: Keeper) {
        let lag = Lag::of_all(self.records.keys().copied());
        if keeper == Keeper::Definitions {
            self.saved_queue_id_max = None;
        }
        *self.lag(keeper) = lag;
    }

    /// A keeper has exactly these records by now.
    pub(super) fn mark_kept(&mut self, keeper: Keeper) {
        let lag = Lag::of_none(self.records.len() as u64);
        if keeper == Keeper::Definitions {
            self.saved_queue_id_max = Some(self.queue_id_max);
        }
        *self.lag(keeper) = lag;
    }

    fn lag(&mut self, keeper: Keeper) -> &mut Lag {
        match keeper {
            Keeper::Index => &mut self.unindexed,
            Keeper::Definitions => &mut self.unsaved,
        }
    }

    fn lag_of(&self, keeper: Keeper) -> &Lag {
        match keeper {
            Keeper::Index => &self.unindexed,
            Keeper::Definitions => &self.unsaved,
        }
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
        for (owners, owner) in
            [(&mut self.of_vhosts, vhost_of(&record)), (&mut self.of_users, user_of(&record))]
        {
            let Some(owner) = owner else { continue };
            match owners.get_mut(owner) {
                Some(serials) => {
                    serials.insert(serial);
                }
                None => {
                    owners.insert(owner.clone(), BTreeSet::from([serial]));
                }
            }
        }
        self.names.insert(name, serial);
        self.records.insert(serial, record);
        self.serial_next = self.serial_next.max(serial + 1);
        self.unindexed.came(serial);
        self.unsaved.came(serial);
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
                ends_of(binding).iter().for_each(|end| take_from(&mut self.ends, end, serial));
            }
            _ => {}
        }
        if let Some(vhost) = vhost_of(&record) {
            take_from(&mut self.of_vhosts, vhost, serial);
        }
        if let Some(user) = user_of(&record) {
            take_from(&mut self.of_users, user, serial);
        }
        self.unindexed.went(serial);
        self.unsaved.went(serial);
    }

    fn remove_all(&mut self, gone: BTreeSet<Serial>, effect: &mut Effect) {
        for serial in gone {
            self.remove(serial, effect);
        }
    }

    fn remove_ends(&mut self, vhost: &str, kind: DestinationKind, name: &str, effect: &mut Effect) {
        let end = End { vhost: vhost.to_owned(), kind, name: name.to_owned() };
        let gone = self.ends.remove(&end).unwrap_or_default();
        self.remove_all(gone, effect);
    }

    fn queue_id(&self, name: &Name) -> Option<QueueId> {
        match self.records.get(self.names.get(name)?) {
            Some(Change::PutQueue(queue)) => Some(queue.id),
            _ => None,
        }
    }
}

fn take_from<K: Eq + std::hash::Hash>(
    sets: &mut FxHashMap<K, BTreeSet<Serial>>,
    key: &K,
    serial: Serial,
) {
    if let Some(serials) = sets.get_mut(key) {
        serials.remove(&serial);
        if serials.is_empty() {
            sets.remove(key);
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

/// The user that a record is, or goes with.
fn user_of(record: &Change) -> Option<&String> {
    match record {
        Change::PutUser(user) => Some(&user.name),
        Change::PutPermission(permission) => Some(&permission.user),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
