//! Checkpoints: the index is brought up to date, the topology is saved, and segments that hold nothing
//! alive are deleted. Where a segment is mostly dead, its survivors are first copied to the journal's
//! end.
//!
//! A checkpoint is done in slices, with groups between them, so that nobody waits for longer than a slice. What a slice
//! may do has limits, by chunks, bytes, definitions and queues. What blocks for as long as the disk takes is a background job (see
//! `background`). `index` says why what comes between the slices does no harm.

mod copying;
mod marking;

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use self::copying::Copying;
use super::super::base::IndexError;
use super::super::chunk::ChunkKey;
use super::super::definitions::Draft;
use super::super::figures::Counters;
use super::super::index::{Index, MarkPoint, Occasion};
use super::super::log::{LogError, LogPosition, Progress, SegmentId};
use super::super::operation::{Place, QueueId};
use super::Committer;

/// A checkpoint under way.
pub(crate) struct Checkpoint {
    occasion: Occasion,
    phase: Phase,
    /// Segments that hold nothing alive, in order.
    dead: Vec<SegmentId>,
    /// What the definitions on the disk lack.
    draft: Option<Draft>,
    /// What the index will stand for.
    point: Option<MarkPoint>,
    /// Bytes of journal that the index will have come to cover.
    bytes: u64,
    /// The mark is to be written even where nothing has changed.
    is_forced: bool,
    /// The index has failed once, and another is being given everything.
    is_rebuilding: bool,
}

/// What is done, in this order.
enum Phase {
    /// Survivors are appended again.
    Copying(Copying),
    /// Floors of these queues are appended.
    Floors(Vec<QueueId>),
    /// All that was appended is made durable, and what has changed by then is what the index takes in.
    FixingPoint,
    /// The index has failed: what only it has is brought into memory, from this chunk on.
    Fetching(ChunkKey),
    /// Definitions are put together to be saved.
    Drafting,
    /// The index takes in definitions.
    Defining,
    /// The index drops what it has of deleted queues.
    Dropping,
    /// The index takes in chunks, from behind this one on.
    Writing(Option<ChunkKey>),
    /// A background job makes durable what the index took in, and the definitions.
    Flushing,
    /// A background job makes the mark durable.
    Marking,
    /// Dead segments are deleted, from this one on.
    Reclaiming(usize),
}

/// What a slice came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is more to do.
    Worked,
    /// There is more to do when a background job has ended.
    Waiting,
    /// That was the last.
    Done,
}

