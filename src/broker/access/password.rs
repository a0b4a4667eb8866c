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
