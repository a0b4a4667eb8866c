//! Whether there is what the entries of a file refer to, and room for all that they make. The room is kept for them
//! while they are applied, so that what others declare meanwhile does not take it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::{Checked, title};
use super::file::Binding;
use crate::broker::Broker;
use crate::broker::declaration::exchange_declaration::PREDECLARED;
use crate::broker::topology::exchange_handle::{ExchangeSettings, Target};
use crate::broker::topology::vhost::{Counts, Vhost};
use crate::routing::{canonical_arguments, check_arguments};
use crate::store::DestinationKind;
use crate::wire::Table;

/// What a file names in one virtual host, each once.
#[derive(Default)]
struct Named<'a> {
    exchanges: BTreeMap<&'a str, &'a ExchangeSettings>,
    queues: BTreeMap<&'a str, &'a Table>,
    bindings: BTreeMap<BindingName<'a>, &'a Table>,
}

impl<'a> Named<'a> {
    /// Forgets what is there already.
    fn retain_new(&mut self, vhost: &Vhost) {
        self.queues.retain(|name, _| !vhost.queues.contains(*name));
        self.exchanges.retain(|name, _| !vhost.exchanges.contains(*name));
        self.bindings.retain(|(source, destination, to_queue, key, _), arguments| {
            let kind = if *to_queue { DestinationKind::Queue } else { DestinationKind::Exchange };
            let ends = vhost.exchanges.get(*source).zip(Target::find(vhost, kind, destination));
            !ends.is_some_and(|(source, to)| source.bindings.read().contains(key, arguments, &to))
        });
    }

    fn counts(&self) -> Counts {
        Counts {
            queues: self.queues.len(),
            exchanges: self.exchanges.len(),
            bindings: self.bindings.len(),
        }
    }

    /// What all their arguments hold.
    fn argument_bytes(&self) -> usize {
        let of_exchanges = self.exchanges.values().map(|settings| &settings.arguments);
        let of_queues = self.queues.values().copied();
        let of_bindings = self.bindings.values().copied();
        of_exchanges.chain(of_queues).chain(of_bindings).map(Table::held_bytes).sum()
    }
}

/// What makes a binding the same one: source, destination, its kind, key, and the bytes of its arguments.
type BindingName<'a> = (&'a str, &'a str, bool, &'a str, Vec<u8>);

type ByVhost<'a> = BTreeMap<&'a str, Named<'a>>;

/// Room in virtual hosts, given back when this goes. There is one at a time.
pub(super) struct Reserved(Vec<Arc<Vhost>>);

impl Drop for Reserved {
    fn drop(&mut self) {
        for vhost in &self.0 {
            vhost.topology.lock_silently().kept = Counts::default();
        }
    }
}

fn by_vhost(file: &Checked) -> ByVhost<'_> {
    let mut named = ByVhost::default();
    for (one, settings) in &file.exchanges {
        named.entry(&one.vhost).or_default().exchanges.entry(&one.name).or_insert(settings);
    }
    for (one, settings) in &file.queues {
        let named = named.entry(&one.vhost).or_default();
        named.queues.entry(&one.name).or_insert(&settings.arguments);
    }
    for (one, arguments) in &file.bindings {
        let to_queue = one.destination_type.kind() == DestinationKind::Queue;
        let bytes = canonical_arguments(arguments).to_bytes();
        let (source, destination) = (&*one.source, &*one.destination);
        let name = (source, destination, to_queue, &*one.routing_key, bytes);
        named.entry(&one.vhost).or_default().bindings.insert(name, arguments);
    }
    named
}

