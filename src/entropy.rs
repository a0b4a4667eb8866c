//! Random numbers: where those who need some get them from. The system's are one source; another may be given, so that
//! what a broker does can be repeated.

use std::io;

/// A source of random numbers.
pub trait Entropy: Send + Sync {
    /// Fills the bytes with what nobody can guess.
    ///
    /// # Errors
    /// When the source has none to give.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
    }
}
