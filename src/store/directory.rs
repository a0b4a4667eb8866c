//! The data directory itself: who may use it (the lock), and how it is written (the format version).

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, replace_file};
use super::failure::StoreError;

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// A data directory that is ours until this is dropped.
pub(super) struct Directory {
    path: PathBuf,
    /// Nothing was stored here before.
    pub(super) is_new: bool,
    /// What was repaired.
    pub(super) notes: Vec<String>,
    _lock: Box<dyn Any + Send>,
}

impl Directory {
    /// Creates the directory where it is missing, locks it, and checks its format.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, StoreError> {
        let not_writable = |source| StoreError::NotWritable { dir: path.to_owned(), source };
        disk.create_directory(path).map_err(not_writable)?;
        let lock = disk.lock(&path.join("lock")).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => StoreError::InUse { dir: path.to_owned() },
            _ => not_writable(error),
        })?;
        let journal = path.join("journal");
        let had_journal = is_there(disk, &journal)?;
        let mut notes = Vec::new();
        let is_new = match read_format(disk, path)? {
            Some(FORMAT) => false,
            Some(found) => {
                let dir = path.to_owned();
                return Err(StoreError::NewerFormat { dir, found, known: FORMAT });
            }
            None => {
                replace_file(disk, path, "format", format!("{FORMAT}\n").as_bytes())
                    .map_err(not_writable)?;
                if had_journal {
                    notes.push("the file `format` was missing: written anew".to_owned());
                }
                !had_journal
            }
        };
        if !had_journal {
            disk.create_directory(&journal).map_err(not_writable)?;
            disk.sync_directory(path).map_err(not_writable)?;
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

fn is_there(disk: &dyn Disk, directory: &Path) -> Result<bool, StoreError> {
    match disk.list(directory) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(directory, "read")(error)),
    }
}

fn read_format(disk: &dyn Disk, directory: &Path) -> Result<Option<u32>, StoreError> {
    let path = directory.join("format");
    let text = match disk.read(&path) {
        Ok(text) => String::from_utf8(text).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
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
