//! A store without threads: whoever opens it takes the steps of its committer and its reader, in whichever order.

use std::time::Duration;

use super::committer::Committer;
use super::directory::Directory;
use super::reader::Reader;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// Something was done, and there may be more.
    Worked,
    /// There is something to do, but not now: the disk is full, or failed. To be tried again after a while.
    Waiting,
    /// The store is closed or lost, and there will be nothing more to do.
    Ended,
}

/// The committer and the reader of a store that has no threads. Dropping it before both have ended is what a crash is.
pub struct Steps {
    pub(super) committer: Committer,
    pub(super) reader: Reader,
    /// Holds the directory's lock.
    pub(super) _directory: Directory,
}

impl Steps {
    /// Takes one step of the committer, as of a time since the store was opened, which never goes back.
    pub fn committer(&mut self, now: Duration) -> Step {
        self.committer.step(now)
    }

    /// Takes one step of the reader.
    pub fn reader(&mut self) -> Step {
        self.reader.step()
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}
