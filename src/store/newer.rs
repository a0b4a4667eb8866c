//! What a later version of Leveret wrote. It is no damage: it is left as it is, and the store does not open, or ends.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

/// A kind or a version that this version of Leveret does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown {
    /// Such as "a record of kind".
    pub(super) what: &'static str,
    /// Which of them, where they are numbered.
    pub(super) number: Option<u32>,
    pub(super) found: u32,
    /// The newest version that this one knows; 0 for a kind of which it knows none.
    pub(super) known: u32,
}

impl Display for Unknown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if let Some(number) = self.number {
            write!(f, " {number}")?;
        }
        write!(f, " in version {}, and this version of Leveret knows ", self.found)?;
        match self.known {
            0 => f.write_str("none of it"),
            known => write!(f, "it up to version {known}"),
        }
    }
}

/// Why bytes whose sum is right cannot be taken for what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// They make no sense: nobody wrote them like this.
    Senseless,
    /// A later version wrote them.
    Unknown(Unknown),
}

impl From<Unknown> for Undecoded {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

/// A file of the data directory holds what a later version wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} holds {unknown}", path.display())]
pub(super) struct Newer {
    pub(super) path: PathBuf,
    pub(super) unknown: Unknown,
}

impl Newer {
    pub(super) fn new(path: &Path, unknown: Unknown) -> Self {
        Self { path: path.to_owned(), unknown }
    }

    /// What an error of reading is about, if it is this.
    pub(super) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Newer> for io::Error {
    fn from(newer: Newer) -> Self {
        Self::new(io::ErrorKind::Unsupported, newer)
    }
}
