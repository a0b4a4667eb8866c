//! The committer: the one thread that writes. It takes what has gathered in the inbox, appends it to
//! the log, syncs once, and calls back those who wait. While it is busy the next group gathers; there
//! is no timer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::failure::Lost;
use super::figures::Counters;
use super::group::{elide, must_be_durable};
use super::inbox::{Batch, Done, Inbox, Next, Written};
use super::index::{Index, IndexError};
use super::log::{Log, LogError, LogPosition, Promise, SegmentId, Stand};
use super::operation::{Position, QueueId};
use super::options::{Events, Options};
use super::reader::Requests;
use super::record::Record;
use super::space::{Space, has_room_for_checkpoint};
use super::state::{Reading, State};

/// A group is written in runs of about so many bytes, so that a large group's memory is given back as
/// it goes.
const RUN_BYTES: usize = 1 << 20;

/// When a checkpoint that found too little room on the disk is tried again.
const PUT_OFF: Duration = Duration::from_secs(1);

/// Room for so many who wait is kept from one group to the next.
const WAITING_KEPT: usize = 4096;

/// The committer and all it owns.
pub(super) struct Committer {
    pub(super) directory: PathBuf,
    pub(super) options: Options,
    pub(super) events: Events,
    pub(super) inbox: Arc<Inbox>,
    pub(super) counters: Arc<Counters>,
    /// Answered with nothing once the store is lost.
    pub(super) requests: Arc<Requests>,
    pub(super) space: Arc<Space>,
    pub(super) log: Box<dyn Log>,
    pub(super) state: State,
    /// Missing only while it is replaced.
    pub(super) index: Option<Index>,
    /// What the index stands for.
    pub(super) marked: Option<LogPosition>,
    /// Bytes of journal that the index does not cover.
    pub(super) bytes_unmarked: u64,
    /// When the next checkpoint is due by time.
    pub(super) due: Option<Instant>,
    /// Something was written and not yet synced.
    pub(super) unsynced: bool,
    /// Those who wait for the group under way.
    pub(super) waiting: Vec<Done>,
    /// After a start that did not follow a stop in good order: each queue's last message then. As long as one
    /// of them is there, no stop is in good order, because it may have been delivered before the first one.
    pub(super) doubtful: FxHashMap<QueueId, Position>,
    /// Segments with survivors that could not be read. They are left as they are.
    pub(super) unreadable: FxHashSet<SegmentId>,
}

impl Committer {
    /// Works until the inbox is closed and empty, or the store is lost.
    pub(super) fn run(mut self) {
        let reason = match catch_unwind(AssertUnwindSafe(|| self.work())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the committer thread panicked".to_owned(),
        };
        self.lose(&reason);
    }

    fn work(&mut self) -> Result<(), LogError> {
        loop {
            if let Some(reason) = self.log.lost() {
                return Err(LogError(reason.to_owned()));
            }
            match self.inbox.take(self.due) {
                Next::Commit(group) => self.commit(group)?,
                Next::Due => {}
                Next::Stop => return self.close(),
                Next::GiveUp(reason) => return Err(LogError(reason)),
            }
            let is_due = self.due.is_some_and(|due| due <= Instant::now());
            let is_long = self.bytes_unmarked >= self.options.checkpoint_bytes;
            if is_due || is_long || self.state.ledger.lock().is_heavy() {
                self.checkpoint_if_there_is_room()?;
            }
        }
    }

    /// On a nearly full disk the index is brought up to date later; until then a start replays more.
    fn checkpoint_if_there_is_room(&mut self) -> Result<(), LogError> {
        if has_room_for_checkpoint(&self.directory) {
            return self.checkpoint();
        }
        self.due = Instant::now().checked_add(PUT_OFF);
        Ok(())
    }

