//! What is committed, on this machine: the local log, and the state that its records add up to.

use std::sync::Arc;

use super::figures::Counters;
use super::log::{Extent, Log, LogError, Progress, SegmentId};
use super::operation::{Operation, Place};
use super::record::Record;
use super::state::{Reading, State};

/// The local log and the state.
pub(super) struct Local {
    pub(super) log: Box<dyn Log>,
    pub(super) state: State,
    /// Bytes of journal that the index does not cover.
    pub(super) bytes_unmarked: u64,
    /// Something was appended since the committer looked last.
    pub(super) has_grown: bool,
    pub(super) counters: Arc<Counters>,
    /// What was appended and found no room yet. Its effects come when it is written, for nobody could read it before.
    unwritten: Vec<(Vec<Operation>, Vec<Extent>)>,
}

impl Local {
    /// A log with the state of its records, of which the index lacks so many bytes.
    pub(super) fn new(log: Box<dyn Log>, state: State, bytes_unmarked: u64) -> Self {
        let (counters, unwritten) = (Arc::default(), Vec::new());
        Self { log, state, bytes_unmarked, has_grown: false, counters, unwritten }
    }

    /// Appends operations and applies them, now or when there is room for them.
    pub(super) fn enter(&mut self, operations: Vec<Operation>) -> Result<Progress, LogError> {
        let records: Vec<Record<'_>> = operations.iter().map(Record::from).collect();
        let mut extents: Vec<Extent> = Vec::with_capacity(records.len());
        let progress = self.append(&records, &mut extents)?;
        drop(records);
        match progress {
            Progress::Done => self.apply(&operations, &extents)?,
            Progress::NoRoom => self.unwritten.push((operations, extents)),
        }
        Ok(progress)
    }

    /// Appends the positions below which nothing is alive. That changes nothing for those who are alive. Returns the
    /// segment in which they stand.
    pub(super) fn enter_floors(&mut self, floors: &[Place]) -> Result<SegmentId, LogError> {
        let mut extents = Vec::new();
        // What finds no room now is written before the next slice.
        self.append(&[Record::Floors(floors.to_vec())], &mut extents)?;
        Ok(extents.first().map_or(0, |extent| extent.location.segment))
    }

    fn append(
        &mut self,
        records: &[Record<'_>],
        extents: &mut Vec<Extent>,
    ) -> Result<Progress, LogError> {
        if records.is_empty() {
            return Ok(Progress::Done);
        }
        let progress = self.log.append(records, extents)?;
        self.bytes_unmarked += extents.iter().map(|extent| extent.bytes).sum::<u64>();
        self.has_grown = true;
        Counters::add(&self.counters.written, records.len() as u64);
        Ok(progress)
    }

    fn apply(&mut self, operations: &[Operation], extents: &[Extent]) -> Result<(), LogError> {
        for (operation, extent) in operations.iter().zip(extents) {
            let record = Record::from(operation);
            self.state.apply(&record, *extent, Reading::Live)?;
        }
        Ok(())
    }

    /// Writes what found no room before.
    pub(super) fn catch_up(&mut self) -> Result<Progress, LogError> {
        if self.log.write_out()? == Progress::NoRoom {
            return Ok(Progress::NoRoom);
        }
        for (operations, extents) in std::mem::take(&mut self.unwritten) {
            self.apply(&operations, &extents)?;
        }
        Ok(Progress::Done)
    }

    /// Returns when everything appended is on the disk, or found no room there.
    pub(super) fn sync(&mut self) -> Result<Progress, LogError> {
        if !self.log.is_synced() {
            if self.log.sync()? == Progress::NoRoom {
                return Ok(Progress::NoRoom);
            }
            Counters::add(&self.counters.syncs, 1);
        }
        Ok(Progress::Done)
    }
}
