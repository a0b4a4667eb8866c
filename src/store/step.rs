//! A step: what the committer and the reader do at a time.

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