    /// Writes a group, makes it durable if anything in it asks for that, and calls back.
    fn commit(&mut self, mut group: Vec<Batch>) -> Result<(), LogError> {
        // An empty batch is a question: is all before it durable?
        let asked = group.iter().any(|batch| batch.operations.is_empty() && batch.done.is_some());
        let elided = elide(&mut group);
        let promised = group.iter().any(|batch| {
            (batch.done.is_some() && !batch.operations.is_empty())
                || batch.operations.iter().any(must_be_durable)
        });
        let mut rest = group.into_iter();
        let mut written = Vec::new();
        loop {
            let (run, bytes) = next_run(&mut rest, &mut self.waiting, &mut written);
            if run.is_empty() && bytes == 0 {
                break;
            }
            let records: Vec<Record<'_>> = run.iter().map(Record::from).collect();
            self.append(&records, Promise::Written)?;
            drop(records);
            drop(run);
            if self.inbox.release(bytes) {
                (self.events.room)();
            }
        }
        for written in written {
            written();
        }
        if promised || asked {
            self.make_durable()?;
        }
        Counters::add(&self.counters.groups, 1);
        Counters::add(&self.counters.elided, elided);
        self.count();
        for done in self.waiting.drain(..) {
            done(Ok(()));
        }
        self.waiting.shrink_to(WAITING_KEPT);
        Ok(())
    }

    /// Appends records and applies them.
    pub(super) fn append(
        &mut self,
        records: &[Record<'_>],
        promise: Promise,
    ) -> Result<(), LogError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut stands: Vec<Stand> = Vec::with_capacity(records.len());
        self.log.append(records, promise, &mut stands)?;
        for (record, stand) in records.iter().zip(&stands) {
            self.state.apply(record, *stand, Reading::Live).map_err(unusable)?;
            self.bytes_unmarked += stand.bytes;
        }
        Counters::add(&self.counters.written, records.len() as u64);
        self.unsynced = promise == Promise::Written;
        if self.due.is_none() {
            self.due =
                Instant::now().checked_add(Duration::from_millis(self.options.checkpoint_ms));
        }
        Ok(())
    }

    /// Returns when everything appended is on the disk.
    pub(super) fn make_durable(&mut self) -> Result<(), LogError> {
        if self.unsynced {
            self.log.append(&[], Promise::Durable, &mut Vec::new())?;
            self.unsynced = false;
            Counters::add(&self.counters.syncs, 1);
        }
        Ok(())
    }

    pub(super) fn count(&self) {
        let segments = self.log.segments();
        let bytes = segments.iter().map(|(_, bytes)| bytes).sum();
        self.counters.journal_bytes.store(bytes, Ordering::Relaxed);
        self.counters.segments.store(segments.len() as u64, Ordering::Relaxed);
        self.counters.entries.store(self.state.ledger.lock().len(), Ordering::Relaxed);
    }

    /// No promise can be kept any more: whoever waits, and whoever comes, is told so.
    fn lose(&mut self, reason: &str) {
        let (batches, had_been_full) = self.inbox.lose();
        (self.events.lost)(reason);
        self.requests.close();
        let pending = batches.into_iter().filter_map(|batch| batch.done);
        for done in self.waiting.drain(..).chain(pending) {
            done(Err(Lost));
        }
        if had_been_full {
            (self.events.room)();
        }
    }
}

/// The index fails where it is needed: the next start builds it anew.
pub(super) fn unusable(error: IndexError) -> LogError {
    LogError(format!("the index cannot be used: {error}"))
}

/// Takes the next batches off a group, up to a run's size: their operations, and what they count for in
/// the inbox.
fn next_run(
    rest: &mut impl Iterator<Item = Batch>,
    waiting: &mut Vec<Done>,
    written: &mut Vec<Written>,
) -> (Vec<super::operation::Operation>, usize) {
    let mut run = Vec::new();
    let mut bytes = 0;
    while bytes < RUN_BYTES
        && let Some(batch) = rest.next()
    {
        run.extend(batch.operations);
        waiting.extend(batch.done);
        written.extend(batch.written);
        bytes += batch.bytes;
    }
    (run, bytes)
}
