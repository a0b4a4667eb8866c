//! Logging in. A verified password is remembered as a keyed hash in memory, so that only the first login
//! pays for the slow hash.

use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::password;
use crate::broker::meeting::Meet;
use crate::broker::registry::Registry;
use crate::entropy::Entropy;
use crate::routing::KeyHash;
use crate::store::UserRecord;

/// A hash that belongs to no password, verified for users that do not exist, so that the time an answer takes
/// does not tell which users do.
const NOBODY: &str = "$argon2id$v=19$m=7168,t=5,p=1$bm9ib2R5bm9ib2R5bm8$\
                      sl1UAsvEcKfYQmXrnaDgxdSaoKzxdK/EDuIYrE1FHxE";

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's name.
    pub user: Arc<str>,
}

/// How a login goes on.
#[derive(Debug)]
pub enum Login {
    /// The password is known to be right.
    Welcome(Identity),
    /// Refused, with the reason for the log.
    Refused(String),
    /// The password has to be verified first.
    Verify(Verification),
}

/// A password to be verified against its slow hash.
pub struct Verification {
    name: Arc<str>,
    user: Option<Arc<UserRecord>>,
    password: Vec<u8>,
    cache: Arc<LoginCache>,
}

impl Verification {
    pub(super) fn new(
        name: &str,
        user: Option<Arc<UserRecord>>,
        password: &[u8],
        cache: Arc<LoginCache>,
    ) -> Self {
        Self { name: Arc::from(name), user, password: password.to_vec(), cache }
    }

    /// Verifies the password. It takes tens of milliseconds and megabytes of memory: not for a thread that others
    /// wait for.
    ///
    /// # Errors
    /// The reason, for the log.
    pub fn run(self) -> Result<Identity, String> {
        let _turn = self.cache.turn.lock();
        let Some(user) = self.user else {
            password::verify(&self.password, NOBODY);
            return Err(format!("there is no user '{}'", self.name));
        };
        if self.cache.knows(&user, &self.password) {
            return Ok(Identity { user: self.name });
        }
        if !password::verify(&self.password, &user.password_hash) {
            return Err(format!("wrong password for user '{}'", self.name));
        }
        self.cache.remember(&user, &self.password);
        Ok(Identity { user: self.name })
    }
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verification").field("name", &self.name).finish_non_exhaustive()
    }
}

type Digest32 = [u8; 32];

/// Passwords that were verified since the broker started, one per user.
pub(super) struct LoginCache {
    key: Digest32,
    entries_max: usize,
    /// Held while a password is verified: verifications take memory, so they take turns.
    turn: Mutex<()>,
    verified: Registry<String, Digest32>,
}

impl LoginCache {
    pub(super) fn new(entries_max: usize, entropy: &dyn Entropy, hash: KeyHash) -> Self {
        let mut key = Digest32::default();
        // Without random numbers there is no key that could be trusted: remember nothing.
        let entries_max = if entropy.fill(&mut key).is_ok() { entries_max } else { 0 };
        let verified = Registry::new(&Meet::default(), hash);
        Self { key, entries_max, turn: Mutex::default(), verified }
    }

    /// Whether this is the password that was verified last for this user. A changed password has another stored
    /// hash, which is part of what is compared.
    pub(super) fn knows(&self, user: &UserRecord, password: &[u8]) -> bool {
        self.verified
            .get(&user.name)
            .is_some_and(|digest| password::same(&digest, &self.digest(user, password)))
    }

    fn remember(&self, user: &UserRecord, password: &[u8]) {
        if self.entries_max == 0 {
            return;
        }
        if self.verified.len() >= self.entries_max && !self.verified.contains(&user.name) {
            self.verified.clear();
        }
        self.verified.insert(user.name.clone(), self.digest(user, password));
    }

    /// HMAC-like: the key stands on both sides, so lengths cannot be extended.
    fn digest(&self, user: &UserRecord, password: &[u8]) -> Digest32 {
        let inner = Sha256::new()
            .chain_update(self.key)
            .chain_update((user.password_hash.len() as u64).to_be_bytes())
            .chain_update(&user.password_hash)
            .chain_update(password)
            .finalize();
        Sha256::new().chain_update(self.key).chain_update(inner).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn user(password: &str) -> Arc<UserRecord> {
        Arc::new(UserRecord {
            name: "u".to_owned(),
            password_hash: password::hash(password.as_bytes(), &SystemEntropy).unwrap(),
            tags: Vec::new(),
        })
    }

    #[test]
    fn a_verified_password_is_recognised_and_another_is_not() {
        let cache = Arc::new(LoginCache::new(2, &SystemEntropy, KeyHash::new([1, 2])));
        let user = user("secret");
        assert!(!cache.knows(&user, b"secret"));
        let verification =
            Verification::new("u", Some(Arc::clone(&user)), b"secret", Arc::clone(&cache));
        assert!(verification.run().is_ok());
        assert!(cache.knows(&user, b"secret"));
        assert!(!cache.knows(&user, b"other"));
    }

    #[test]
    fn a_changed_password_is_verified_anew() {
        let cache = Arc::new(LoginCache::new(2, &SystemEntropy, KeyHash::new([1, 2])));
        let before = user("secret");
        cache.remember(&before, b"secret");
        assert!(!cache.knows(&user("changed"), b"secret"));
    }

    #[test]
    fn an_unknown_user_is_refused_after_the_same_work() {
        let cache = Arc::new(LoginCache::new(2, &SystemEntropy, KeyHash::new([1, 2])));
        let verification = Verification::new("nobody", None, b"x", cache);
        assert_eq!(verification.run(), Err("there is no user 'nobody'".to_owned()));
        assert!(argon2::password_hash::PasswordHash::new(NOBODY).is_ok());
    }
}
