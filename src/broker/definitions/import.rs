//! Applying definitions. Everything is checked before the first change: what an entry refers to, and that there is room
//! for all of them, which is kept for them until the end. Then they are applied in slices, so that nobody waits for a
//! large file: each is one record of the journal, and stands there before anybody sees what it makes. They come in an
//! order in which each may be the last: after a crash a beginning of the file is there, and applying it again makes the
//! rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::{Checked, title};
use super::file::{Binding, Exchange, Queue};
use crate::broker::Broker;
use crate::broker::declaration::binding::{add_binding, binding_change};
use crate::broker::meeting::Meeting;
use crate::broker::pending::Pending;
use crate::broker::topology::arguments::QueueSettings;
use crate::broker::topology::exchange_handle::{ExchangeSettings, Target};
use crate::broker::topology::queue_handle::Lifetime;
use crate::store::{Change, PermissionRecord, UserRecord, VhostRecord};
use crate::wire::Table;

/// Entries that are applied at once.
const SLICE_ENTRIES: usize = 256;

impl Broker {
    /// Applies a checked file and says when it is on the disk.
    ///
    /// # Errors
    /// One line about the entry that cannot be applied. Nothing has changed then.
    pub(super) fn import(&self, file: Checked, now_ms: u64) -> Result<Pending, String> {
        // One file after the other, and no virtual host goes meanwhile.
        let _order = self.accounts.lock();
        self.expect_references(&file)?;
        let _kept = self.keep_room(&file)?;
        // The journal has an order: when the last is on the disk, all are.
        let mut last = Pending::NONE;
        let mut follow = |pending: Pending| {
            if !pending.is_done() {
                last = pending;
            }
            self.meet.at(Meeting::Between);
        };
        slices(file.vhosts, |_| "").for_each(|slice| follow(self.import_vhosts(slice)));
        slices(file.users, |_| "").for_each(|slice| follow(self.import_users(slice)));
        slices(file.permissions, |_| "").for_each(|slice| follow(self.import_permissions(slice)));
        slices(file.exchanges, |(one, _)| &one.vhost)
            .for_each(|slice| follow(self.import_exchanges(slice)));
        slices(file.queues, |(one, _)| &one.vhost)
            .for_each(|slice| follow(self.import_queues(slice, now_ms)));
        slices(file.bindings, |(one, _)| &one.vhost)
            .for_each(|slice| follow(self.import_bindings(slice)));
        Ok(last)
    }

    fn import_vhosts(&self, mut slice: Vec<VhostRecord>) -> Pending {
        slice.retain(|vhost| !self.vhosts.contains(&*vhost.name));
        let pending = self.commit(slice.iter().cloned().map(Change::PutVhost).collect());
        for vhost in slice {
            self.add_vhost(&vhost.name);
        }
        pending
    }

    fn import_users(&self, slice: Vec<UserRecord>) -> Pending {
        let pending = self.commit(slice.iter().cloned().map(Change::PutUser).collect());
        slice.into_iter().for_each(|user| self.access.put_user(user));
        pending
    }

    fn import_permissions(&self, slice: Vec<PermissionRecord>) -> Pending {
        let pending = self.commit(slice.iter().cloned().map(Change::PutPermission).collect());
        slice.iter().for_each(|permission| self.put_permission(permission));
        pending
    }

    fn import_exchanges(&self, slice: Vec<(Exchange, ExchangeSettings)>) -> Pending {
        let Some(vhost) = slice.first().and_then(|(one, _)| self.vhosts.get(&*one.vhost)) else {
            return Pending::NONE;
        };
        let _topology = vhost.topology.lock();
        let mut new = BTreeMap::new();
        for (exchange, settings) in slice {
            if !vhost.exchanges.contains(&*exchange.name) {
                let name = Arc::from(&*exchange.name);
                new.entry(exchange.name)
                    .or_insert_with(|| self.new_exchange(&vhost, name, settings));
            }
        }
        let durable = new.values().filter(|exchange| exchange.settings.durable);
        let changes = durable.map(|exchange| Change::PutExchange(exchange.record())).collect();
        let pending = self.commit(changes);
        new.values().for_each(|exchange| exchange.show());
        pending
    }

    fn import_queues(&self, slice: Vec<(Queue, QueueSettings)>, now_ms: u64) -> Pending {
        let Some(vhost) = slice.first().and_then(|(one, _)| self.vhosts.get(&*one.vhost)) else {
            return Pending::NONE;
        };
        let _topology = vhost.topology.lock();
        let mut ids = self.queue_ids();
        let mut new = BTreeMap::new();
        for (queue, settings) in slice {
            if vhost.queues.contains(&*queue.name) || new.contains_key(&queue.name) {
                continue;
            }
            let lifetime =
                Lifetime { durable: queue.durable, auto_delete: queue.auto_delete, owner: None };
            let name = Arc::from(&*queue.name);
            let handle = self.new_queue(ids.next(), &vhost, name, lifetime, settings, now_ms);
            new.insert(queue.name, handle);
        }
        let stored = new.values().filter(|queue| queue.is_stored());
        let mut stored: Vec<_> = stored.map(|queue| queue.record()).collect();
        // Ids ascend in the journal.
        stored.sort_unstable_by_key(|record| record.id);
        let pending = self.commit(stored.into_iter().map(Change::PutQueue).collect());
        drop(ids);
        new.values().for_each(|queue| queue.show());
        pending
    }

    fn import_bindings(&self, slice: Vec<(Binding, Table)>) -> Pending {
        let Some(vhost) = slice.first().and_then(|(one, _)| self.vhosts.get(&*one.vhost)) else {
            return Pending::NONE;
        };
        let mut topology = vhost.topology.lock();
        let mut new = Vec::new();
        let mut changes = Vec::new();
        for (binding, arguments) in &slice {
            let kind = binding.destination_type.kind();
            let ends = vhost.exchanges.get(&*binding.source).zip(Target::find(
                &vhost,
                kind,
                &binding.destination,
            ));
            let Some((source, destination)) = ends else {
                // It was there when the file was looked through.
                log::warn!("{} is left out: one of its ends was deleted", title(binding));
                continue;
            };
            let key = &binding.routing_key;
            if !source.bindings.read().contains(key, arguments, &destination) {
                changes.extend(binding_change(&source, key, arguments, &destination));
                new.push((source, key, arguments, destination));
            }
        }
        let pending = self.commit(changes);
        for (source, key, arguments, destination) in new {
            if let Err(fault) = add_binding(&mut topology, &source, key, arguments, destination) {
                log::error!("a binding of exchange '{}' is left out: {fault}", source.name);
            }
        }
        pending
    }
}

/// Entries in slices of one virtual host each.
fn slices<T>(entries: Vec<T>, vhost: impl Fn(&T) -> &str) -> impl Iterator<Item = Vec<T>> {
    let mut by_vhost: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for entry in entries {
        match by_vhost.get_mut(vhost(&entry)) {
            Some(entries) => entries.push(entry),
            None => {
                by_vhost.insert(vhost(&entry).to_owned(), vec![entry]);
            }
        }
    }
    by_vhost.into_values().flat_map(|entries| {
        let mut entries = entries.into_iter();
        std::iter::from_fn(move || {
            let slice: Vec<T> = entries.by_ref().take(SLICE_ENTRIES).collect();
            (!slice.is_empty()).then_some(slice)
        })
    })
}
