//! The edge between the store and the ordered log beneath it, which is this machine's own: the journal implements it on
//! local files. What has to agree with others stands above it (see `commit_log`). Nothing above the store sees it.

use std::io;

use super::base::IndexError;
use super::newer::Newer;
use super::record::Record;

/// Numbers a segment of the log: a part that is reclaimed as a whole. The first is 1.
pub(super) type SegmentId = u32;

/// A point between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogPosition {
    pub(super) segment: SegmentId,
    /// Bytes from the segment's start.
    pub(super) offset: u64,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) segment: SegmentId,
    /// Bytes from the segment's start.
    pub(super) offset: u32,
}

/// A record that was appended: where it stands and how many bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) location: Location,
    pub(super) bytes: u64,
}

/// Whether the disk had room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is done.
    Done,
    /// The disk is full: what is missing is to be tried again.
    NoRoom,
}

/// Why a record could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Its segment is not there, or ends before it.
    Missing,
    /// It is there, and its sum is wrong.
    Damaged,
}

/// What `replay` met on its way.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// Bytes of records that were handed out.
    pub(super) bytes: u64,
    /// What was repaired and how, one line each.
    pub(super) notes: Vec<String>,
    /// More than a torn tail was found: records that others rely on may be missing.
    pub(super) is_damaged: bool,
}

/// The log can take no more.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum LogError {
    /// The text says why.
    #[error("{0}")]
    Failed(String),
    /// A later version wrote a part of it.
    #[error(transparent)]
    Newer(Newer),
}

impl From<IndexError> for LogError {
    /// The index fails where it is needed: the next start builds it anew.
    fn from(error: IndexError) -> Self {
        Self::Failed(format!("the index cannot be used: {error}"))
    }
}

/// An ordered log of records.
///
/// Records are applied idempotently by (queue, position), so a log may hand a record out again after a
/// failure.
pub(super) trait Log: Send {
    /// Appends a batch in order and says where each record stands. What finds no room is kept, to be written before
    /// anything else; until it is, nobody can read these records. After an error the log is lost for good.
    fn append(
        &mut self,
        batch: &[Record<'_>],
        extents: &mut Vec<Extent>,
    ) -> Result<Progress, LogError>;

    /// Writes what found no room so far.
    fn write_out(&mut self) -> Result<Progress, LogError>;

    /// Returns when the records, and all before them, survive the loss of power. What was only appended survives the end
    /// of this process.
    fn sync(&mut self) -> Result<Progress, LogError>;

    /// Nothing was appended since `sync` last returned.
    fn is_synced(&self) -> bool;

    /// Hands out every readable record from `from` to the end, and makes the log ready for `append`.
    fn replay(
        &mut self,
        from: LogPosition,
        visit: &mut dyn FnMut(Extent, Record<'_>),
    ) -> Result<Replayed, LogError>;

    /// Reads single records; quickest when the locations are in order. `visit` gets the place in
    /// `locations`. An error says nothing about the records, and does not lose the log.
    fn read(
        &self,
        locations: &[Location],
        visit: &mut dyn FnMut(usize, Result<Record<'_>, Unreadable>),
    ) -> Result<(), LogError>;

    /// Reads single records from another thread, also those that are appended from now on.
    fn reader(&self) -> Box<dyn LogReader>;

    /// Deletes segments for good. Never the one that is being written.
    fn reclaim(&mut self, segments: &[SegmentId]) -> Result<(), LogError>;

    /// The segments that there are, in order, each with its bytes. The last is being written.
    fn segments(&self) -> Vec<(SegmentId, u64)>;

    /// What tells a segment from one of the same number in another log. Nothing when it is not there.
    fn fingerprint(&self, segment: SegmentId) -> Option<[u8; 4]>;

    /// Where the next record will stand.
    fn end(&self) -> LogPosition;

    /// Why the log can take no more, once that is so.
    fn lost(&self) -> Option<&str>;
}

/// Reads single records of a log, beside whoever appends to it. Best asked in order.
pub(super) trait LogReader: Send {
    /// The record that stands at a location, or what is wrong with it.
    ///
    /// # Errors
    /// When it could not be read, which says nothing about it.
    fn find(&mut self, location: Location) -> io::Result<Result<Record<'_>, Unreadable>>;

    /// Lets go of what is kept open for the next record: a segment that is deleted meanwhile would keep its space.
    fn rest(&mut self);
}
