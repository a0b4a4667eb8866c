//! Password hashes: argon2 for our own, and the salted SHA-256 that definitions from RabbitMQ bring along.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Memory and passes of one hash: the variant of the usual recommendation with the least memory, so that
/// a burst of logins stays small.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;

/// What RabbitMQ's hashes look like here: this prefix, then base64 of a 4-byte salt and the SHA-256 of salt and
/// password.
pub const RABBIT_SHA256_PREFIX: &str = "rabbit-sha256:";

/// Bytes of the salt in RabbitMQ's hashes.
const RABBIT_SALT_BYTES: usize = 4;

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashError(String);

/// Hashes a password with a new salt.
///
/// # Errors
/// [`HashError`] when the system gives no random numbers or the password is longer than argon2 takes.
pub fn hash(password: &[u8]) -> Result<String, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|error| HashError(error.to_string()))?;
    let salt = SaltString::generate(&mut OsRng);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password, &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| HashError(error.to_string()))
}

/// What RabbitMQ calls its hash.
const RABBIT_ALGORITHM: &str = "rabbit_password_hashing_sha256";

/// What ours is called where RabbitMQ would name one of its own. RabbitMQ takes such a user over, and lets it log in
/// once it was given a new password.
const OWN_ALGORITHM: &str = "leveret_password_hashing_argon2id";

/// How an argon2 hash begins.
const OWN_PREFIX: &str = "$argon2";

/// A stored hash as definitions write it: in base64, and the name of its algorithm.
pub fn shown_hash(stored: &str) -> (String, &'static str) {
    match stored.strip_prefix(RABBIT_SHA256_PREFIX) {
        Some(encoded) => (encoded.to_owned(), RABBIT_ALGORITHM),
        None if stored.is_empty() => (String::new(), RABBIT_ALGORITHM),
        None => (STANDARD.encode(stored), OWN_ALGORITHM),
    }
}

/// A hash from definitions as it is stored.
///
/// # Errors
/// One line about what is wrong with it.
pub fn import_hash(encoded: &str, algorithm: Option<&str>) -> Result<String, String> {
    let not_base64 = || format!("password_hash '{encoded}' is not base64");
    match algorithm.unwrap_or(RABBIT_ALGORITHM) {
        RABBIT_ALGORITHM => {
            let bytes = STANDARD.decode(encoded).map_err(|_| not_base64())?;
            if bytes.is_empty() {
                return Ok(String::new());
            }
            if bytes.len() != RABBIT_SALT_BYTES + Sha256::output_size() {
                return Err("password_hash has not the length of a salted SHA-256".to_owned());
            }
            Ok(format!("{RABBIT_SHA256_PREFIX}{encoded}"))
        }
        OWN_ALGORITHM => {
            let bytes = STANDARD.decode(encoded).map_err(|_| not_base64())?;
            let stored = String::from_utf8(bytes).map_err(|_| not_base64())?;
            if !stored.starts_with(OWN_PREFIX) || PasswordHash::new(&stored).is_err() {
                return Err("password_hash is not an argon2 hash".to_owned());
            }
            Ok(stored)
        }
        _ => Err(format!("hashing_algorithm must be {RABBIT_ALGORITHM} or {OWN_ALGORITHM}")),
    }
}

/// Whether a password belongs to a stored hash. Slow by design for argon2.
pub(super) fn verify(password: &[u8], stored: &str) -> bool {
    if let Some(encoded) = stored.strip_prefix(RABBIT_SHA256_PREFIX) {
        return verify_rabbit(password, encoded);
    }
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

fn verify_rabbit(password: &[u8], encoded: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(encoded) else { return false };
    if bytes.len() != RABBIT_SALT_BYTES + Sha256::output_size() {
        return false;
    }
    let (salt, expected) = bytes.split_at(RABBIT_SALT_BYTES);
    let digest = Sha256::new().chain_update(salt).chain_update(password).finalize();
    same(&digest, expected)
}

/// Compares in a time that does not tell where the first difference is.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |sum, (one, other)| sum | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_against_its_hash() {
        let stored = hash(b"secret").unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify(b"secret", &stored));
        assert!(!verify(b"Secret", &stored));
    }

    #[test]
    fn a_hash_from_rabbitmq_is_understood() {
        let salt = [0x90, 0x8d, 0xc6, 0x0a];
        let mut bytes = salt.to_vec();
        bytes.extend(Sha256::new().chain_update(salt).chain_update(b"test12").finalize());
        let stored = format!("{RABBIT_SHA256_PREFIX}{}", STANDARD.encode(bytes));
        assert!(verify(b"test12", &stored));
        assert!(!verify(b"test13", &stored));
        assert!(!verify(b"test12", RABBIT_SHA256_PREFIX));
    }

    #[test]
    fn a_broken_hash_verifies_nothing() {
        assert!(!verify(b"", ""));
        assert!(!verify(b"x", "$argon2id$broken"));
    }
}
