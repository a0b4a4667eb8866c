//! The data directory itself: who may use it (the lock), and how it is written (the format version).

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, replace_file};
use super::failure::StoreError;
use super::newer::Newer;
use super::segment::{read_head, segment_of, segment_path};

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 2;

/// A data directory that is ours until this is dropped.
pub(super) struct Directory {
    path: PathBuf,
    /// Nothing was stored here before.
    pub(super) is_new: bool,
    /// What was repaired.
    pub(super) notes: Vec<String>,
    /// The earlier format that it has, until it is upgraded.
    older: Option<u32>,
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
        let found = read_format(disk, path)?;
        let is_new = match found {
            Some(..=FORMAT) => false,
            Some(found) => {
                let dir = path.to_owned();
                return Err(StoreError::NewerFormat { dir, found, known: FORMAT });
            }
            None => {
                if had_journal {
                    refuse_newer_segments(disk, &journal)?;
                }
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
        let older = found.filter(|found| *found < FORMAT);
        Ok(Self { path: path.to_owned(), is_new, notes, older, _lock: lock })
    }

    /// Gives a directory of an earlier format the present one. To be called before anything is written that the earlier one
    /// does not have. What is there stays as it is, and is read in its own version until it is written again, so that it
    /// does not matter when the process ends.
    pub(super) fn upgrade(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let Some(older) = self.older else { return Ok(()) };
        let dir = self.path.clone();
        replace_file(disk, &self.path, "format", format!("{FORMAT}\n").as_bytes())
            .map_err(|source| StoreError::NotWritable { dir, source })?;
        let path = self.path.display();
        log::info!("the data directory {path} is upgraded from format {older} to {FORMAT}");
        Ok(())
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

/// Without the directory's own version, those of the segments tell.
fn refuse_newer_segments(disk: &dyn Disk, journal: &Path) -> Result<(), StoreError> {
    let names = disk.list(journal).map_err(StoreError::io(journal, "read"))?;
    for id in names.iter().filter_map(|name| segment_of(name)) {
        if let Err(error) = read_head(disk, &segment_path(journal, id), id)
            && let Some(newer) = Newer::of(&error)
        {
            return Err(newer.clone().into());
        }
    }
    Ok(())
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
