//! Start-up: what the store recovered becomes virtual hosts, exchanges, queues, bindings and users again; an
//! empty directory gets its first ones.

use std::sync::Arc;

use crate::broker::accounts::access;
use crate::broker::declaration::binding::add_binding;
use crate::broker::declaration::exchange_declaration;
use crate::broker::meeting::Meeting;
use crate::broker::resource::Resource;
use crate::broker::topology::arguments::{self, DeclaredAs};
use crate::broker::topology::exchange_handle::{ExchangeSettings, Target};
use crate::broker::topology::queue_handle::{Lifetime, QueueRef};
use crate::broker::topology::vhost::Vhost;
use crate::broker::{Broker, OpenError};
use crate::queue::Effects;
use crate::routing::Kind;
use crate::store::{
    BindingRecord, Change, ExchangeRecord, PermissionRecord, QueueRecord, Recovered, StoreError,
    UserRecord, VhostRecord,
};
use crate::wire::{Table, WireError};

/// The virtual host that is there from the start.
pub(in crate::broker) const FIRST_VHOST: &str = "/";

/// The user that is there from the start, and its password. It may log in from the broker's own machine only.
const FIRST_USER: &str = "guest";
const FIRST_PASSWORD: &[u8] = b"guest";
const FIRST_TAGS: &[&str] = &["administrator"];

/// What recovery found, for the start-up log.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Durable exchanges beside the predeclared ones.
    pub exchanges: usize,
    /// Durable queues.
    pub queues: usize,
    /// Durable bindings.
    pub bindings: usize,
    /// Persistent messages, counted once for each queue that has them.
    pub messages: usize,
}

