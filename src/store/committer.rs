//! The committer: the one that writes. It takes what has gathered in the inbox, appends it to
//! the log, syncs once, and calls back those who wait. While it is busy the next group gathers; there
//! is no timer.
//!
//! It is a value that is stepped: it has no thread, no clock, and does not wait. A step does one thing (takes a group,
//! writes a run of it, syncs it, answers those who wait), so that others can come between. What takes long is done in
//! slices, one after each run of a group and more while nothing else is there to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use std::vec;

use rustc_hash::{FxHashMap, FxHashSet};

use super::base::BasePlace;
use super::checkpoint::{Checkpoint, Turn};
use super::chores::Chores;
use super::definitions::Definitions;
use super::disk::Disk;
use super::failure::Lost;
use super::figures::Counters;
use super::group::{elide, must_be_durable};
use super::inbox::{Batch, Done, Inbox, Next, Written};
use super::index::{Index, IndexError, Occasion};
use super::log::{Log, LogError, LogPosition, Progress, SegmentId, Stand};
use super::operation::{Change, Operation, Place, Position, QueueId};
use super::options::{Events, Options};
use super::reader::Requests;
use super::record::Record;
use super::reserve::Reserve;
use super::space::{CHECKPOINT_FREE_BYTES_MIN, CHECKPOINT_SHORT_BYTES, GRACE, Space};
use super::state::{Reading, State};
use super::steps::Step;

/// A group is written in runs of about so many bytes, so that a large group's memory is given back as
/// it goes.
const RUN_BYTES: usize = 1 << 20;

/// When a checkpoint that found too little room on the disk is tried again.
const PUT_OFF: Duration = Duration::from_secs(1);

/// After a long group no more slices come before the next one.
const SLICES_DUE_MAX: u32 = 16;

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
    pub(super) disk: Arc<dyn Disk>,
    pub(super) reserve: Reserve,
    /// Since when a write has found no room.
    pub(super) short_since: Option<Duration>,
    pub(super) place: Box<dyn BasePlace>,
    pub(super) log: Box<dyn Log>,
    pub(super) state: State,
    /// Missing only while it is replaced.
    pub(super) index: Option<Index>,
    /// What the index stands for.
    pub(super) marked: Option<LogPosition>,
    /// Bytes of journal that the index does not cover.
    pub(super) bytes_unmarked: u64,
    /// The time since the store was opened, as of the last step.
    pub(super) now: Duration,
    /// When the next checkpoint is due by time.
    pub(super) due: Option<Duration>,
    /// No checkpoint is tried before this.
    pub(super) put_off: Option<Duration>,
    /// The group under way.
    pub(super) group: Option<Group>,
    /// The checkpoint under way.
    pub(super) checkpoint: Option<Checkpoint>,
    /// So many slices come before the next group.
    pub(super) slices_due: u32,
    /// The last slice was none of a checkpoint.
    pub(super) has_paid: bool,
    /// Does what blocks.
    pub(super) chores: Chores,
    pub(super) definitions: Definitions,
    /// What was appended and found no room yet. Its effects come when it is written, for nobody could read it before.
    pub(super) unwritten: Vec<(Vec<Operation>, Vec<Stand>)>,
    /// There will be no more steps.
    pub(super) has_ended: bool,
    /// Something was written and not yet synced.
    pub(super) unsynced: bool,
    /// Those who wait for the group under way.
    pub(super) waiting: Vec<Done>,
    /// After a start that did not follow a stop in good order: each queue's last message then. As long as one
    /// of them is there, no stop is in good order, because it may have been delivered before the first one.
    pub(super) doubtful: FxHashMap<QueueId, Position>,
    /// Segments with damaged survivors. They are left as they are.
    pub(super) unreadable: FxHashSet<SegmentId>,
    /// How often in a row survivors could not be read.
    pub(super) unread: u32,
}

/// A group under way: what is not yet done of it.
pub(super) struct Group {
    /// Not yet written.
    batches: vec::IntoIter<Batch>,
    /// To be called when all of it is written.
    written: Vec<Written>,
    /// Somebody relies on it.
    needs_sync: bool,
    /// All of it is written, and synced if it needs that.
    is_durable: bool,
}

