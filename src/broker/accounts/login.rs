//! Logging in. A verified password is remembered as a keyed hash in memory, so that only the first login
//! pays for the slow hash.

use std::net::IpAddr;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::broker::accounts::failures::{Failures, origin};
use crate::broker::accounts::password;
use crate::broker::accounts::turns::{Dropped, Permit, Turns, Waiting};
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
    from: IpAddr,
    cache: Arc<LoginCache>,
    failures: Arc<Failures>,
    /// None where it is refused unseen: too many failed before.
    waiting: Option<Waiting>,
    permit: Option<Result<Permit, Dropped>>,
}

/// What verifications share.
pub(super) struct Shared {
    pub cache: Arc<LoginCache>,
    pub failures: Arc<Failures>,
    pub turns: Arc<Turns>,
}

impl Verification {
    pub(super) fn new(
        name: Arc<str>,
        user: Option<Arc<UserRecord>>,
        password: &[u8],
        from: IpAddr,
        shared: &Shared,
    ) -> Self {
        let from = origin(from);
        let is_refused = shared.failures.are_too_many(from, &name);
        Self {
            user,
            password: password.to_vec(),
            from,
            cache: Arc::clone(&shared.cache),
            failures: Arc::clone(&shared.failures),
            waiting: (!is_refused).then(|| shared.turns.enter(from, &name)),
            permit: None,
            name,
        }
    }

    /// Whether it will be refused unseen, because too many like it failed lately. The answer is to take its time.
    pub fn is_refused(&self) -> bool {
        self.waiting.is_none()
    }

    /// Waits until it may run: some verifications do at once, and addresses and users take turns.
    pub async fn wait_for_turn(&mut self) {
        if let Some(waiting) = &self.waiting {
            self.permit = Some(waiting.turn().await);
        }
    }

    /// Verifies the password. It takes tens of milliseconds and megabytes of memory: not for a thread that others
    /// wait for. The thread is blocked until it may run, where that was not waited for.
    ///
    /// # Errors
    /// The reason, for the log.
    pub fn run(mut self) -> Result<Identity, String> {
        let Some(waiting) = self.waiting else {
            return Err(format!(
                "too many logins of user '{}' or others from there failed lately",
                self.name
            ));
        };
        let permit = self.permit.take().unwrap_or_else(|| waiting.turn_blocking());
        let Ok(_permit) = permit else {
            return Err(format!("too many logins wait before that of user '{}'", self.name));
        };
        let Some(user) = self.user else {
            password::verify(&self.password, NOBODY);
            self.failures.note(self.from, &self.name);
            return Err(format!("there is no user '{}'", self.name));
        };
        if self.cache.knows(&user, &self.password) {
            self.failures.note_success(self.from, &self.name);
            return Ok(Identity { user: self.name });
        }
        if !password::verify(&self.password, &user.password_hash) {
            self.failures.note(self.from, &self.name);
            return Err(format!("wrong password for user '{}'", self.name));
        }
        self.cache.remember(&user, &self.password);
        self.failures.note_success(self.from, &self.name);
        Ok(Identity { user: self.name })
    }
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verification").field("name", &self.name).finish_non_exhaustive()
    }
}

type Digest32 = [u8; 32];

/// A block of SHA-256.
const KEY_BYTES: usize = 64;

/// Passwords that were verified since the broker started, one per user.
pub(super) struct LoginCache {
    keyed: Hmac<Sha256>,
    entries_max: usize,
    verified: Registry<String, Digest32>,
}

impl LoginCache {
    pub(super) fn new(entries_max: usize, entropy: &dyn Entropy, hash: KeyHash) -> Self {
        let mut key = [0; KEY_BYTES];
        // Without random numbers there is no key that could be trusted: remember nothing.
        let entries_max = if entropy.fill(&mut key).is_ok() { entries_max } else { 0 };
        // A key of the length of a block is taken as it is.
        let keyed = Hmac::new(&key.into());
        let verified = Registry::new(&Meet::default(), hash);
        Self { keyed, entries_max, verified }
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

    fn digest(&self, user: &UserRecord, password: &[u8]) -> Digest32 {
        self.keyed
            .clone()
            .chain_update((user.password_hash.len() as u64).to_be_bytes())
            .chain_update(&user.password_hash)
            .chain_update(password)
            .finalize()
            .into_bytes()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::failures::Most;
    use super::*;
    use crate::entropy::SystemEntropy;

    fn user(password: &str) -> Arc<UserRecord> {
        Arc::new(UserRecord {
            name: "u".to_owned(),
            password_hash: password::hash(password.as_bytes(), &SystemEntropy).unwrap(),
            tags: Vec::new(),
        })
    }

    fn shared() -> Shared {
        Shared {
            cache: Arc::new(LoginCache::new(2, &SystemEntropy, KeyHash::new([1, 2]))),
            failures: Failures::new(Most { per_user: 2, per_address: 10 }),
            turns: Turns::new(1, 10),
        }
    }

    fn verification(
        user: Option<&Arc<UserRecord>>,
        password: &[u8],
        shared: &Shared,
    ) -> Verification {
        let name = user.map_or("nobody", |user| user.name.as_str());
        let from = IpAddr::from([127, 0, 0, 1]);
        Verification::new(Arc::from(name), user.cloned(), password, from, shared)
    }

    #[test]
    fn a_verified_password_is_recognised_and_another_is_not() {
        let (shared, user) = (shared(), user("secret"));
        let cache = &shared.cache;
        assert!(!cache.knows(&user, b"secret"));
        assert!(verification(Some(&user), b"secret", &shared).run().is_ok());
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
        assert_eq!(
            verification(None, b"x", &shared()).run(),
            Err("there is no user 'nobody'".to_owned())
        );
        assert!(argon2::password_hash::PasswordHash::new(NOBODY).is_ok());
    }

    #[test]
    fn after_too_many_failures_a_login_is_refused_unseen() {
        let (shared, user) = (shared(), user("secret"));
        for _ in 0..2 {
            let login = verification(Some(&user), b"guess", &shared);
            assert!(!login.is_refused());
            assert_eq!(login.run(), Err("wrong password for user 'u'".to_owned()));
        }
        let login = verification(Some(&user), b"secret", &shared);
        assert!(login.is_refused());
        assert!(login.run().unwrap_err().contains("too many logins of user 'u'"));
        assert!(!verification(None, b"secret", &shared).is_refused());
    }
}