impl Broker {
    /// Gives an empty directory its first virtual host and user.
    pub(in crate::broker) fn found(&self) -> Result<(), OpenError> {
        let hash = access::hash(FIRST_PASSWORD, self.entropy())
            .map_err(|error| OpenError::Setup(error.to_string()))?;
        let user = UserRecord {
            name: FIRST_USER.to_owned(),
            password_hash: hash,
            tags: FIRST_TAGS.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        let everything = ".*".to_owned();
        let permission = PermissionRecord {
            user: FIRST_USER.to_owned(),
            vhost: FIRST_VHOST.to_owned(),
            configure: everything.clone(),
            write: everything.clone(),
            read: everything,
        };
        let vhost = VhostRecord { name: FIRST_VHOST.to_owned() };
        let changes = vec![
            Change::PutVhost(vhost.clone()),
            Change::PutUser(user.clone()),
            Change::PutPermission(permission.clone()),
        ];
        let pending = self.commit(changes);
        self.add_vhost(&vhost.name);
        self.access.put_user(user);
        self.put_permission(&permission);
        self.meet.until(Meeting::Durable, || pending.is_settled());
        pending
            .wait_blocking()
            .map_err(|_| OpenError::Setup("the first user could not be stored".to_owned()))
    }

    /// Makes a virtual host with its predeclared exchanges, unless it is there.
    pub(in crate::broker) fn add_vhost(&self, name: &str) -> Arc<Vhost> {
        if let Some(vhost) = self.vhosts.get(name) {
            return vhost;
        }
        let name: Arc<str> = Arc::from(name);
        let vhost = Arc::new(Vhost::new(Arc::clone(&name), &self.meet, self.memory, self.hash));
        self.predeclare(&vhost);
        self.vhosts.insert(name, Arc::clone(&vhost));
        vhost
    }

    pub(in crate::broker) fn put_permission(&self, record: &PermissionRecord) {
        if let Err(error) = self.access.put_permission(record) {
            let (user, vhost) = (&record.user, &record.vhost);
            log::error!("permission of user '{user}' in vhost '{vhost}' is ignored: {error}");
        }
    }

    /// Puts back everything that the store had.
    pub(in crate::broker) fn restore(
        &self,
        recovered: Recovered,
        now_ms: u64,
    ) -> Result<Census, StoreError> {
        let mut census = Census {
            exchanges: recovered.exchanges.len(),
            queues: recovered.queues.len(),
            bindings: recovered.bindings.len(),
            messages: 0,
        };
        for vhost in &recovered.vhosts {
            self.add_vhost(&vhost.name);
        }
        for user in recovered.users {
            self.access.put_user(user);
        }
        for permission in &recovered.permissions {
            self.put_permission(permission);
        }
        for record in &recovered.exchanges {
            if let Err(why) = self.restore_exchange(record) {
                log::error!("exchange '{}' is not restored: {why}", record.name);
            }
        }
        for record in &recovered.queues {
            match self.restore_queue(record, now_ms) {
                Ok(queue) => census.messages += self.restore_messages(&queue, recovered.clean)?,
                Err(why) => log::error!("queue '{}' is not restored: {why}", record.name),
            }
        }
        for record in &recovered.bindings {
            if let Err(why) = self.restore_binding(record) {
                let (source, destination) = (&record.source, &record.destination);
                log::error!("binding '{source}' to '{destination}' is not restored: {why}");
            }
        }
        Ok(census)
    }

    fn restore_exchange(&self, record: &ExchangeRecord) -> Result<(), String> {
        let vhost = self.restored_vhost(&record.vhost)?;
        let arguments = read_table(&record.arguments)?;
        let name = Resource::exchange(&record.name, &record.vhost);
        let alternate = exchange_declaration::alternate_exchange(&arguments, &name)
            .map_err(|refusal| refusal.text)?;
        let settings = ExchangeSettings {
            kind: record.kind.parse::<Kind>().map_err(|error| error.to_string())?,
            durable: true,
            auto_delete: record.auto_delete,
            internal: record.internal,
            arguments,
            alternate,
        };
        self.new_exchange(&vhost, Arc::from(record.name.as_str()), settings).show();
        Ok(())
    }

    fn restore_queue(&self, record: &QueueRecord, now_ms: u64) -> Result<QueueRef, String> {
        let vhost = self.restored_vhost(&record.vhost)?;
        let arguments = read_table(&record.arguments)?;
        let name = Resource::queue(&record.name, &record.vhost);
        let declared =
            DeclaredAs { durable: true, exclusive: false, auto_delete: record.auto_delete };
        let settings =
            arguments::parse(&arguments, declared, &name).map_err(|refusal| refusal.text)?;
        let lifetime = Lifetime { durable: true, auto_delete: record.auto_delete, owner: None };
        let name = Arc::from(record.name.as_str());
        let queue = self.new_queue(record.id, &vhost, name, lifetime, settings, now_ms);
        queue.show();
        Ok(queue)
    }

    /// Finds out what the store has for a queue. Nothing is read until somebody needs it. After a crash nobody knows
    /// what had been delivered without being acknowledged, so every message says that it may have been.
    fn restore_messages(&self, queue: &QueueRef, clean: bool) -> Result<usize, StoreError> {
        let (surveyed, deadline_ms) = queue.with(&mut Effects::default(), |state, _| {
            let (mut count, mut last) = (0, None);
            self.store.survey(queue.id, &mut |stored| {
                count += 1;
                last = Some(stored.position);
                state.restore(stored);
            })?;
            if let Some(last) = last {
                queue.start_at(last + 1);
                if !clean {
                    state.doubt_through(last);
                }
            }
            Ok(count)
        });
        if let Some(deadline_ms) = deadline_ms {
            self.timers.watch(queue, deadline_ms);
        }
        surveyed
    }

    fn restore_binding(&self, record: &BindingRecord) -> Result<(), String> {
        let vhost = self.restored_vhost(&record.vhost)?;
        let missing = |name: &str| format!("'{name}' is missing");
        let source = vhost.exchanges.get(&*record.source).ok_or_else(|| missing(&record.source))?;
        let destination = Target::find(&vhost, record.destination_kind, &record.destination)
            .ok_or_else(|| missing(&record.destination))?;
        let arguments = read_table(&record.arguments)?;
        let mut topology = vhost.topology.lock();
        add_binding(&mut topology, &source, &record.routing_key, &arguments, destination)
            .map_err(|refusal| refusal.text)
    }

    pub(in crate::broker) fn restored_vhost(&self, name: &str) -> Result<Arc<Vhost>, String> {
        self.vhosts.get(name).ok_or_else(|| format!("vhost '{name}' is missing"))
    }
}

fn read_table(bytes: &[u8]) -> Result<Table, String> {
    Table::parse(bytes).map_err(|error: WireError| error.text)
}
