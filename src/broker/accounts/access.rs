//! Who may do what: users, their passwords, and permissions per virtual host.

use std::net::IpAddr;
use std::sync::Arc;

pub use crate::broker::accounts::login::{Identity, Login, Verification};
pub use crate::broker::accounts::password::{HashError, hash, import_hash, shown_hash};
pub use crate::broker::accounts::permission::{Action, Permission};

use crate::broker::accounts::failures::{Failures, Most};
use crate::broker::accounts::login::{LoginCache, Shared};
use crate::broker::accounts::turns::Turns;

use crate::broker::meeting::Meet;
use crate::broker::registry::Registry;
use crate::config;
use crate::entropy::Entropy;
use crate::routing::KeyHash;
use crate::store::{PermissionRecord, UserRecord};

/// Users, permissions and remembered logins.
pub struct Access {
    users: Registry<Arc<str>, Arc<UserRecord>>,
    permissions: Registry<(Arc<str>, Arc<str>), Arc<Permission>>,
    shared: Shared,
    loopback_users: Vec<String>,
}

impl Access {
    pub(in crate::broker) fn new(
        config: &config::Access,
        entropy: &dyn Entropy,
        hash: KeyHash,
    ) -> Self {
        let silent = Meet::default();
        Self {
            users: Registry::new(&silent, hash),
            permissions: Registry::new(&silent, hash),
            shared: Shared {
                cache: Arc::new(LoginCache::new(config.login_cache_entries_max, entropy, hash)),
                failures: Failures::new(Most {
                    per_user: config.failed_logins_per_minute_max,
                    per_address: config.failed_logins_per_address_per_minute_max,
                }),
                turns: Turns::new(config.verifications_max, config.logins_waiting_max),
            },
            loopback_users: config.loopback_users.clone(),
        }
    }

    /// Takes over a user, new or changed.
    pub(in crate::broker) fn put_user(&self, user: UserRecord) {
        self.users.insert(Arc::from(user.name.as_str()), Arc::new(user));
    }

    /// Takes a user away, with its permissions. None when there is none.
    pub(in crate::broker) fn remove_user(&self, name: &str) -> Option<Arc<UserRecord>> {
        let user = self.users.remove(name)?;
        for permission in self.permissions.values() {
            let record = permission.record();
            if record.user == name {
                self.remove_permission(name, &record.vhost);
            }
        }
        Some(user)
    }

    /// Takes a user's permissions in one virtual host away; false when there are none.
    pub(in crate::broker) fn remove_permission(&self, user: &str, vhost: &str) -> bool {
        self.permissions.remove(&(Arc::from(user), Arc::from(vhost))).is_some()
    }

    /// How many users there are.
    pub(in crate::broker) fn user_count(&self) -> usize {
        self.users.len()
    }

    /// How many permissions there are.
    pub(in crate::broker) fn permission_count(&self) -> usize {
        self.permissions.len()
    }

    /// The users, by name.
    pub(in crate::broker) fn users(&self) -> Vec<Arc<UserRecord>> {
        let mut users = self.users.values();
        users.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        users
    }

    /// A user.
    pub(in crate::broker) fn user(&self, name: &str) -> Option<Arc<UserRecord>> {
        self.users.get(name)
    }

    /// All permissions, by virtual host and user.
    pub(in crate::broker) fn permissions(&self) -> Vec<PermissionRecord> {
        let mut all: Vec<PermissionRecord> =
            self.permissions.values().iter().map(|one| one.record().clone()).collect();
        all.sort_unstable_by(|one, other| {
            (&one.vhost, &one.user).cmp(&(&other.vhost, &other.user))
        });
        all
    }

    /// Whether a user has this tag.
    pub(in crate::broker) fn has_tag(&self, user: &str, tag: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.tags.iter().any(|one| one == tag))
    }

    /// Takes over a permission, new or changed.
    pub(in crate::broker) fn put_permission(
        &self,
        record: &PermissionRecord,
    ) -> Result<(), regex::Error> {
        let key = (Arc::from(record.user.as_str()), Arc::from(record.vhost.as_str()));
        self.permissions.insert(key, Arc::new(Permission::new(record)?));
        Ok(())
    }

    /// What a user may do in a virtual host, if anything.
    pub(in crate::broker) fn permission(
        &self,
        user: &Arc<str>,
        vhost: &Arc<str>,
    ) -> Option<Arc<Permission>> {
        self.permissions.get(&(Arc::clone(user), Arc::clone(vhost)))
    }

    fn may_come_from(&self, name: &str, peer: IpAddr) -> bool {
        // On a socket for both families a peer of the older one has an address of the newer.
        peer.to_canonical().is_loopback() || self.loopback_users.iter().all(|user| user != name)
    }

    /// Logs in a user whom somebody else vouches for.
    pub(in crate::broker) fn login_vouched(
        &self,
        name: &str,
        peer: IpAddr,
    ) -> Result<Identity, String> {
        if !self.may_come_from(name, peer) {
            return Err(format!("user '{name}' can only connect from this machine"));
        }
        match self.users.get(name) {
            Some(_) => Ok(Identity { user: Arc::from(name) }),
            None => Err(format!("there is no user '{name}'")),
        }
    }

    /// Starts a login. A password that was verified before is recognised at once; another is verified
    /// by [`Verification::run`], which takes its time.
    pub(in crate::broker) fn login(&self, name: &str, password: &[u8], peer: IpAddr) -> Login {
        if password.is_empty() {
            return Login::Refused(format!("user '{name}' gave an empty password"));
        }
        if !self.may_come_from(name, peer) {
            return Login::Refused(format!("user '{name}' can only connect from this machine"));
        }
        let user = self.users.get(name);
        if let Some(user) = &user
            && self.shared.cache.knows(user, password)
        {
            return Login::Welcome(Identity { user: Arc::from(name) });
        }
        Login::Verify(Verification::new(Arc::from(name), user, password, peer, &self.shared))
    }

    /// Lets those try again whose failed logins are long enough ago. Called a few times a second.
    pub(in crate::broker) fn forget_failures(&self, now_ms: u64) {
        self.shared.failures.forget(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn is_refused(user: &str, password: &[u8], peer: &str) -> bool {
        let access = Access::new(&config::Access::default(), &SystemEntropy, KeyHash::new([1, 2]));
        matches!(access.login(user, password, peer.parse().unwrap()), Login::Refused(_))
    }

    #[test]
    fn guest_logs_in_from_this_machine_only() {
        for here in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(!is_refused("guest", b"guest", here), "{here}");
        }
        for there in ["10.0.0.1", "192.168.1.1", "fe80::1", "::ffff:10.0.0.1", "0.0.0.0"] {
            assert!(is_refused("guest", b"guest", there), "{there}");
            assert!(!is_refused("somebody", b"guest", there), "{there}");
        }
    }

    #[test]
    fn an_empty_password_opens_nothing() {
        assert!(is_refused("guest", b"", "127.0.0.1"));
    }
}
