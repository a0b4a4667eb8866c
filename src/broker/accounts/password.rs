//! Password hashes: argon2 for our own, and the salted SHA-256 that definitions from RabbitMQ bring along.

use argon2::password_hash::{
    Error, Output, ParamsString, PasswordHash, Result as HashResult, Salt, SaltString,
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::entropy::Entropy;

/// Memory and passes of one hash: the variant of the usual recommendation with the least memory, so that
/// a burst of logins stays small.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;
const LANES: u32 = 1;

/// The allocator maps what is larger than 32 MiB by itself and unmaps it at once, and keeps what is smaller for
/// later. The scratch memory of a hash is asked for in this size, of which only what it uses is ever touched, so
/// that the first login does not make the broker larger by it for good.
const MAPPED_BLOCKS: usize = (32 * 1024 + 64) * 1024 / Block::SIZE;

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
/// [`HashError`] when there are no random numbers or the password is longer than argon2 takes.
pub fn hash(password: &[u8], entropy: &dyn Entropy) -> Result<String, HashError> {
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    entropy.fill(&mut salt).map_err(|error| HashError(error.to_string()))?;
    let hashed = SaltString::encode_b64(&salt).and_then(|salt| hash_with(password, salt.as_salt()));
    hashed.map_err(|error| HashError(error.to_string()))
}

fn hash_with(password: &[u8], salt: Salt<'_>) -> HashResult<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params)?,
        salt: Some(salt),
        hash: Some(digest(password, salt, algorithm, version, params)?),
    };
    Ok(hash.to_string())
}

/// The slow hash itself.
fn digest(
    password: &[u8],
    salt: Salt<'_>,
    algorithm: Algorithm,
    version: Version,
    params: Params,
) -> HashResult<Output> {
    let mut salt_bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut salt_bytes)?;
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut scratch = Vec::new();
    let blocks = params.block_count();
    scratch.try_reserve_exact(blocks.max(MAPPED_BLOCKS)).map_err(|_| Error::Crypto)?;
    scratch.resize(blocks, Block::new());
    let argon2 = Argon2::new(algorithm, version, params);
    Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password, salt, out, &mut scratch)?)
    })
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
        .is_ok_and(|hash| verify_own(password, &hash).is_ok_and(|is_right| is_right))
}

fn verify_own(password: &[u8], stored: &PasswordHash<'_>) -> HashResult<bool> {
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else { return Ok(false) };
    let algorithm = Algorithm::try_from(stored.algorithm)?;
    let version = stored.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let params = Params::try_from(stored)?;
    // Two outputs are compared in a time that does not tell where they differ.
    Ok(digest(password, salt, algorithm, version, params)? == expected)
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
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn a_password_is_verified_against_its_hash() {
        let stored = hash(b"secret", &SystemEntropy).unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify(b"secret", &stored));
        assert!(!verify(b"Secret", &stored));
    }

    #[test]
    fn the_library_makes_the_same_of_a_hash() {
        let stored = hash(b"secret", &SystemEntropy).unwrap();
        let parsed = PasswordHash::new(&stored).unwrap();
        assert!(Argon2::default().verify_password(b"secret", &parsed).is_ok());
        let other = "$argon2i$v=16$m=64,t=2,p=2$c29tZXNhbHQ";
        let salt = SaltString::from_b64("c29tZXNhbHQ").unwrap();
        let params = Params::new(64, 2, 2, None).unwrap();
        let made = Argon2::new(Algorithm::Argon2i, Version::V0x10, params);
        let made = made.hash_password(b"secret", &salt).unwrap().to_string();
        assert!(made.starts_with(other));
        assert!(verify(b"secret", &made));
        assert!(!verify(b"secret", other));
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
