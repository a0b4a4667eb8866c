//! Virtual hosts coming and going while the broker runs.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::accounts::users::Put;
use crate::broker::declaration::removal::Removal;
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::store::{Change, VhostRecord};
use crate::wire::SHORTSTR_BYTES_MAX;

impl Broker {
    /// The names of the virtual hosts, in order.
    pub fn vhost_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> =
            self.vhosts.values().iter().map(|vhost| Arc::clone(&vhost.name)).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is such a virtual host.
    pub fn has_vhost(&self, name: &str) -> bool {
        self.vhosts.contains(name)
    }

    /// Makes a virtual host with its predeclared exchanges, unless it is there.
    ///
    /// # Errors
    /// When the name cannot be one, or there are as many as may be; in one line.
    pub fn create_vhost(&self, name: &str) -> Result<(Put, Pending), String> {
        let _order = self.accounts.lock();
        if self.vhosts.contains(name) {
            return Ok((Put::Changed, Pending::NONE));
        }
        if name.is_empty() || name.len() > SHORTSTR_BYTES_MAX {
            return Err(format!("a virtual host's name has 1 to {SHORTSTR_BYTES_MAX} bytes"));
        }
        let limit = self.config.limits.vhosts_max;
        if self.vhosts.len() >= limit {
            return Err(format!("virtual host limit ({limit}) is reached"));
        }
        let pending = self.commit(vec![Change::PutVhost(VhostRecord { name: name.to_owned() })]);
        self.add_vhost(name);
        Ok((Put::New, pending))
    }

    /// Deletes a virtual host with everything in it and closes its connections. None when there is none.
    pub fn delete_vhost(&self, name: &str, now_ms: u64) -> Option<Pending> {
        let order = self.accounts.lock();
        let vhost = self.vhosts.remove(name)?;
        for permission in self.access.permissions().iter().filter(|one| one.vhost == name) {
            self.access.remove_permission(&permission.user, name);
        }
        // Whoever is under way in it still finds it, and adds nothing to it from here on.
        // In the journal it goes with everything at once.
        let mut topology = vhost.topology.lock();
        topology.gone = true;
        let pending = self.commit(vec![Change::DeleteVhost { name: name.to_owned() }]);
        drop(topology);
        for queue in vhost.queues.values() {
            // One that is gone already is as good as removed.
            let _ = self.remove_queue(&queue, &[], now_ms);
        }
        let mut removal = Removal::of(vhost.exchanges.values());
        while !removal.is_over() {
            // The virtual host's record has taken theirs along.
            removal.slice(&mut vhost.topology.lock(), &mut Vec::new());
        }
        drop(order);
        let text = format!("vhost '{name}' is deleted");
        for client in self.clients.values().iter().filter(|one| **one.vhost_name() == *name) {
            client.close(Refusal::forced(text.clone()));
        }
        Some(pending)
    }
}
