//! The store: everything durable. Operations go into an inbox; one committer writes them to the
//! journal, syncs once per group, and calls back. sled holds an index that can be rebuilt from the
//! journal; only this module knows it.
//!
//! ```text
//! append ──► inbox ──► committer ──► commit log ──► journal (segments) ──► fdatasync ──► done
//!                          │ checkpoints: by bytes, by time, at the end
//!                          ├──► index (sled): topology, live positions, mark ◄── ledger: what changed since
//!                          ├──► definitions.json, definitions.log: the topology again
//!                          └──► segments without live messages are deleted
//! read ──► requests ──► reader: where by the ledger, what from the segments ──► done
//! ```
//!
//! # On the disk
//!
//! `lock` is locked while a store has the directory, `format` holds the format's version, `journal/`
//! the segments, `last-segment` the number of the one begun last, `reserve` room for a full disk, `index/` sled,
//! `definitions.json` a snapshot of the topology, and `definitions.log` what has changed of it since.
//!
//! # What damage does
//!
//! A torn tail is cut. A damaged record elsewhere costs what it held, and nothing else. A message whose
//! record is missing is dropped at the start; one whose record is damaged when it is read. An index that cannot be used is moved to `index.broken-N`
//! and rebuilt; messages that were already settled may then come back. Each is told in
//! `Recovered::notes`, or logged where it is met later. A failing write or sync poisons the store: whoever waits is told `Lost`, and
//! nothing more is written. A full disk is waited for, and what was set aside is
//! given up to those who make room.

mod background;
mod base;
mod change;
mod chunk;
mod commit_log;
mod committer;
mod definitions;
mod directory;
mod disk;
mod failure;
mod fields;
mod figures;
mod group;
mod inbox;
mod index;
mod journal;
mod ledger;
mod local;
mod local_commit;
mod log;
mod lookup;
mod mark;
mod newer;
mod operation;
mod options;
mod plain;
mod reader;
mod record;
mod recovery;
mod reserve;
mod segment;
mod sled_base;
mod space;
mod state;
mod step;
mod steps;
mod topology;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

pub use self::base::{Base, BasePlace, IndexError, Visit};
pub use self::disk::{Disk, LocalDisk, ReadFile, SegmentFile, free_bytes};
pub use self::failure::{Lost, StoreError};
pub use self::figures::Figures;
pub use self::inbox::{Done, Written};
pub use self::log::Unreadable;
pub use self::operation::{
    BindingRecord, Change, DestinationKind, ExchangeRecord, Operation, PermissionRecord, Place,
    Position, QueueId, QueueRecord, Run, UserRecord, VhostRecord,
};
pub use self::options::{Events, Options, Slice, Surroundings};
pub use self::reader::{ReadDone, Reread, Unread};
pub use self::recovery::Recovered;
pub use self::step::Step;
pub use self::steps::{CommitterSteps, ReaderSteps, Steps};

use self::background::Background;
use self::commit_log::CommitLog;
use self::committer::Committer;
use self::definitions::Definitions;
use self::directory::Directory;
use self::figures::Counters;
use self::inbox::Inbox;
use self::journal::Journal;
use self::ledger::Ledger;
use self::local::Local;
use self::local_commit::LocalCommit;
use self::reader::{Reader, Requests};
use self::recovery::{Recovery, log_error, recover};
use self::reserve::Reserve;
use self::space::{START_BYTES_MIN, Space};
use crate::message::StoredMessage;

/// So many chunks does a survey look at before others get their turn.
const SURVEY_CHUNKS: usize = 256;

/// An open store. Dropping it closes it.
pub struct Store {
    directory: PathBuf,
    inbox: Arc<Inbox>,
    counters: Arc<Counters>,
    requests: Arc<Requests>,
    ledger: Arc<Mutex<Ledger>>,
    space: Arc<Space>,
    running: Mutex<Option<Running>>,
}

struct Running {
    committer: JoinHandle<()>,
    reader: JoinHandle<()>,
    /// Kept until the committer has ended, because it holds the lock.
    directory: Directory,
}

impl Store {
    /// Opens the store in its directory, and gives back what it holds. Reads no
    /// messages: `survey` tells of them and `read` reads them.
    pub fn open(options: Options, events: Events) -> Result<(Self, Recovered), StoreError> {
        let surroundings = Surroundings::local(&options);
        Self::open_in(options, events, surroundings)
    }

    /// The same, with surroundings of its own.
    pub fn open_in(
        options: Options,
        events: Events,
        surroundings: Surroundings,
    ) -> Result<(Self, Recovered), StoreError> {
        let (store, recovered, steps) = Self::open_stepped(options, events, surroundings)?;
        store.run(steps)?;
        Ok((store, recovered))
    }

