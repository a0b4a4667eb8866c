//! The committer: the one that writes. It takes what has gathered in the inbox, submits it to the commit log as one
//! group, which on one machine appends it to the local log and syncs once, and calls back those who wait when it is
//! committed. While it is busy the next group gathers; there is no timer.
//!
//! It is a value that is stepped: it has no thread, no clock, and does not wait. A step does one thing (takes a group,
//! writes a run of it, syncs it, answers those who wait), so that others can come between. What takes long is done in
//! slices, one after each run of a group and more while nothing else is there to do.

mod checkpoint;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use self::checkpoint::{Checkpoint, Turn};
use super::background::Background;
use super::base::BasePlace;
use super::commit_log::{CommitLog, Fate, Group, Polled, Sequence};
use super::definitions::Definitions;
use super::disk::Disk;
use super::failure::Lost;
use super::figures::Counters;
use super::group::{elide, must_be_durable};
use super::inbox::{Batch, Done, Inbox, Next, Written};
use super::index::{Index, Occasion};
use super::local::Local;
use super::log::{LogError, LogPosition, Progress, SegmentId};
use super::operation::{Change, Operation, Position, QueueId};
use super::options::{Events, Options};
use super::reader::Requests;
use super::reserve::Reserve;
use super::space::{CHECKPOINT_FREE_BYTES_MIN, CHECKPOINT_SHORT_BYTES, GRACE, Space};
use super::step::Step;

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
    pub(super) commit_log: Box<dyn CommitLog>,
    pub(super) local: Local,
    /// Missing only while it is replaced.
    pub(super) index: Option<Index>,
    /// What the index stands for.
    pub(super) marked: Option<LogPosition>,
    /// The time since the store was opened, as of the last step.
    pub(super) now: Duration,
    /// When the next checkpoint is due by time.
    pub(super) due: Option<Duration>,
    /// No checkpoint is tried before this.
    pub(super) put_off: Option<Duration>,
    /// Groups that were submitted, and of which it is not yet known what became of them.
    pub(super) under_way: VecDeque<Submitted>,
    /// Those who wait for these groups, in order.
    pub(super) waiting: VecDeque<Done>,
    /// The last group that is in the local log as a whole.
    pub(super) entered: Sequence,
    /// The highest id of a queue whose declaration was submitted.
    pub(super) queue_id_max: QueueId,
    /// The checkpoint under way.
    pub(super) checkpoint: Option<Checkpoint>,
    /// So many slices come before the next group.
    pub(super) slices_due: u32,
    /// The last slice was none of a checkpoint.
    pub(super) has_carried_out: bool,
    /// Does what blocks.
    pub(super) background: Background,
    pub(super) definitions: Definitions,
    /// There will be no more steps.
    pub(super) has_ended: bool,
    /// After a start that did not follow a stop in good order: each queue's last message then. As long as one
    /// of them is there, no stop is in good order, because it may have been delivered before the first one.
    pub(super) doubtful: FxHashMap<QueueId, Position>,
    /// Segments with damaged survivors. They are left as they are.
    pub(super) unreadable: FxHashSet<SegmentId>,
    /// How often in a row survivors could not be read.
    pub(super) unread: u32,
}

