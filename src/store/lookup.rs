//! Single records of the journal, looked up by where they stand, beside whoever appends to it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::Disk;
use super::log::{Location, LogReader, SegmentId, Unreadable};
use super::record::Record;
use super::segment::{SegmentReader, open_segment};

/// The segments of a journal, of which one at a time is open.
pub(super) struct Lookup {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    /// The segment read last, kept open for what follows.
    open: Option<(SegmentId, SegmentReader)>,
}

impl Lookup {
    /// Looks for segments in a directory.
    pub(super) fn new(directory: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { directory, disk, open: None }
    }

    /// Opens a segment, unless it is open or not there.
    fn open(&mut self, segment: SegmentId) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(id, _)| *id != segment) {
            // One that cannot be opened must not be taken for the one before.
            self.open = None;
            let opened = open_segment(&*self.disk, &self.directory, segment)?;
            self.open = opened.map(|reader| (segment, reader));
        }
        Ok(())
    }
}

impl LogReader for Lookup {
    fn find(&mut self, location: Location) -> io::Result<Result<Record<'_>, Unreadable>> {
        self.open(location.segment)?;
        match &mut self.open {
            Some((_, reader)) => reader.find(location.offset),
            None => Ok(Err(Unreadable::Missing)),
        }
    }

    fn rest(&mut self) {
        self.open = None;
    }
}