/// Why a slice could not be done.
enum Trouble {
    Log(LogError),
    Index(IndexError),
    /// The disk is full, or cannot be read for now. To be tried again, from the beginning.
    NoRoom,
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<IndexError> for Trouble {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl Committer {
    /// Takes a whole checkpoint at once. Stops where the disk has no room, to be gone on with.
    pub(crate) fn checkpoint(&mut self) -> Result<Progress, LogError> {
        self.begin_checkpoint(Occasion::Running);
        self.complete()
    }

    /// Takes back that the last stop was in good order: from now on messages are delivered, of which the journal
    /// says nothing.
    pub(crate) fn begin(&mut self) -> Result<Progress, LogError> {
        let mut checkpoint = Checkpoint::new(Occasion::Running, Phase::FixingPoint);
        checkpoint.is_forced = true;
        self.checkpoint = Some(checkpoint);
        self.complete()
    }

    /// Begins a checkpoint: to go on with, or to leave the store so that the next start has nothing to replay.
    pub(super) fn begin_checkpoint(&mut self, occasion: Occasion) {
        let copying = Copying::from(match occasion {
            Occasion::Running => self.sources(),
            Occasion::Closing => Vec::new(),
        });
        self.counters.checkpoints_under_way.store(1, Ordering::Relaxed);
        self.checkpoint = Some(Checkpoint::new(occasion, Phase::Copying(copying)));
    }

    fn complete(&mut self) -> Result<Progress, LogError> {
        loop {
            if self.catch_up()? == Progress::NoRoom {
                return Ok(Progress::NoRoom);
            }
            match self.advance()? {
                Turn::Worked => {}
                Turn::Waiting => self.background.wait(),
                Turn::Done => return Ok(Progress::Done),
            }
        }
    }

    /// Does the next slice of the checkpoint under way.
    pub(super) fn advance(&mut self) -> Result<Turn, LogError> {
        let Some(mut checkpoint) = self.checkpoint.take() else { return Ok(Turn::Done) };
        let slice = match self.slice_of(&mut checkpoint) {
            Ok(slice) => slice,
            Err(Trouble::Index(error)) if !checkpoint.is_rebuilding => {
                log::error!("the index could not be written and is built anew: {error}");
                checkpoint.is_rebuilding = true;
                checkpoint.phase = Phase::Fetching((0, 0));
                Turn::Worked
            }
            Err(Trouble::Index(error)) => {
                let path = self.place.path().display();
                return Err(LogError::Failed(format!(
                    "the index in {path} could not be written: {error}"
                )));
            }
            Err(Trouble::Log(error)) => return Err(error),
            Err(Trouble::NoRoom) => {
                // What the index took in so far does no harm.
                self.put_off();
                self.due = Some(self.now);
                Turn::Done
            }
        };
        if slice != Turn::Waiting {
            Counters::add(&self.counters.slices, 1);
        }
        match slice {
            Turn::Done => self.counters.checkpoints_under_way.store(0, Ordering::Relaxed),
            _ => self.checkpoint = Some(checkpoint),
        }
        Ok(slice)
    }

    fn slice_of(&mut self, checkpoint: &mut Checkpoint) -> Result<Turn, Trouble> {
        match &mut checkpoint.phase {
            Phase::Copying(copying) => {
                if self.copy_some(copying)?.is_break() {
                    checkpoint.dead = self.dead_segments();
                    checkpoint.phase = Phase::Floors(self.floorless(&checkpoint.dead));
                }
            }
            Phase::Floors(queues) if queues.is_empty() => checkpoint.phase = Phase::FixingPoint,
            Phase::Floors(queues) => self.keep_floors(queues)?,
            Phase::FixingPoint => return self.fix_point(checkpoint),
            Phase::Fetching(from) => match self.fetch_some(*from)? {
                Some(next) => *from = next,
                None => {
                    self.renew_index()?;
                    checkpoint.phase = Phase::FixingPoint;
                }
            },
            Phase::Drafting => {
                if self.draft_some(&mut checkpoint.draft)?.is_break() {
                    checkpoint.phase = Phase::Defining;
                }
            }
            Phase::Defining => {
                if self.define_some()?.is_break() {
                    checkpoint.phase = Phase::Dropping;
                }
            }
            Phase::Dropping => {
                if self.drop_some()?.is_break() {
                    checkpoint.phase = Phase::Writing(None);
                }
            }
            Phase::Writing(after) => match self.write_some(*after)? {
                Some(last) => *after = Some(last),
                None => {
                    self.begin_flush(checkpoint.draft.take())?;
                    checkpoint.phase = Phase::Flushing;
                }
            },
            Phase::Flushing => return self.flushed(checkpoint),
            Phase::Marking => return self.marked(checkpoint),
            Phase::Reclaiming(next) => {
                let Some(segment) = checkpoint.dead.get(*next).copied() else {
                    Counters::add(&self.counters.checkpoints, 1);
                    self.count();
                    return Ok(Turn::Done);
                };
                *next += 1;
                self.reclaim(segment);
            }
        }
        Ok(Turn::Worked)
    }

    /// Whether a message is left of which nobody knows if it was delivered.
    fn is_in_doubt(&self) -> Result<bool, LogError> {
        let ledger = self.local.state.ledger.lock();
        for (queue, last) in &self.doubtful {
            if ledger.first(*queue).map_err(LogError::from)?.is_some_and(|first| first <= *last) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Segments before the last that hold nothing alive.
    pub(super) fn dead_segments(&self) -> Vec<SegmentId> {
        let writing = self.local.log.end().segment;
        let ledger = self.local.state.ledger.lock();
        let is_dead = |id: &SegmentId| *id != writing && ledger.usage(*id).places == 0;
        self.local.log.segments().into_iter().map(|(id, _)| id).filter(is_dead).collect()
    }

    /// When a segment goes while an older one stays, settlements of the older one's messages may go
    /// with it. Without the index nothing else would tell that they are gone. Returns the queues that are concerned.
    fn floorless(&self, dead: &[SegmentId]) -> Vec<QueueId> {
        let segments = self.local.log.segments();
        let oldest_alive = segments.into_iter().map(|(id, _)| id).find(|id| !dead.contains(id));
        if dead.last() <= oldest_alive.as_ref() {
            return Vec::new();
        }
        self.local.state.ledger.lock().take_unkept(dead)
    }

    /// Appends the floors of the last of these queues.
    fn keep_floors(&mut self, queues: &mut Vec<QueueId>) -> Result<(), LogError> {
        let mut floors = Vec::new();
        let mut count = 0;
        let mut ledger = self.local.state.ledger.lock();
        while count < self.options.slice.chunks
            && let Some(queue) = queues.last().copied()
        {
            match ledger
                .floor(queue, &mut count, self.options.slice.chunks)
                .map_err(LogError::from)?
            {
                ControlFlow::Break(()) => break,
                ControlFlow::Continue(floor) => {
                    queues.pop();
                    floors.extend(floor.map(|position| Place { queue, position }));
                }
            }
        }
        drop(ledger);
        self.counters.note_chunks(count);
        if !floors.is_empty() {
            let segment = self.local.enter_floors(&floors)?;
            self.local.state.ledger.lock().floors_kept(&floors, segment);
        }
        Ok(())
    }

    /// Deletes a segment that the index no longer needs. One that cannot be deleted is tried again next time.
    fn reclaim(&mut self, segment: SegmentId) {
        match self.local.log.reclaim(&[segment]) {
            Ok(()) => self.local.state.ledger.lock().forget_segment(segment),
            Err(error) => log::warn!("{error}"),
        }
    }

    /// What the index stands for already, if that is all there is to stand for.
    fn is_current(&self, checkpoint: &Checkpoint, position: LogPosition) -> bool {
        let is_marked = match (checkpoint.occasion, self.index.as_ref().and_then(Index::mark)) {
            (Occasion::Closing, mark) => {
                mark.is_some_and(|mark| mark.closed && mark.position == position)
            }
            (Occasion::Running, _) => self.marked == Some(position),
        };
        is_marked
            && !checkpoint.is_forced
            && !checkpoint.is_rebuilding
            && !self.local.state.lacks_anything()
    }
}

impl Checkpoint {
    fn new(occasion: Occasion, phase: Phase) -> Self {
        Self {
            occasion,
            phase,
            dead: Vec::new(),
            draft: None,
            point: None,
            bytes: 0,
            is_forced: false,
            is_rebuilding: false,
        }
    }

    /// When it is taken.
    pub(super) fn occasion(&self) -> Occasion {
        self.occasion
    }
}
