//! The data directory itself: who may use it (the lock), how it is written (the format version), and
//! files that are replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::failure::StoreError;

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Nothing was stored here before.
    pub(super) is_new: bool,
    /// What was repaired.
    pub(super) notes: Vec<String>,
    /// Holding it open holds the lock.
    _lock: File,
}

impl Directory {
    /// Creates the directory where it is missing, locks it, and checks its format.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let not_writable = |source| StoreError::NotWritable { dir: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(not_writable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(not_writable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(StoreError::InUse { dir: path.to_owned() });
            }
            Err(error) => return Err(not_writable(error.into())),
        }
        let journal = path.join("journal");
        let had_journal = journal.exists();
        let mut notes = Vec::new();
        let is_new = match read_format(path)? {
            Some(FORMAT) => false,
            Some(found) => {
                let dir = path.to_owned();
                return Err(StoreError::NewerFormat { dir, found, known: FORMAT });
            }
            None => {
                replace_file(path, "format", format!("{FORMAT}\n").as_bytes())
                    .map_err(not_writable)?;
                if had_journal {
                    notes.push("the file `format` was missing: written anew".to_owned());
                }
                !had_journal
            }
        };
        if !had_journal {
            DirBuilder::new().mode(0o700).create(&journal).map_err(not_writable)?;
            sync_directory(path).map_err(not_writable)?;
            if !is_new {
                notes.push("the directory `journal` was missing: its records are lost".to_owned());
            }
        }
        Ok(Self { path: path.to_owned(), is_new, notes, _lock: lock })
    }

    /// The data directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn read_format(directory: &Path) -> Result<Option<u32>, StoreError> {
    let path = directory.join("format");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(StoreError::io(&path, "read")(error)),
    };
    match text.trim().parse() {
        Ok(0) | Err(_) => Err(StoreError::Corrupt {
            dir: directory.to_owned(),
            what: "the file `format` does not hold a version number".to_owned(),
            mend: format!("write {FORMAT} into it if this version wrote the directory"),
        }),
        Ok(format) => Ok(Some(format)),
    }
}

/// Replaces a file so that after a crash either the old content is there or the new.
pub(super) fn replace_file(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}.new"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(name))?;
    sync_directory(directory)
}

/// Makes the directory's own entries durable: files created, renamed, or removed in it.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
