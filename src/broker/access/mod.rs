//! Who may do what: users, their passwords, and permissions per virtual host.

mod login;
mod password;
mod permission;

use std::net::IpAddr;
use std::sync::Arc;

pub use login::{Identity, Login, Verification};
pub use password::{RABBIT_SHA256_PREFIX, hash};
pub use permission::{Action, Permission};

use login::LoginCache;

use super::registry::Registry;
use crate::config;
use crate::store::{PermissionRecord, UserRecord};

/// Users, permissions and remembered logins.
pub struct Access {
    users: Registry<Arc<str>, Arc<UserRecord>>,
    permissions: Registry<(Arc<str>, Arc<str>), Arc<Permission>>,
    cache: Arc<LoginCache>,
    loopback_users: Vec<String>,
}

impl Access {
    pub(super) fn new(config: &config::Access) -> Self {
        Self {
            users: Registry::default(),
            permissions: Registry::default(),
            cache: Arc::new(LoginCache::new(config.login_cache_entries_max)),
            loopback_users: config.loopback_users.clone(),
        }
    }

    /// Takes over a user, new or changed.
    pub(super) fn put_user(&self, user: UserRecord) {
        self.users.insert(Arc::from(user.name.as_str()), Arc::new(user));
    }

    /// Whether a user has this tag.
    pub(super) fn has_tag(&self, user: &str, tag: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.tags.iter().any(|one| one == tag))
    }

    /// Takes over a permission, new or changed.
    pub(super) fn put_permission(&self, record: &PermissionRecord) -> Result<(), regex::Error> {
        let key = (Arc::from(record.user.as_str()), Arc::from(record.vhost.as_str()));
        self.permissions.insert(key, Arc::new(Permission::new(record)?));
        Ok(())
    }

    /// What a user may do in a virtual host, if anything.
    pub(super) fn permission(&self, user: &Arc<str>, vhost: &Arc<str>) -> Option<Arc<Permission>> {
        self.permissions.get(&(Arc::clone(user), Arc::clone(vhost)))
    }

    /// Starts a login. A password that was verified before is recognised at once; another is verified
    /// by [`Verification::run`], which takes its time.
    pub(super) fn login(&self, name: &str, password: &[u8], peer: IpAddr) -> Login {
        if !peer.is_loopback() && self.loopback_users.iter().any(|user| user == name) {
            return Login::Refused(format!("user '{name}' can only connect from this machine"));
        }
        let user = self.users.get(name);
        if let Some(user) = &user
            && self.cache.knows(user, password)
        {
            return Login::Welcome(Identity { user: Arc::from(name) });
        }
        Login::Verify(Verification::new(name, user, password, Arc::clone(&self.cache)))
    }
}
