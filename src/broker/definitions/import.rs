//! Applying definitions. What an entry refers to is looked for first, so that nothing is applied of a file that
//! refers to what is not there; then everything is applied and journaled as one change.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::MutexGuard;
use rustc_hash::FxHashSet;

use super::check::{Checked, title};
use super::file::Binding;
use crate::broker::Broker;
use crate::broker::exchange::Target;
use crate::broker::pending::Pending;
use crate::broker::queue_handle::Lifetime;
use crate::broker::vhost::{Topology, Vhost};
use crate::routing::check_arguments;
use crate::store::{Change, DestinationKind};
use crate::wire::Table;

/// Virtual hosts whose topology is held while a file is applied.
type Held<'a> = BTreeMap<&'a str, (&'a Arc<Vhost>, MutexGuard<'a, Topology>)>;

impl Broker {
    /// Applies a checked file and says when it is on the disk.
    ///
    /// # Errors
    /// One line about the entry that cannot be applied. Nothing has changed then.
    pub(super) fn import(&self, file: Checked, now_ms: u64) -> Result<Pending, String> {
        // Only who holds this takes more than one topology.
        let _order = self.accounts.lock();
        let (existing, created): (Vec<_>, Vec<_>);
        existing = self.vhosts.values();
        let mut held: Held<'_> = existing.iter().map(hold).collect();
        self.expect_references(&file)?;
        let mut changes = Vec::new();
        let new = file.vhosts.into_iter().filter(|vhost| !self.vhosts.contains(&*vhost.name));
        let new: Vec<_> = new.collect();
        created = new.iter().map(|vhost| self.add_vhost(&vhost.name)).collect();
        held.extend(created.iter().map(hold));
        changes.extend(new.into_iter().map(Change::PutVhost));
        for user in file.users {
            self.access.put_user(user.clone());
            changes.push(Change::PutUser(user));
        }
        for permission in file.permissions {
            self.put_permission(&permission);
            changes.push(Change::PutPermission(permission));
        }
        for (exchange, settings) in file.exchanges {
            let (vhost, _) = held_vhost(&mut held, &exchange.vhost)?;
            if vhost.exchanges.contains(&*exchange.name) {
                continue;
            }
            let durable = settings.durable;
            let handle = self.add_exchange(vhost, Arc::from(&*exchange.name), settings);
            if durable {
                changes.push(Change::PutExchange(handle.record()));
            }
        }
        let mut ids = self.queue_ids();
        for (queue, settings) in file.queues {
            let (vhost, _) = held_vhost(&mut held, &queue.vhost)?;
            if vhost.queues.contains(&*queue.name) {
                continue;
            }
            let lifetime =
                Lifetime { durable: queue.durable, auto_delete: queue.auto_delete, owner: None };
            let id = ids.next();
            let name = Arc::from(&*queue.name);
            let handle = self.new_queue(id, vhost, name, lifetime, settings, now_ms);
            handle.show();
            if queue.durable {
                changes.push(Change::PutQueue(handle.record()));
            }
        }
        for (binding, arguments) in file.bindings {
            let (vhost, topology) = held_vhost(&mut held, &binding.vhost)?;
            changes.extend(self.import_binding(vhost, topology, &binding, &arguments)?);
        }
        Ok(self.commit(changes))
    }

    fn import_binding(
        &self,
        vhost: &Arc<Vhost>,
        topology: &mut Topology,
        binding: &Binding,
        arguments: &Table,
    ) -> Result<Option<Change>, String> {
        let missing = |name: &str| format!("{}: there is no '{name}'", title(binding));
        let source =
            vhost.exchanges.get(&*binding.source).ok_or_else(|| missing(&binding.source))?;
        let kind = binding.destination_type.kind();
        let destination = Target::find(vhost, kind, &binding.destination)
            .ok_or_else(|| missing(&binding.destination))?;
        self.add_binding(topology, &source, &binding.routing_key, arguments, destination)
            .map_err(|fault| format!("{}: {}", title(binding), fault.text))
    }

