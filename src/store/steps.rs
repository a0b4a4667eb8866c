//! A store without threads: whoever opens it takes the steps of its committer and its reader, in whichever order.

use std::time::Duration;

use super::committer::Committer;
use super::directory::Directory;
use super::reader::Reader;
use super::step::Step;

/// The committer and the reader of a store that has no threads. Dropping them before both have ended is what a crash is.
pub struct Steps {
    committer: CommitterSteps,
    reader: ReaderSteps,
}

impl Steps {
    pub(super) fn new(committer: Committer, reader: Reader, directory: Directory) -> Self {
        let committer = CommitterSteps { committer, directory };
        Self { committer, reader: ReaderSteps { reader } }
    }

    /// Takes one step of the committer, as of a time since the store was opened, which never goes back.
    pub fn committer(&mut self, now: Duration) -> Step {
        self.committer.step(now)
    }

    /// Takes one step of the reader.
    pub fn reader(&mut self) -> Step {
        self.reader.step()
    }

    /// Both by themselves, for those who let one go on in the middle of a step of the other.
    pub fn split(self) -> (CommitterSteps, ReaderSteps) {
        (self.committer, self.reader)
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}

/// The committer of a store without threads, and the directory's lock.
pub struct CommitterSteps {
    pub(super) committer: Committer,
    pub(super) directory: Directory,
}

impl CommitterSteps {
    /// See [`Steps::committer`].
    pub fn step(&mut self, now: Duration) -> Step {
        self.committer.step(now)
    }
}

impl std::fmt::Debug for CommitterSteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitterSteps").field("at", &self.directory.path()).finish_non_exhaustive()
    }
}

/// The reader of a store without threads.
pub struct ReaderSteps {
    pub(super) reader: Reader,
}

impl ReaderSteps {
    /// See [`Steps::reader`].
    pub fn step(&mut self) -> Step {
        self.reader.step()
    }
}

impl std::fmt::Debug for ReaderSteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReaderSteps")
    }
}
