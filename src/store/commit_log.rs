//! The commit log: what decides which groups of operations hold, and in which order. It stands between the inbox and
//! the local log (see `log`), and says when a group comes into that. The committer knows nothing else of how far away
//! the others are that have to agree: on one machine nobody has to, and a group holds as soon as it is on the disk
//! (`local_commit`).
//!
//! # What a replicated one has to keep
//!
//! - Groups are decided in the order in which they were submitted, and what comes behind one that was refused is refused
//!   with it: each append names the sequence that it expects to follow.
//! - Nothing enters the local log before it is committed, so that an owner who was deposed has nothing to undo. What is
//!   lent to it for that, [`Local`], writes and applies at once; a group that is entered again does no harm.
//! - Before it takes the first group it has claimed the shard in a higher epoch, and has followed to the end that this
//!   claim proves.
//! - No answer is no refusal. It reads on until it finds its own group (committed) or a higher claim (fenced); what it
//!   cannot find out is of unknown fate, is confirmed to nobody, and ends the store.
//! - It leaves marks of epoch and sequence in the local log, so that a start follows from there; until then from the
//!   first group that is left.
//! - It never waits in `submit` and `poll`. When an answer comes it wakes the committer through its inbox.
//! - A group that went to others may not be changed any more, so all that could make it senseless is looked at before it
//!   is submitted.

use std::vec;

use super::inbox::Batch;
use super::local::Local;
use super::log::LogError;
use super::operation::Operation;

/// A group is written in runs of about so many bytes, so that a large group's memory is given back as
/// it goes.
const RUN_BYTES: usize = 1 << 20;

/// Numbers the groups of a commit log, from 1 on.
pub(super) type Sequence = u64;

/// What decides about groups of operations.
pub(super) trait CommitLog: Send {
    /// Whether another group may be submitted before more is decided.
    fn has_room(&self) -> bool;

    /// Takes a group, which comes behind all that were submitted before. Returns its number, which is the next. Never
    /// waits.
    ///
    /// # Errors
    /// When nothing more can be taken in. The store is lost then.
    fn submit(&mut self, group: Group) -> Result<Sequence, LogError>;

    /// Does the next thing for what was submitted, or tells of it. Never waits for others.
    ///
    /// # Errors
    /// When nothing more can be known. Everything undecided is of unknown fate then.
    fn poll(&mut self, local: &mut Local) -> Result<Polled, LogError>;

    /// Hands out, in order, what is committed from a group on. Comes before the first `submit`. Returns the number of
    /// the last group.
    fn follow(
        &mut self,
        from: Sequence,
        visit: &mut dyn FnMut(Vec<Operation>) -> Result<(), LogError>,
    ) -> Result<Sequence, LogError>;

    /// The first group that can still be followed, and the last that is committed; the first is behind the last when there
    /// is none.
    fn bounds(&mut self) -> Result<(Sequence, Sequence), LogError>;

    /// The local log holds everything up to this group so that it survives the loss of power, and will not ask for it
    /// again.
    fn trim(&mut self, up_to: Sequence) -> Result<(), LogError>;
}

/// What a commit log did, or came to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Polled {
    /// There is nothing to do, or nothing before an answer comes.
    Nothing,
    /// Something was done that concerns nobody else.
    Worked,
    /// A part of a group came into the local log, and counts for so many bytes in the inbox no more.
    Entered(usize),
    /// All of this group is in the local log. Left out where it is decided in the same moment.
    Written(Sequence),
    /// It is known what became of this group, and of all before it.
    Decided(Sequence, Fate),
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It holds, and is in the local log.
    Committed,
    /// It does not hold and never will, because another has taken over. The text says more.
    #[cfg_attr(not(test), expect(dead_code, reason = "on one machine nobody else can take over"))]
    Lost(String),
    /// Nobody can tell. The text says why.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a write of one's own is never of unknown fate")
    )]
    Unknown(String),
}

/// Operations that are committed together, as they came.
pub(super) struct Group {
    batches: vec::IntoIter<Batch>,
    /// Somebody relies on it: it has to survive the loss of power.
    pub(super) must_be_durable: bool,
}

impl Group {
    /// Of these batches, whose callbacks are not looked at.
    pub(super) fn new(batches: Vec<Batch>, must_be_durable: bool) -> Self {
        Self { batches: batches.into_iter(), must_be_durable }
    }

    /// Takes the next batches off, up to a run's size: their operations, and what they count for in the inbox. Nothing
    /// when there are no more.
    pub(super) fn next_run(&mut self) -> Option<(Vec<Operation>, usize)> {
        let mut run = Vec::new();
        let mut bytes = 0;
        while bytes < RUN_BYTES
            && let Some(batch) = self.batches.next()
        {
            run.extend(batch.operations);
            bytes += batch.bytes;
        }
        (bytes > 0).then_some((run, bytes))
    }
}

#[cfg(test)]
mod tests;
