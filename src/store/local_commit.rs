//! The commit log of a store that is alone: a group holds when it is in the local log and, if somebody relies on it, on
//! the disk. One group is under way at a time, so that all that comes during a sync is the next one.

use super::commit_log::{CommitLog, Fate, Group, Polled, Sequence};
use super::local::Local;
use super::log::{LogError, Progress};
use super::operation::Operation;

/// Append, then sync.
#[derive(Default)]
pub(super) struct LocalCommit {
    /// The group submitted last.
    last: Sequence,
    group: Option<UnderWay>,
}

/// What is not yet done of a group.
struct UnderWay {
    group: Group,
    /// All of it is in the local log, and that is told.
    is_written: bool,
}

impl CommitLog for LocalCommit {
    fn has_room(&self) -> bool {
        self.group.is_none()
    }

    fn submit(&mut self, group: Group) -> Result<Sequence, LogError> {
        debug_assert!(self.has_room(), "a group was submitted while another is under way");
        self.group = Some(UnderWay { group, is_written: false });
        self.last += 1;
        Ok(self.last)
    }

    fn poll(&mut self, local: &mut Local) -> Result<Polled, LogError> {
        let Some(UnderWay { group, is_written }) = &mut self.group else {
            return Ok(Polled::Nothing);
        };
        if let Some((run, bytes)) = group.next_run() {
            // What finds no room is written before the next call.
            local.enter(run)?;
            return Ok(Polled::Entered(bytes));
        }
        if !*is_written {
            *is_written = true;
            return Ok(Polled::Written(self.last));
        }
        if group.must_be_durable && !local.log.is_synced() {
            return local.sync().map(|_: Progress| Polled::Worked);
        }
        self.group = None;
        Ok(Polled::Decided(self.last, Fate::Committed))
    }

    /// What is committed is in the local log already.
    fn follow(
        &mut self,
        _: Sequence,
        _: &mut dyn FnMut(Vec<Operation>) -> Result<(), LogError>,
    ) -> Result<Sequence, LogError> {
        Ok(self.last)
    }

    fn bounds(&mut self) -> Result<(Sequence, Sequence), LogError> {
        Ok((self.last + 1, self.last))
    }

    /// The local log gives back its segments by itself.
    fn trim(&mut self, _: Sequence) -> Result<(), LogError> {
        Ok(())
    }
}
