//! How the index comes to stand for a later point of the journal, a slice at a time, and the definitions with it.

use std::ops::ControlFlow;
use std::time::Duration;

use super::super::Committer;
use super::{Checkpoint, Phase, Trouble, Turn};
use crate::store::background::JobOutcome;
use crate::store::base::IndexError;
use crate::store::chunk::ChunkKey;
use crate::store::definitions::Draft;
use crate::store::disk::is_full;
use crate::store::index::{Index, Mark, MarkPoint, Occasion};
use crate::store::log::{LogError, LogPosition, Progress};
use crate::store::segment::SEGMENT_HEAD_BYTES;
use crate::store::topology::Keeper;

impl Committer {
    /// Settles what the index will stand for: all that is in the journal by now, save what is not yet carried out.
    pub(super) fn fix_point(&mut self, checkpoint: &mut Checkpoint) -> Result<Turn, Trouble> {
        if self.local.sync()? == Progress::NoRoom {
            return Ok(Turn::Worked);
        }
        self.commit_log.trim(self.entered)?;
        let end = self.local.log.end();
        let deferred_since = self.local.state.ledger.lock().deferred_since();
        let position = deferred_since.map_or(end, |since| since.min(end));
        checkpoint.dead.retain(|segment| *segment < position.segment);
        if self.is_current(checkpoint, position) {
            checkpoint.phase = Phase::Reclaiming(0);
            return Ok(Turn::Worked);
        }
        checkpoint.point = Some(self.mark_point(position));
        checkpoint.bytes = self.local.bytes_unmarked;
        let after = Duration::from_millis(self.options.checkpoint_ms);
        self.local.has_grown = false;
        self.due = (position != end).then(|| self.now.checked_add(after)).flatten();
        self.local.state.ledger.lock().freeze();
        self.local.state.topology.freeze(Keeper::Index);
        if checkpoint.draft.is_none() && self.local.state.topology.is_behind(Keeper::Definitions) {
            checkpoint.draft =
                Some(self.definitions.draft(&mut self.local.state.topology, position));
        }
        let origin = self.origin();
        self.open_index()?.begin(origin)?;
        checkpoint.phase = Phase::Drafting;
        Ok(Turn::Worked)
    }

    fn mark_point(&self, position: LogPosition) -> MarkPoint {
        MarkPoint { position, fingerprint: self.local.log.fingerprint(position.segment) }
    }

    /// The beginning of all, if the journal goes back to it.
    fn origin(&self) -> Option<MarkPoint> {
        let (first, _) = self.local.log.segments().first().copied()?;
        let position = LogPosition { segment: first, offset: SEGMENT_HEAD_BYTES as u64 };
        (first == 1).then(|| self.mark_point(position))
    }

    fn open_index(&mut self) -> Result<&mut Index, IndexError> {
        self.index.as_mut().ok_or_else(IndexError::missing)
    }

    /// Brings some of what only the index has into memory. Returns the chunk to go on from.
    pub(super) fn fetch_some(&mut self, from: ChunkKey) -> Result<Option<ChunkKey>, LogError> {
        let mut ledger = self.local.state.ledger.lock();
        if ledger.has_deferred() {
            ledger.carry_out(self.options.slice.chunks).map_err(LogError::from)?;
            return Ok(Some(from));
        }
        ledger.fetch_some(from, self.options.slice.chunks).map_err(LogError::from)
    }

    /// Moves the index aside, and opens an empty one that is to be given everything.
    pub(super) fn renew_index(&mut self) -> Result<(), IndexError> {
        self.local.state.ledger.lock().detach()?;
        self.local.state.topology.forget_keeper(Keeper::Index);
        self.index = None;
        self.place.move_aside()?;
        let index = Index::open(&*self.place)?;
        self.local.state.ledger.lock().attach(index.chunks());
        self.index = Some(index);
        Ok(())
    }

