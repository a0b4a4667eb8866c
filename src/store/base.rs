//! What the index stands on: an ordered map of small records that survives a stop. Behind a trait, so that a store can
//! live on one that is only simulated; sled is the one that really keeps.

use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::newer::{Undecoded, Unknown};

/// The index cannot be used; the text says why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct IndexError {
    reason: String,
    newer: Option<Unknown>,
}

impl IndexError {
    /// For this reason, in one line.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), newer: None }
    }

    /// What a later version wrote, if that is why.
    pub(super) fn newer(&self) -> Option<Unknown> {
        self.newer
    }

    /// There is none.
    pub(super) fn missing() -> Self {
        Self::new("there is no index")
    }

    /// Index and journal do not belong together.
    pub(super) fn misfit() -> Self {
        Self::new("it does not fit the journal")
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<Undecoded> for IndexError {
    fn from(undecoded: Undecoded) -> Self {
        match undecoded {
            Undecoded::Senseless => Self::new("a record cannot be understood"),
            Undecoded::Unknown(unknown) => {
                Self { reason: format!("it holds {unknown}"), newer: Some(unknown) }
            }
        }
    }
}

/// Takes a key and its value, and says whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered map on the disk. After a crash it holds everything that was flushed, and of the changes since then those
/// up to some point.
pub trait Base: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;

    /// Gives a key a value.
    fn insert(&self, key: &[u8], value: &[u8]) -> Result<(), IndexError>;

    /// Takes a key out, if it is there.
    fn remove(&self, key: &[u8]) -> Result<(), IndexError>;

    /// Visits the keys in a range in order. `visit` does not call back.
    fn scan(&self, keys: RangeInclusive<&[u8]>, visit: Visit<'_>) -> Result<(), IndexError>;

    /// Returns when all changes are on the disk.
    fn flush(&self) -> Result<(), IndexError>;
}

/// The place of the index below the data directory.
pub trait BasePlace: Send {
    /// What is there, or an empty map that is created there.
    fn open(&self) -> Result<Arc<dyn Base>, IndexError>;

    /// Moves what is there out of the way, if there is something. Returns its new name.
    fn move_aside(&self) -> io::Result<Option<PathBuf>>;

    /// Where it is.
    fn path(&self) -> &Path;
}
