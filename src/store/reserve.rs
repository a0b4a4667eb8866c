//! Room that is set aside while there is enough of it: a file that holds nothing. On a full disk it is given up, so that a
//! start, an acknowledgement and a checkpoint can be written, which are what makes room again.
//!
//! How much that is follows from `store.inbox_bytes_max` and from what a checkpoint needs, so it has no key of its own: with
//! less the broker could not get out of a full disk, and more would only be missing elsewhere. How early publishers are
//! stopped, which is what an operator may want to choose, is `alarms.disk_free_bytes_min`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;

/// Beside what may wait in the inbox, this is set aside.
const CHECKPOINT_BYTES: u64 = 8 << 20;

/// Of what is free no more than one part in this many is set aside.
const PART: u64 = 8;

/// Less than this is of no use.
const BYTES_MIN: u64 = 1 << 20;

/// The file that is given up.
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes_max: u64,
    /// What is set aside now.
    bytes: u64,
    /// It was there once, and is to be there again before the disk counts as having room.
    is_missed: bool,
}

impl Reserve {
    /// The one of a data directory, for an inbox of such a size. Nothing is set aside yet, unless it was before.
    pub(super) fn new(disk: Arc<dyn Disk>, directory: &Path, inbox_bytes_max: usize) -> Self {
        let path = directory.join("reserve");
        let bytes = disk.open(&path).and_then(|file| file.bytes()).unwrap_or_default();
        Self {
            disk,
            path,
            bytes_max: inbox_bytes_max as u64 + CHECKPOINT_BYTES,
            bytes,
            is_missed: false,
        }
    }

    /// Whether it was given up and is not there again.
    pub(super) fn is_missed(&self) -> bool {
        self.is_missed
    }

    /// Sets room aside, as much as is sensible with so much free.
    pub(super) fn fill(&mut self, free: u64) {
        let bytes = (free.saturating_add(self.bytes) / PART).min(self.bytes_max);
        // A little more is not worth a change.
        if bytes >= BYTES_MIN && bytes / 2 > self.bytes {
            let _ = self.give_up();
            match self.disk.reserve(&self.path, bytes) {
                Ok(()) => (self.bytes, self.is_missed) = (bytes, false),
                // Where that cannot be done there is none.
                Err(_) => drop(self.disk.remove(&self.path)),
            }
        }
    }

    /// Gives it up; where there is none it is missed from now on.
    pub(super) fn give_up_or_miss(&mut self) {
        self.give_up();
        self.is_missed = true;
    }

    /// Gives it up. Returns whether there was something to give up.
    pub(super) fn give_up(&mut self) -> bool {
        if self.bytes == 0 {
            return false;
        }
        (self.bytes, self.is_missed) = (0, true);
        match self.disk.remove(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}