    /// Puts some definitions together. Breaks when that is all of them.
    pub(super) fn draft_some(
        &mut self,
        draft: &mut Option<Draft>,
    ) -> Result<ControlFlow<()>, LogError> {
        let Some(draft) = draft else { return Ok(ControlFlow::Break(())) };
        let topology = &mut self.local.state.topology;
        let count = draft.extend(topology, self.options.slice.definitions).map_err(|error| {
            LogError::Failed(format!("the definitions cannot be put together: {error}"))
        })?;
        self.counters.note_definitions(count);
        Ok(if count == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Gives the index some definitions. Breaks when it has all.
    pub(super) fn define_some(&mut self) -> Result<ControlFlow<()>, IndexError> {
        let Some(index) = &self.index else { return Err(IndexError::missing()) };
        let lacking =
            self.local.state.topology.take_lacking(Keeper::Index, self.options.slice.definitions);
        let count = lacking.len();
        for (serial, record) in lacking {
            index.write_definition(serial, record)?;
        }
        self.counters.note_definitions(count);
        Ok(if count == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Has the index drop some chunks of deleted queues. Breaks when all are dropped.
    pub(super) fn drop_some(&mut self) -> Result<ControlFlow<()>, IndexError> {
        let ledger = self.local.state.ledger.clone();
        let count_max = self.options.slice.chunks;
        let mut count = 0;
        while count < count_max {
            let Some(queue) = ledger.lock().dropping() else { return Ok(ControlFlow::Break(())) };
            // Written with the ledger's lock free, for those who read meanwhile.
            let (chunks, messages, progress) =
                self.open_index()?.drop_chunks(queue, count_max - count)?;
            ledger.lock().dropped(queue, messages, progress);
            count += chunks + 1;
        }
        self.counters.note_chunks(count);
        Ok(ControlFlow::Continue(()))
    }

    /// Gives the index some chunks. Returns the last that was looked at; nothing when it has all.
    pub(super) fn write_some(
        &mut self,
        after: Option<ChunkKey>,
    ) -> Result<Option<ChunkKey>, IndexError> {
        let ledger = self.local.state.ledger.clone();
        let changes = ledger.lock().changes(after, self.options.slice.chunks);
        self.counters.note_chunks(changes.count);
        // Written with the ledger's lock free, for those who read meanwhile. Nobody else changes it.
        self.open_index()?.write_chunks(&changes)?;
        ledger.lock().changes_kept(&changes);
        Ok(changes.last)
    }

    /// Begins to make durable what the index took in, and the definitions.
    pub(super) fn begin_flush(&mut self, draft: Option<Draft>) -> Result<(), Trouble> {
        let base = self.open_index()?.base();
        let keeping = draft.map(|draft| self.definitions.keeping(draft)).transpose();
        let keeping = keeping.map_err(|error| {
            LogError::Failed(format!("the definitions cannot be put together: {error}"))
        })?;
        self.background.begin(Box::new(move || {
            // The index first: where there are definitions and no index, it has been lost.
            let index = base.flush();
            JobOutcome { index, definitions: keeping.map_or(Ok(()), |keep| keep()) }
        }));
        Ok(())
    }

    /// Once that is durable, writes the mark.
    pub(super) fn flushed(&mut self, checkpoint: &mut Checkpoint) -> Result<Turn, Trouble> {
        let Some(outcome) = self.background.outcome() else { return Ok(Turn::Waiting) };
        match outcome.definitions {
            Ok(()) => {}
            Err(error) => {
                self.local.state.topology.forget_keeper(Keeper::Definitions);
                if is_full(&error) {
                    return Err(Trouble::NoRoom);
                }
                let directory = self.directory.display();
                return Err(Trouble::Log(LogError::Failed(format!(
                    "the definitions in {directory} could not be written: {error}"
                ))));
            }
        }
        outcome.index?;
        let Some(MarkPoint { position, fingerprint }) = checkpoint.point else {
            return Ok(Turn::Done);
        };
        let is_closing = checkpoint.occasion == Occasion::Closing;
        let entries = self.local.state.ledger.lock().indexed();
        let mark = Mark {
            position,
            fingerprint,
            queue_id_max: self.local.state.topology.queue_id_max(),
            entries,
            definitions: self.local.state.topology.held_by(Keeper::Index),
            closed: is_closing && !self.is_in_doubt()?,
            updating: false,
        };
        let index = self.open_index()?;
        index.finish(mark)?;
        let base = index.base();
        self.background
            .begin(Box::new(move || JobOutcome { definitions: Ok(()), index: base.flush() }));
        checkpoint.phase = Phase::Marking;
        Ok(Turn::Worked)
    }

    /// Once the mark is durable, the index stands for what it says.
    pub(super) fn marked(&mut self, checkpoint: &mut Checkpoint) -> Result<Turn, Trouble> {
        let Some(outcome) = self.background.outcome() else { return Ok(Turn::Waiting) };
        outcome.index?;
        self.marked = checkpoint.point.map(|point| point.position);
        self.local.bytes_unmarked -= checkpoint.bytes.min(self.local.bytes_unmarked);
        checkpoint.phase = Phase::Reclaiming(0);
        Ok(Turn::Worked)
    }
}