    /// Opens a store that has no threads: nothing happens but what is done by the steps that come with it.
    pub fn open_stepped(
        options: Options,
        events: Events,
        surroundings: Surroundings,
    ) -> Result<(Self, Recovered, Steps), StoreError> {
        Self::open_with(options, events, surroundings, Box::new(LocalCommit::default()))
    }

    /// The same, with what decides what holds.
    fn open_with(
        options: Options,
        events: Events,
        surroundings: Surroundings,
        commit_log: Box<dyn CommitLog>,
    ) -> Result<(Self, Recovered, Steps), StoreError> {
        let (committer, directory, recovered) = prepare(options, events, surroundings, commit_log)?;
        let store = Self {
            directory: directory.path().to_owned(),
            inbox: committer.inbox.clone(),
            counters: committer.counters.clone(),
            space: committer.space.clone(),
            requests: committer.requests.clone(),
            ledger: committer.local.state.ledger.clone(),
            running: Mutex::default(),
        };
        let reader = Reader::new(
            committer.local.log.reader(),
            committer.requests.clone(),
            committer.local.state.ledger.clone(),
            committer.inbox.clone(),
            committer.options.memory,
        );
        Ok((store, recovered, Steps::new(committer, reader, directory)))
    }

    /// Gives the committer and the reader a thread each.
    fn run(&self, steps: Steps) -> Result<(), StoreError> {
        let (committer, reader) = steps.split();
        let CommitterSteps { mut committer, directory } = committer;
        let ReaderSteps { reader } = reader;
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(StoreError::io(directory.path(), "given a thread"))
        };
        committer.background = Background::on_a_thread(committer.inbox.clone())
            .map_err(StoreError::io(directory.path(), "given a thread"))?;
        let committer = spawn("committer", Box::new(|| committer.run()))?;
        let reader = spawn("reader", Box::new(|| reader.run()))?;
        *self.running.lock() = Some(Running { committer, reader, directory });
        Ok(())
    }

    /// Puts operations at the end of the inbox. Never waits. Operations come into the journal in the
    /// order of these calls, those of one call in one group.
    ///
    /// `done` is called on the committer thread once the operations, and all before them, are on the
    /// disk; with `Lost` when that can no longer be said; and at once, on this thread, when the store
    /// is lost or closed already. Messages that are settled before their turn to be written count as
    /// done. `done` must be quick. An empty list of operations is a question whether all before is
    /// durable.
    pub fn append(&self, operations: Vec<Operation>, done: Option<Done>) {
        self.inbox.put(operations, done);
    }

    /// Calls `done` on the committer thread once everything appended before is in the journal: written, not
    /// necessarily synced. Costs no sync. When the store is lost or closed first, `done` is dropped.
    pub fn when_written(&self, done: Written) {
        self.inbox.put_written(done);
    }

    /// Visits the live messages of a queue in order of position, without reading them. Meant for the time
    /// of starting: the committer waits meanwhile. `visit` must not call the store.
    pub fn survey(
        &self,
        queue: QueueId,
        visit: &mut dyn FnMut(StoredMessage),
    ) -> Result<(), StoreError> {
        let mut from = Some(0);
        while let Some(start) = from {
            // A little at a time, because others wait for the ledger.
            let surveyed = self.ledger.lock().survey(queue, start, SURVEY_CHUNKS, visit);
            from = surveyed.map_err(|error| StoreError::Io {
                path: self.directory.join("index"),
                doing: "read",
                source: std::io::Error::other(error),
            })?;
        }
        Ok(())
    }

    /// Reads messages back, on a thread of its own; `done` is called there, with the messages in the order
    /// asked. Settled ones are left out. Only for positions whose `Enqueue` has been written. Requests are
    /// served in order. Never waits. When the store is lost or closed, `done` gets an empty list, and may
    /// get it at once, on this thread.
    pub fn read(&self, queue: QueueId, positions: Vec<Position>, done: ReadDone) {
        self.requests.put(queue, positions, done);
    }

    /// The inbox has passed its limit and has not yet fallen below half of it. Until `Events::room` is
    /// called, nothing more should be read from those who publish.
    pub fn is_full(&self) -> bool {
        self.inbox.is_full()
    }

    /// The disk is full: nothing is confirmed until it has room again.
    pub fn is_short_of_space(&self) -> bool {
        self.space.is_short()
    }

    /// Bytes of operations that are not yet written.
    pub fn inbox_bytes(&self) -> usize {
        self.inbox.bytes()
    }

    /// Bytes of all journal segments, as of the last group.
    pub fn journal_bytes(&self) -> u64 {
        self.counters.read().journal_bytes
    }

    /// The store's counters, as of the last group.
    pub fn figures(&self) -> Figures {
        self.counters.read()
    }

    /// Commits what waits, brings the index up to date, and lets go of the directory. Later calls do
    /// nothing. Must not be called from `done` or an event. Without threads this begins it, and all is done when the
    /// steps have ended.
    pub fn close(&self) {
        let mut running = self.running.lock();
        self.requests.close();
        let Some(Running { committer, reader, directory }) = running.take() else {
            self.inbox.close();
            self.space.close();
            return;
        };
        let _ended = reader.join();
        self.inbox.close();
        self.space.close();
        // The committer catches its own panics, so there is nothing to learn from the result.
        let _ended = committer.join();
        // It holds the index open.
        *self.ledger.lock() = Ledger::default();
        drop(directory);
    }
}

