//! What can go wrong with the store: why it does not open, and the loss of it while it runs.

use std::io;
use std::path::{Path, PathBuf};

use super::newer::Newer;

/// The store can keep no more promises: a write or a sync failed, or it was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store is lost: nothing more becomes durable")]
pub struct Lost;

/// Why a store does not open. Each says in one line how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another store of this one, holds the directory's lock.
    #[error(
        "the data directory {} is in use by another process; stop that one, or choose another directory",
        dir.display()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// The directory cannot be created or written.
    #[error(
        "the data directory {} cannot be written ({source}); give this user the right to write there, or choose another directory",
        dir.display()
    )]
    NotWritable {
        /// The data directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A later version wrote this directory.
    #[error(
        "the data directory {} was written in format {found}, and this version knows formats up to {known}; run the newer version, or choose another directory",
        dir.display()
    )]
    NewerFormat {
        /// The data directory.
        dir: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// A later version wrote a part of this directory. Nothing of it was changed.
    #[error(
        "{} holds {what}; run the version that wrote it, or choose another data directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The part, and which version it is.
        what: String,
    },
    /// The content cannot be understood and cannot be rebuilt.
    #[error("the data directory {} is damaged: {what}; {mend}", dir.display())]
    Corrupt {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong.
        what: String,
        /// What the operator can do.
        mend: String,
    },
    /// The system failed to read or write a file.
    #[error("{} could not be {doing} ({source}); check the disk, then start again", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The action that failed, as a past participle.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Wraps a system error on `path`; `doing` is a past participle, such as "read".
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), doing, source }
    }
}

impl From<Newer> for StoreError {
    fn from(newer: Newer) -> Self {
        let Newer { path, unknown } = newer;
        Self::Newer { path, what: unknown.to_string() }
    }
}