impl Committer {
    /// Takes steps until there are no more, and waits between them.
    pub(super) fn run(mut self) {
        let opened = Instant::now();
        loop {
            match self.step(opened.elapsed()) {
                Step::Worked => {}
                Step::Idle => {
                    let due = self.next_checkpoint();
                    self.inbox.wait(due.and_then(|due| opened.checked_add(due)));
                }
                Step::Waiting => self.space.wait(),
                Step::Ended => return,
            }
        }
    }

    /// Does one thing, if there is one to be done, as of a time since the store was opened.
    pub(super) fn step(&mut self, now: Duration) -> Step {
        if self.has_ended {
            return Step::Ended;
        }
        self.now = now;
        let reason = match catch_unwind(AssertUnwindSafe(|| self.work())) {
            Ok(Ok(step)) => {
                self.has_ended = step == Step::Ended;
                return step;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the committer panicked".to_owned(),
        };
        self.has_ended = true;
        self.lose(&reason);
        Step::Ended
    }

    fn work(&mut self) -> Result<Step, LogError> {
        if let Some(reason) = self.log.lost().map(str::to_owned).or_else(|| self.inbox.reason()) {
            return Err(LogError::Failed(reason));
        }
        if self.catch_up()? == Progress::NoRoom {
            return self.wait_for_room();
        }
        if self.group.is_some() {
            return self.go_on();
        }
        if self.slices_due > 0 {
            self.slices_due -= 1;
            if self.slice()? {
                return Ok(Step::Worked);
            }
        }
        match self.inbox.take() {
            Next::Commit(batches) => {
                self.begin_group(batches);
                Ok(Step::Worked)
            }
            Next::Nothing => Ok(if self.slice()? { Step::Worked } else { Step::Idle }),
            Next::Stop => self.leave(),
            Next::GiveUp(reason) => Err(LogError::Failed(reason)),
        }
    }

    /// Does a slice of what takes long, if there is something of it that can be done now.
    fn slice(&mut self) -> Result<bool, LogError> {
        let owes = self.state.ledger.lock().owes();
        if owes && (self.checkpoint.is_none() || !self.has_paid) {
            return self.pay().map(|()| true);
        }
        self.has_paid = false;
        if self.checkpoint.is_none() {
            if self.next_checkpoint().is_none_or(|due| due > self.now) {
                return Ok(false);
            }
            if !self.has_room_for_checkpoint() {
                self.put_off();
                return Ok(false);
            }
            self.begin_checkpoint(Occasion::Running);
        }
        match self.advance()? {
            Turn::Waiting if owes => self.pay().map(|()| true),
            Turn::Waiting => Ok(false),
            Turn::Done if self.space.is_short() => {
                // The next is not to follow on the heels of this one.
                self.put_off();
                Ok(true)
            }
            Turn::Worked | Turn::Done => Ok(true),
        }
    }

    /// Carries out some of what was put off when it was applied.
    fn pay(&mut self) -> Result<(), LogError> {
        self.has_paid = true;
        let count = self.state.ledger.lock().pay(self.options.slice.chunks).map_err(unusable)?;
        self.counters.note_chunks(count);
        Counters::add(&self.counters.slices, 1);
        self.count();
        Ok(())
    }

    /// Does a slice of what is to be done before the store is left.
    fn leave(&mut self) -> Result<Step, LogError> {
        if self.state.ledger.lock().owes() {
            self.pay()?;
            return Ok(Step::Worked);
        }
        if self.checkpoint.is_none() {
            self.begin_checkpoint(Occasion::Closing);
        }
        let occasion = self.checkpoint.as_ref().map(Checkpoint::occasion);
        match self.advance()? {
            Turn::Worked => Ok(Step::Worked),
            Turn::Waiting => {
                // Nobody else is to come.
                self.chores.wait();
                Ok(Step::Worked)
            }
            Turn::Done if occasion == Some(Occasion::Closing) => Ok(Step::Ended),
            Turn::Done => Ok(Step::Worked),
        }
    }

    /// Nothing is left undone for want of room, unless the store is being closed.
    fn wait_for_room(&mut self) -> Result<Step, LogError> {
        self.space.found_none();
        let since = *self.short_since.get_or_insert(self.now);
        if self.now.saturating_sub(since) >= GRACE && self.reserve.give_up() {
            return Ok(Step::Worked);
        }
        match self.space.is_closing() {
            true => Err(LogError::Failed("the disk was full when the store was closed".to_owned())),
            false => Ok(Step::Waiting),
        }
    }

    /// When the next checkpoint is to be begun.
    fn next_checkpoint(&self) -> Option<Duration> {
        if self.checkpoint.is_some() {
            return None;
        }
        let is_long = self.bytes_unmarked >= self.options.checkpoint_bytes;
        let is_due = is_long || self.state.ledger.lock().is_heavy();
        // On a full disk nothing else makes room.
        let makes_room = || self.bytes_unmarked > 0 || !self.dead_segments().is_empty();
        let is_due = is_due || (self.space.is_short() && makes_room());
        let due = if is_due { Some(Duration::ZERO) } else { self.due };
        due.max(due.and(self.put_off))
    }

    /// The disk has too little room for a checkpoint, or had another one a moment ago.
    pub(super) fn put_off(&mut self) {
        self.put_off = self.now.checked_add(PUT_OFF);
    }

    /// On a nearly full disk the index is brought up to date later; until then a start replays more. Where the room cannot
    /// be learned it is tried. On a full disk less is enough, because nothing but a checkpoint makes
    /// room there.
    pub(super) fn has_room_for_checkpoint(&self) -> bool {
        let Some(free) = self.disk.free_bytes(&self.directory) else { return true };
        let changed = self.state.ledger.lock().changed_bytes() as u64;
        let enough = CHECKPOINT_SHORT_BYTES + 2 * changed;
        free >= CHECKPOINT_FREE_BYTES_MIN || (self.space.is_short() && free >= enough)
    }

    /// Nothing waits for room. The disk counts as full until room can be set aside again, if it was before.
    pub(super) fn note_room(&mut self) {
        if !self.space.is_short() {
            return;
        }
        let free = self.disk.free_bytes(&self.directory).unwrap_or(u64::MAX);
        if self.reserve.is_missed() {
            self.reserve.fill(free);
        }
        if !self.reserve.is_missed() || free >= CHECKPOINT_FREE_BYTES_MIN {
            self.space.found_room();
            self.short_since = None;
        }
    }

    fn begin_group(&mut self, mut batches: Vec<Batch>) {
        // An empty batch is a question: is all before it durable?
        let asked = batches.iter().any(|batch| batch.operations.is_empty() && batch.done.is_some());
        let elided = elide(&mut batches);
        let promised = batches.iter().any(|batch| {
            (batch.done.is_some() && !batch.operations.is_empty())
                || batch.operations.iter().any(must_be_durable)
        });
        Counters::add(&self.counters.elided, elided);
        self.group = Some(Group {
            batches: batches.into_iter(),
            written: Vec::new(),
            needs_sync: promised || asked,
            is_durable: false,
        });
    }

    /// Does the next thing for the group: writes a run of it, makes it durable if anything in it asks for that, or calls
    /// back.
    fn go_on(&mut self) -> Result<Step, LogError> {
        let Some(group) = &mut self.group else { return Ok(Step::Worked) };
        if let Some((run, bytes)) = group.next_run(&mut self.waiting) {
            self.append(run)?;
            // Slices keep pace with what comes in.
            self.slices_due = (self.slices_due + 1).min(SLICES_DUE_MAX);
            if self.inbox.release(bytes) {
                (self.events.room)();
            }
            return Ok(Step::Worked);
        }
        for written in std::mem::take(&mut group.written) {
            written();
        }
        if !group.is_durable {
            group.is_durable = true;
            if group.needs_sync && self.unsynced {
                self.make_durable()?;
                return Ok(Step::Worked);
            }
        }
        self.group = None;
        Counters::add(&self.counters.groups, 1);
        self.count();
        for done in self.waiting.drain(..) {
            done(Ok(()));
        }
        self.waiting.shrink_to(WAITING_KEPT);
        Ok(Step::Worked)
    }

    /// Appends operations and applies them, now or when there is room for them.
    pub(super) fn append(&mut self, operations: Vec<Operation>) -> Result<Progress, LogError> {
        expect_declared(&operations, self.state.topology.queue_id_max())?;
        let records: Vec<Record<'_>> = operations.iter().map(Record::from).collect();
        let mut stands: Vec<Stand> = Vec::with_capacity(records.len());
        let progress = self.append_records(&records, &mut stands)?;
        drop(records);
        match progress {
            Progress::Done => self.apply(&operations, &stands)?,
            Progress::NoRoom => self.unwritten.push((operations, stands)),
        }
        Ok(progress)
    }

    /// Appends the positions below which nothing is alive. That changes nothing for those who are alive. Returns the
    /// segment in which they stand.
    pub(super) fn append_floors(&mut self, floors: &[Place]) -> Result<SegmentId, LogError> {
        let mut stands = Vec::new();
        // What finds no room now is written before the next slice.
        self.append_records(&[Record::Floors(floors.to_vec())], &mut stands)?;
        Ok(stands.first().map_or(0, |stand| stand.location.segment))
    }

    fn append_records(
        &mut self,
        records: &[Record<'_>],
        stands: &mut Vec<Stand>,
    ) -> Result<Progress, LogError> {
        if records.is_empty() {
            return Ok(Progress::Done);
        }
        self.unsynced = true;
        let progress = self.log.append(records, stands)?;
        self.bytes_unmarked += stands.iter().map(|stand| stand.bytes).sum::<u64>();
        Counters::add(&self.counters.written, records.len() as u64);
        if self.due.is_none() {
            self.due = self.now.checked_add(Duration::from_millis(self.options.checkpoint_ms));
        }
        Ok(progress)
    }

    fn apply(&mut self, operations: &[Operation], stands: &[Stand]) -> Result<(), LogError> {
        for (operation, stand) in operations.iter().zip(stands) {
            let record = Record::from(operation);
            self.state.apply(&record, *stand, Reading::Live).map_err(unusable)?;
        }
        Ok(())
    }

    /// Writes what found no room before.
    pub(super) fn catch_up(&mut self) -> Result<Progress, LogError> {
        if self.log.write_out()? == Progress::NoRoom {
            return Ok(Progress::NoRoom);
        }
        self.note_room();
        for (operations, stands) in std::mem::take(&mut self.unwritten) {
            self.apply(&operations, &stands)?;
        }
        Ok(Progress::Done)
    }

    /// Returns when everything appended is on the disk, or found no room there.
    pub(super) fn make_durable(&mut self) -> Result<Progress, LogError> {
        if self.unsynced {
            if self.log.sync()? == Progress::NoRoom {
                return Ok(Progress::NoRoom);
            }
            self.unsynced = false;
            Counters::add(&self.counters.syncs, 1);
        }
        Ok(Progress::Done)
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
        let group = self.group.take().map(|group| group.batches);
        let pending = group.into_iter().flatten().chain(batches).filter_map(|batch| batch.done);
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
    LogError::Failed(format!("the index cannot be used: {error}"))
}

/// A message for a queue that is gone by now goes with it. One for a queue that is yet to come would be gone too, after
/// its confirm. Ids ascend in the journal, so the highest one tells these two apart.
fn expect_declared(operations: &[Operation], mut id_max: QueueId) -> Result<(), LogError> {
    for operation in operations {
        match operation {
            Operation::Enqueue { places, .. } => {
                if let Some(place) = places.iter().find(|place| place.queue > id_max) {
                    let queue = place.queue;
                    return Err(LogError::Failed(format!(
                        "a message came for queue {queue}, which was never declared"
                    )));
                }
            }
            Operation::Topology(changes) => {
                let ids = changes.iter().filter_map(|change| match change {
                    Change::PutQueue(queue) => Some(queue.id),
                    _ => None,
                });
                id_max = ids.fold(id_max, QueueId::max);
            }
            _ => {}
        }
    }
    Ok(())
}

impl Group {
    /// Takes the next batches off, up to a run's size: their operations, and what they count for in the inbox. Nothing
    /// when there are no more.
    fn next_run(&mut self, waiting: &mut Vec<Done>) -> Option<(Vec<Operation>, usize)> {
        let mut run = Vec::new();
        let mut bytes = 0;
        while bytes < RUN_BYTES
            && let Some(batch) = self.batches.next()
        {
            run.extend(batch.operations);
            waiting.extend(batch.done);
            self.written.extend(batch.written);
            bytes += batch.bytes;
        }
        (bytes > 0).then_some((run, bytes))
    }
}
