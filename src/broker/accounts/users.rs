//! Users and permissions while the broker runs: each change is in force at once, and durable when its `Pending` says
//! so.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::accounts::access::Permission;
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::config::Limits;
use crate::store::{Change, PermissionRecord, UserRecord};
use crate::wire::SHORTSTR_BYTES_MAX;

/// Whether a change made something or replaced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there before.
    New,
    /// It was there, and has changed.
    Changed,
}

impl Broker {
    /// The users, by name.
    pub fn users(&self) -> Vec<Arc<UserRecord>> {
        self.access.users()
    }

    /// A user.
    pub fn user(&self, name: &str) -> Option<Arc<UserRecord>> {
        self.access.user(name)
    }

    /// Makes or changes a user. An open connection goes on with what it was let in with.
    ///
    /// # Errors
    /// When its name or tags cannot be so, or there are as many users as may be; in one line.
    pub fn put_user(&self, user: UserRecord) -> Result<(Put, Pending), String> {
        check_user(&user, &self.config.limits)?;
        let _order = self.accounts.lock();
        let put = if self.access.user(&user.name).is_some() { Put::Changed } else { Put::New };
        self.expect_room_for_users(usize::from(put == Put::New))?;
        let pending = self.commit(vec![Change::PutUser(user.clone())]);
        self.access.put_user(user);
        Ok((put, pending))
    }

    /// Whether there may be so many users more.
    pub(in crate::broker) fn expect_room_for_users(&self, more: usize) -> Result<(), String> {
        let limit = self.config.limits.users_max;
        if more > 0 && self.access.user_count() + more > limit {
            return Err(format!("user limit ({limit}) is reached"));
        }
        Ok(())
    }

    /// Whether there may be so many permissions more.
    pub(in crate::broker) fn expect_room_for_permissions(&self, more: usize) -> Result<(), String> {
        let limit = self.config.limits.permissions_max;
        if more > 0 && self.access.permission_count() + more > limit {
            return Err(format!("permission limit ({limit}) is reached"));
        }
        Ok(())
    }

    /// Deletes a user with its permissions and closes its connections. None when there is no such user.
    pub fn delete_user(&self, name: &str) -> Option<Pending> {
        let order = self.accounts.lock();
        self.access.remove_user(name)?;
        let pending = self.commit(vec![Change::DeleteUser { name: name.to_owned() }]);
        drop(order);
        let text = format!("user '{name}' was deleted");
        for client in self.clients.values().iter().filter(|client| **client.user() == *name) {
            client.close(Refusal::forced(text.clone()));
        }
        Some(pending)
    }

    /// All permissions, by virtual host and user.
    pub fn permissions(&self) -> Vec<PermissionRecord> {
        self.access.permissions()
    }

    /// A user's permissions in a virtual host.
    pub fn permission(&self, user: &str, vhost: &str) -> Option<PermissionRecord> {
        let permission = self.access.permission(&Arc::from(user), &Arc::from(vhost))?;
        Some(permission.record().clone())
    }

    /// Grants or changes a user's permissions in a virtual host. None when one of the two does not exist.
    ///
    /// # Errors
    /// When a pattern is not a regular expression: which, and why.
    pub fn set_permission(
        &self,
        record: PermissionRecord,
    ) -> Result<Option<(Put, Pending)>, String> {
        Permission::new(&record).map_err(|error| pattern_fault(&record, &error))?;
        let _order = self.accounts.lock();
        if self.access.user(&record.user).is_none() || !self.vhosts.contains(&*record.vhost) {
            return Ok(None);
        }
        let known = self.permission(&record.user, &record.vhost).is_some();
        self.expect_room_for_permissions(usize::from(!known))?;
        let pending = self.commit(vec![Change::PutPermission(record.clone())]);
        self.put_permission(&record);
        Ok(Some((if known { Put::Changed } else { Put::New }, pending)))
    }

    /// Takes a user's permissions in a virtual host away. None when there are none.
    pub fn clear_permission(&self, user: &str, vhost: &str) -> Option<Pending> {
        let _order = self.accounts.lock();
        if !self.access.remove_permission(user, vhost) {
            return None;
        }
        let (user, vhost) = (user.to_owned(), vhost.to_owned());
        Some(self.commit(vec![Change::DeletePermission { user, vhost }]))
    }
}

/// Whether a user can be like this.
///
/// # Errors
/// One line that says why not.
pub(in crate::broker) fn check_user(user: &UserRecord, limits: &Limits) -> Result<(), String> {
    if user.name.is_empty() || user.name.len() > SHORTSTR_BYTES_MAX {
        return Err(format!("a user's name has 1 to {SHORTSTR_BYTES_MAX} bytes"));
    }
    if user.tags.len() > limits.tags_per_user_max {
        let most = limits.tags_per_user_max;
        return Err(format!("user '{}' has more than {most} tags", user.name));
    }
    if user.tags.iter().any(|tag| tag.len() > SHORTSTR_BYTES_MAX) {
        return Err(format!("a tag has at most {SHORTSTR_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// Which of the three patterns is none, in one line.
pub(in crate::broker) fn pattern_fault(record: &PermissionRecord, error: &regex::Error) -> String {
    let patterns =
        [("configure", &record.configure), ("write", &record.write), ("read", &record.read)];
    let broken = patterns.iter().find(|(_, pattern)| regex::Regex::new(pattern).is_err());
    let why = error.to_string();
    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
    match broken {
        Some((name, pattern)) => {
            format!("the {name} pattern '{pattern}' is not a regular expression: {why}")
        }
        None => why.to_owned(),
    }
}