impl Broker {
    /// Looks for what the entries refer to, among themselves and in the broker.
    pub(super) fn expect_references(&self, file: &Checked) -> Result<(), String> {
        let new_vhosts: BTreeSet<&str> = file.vhosts.iter().map(|one| &*one.name).collect();
        let new_users: BTreeSet<&str> = file.users.iter().map(|one| &*one.name).collect();
        let expect_vhost = |what: &dyn Fn() -> String, vhost: &str| {
            if new_vhosts.contains(vhost) || self.vhosts.contains(vhost) {
                return Ok(());
            }
            Err(format!("{}: there is no vhost '{vhost}'", what()))
        };
        for one in &file.permissions {
            let what = || format!("permission of user '{}' in vhost '{}'", one.user, one.vhost);
            expect_vhost(&what, &one.vhost)?;
            if !new_users.contains(&*one.user) && self.access.user(&one.user).is_none() {
                return Err(format!("{}: there is no user '{}'", what(), one.user));
            }
        }
        for (exchange, _) in &file.exchanges {
            expect_vhost(&|| format!("exchange '{}'", exchange.name), &exchange.vhost)?;
        }
        for (queue, _) in &file.queues {
            expect_vhost(&|| format!("queue '{}'", queue.name), &queue.vhost)?;
        }
        let named = by_vhost(file);
        for (binding, arguments) in &file.bindings {
            expect_vhost(&|| title(binding), &binding.vhost)?;
            self.expect_ends(&named, binding, arguments)?;
        }
        Ok(())
    }

    /// Whether a binding starts and ends at something, and its arguments mean something there.
    fn expect_ends(
        &self,
        named: &ByVhost<'_>,
        binding: &Binding,
        arguments: &Table,
    ) -> Result<(), String> {
        let vhost = self.vhosts.get(&*binding.vhost);
        let new = named.get(&*binding.vhost);
        let exchange = |name: &str| {
            let known = vhost.as_ref().and_then(|vhost| vhost.exchanges.get(name));
            known
                .map(|one| one.settings.kind)
                .or_else(|| new.and_then(|new| new.exchanges.get(name)).map(|one| one.kind))
                // A new virtual host has its predeclared exchanges.
                .or_else(|| super::predeclared_kind(name))
        };
        let queue = |name: &str| {
            vhost.as_ref().is_some_and(|vhost| vhost.queues.contains(name))
                || new.is_some_and(|new| new.queues.contains_key(name))
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

    /// Keeps room for everything that a file makes.
    ///
    /// # Errors
    /// The limit that would be passed.
    pub(super) fn keep_room(&self, file: &Checked) -> Result<Reserved, String> {
        self.expect_room_for_accounts(file)?;
        let mut kept = Reserved(Vec::new());
        for (name, mut named) in by_vhost(file) {
            let limits = &self.config.limits;
            let Some(vhost) = self.vhosts.get(name) else {
                let there = Counts { exchanges: PREDECLARED.len(), ..Counts::default() };
                there.expect_room(named.counts(), limits).map_err(|full| full.text(name))?;
                continue;
            };
            let (all, bytes) = (named.counts(), named.argument_bytes());
            let mut topology = vhost.topology.lock();
            // Mostly there is room for all of it, even if nothing of it were there. Only where there is not, those who declare
            // wait until it is known what is new.
            let has_room = topology.expect_room(&vhost, all, limits).is_ok()
                && vhost.arguments.expect_bytes(bytes, limits).is_ok();
            if has_room {
                topology.kept = all;
            } else {
                named.retain_new(&vhost);
                let new = named.counts();
                topology.expect_room(&vhost, new, limits).map_err(|full| full.text(name))?;
                vhost
                    .arguments
                    .expect_bytes(named.argument_bytes(), limits)
                    .map_err(|full| format!("vhost '{name}': {full}"))?;
                topology.kept = new;
            }
            drop(topology);
            kept.0.push(vhost);
        }
        Ok(kept)
    }

    fn expect_room_for_accounts(&self, file: &Checked) -> Result<(), String> {
        let limits = &self.config.limits;
        let vhosts: BTreeSet<&str> = file.vhosts.iter().map(|one| &*one.name).collect();
        let vhosts = vhosts.iter().filter(|name| !self.vhosts.contains(**name)).count();
        if vhosts > 0 && self.vhosts.len() + vhosts > limits.vhosts_max {
            return Err(format!("virtual host limit ({}) is reached", limits.vhosts_max));
        }
        let users: BTreeSet<&str> = file.users.iter().map(|one| &*one.name).collect();
        self.expect_room_for_users(
            users.iter().filter(|name| self.access.user(name).is_none()).count(),
        )?;
        let permissions = file.permissions.iter().map(|one| (&*one.user, &*one.vhost));
        let permissions: BTreeSet<(&str, &str)> = permissions.collect();
        let is_new = |(user, vhost): &&(&str, &str)| self.permission(user, vhost).is_none();
        self.expect_room_for_permissions(permissions.iter().filter(is_new).count())
    }
}