/// Takes the directory, gets back what it holds, and makes a committer that is ready to be stepped.
fn prepare(
    options: Options,
    events: Events,
    surroundings: Surroundings,
    commit_log: Box<dyn CommitLog>,
) -> Result<(Committer, Directory, Recovered), StoreError> {
    let Surroundings { disk, index: place, entropy } = surroundings;
    let directory = Directory::open(&*disk, &options.directory)?;
    let journal_error = |error| log_error(&directory, error);
    let (space, reserve) = set_aside(&disk, &options);
    let mut journal =
        Journal::open(directory.path(), options.segment_bytes_max, disk.clone(), entropy)
            .map_err(journal_error)?;
    let Recovery { index, state, mut recovered, marked, bytes_unmarked, kept } =
        recover(&directory, &mut journal, &*disk, &*place)?;
    let definitions = Definitions::new(disk.clone(), directory.path(), kept);
    let local = Local::new(Box::new(journal), state, bytes_unmarked);
    let mut committer = Committer {
        directory: directory.path().to_owned(),
        inbox: Arc::new(Inbox::new(options.inbox_bytes_max)),
        counters: local.counters.clone(),
        requests: Arc::default(),
        space,
        reserve,
        short_since: None,
        disk,
        place,
        now: Duration::ZERO,
        due: (bytes_unmarked > 0).then(|| Duration::from_millis(options.checkpoint_ms)),
        put_off: None,
        under_way: VecDeque::new(),
        waiting: VecDeque::new(),
        entered: 0,
        queue_id_max: recovered.queue_id_max,
        checkpoint: None,
        slices_due: 0,
        has_carried_out: false,
        background: Background::Inline(None),
        definitions,
        has_ended: false,
        options,
        events,
        commit_log,
        local,
        index: Some(index),
        marked,
        unreadable: FxHashSet::default(),
        unread: 0,
        doubtful: FxHashMap::default(),
    };
    if committer.follow().map_err(journal_error)? {
        recovered.clean = false;
    }
    recovered.add_all(&committer.local.state.topology);
    let mut ledger = committer.local.state.ledger.lock();
    if !recovered.clean {
        // Nobody knows what had been delivered.
        let ceilings = ledger.ceilings().map(|place| (place.queue, place.position));
        committer.doubtful.extend(ceilings);
    }
    ledger.defer_above(committer.options.slice.chunks);
    drop(ledger);
    write_down(&mut committer, &recovered).map_err(journal_error)?;
    Ok((committer, directory, recovered))
}

/// Has the index know of the start. Where there is no room for that it comes with the first checkpoint.
fn write_down(committer: &mut Committer, recovered: &Recovered) -> Result<(), self::log::LogError> {
    if committer.space.is_short() && !committer.has_room_for_checkpoint() {
        committer.count();
    } else if recovered.notes.is_empty() {
        if recovered.clean && committer.local.state.ledger.lock().len() > 0 {
            committer.begin()?;
        }
        committer.count();
    } else {
        // What was repaired must not be met again.
        committer.checkpoint()?;
    }
    Ok(())
}

/// Sets room aside, or gives up what was, where the disk is full: a start writes a little, and what makes room writes more.
/// Where nothing was set aside either, the little that is left is kept for those who make room.
fn set_aside(disk: &Arc<dyn Disk>, options: &Options) -> (Arc<Space>, Reserve) {
    let space = Arc::new(Space::default());
    let mut reserve = Reserve::new(disk.clone(), &options.directory, options.inbox_bytes_max);
    if let Some(free) = disk.free_bytes(&options.directory) {
        if free < START_BYTES_MIN {
            reserve.give_up_or_miss();
            space.found_none();
        } else {
            reserve.fill(free);
        }
    }
    (space, reserve)
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