/// A group that was submitted.
pub(super) struct Submitted {
    sequence: Sequence,
    /// To be called when all of it is in the local log.
    written: Vec<Written>,
    /// So many wait for it.
    waiting: usize,
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
                    let until = due.and_then(|due| opened.checked_add(due));
                    match self.awaits_fate() {
                        true => self.inbox.wait_for_wake(until),
                        false => self.inbox.wait(until),
                    }
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
                self.note_growth();
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
        if let Some(reason) =
            self.local.log.lost().map(str::to_owned).or_else(|| self.inbox.reason())
        {
            return Err(LogError::Failed(reason));
        }
        if self.catch_up()? == Progress::NoRoom {
            return self.wait_for_room();
        }
        if !self.under_way.is_empty() && self.go_on()? {
            return Ok(Step::Worked);
        }
        if self.slices_due > 0 {
            self.slices_due -= 1;
            if self.slice()? {
                return Ok(Step::Worked);
            }
        }
        let next = if self.commit_log.has_room() { self.inbox.take() } else { Next::Nothing };
        match next {
            Next::Commit(batches) => {
                self.begin_group(batches)?;
                Ok(Step::Worked)
            }
            Next::Stop if self.under_way.is_empty() => self.leave(),
            Next::Nothing | Next::Stop => Ok(if self.slice()? { Step::Worked } else { Step::Idle }),
            Next::GiveUp(reason) => Err(LogError::Failed(reason)),
        }
    }

    /// Nothing more is taken out of the inbox before it is known what became of a group.
    fn awaits_fate(&self) -> bool {
        !self.under_way.is_empty() && (!self.commit_log.has_room() || self.inbox.is_closed())
    }

    /// Does a slice of what takes long, if there is something of it that can be done now.
    fn slice(&mut self) -> Result<bool, LogError> {
        let has_deferred = self.local.state.ledger.lock().has_deferred();
        if has_deferred && (self.checkpoint.is_none() || !self.has_carried_out) {
            return self.carry_out_some().map(|()| true);
        }
        self.has_carried_out = false;
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
            Turn::Waiting if has_deferred => self.carry_out_some().map(|()| true),
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
    fn carry_out_some(&mut self) -> Result<(), LogError> {
        self.has_carried_out = true;
        let count = self
            .local
            .state
            .ledger
            .lock()
            .carry_out(self.options.slice.chunks)
            .map_err(LogError::from)?;
        self.counters.note_chunks(count);
        Counters::add(&self.counters.slices, 1);
        self.count();
        Ok(())
    }

    /// Does a slice of what is to be done before the store is left.
    fn leave(&mut self) -> Result<Step, LogError> {
        if self.local.state.ledger.lock().has_deferred() {
            self.carry_out_some()?;
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
                self.background.wait();
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
        let is_long = self.local.bytes_unmarked >= self.options.checkpoint_bytes;
        let is_due = is_long || self.local.state.ledger.lock().is_heavy();
        // On a full disk nothing else makes room.
        let makes_room = || self.local.bytes_unmarked > 0 || !self.dead_segments().is_empty();
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
        let changed = self.local.state.ledger.lock().changed_bytes() as u64;
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

    /// Submits all that was found in the inbox, but for what undoes itself.
    fn begin_group(&mut self, mut batches: Vec<Batch>) -> Result<(), LogError> {
        // An empty batch is a question: is all before it durable?
        let asked = batches.iter().any(|batch| batch.operations.is_empty() && batch.done.is_some());
        let elided = elide(&mut batches);
        let promised = batches.iter().any(|batch| {
            (batch.done.is_some() && !batch.operations.is_empty())
                || batch.operations.iter().any(must_be_durable)
        });
        Counters::add(&self.counters.elided, elided);
        let before = self.waiting.len();
        let mut written = Vec::new();
        let mut declared = Ok(self.queue_id_max);
        for batch in &mut batches {
            self.waiting.extend(batch.done.take());
            written.extend(batch.written.take());
            declared = declared.and_then(|id_max| expect_declared(&batch.operations, id_max));
        }
        self.queue_id_max = declared?;
        let waiting = self.waiting.len() - before;
        let sequence = self.commit_log.submit(Group::new(batches, promised || asked))?;
        self.under_way.push_back(Submitted { sequence, written, waiting });
        Ok(())
    }

    /// Has the commit log do the next thing for what was submitted, and calls back those whom that concerns. Returns
    /// whether there was something.
    fn go_on(&mut self) -> Result<bool, LogError> {
        match self.commit_log.poll(&mut self.local)? {
            Polled::Nothing => return Ok(false),
            Polled::Worked => {}
            Polled::Entered(bytes) => {
                // Slices keep pace with what comes in.
                self.slices_due = (self.slices_due + 1).min(SLICES_DUE_MAX);
                if self.inbox.release(bytes) {
                    (self.events.room)();
                }
            }
            Polled::Written(sequence) => self.note_written(sequence),
            Polled::Decided(sequence, Fate::Committed) => self.answer(sequence),
            Polled::Decided(_, Fate::Lost(reason)) => {
                return Err(LogError::Failed(format!("another has taken over: {reason}")));
            }
            Polled::Decided(_, Fate::Unknown(reason)) => {
                return Err(LogError::Failed(format!(
                    "it cannot be known what was committed: {reason}"
                )));
            }
        }
        Ok(true)
    }

    /// Groups up to this one are in the local log.
    fn note_written(&mut self, sequence: Sequence) {
        self.entered = sequence;
        let groups = self.under_way.iter_mut().take_while(|group| group.sequence <= sequence);
        for written in groups.flat_map(|group| std::mem::take(&mut group.written)) {
            written();
        }
    }

    /// Groups up to this one are committed.
    fn answer(&mut self, sequence: Sequence) {
        self.note_written(sequence);
        while let Some(group) = self.under_way.pop_front_if(|group| group.sequence <= sequence) {
            Counters::add(&self.counters.groups, 1);
            self.count();
            for done in self.waiting.drain(..group.waiting) {
                done(Ok(()));
            }
        }
        if self.waiting.is_empty() {
            self.waiting.shrink_to(WAITING_KEPT);
        }
    }

    /// Brings in what was committed and has not come into the local log. Returns whether there was something.
    pub(super) fn follow(&mut self) -> Result<bool, LogError> {
        let (first, _) = self.commit_log.bounds()?;
        let mut was_behind = false;
        let local = &mut self.local;
        self.entered = self.commit_log.follow(first, &mut |operations| {
            was_behind = true;
            local.enter(operations).map(drop)
        })?;
        self.queue_id_max = self.local.state.topology.queue_id_max();
        Ok(was_behind)
    }

    /// Writes what found no room before.
    pub(super) fn catch_up(&mut self) -> Result<Progress, LogError> {
        let progress = self.local.catch_up()?;
        if progress == Progress::Done {
            self.note_room();
        }
        Ok(progress)
    }

    /// What was appended is to be taken in by the index after a while.
    fn note_growth(&mut self) {
        if std::mem::take(&mut self.local.has_grown) && self.due.is_none() {
            self.due = self.now.checked_add(Duration::from_millis(self.options.checkpoint_ms));
        }
    }

    pub(super) fn count(&self) {
        let segments = self.local.log.segments();
        let bytes = segments.iter().map(|(_, bytes)| bytes).sum();
        self.counters.journal_bytes.store(bytes, Ordering::Relaxed);
        self.counters.segments.store(segments.len() as u64, Ordering::Relaxed);
        self.counters.entries.store(self.local.state.ledger.lock().len(), Ordering::Relaxed);
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

/// A message for a queue that is gone by now goes with it. One for a queue that is yet to come would be gone too, after
/// its confirm. Ids ascend in the journal, so the highest one tells these two apart. Returns the highest one by then.
fn expect_declared(operations: &[Operation], mut id_max: QueueId) -> Result<QueueId, LogError> {
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
    Ok(id_max)
}