    /// Looks for what the entries refer to, among themselves and in the broker.
    fn expect_references(&self, file: &Checked) -> Result<(), String> {
        let new_vhosts: FxHashSet<&str> = file.vhosts.iter().map(|one| &*one.name).collect();
        let new_users: FxHashSet<&str> = file.users.iter().map(|one| &*one.name).collect();
        let expect_vhost = |what: &str, vhost: &str| {
            if new_vhosts.contains(vhost) || self.vhosts.contains(vhost) {
                return Ok(());
            }
            Err(format!("{what}: there is no vhost '{vhost}'"))
        };
        for one in &file.permissions {
            let what = format!("permission of user '{}' in vhost '{}'", one.user, one.vhost);
            expect_vhost(&what, &one.vhost)?;
            if !new_users.contains(&*one.user) && self.access.user(&one.user).is_none() {
                return Err(format!("{what}: there is no user '{}'", one.user));
            }
        }
        for (exchange, _) in &file.exchanges {
            expect_vhost(&format!("exchange '{}'", exchange.name), &exchange.vhost)?;
        }
        for (queue, _) in &file.queues {
            expect_vhost(&format!("queue '{}'", queue.name), &queue.vhost)?;
        }
        self.expect_limits(file)?;
        for (binding, arguments) in &file.bindings {
            expect_vhost(&title(binding), &binding.vhost)?;
            self.expect_ends(file, binding, arguments)?;
        }
        Ok(())
    }

    /// Whether a binding starts and ends at something, and its arguments mean something there.
    fn expect_ends(
        &self,
        file: &Checked,
        binding: &Binding,
        arguments: &Table,
    ) -> Result<(), String> {
        let vhost = self.vhosts.get(&*binding.vhost);
        let exchange = |name: &str| {
            let known = vhost.as_ref().and_then(|vhost| vhost.exchanges.get(name));
            let new = || {
                let mut new = file.exchanges.iter();
                new.find(|(one, _)| one.name == name && one.vhost == binding.vhost)
                    .map(|(_, settings)| settings.kind)
            };
            // A new virtual host has its predeclared exchanges.
            let predeclared = || super::predeclared_kind(name);
            known.map(|one| one.settings.kind).or_else(new).or_else(predeclared)
        };
        let queue = |name: &str| {
            vhost.as_ref().is_some_and(|vhost| vhost.queues.contains(name))
                || file.queues.iter().any(|(one, _)| one.name == name && one.vhost == binding.vhost)
        };
        let missing = |name: &str| Err(format!("{}: there is no '{name}'", title(binding)));
        let Some(kind) = exchange(&binding.source) else { return missing(&binding.source) };
        let there = match binding.destination_type.kind() {
            DestinationKind::Queue => queue(&binding.destination),
            DestinationKind::Exchange => exchange(&binding.destination).is_some(),
        };
        if !there {
            return missing(&binding.destination);
        }
        check_arguments(kind, arguments).map_err(|error| format!("{}: {error}", title(binding)))
    }

    /// Whether the file stays within the limits of each virtual host.
    fn expect_limits(&self, file: &Checked) -> Result<(), String> {
        let limits = &self.config.limits;
        let mut queues: BTreeMap<&str, usize> = BTreeMap::new();
        for (queue, _) in &file.queues {
            *queues.entry(&queue.vhost).or_default() += 1;
        }
        for (vhost, new) in queues {
            let most = limits.queues_per_vhost_max;
            let there = self.vhosts.get(vhost).map_or(0, |vhost| vhost.queues.len());
            if new > most || there > most {
                return Err(format!("queue limit in vhost '{vhost}' ({most}) is reached"));
            }
        }
        Ok(())
    }
}

fn hold(vhost: &Arc<Vhost>) -> (&str, (&Arc<Vhost>, MutexGuard<'_, Topology>)) {
    (&vhost.name, (vhost, vhost.topology.lock()))
}

fn held_vhost<'h, 'a>(
    held: &'h mut Held<'a>,
    name: &str,
) -> Result<(&'a Arc<Vhost>, &'h mut Topology), String> {
    match held.get_mut(name) {
        Some((vhost, topology)) => Ok((vhost, topology)),
        None => Err(format!("there is no vhost '{name}'")),
    }
}
