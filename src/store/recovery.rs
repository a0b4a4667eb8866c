//! Recovery: what a start does to get everything back. The index gives the state as of its mark and the
//! journal the rest; if the index cannot be used, the journal and the snapshot of the topology give all
//! of it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::base::{BasePlace, IndexError};
use super::chunk::LiveMessage;
use super::definitions::{self, Kept};
use super::directory::Directory;
use super::disk::Disk;
use super::failure::StoreError;
use super::index::{Index, Loaded, Mark};
use super::journal::Journal;
use super::log::{Location, Log, LogError, LogPosition, SegmentId};
use super::newer::Newer;
use super::operation::{
    BindingRecord, Change, ExchangeRecord, PermissionRecord, Place, QueueId, QueueRecord, Run,
    UserRecord, VhostRecord,
};
use super::record::Record;
use super::state::{Reading, State};
use super::topology::{Keeper, Topology};

/// Messages of missing segments are looked for in so many chunks at once.
const CHUNKS_AT_ONCE: usize = 4096;

/// Of so many queues it is said one by one how many of their messages are lost.
const QUEUES_TOLD_MAX: usize = 100;

/// What the store held when it was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Virtual hosts, in order of creation like all that follow.
    pub vhosts: Vec<VhostRecord>,
    /// Users.
    pub users: Vec<UserRecord>,
    /// Permissions.
    pub permissions: Vec<PermissionRecord>,
    /// Durable exchanges.
    pub exchanges: Vec<ExchangeRecord>,
    /// Durable queues.
    pub queues: Vec<QueueRecord>,
    /// Durable bindings.
    pub bindings: Vec<BindingRecord>,
    /// The highest id that a queue ever had. New queues take higher ones.
    pub queue_id_max: QueueId,
    /// The last stop was in good order.
    pub clean: bool,
    /// The directory was empty.
    pub new: bool,
    /// What was repaired, one line each.
    pub notes: Vec<String>,
}

/// All that is needed to go on.
pub(super) struct Recovery {
    pub(super) index: Index,
    pub(super) state: State,
    pub(super) recovered: Recovered,
    /// What the index stands for.
    pub(super) marked: Option<LogPosition>,
    /// Bytes of journal that the index does not cover.
    pub(super) bytes_unmarked: u64,
    /// The definitions that are on the disk beside it, if they go with the topology.
    pub(super) kept: Option<Kept>,
}

/// The state, as far as one way of recovering has brought them.
struct Restored {
    state: State,
    bytes_replayed: u64,
}

/// Why one way of recovering leads nowhere.
enum Failure {
    /// No other way would do better.
    Log(LogError),
    /// The journal alone may do better.
    Index(IndexError),
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// Gets everything back, and makes the journal ready to be written.
pub(super) fn recover(
    directory: &Directory,
    journal: &mut Journal,
    disk: &dyn Disk,
    place: &dyn BasePlace,
) -> Result<Recovery, StoreError> {
    let mut notes = directory.notes.clone();
    // All is looked at before anything is changed: what a later version wrote is left alone.
    let definitions = definitions::load(disk, directory.path())?;
    let (mut index, loaded) = open_index(place, &mut notes)?;
    directory.upgrade(disk)?;
    let mut from_index = None;
    if let Some(Loaded { mark, state, last }) = loaded {
        match catch_up(journal, mark, state, &last, &mut notes) {
            Ok(restored) => from_index = Some((mark, restored)),
            Err(Failure::Log(error)) => return Err(log_error(directory, error)),
            Err(Failure::Index(why)) => {
                drop(index);
                index = replace_index(place, &why.to_string(), &mut notes)?;
            }
        }
    }
    let (mark, restored, kept) = match from_index {
        Some((mark, restored)) => (Some(mark), restored, definitions),
        None => {
            let restored = rebuild(directory, journal, definitions, &index, &mut notes)?;
            (None, restored, definitions::load(disk, directory.path())?)
        }
    };
    let Restored { mut state, bytes_replayed } = restored;
    // They come with the first checkpoint.
    let is_early = mark.is_some_and(|mark| mark.updating && mark.position == journal.start());
    if mark.is_some() && !(matches!(kept, Ok(Some(_))) || matches!(kept, Ok(None)) && is_early) {
        notes.push("definitions.json could not be read and was written anew".to_owned());
    }
    let kept = kept.ok().flatten().filter(|kept| kept.is_whole(&state.topology));
    match kept {
        Some(_) => state.topology.mark_kept(Keeper::Definitions),
        // A crash came between. They are written anew.
        None => state.topology.forget_keeper(Keeper::Definitions),
    }
    let clean = directory.is_new || (notes.is_empty() && stopped_at_mark(mark, journal));
    let recovered = Recovered {
        queue_id_max: state.topology.queue_id_max(),
        clean,
        new: directory.is_new,
        notes,
        ..Recovered::default()
    };
    // What was repaired is not in the index yet, even where the journal has not grown.
    let marked = mark.map(|mark| mark.position).filter(|_| recovered.notes.is_empty());
    Ok(Recovery { index, state, recovered, marked, bytes_unmarked: bytes_replayed, kept })
}

fn stopped_at_mark(mark: Option<Mark>, journal: &Journal) -> bool {
    mark.is_some_and(|mark| mark.closed && mark.position == journal.end())
}

impl Recovered {
    /// Takes over what the topology holds.
    pub(super) fn add_all(&mut self, topology: &Topology) {
        self.queue_id_max = topology.queue_id_max();
        for record in topology.records() {
            self.add(record.clone());
        }
    }

    fn add(&mut self, record: Change) {
        match record {
            Change::PutVhost(vhost) => self.vhosts.push(vhost),
            Change::PutUser(user) => self.users.push(user),
            Change::PutPermission(permission) => self.permissions.push(permission),
            Change::PutExchange(exchange) => self.exchanges.push(exchange),
            Change::PutQueue(queue) => self.queues.push(queue),
            Change::PutBinding(binding) => self.bindings.push(binding),
            // The topology holds no deletions.
            _ => {}
        }
    }
}

fn open_index(
    place: &dyn BasePlace,
    notes: &mut Vec<String>,
) -> Result<(Index, Option<Loaded>), StoreError> {
    let opened =
        Index::open(place).and_then(|mut index| index.load().map(|loaded| (index, loaded)));
    match opened {
        Ok(opened) => Ok(opened),
        Err(error) => match error.newer() {
            Some(unknown) => Err(Newer::new(place.path(), unknown).into()),
            None => Ok((replace_index(place, &error.to_string(), notes)?, None)),
        },
    }
}

/// Moves the index aside and opens an empty one.
fn replace_index(
    place: &dyn BasePlace,
    why: &str,
    notes: &mut Vec<String>,
) -> Result<Index, StoreError> {
    let aside = place.move_aside().map_err(StoreError::io(place.path(), "moved aside"))?;
    let aside = aside.map_or_else(|| "nowhere".to_owned(), |path| path.display().to_string());
    notes.push(format!("the index could not be used ({why}) and was moved to {aside}"));
    Index::open(place).map_err(|error| StoreError::Io {
        path: place.path().to_owned(),
        doing: "created",
        source: std::io::Error::other(error),
    })
}

/// Gets everything from the journal and the snapshot of the topology.
fn rebuild(
    directory: &Directory,
    journal: &mut Journal,
    definitions: Result<Option<Kept>, String>,
    index: &Index,
    notes: &mut Vec<String>,
) -> Result<Restored, StoreError> {
    let start = journal.start();
    let is_whole = start.segment == 1;
    let (known_to, state) = match definitions {
        Ok(Some(Kept { up_to, topology, damage, .. })) => {
            notes.push("the index was rebuilt from the journal".to_owned());
            notes.extend(damage.map(|damage| format!("{damage}: definitions may be missing")));
            (up_to, State { topology, ..State::default() })
        }
        Ok(None) if is_whole => (start, State::default()),
        Err(why) if is_whole => {
            notes.push(format!("{why}; the journal goes back to its beginning and was used alone"));
            (start, State::default())
        }
        snapshot => {
            let why = snapshot.err().unwrap_or_else(|| "definitions.json is missing".to_owned());
            return Err(StoreError::Corrupt {
                dir: directory.path().to_owned(),
                what: format!("the index cannot be used and {why}"),
                mend: "put definitions.json back from a copy".to_owned(),
            });
        }
    };
    match replay(journal, state, start, known_to, notes) {
        Ok(mut restored) => {
            restored.state.topology.forget_keeper(Keeper::Index);
            restored.state.ledger.lock().attach(index.chunks());
            Ok(restored)
        }
        Err(Failure::Log(error)) => Err(log_error(directory, error)),
        Err(Failure::Index(error)) => {
            Err(log_error(directory, LogError::Failed(error.to_string())))
        }
    }
}

/// Goes on from what the index holds.
fn catch_up(
    journal: &mut Journal,
    mark: Mark,
    state: State,
    last: &[(Place, LiveMessage)],
    notes: &mut Vec<String>,
) -> Result<Restored, Failure> {
    if !belongs(journal, mark, last)? {
        return Err(Failure::Index(IndexError::misfit()));
    }
    let restored = replay(journal, state, mark.position, mark.position, notes)?;
    drop_missing(journal, &restored.state, last, notes)?;
    Ok(restored)
}

/// Whether an index and a journal belong together. Looks at the last message of each segment: what is damaged or
/// missing does not count, but it must not be another.
fn belongs(journal: &Journal, mark: Mark, last: &[(Place, LiveMessage)]) -> Result<bool, LogError> {
    let there = journal.fingerprint(mark.position.segment);
    if there.is_some_and(|there| mark.fingerprint.is_some_and(|marked| marked != there)) {
        return Ok(false);
    }
    let locations: Vec<Location> = last.iter().map(|(_, entry)| entry.location).collect();
    let mut belongs = true;
    journal.read(&locations, &mut |at, record| {
        belongs &= match record {
            Ok(Record::Enqueue { places, .. }) => places.contains(&last[at].0),
            Ok(_) => false,
            Err(_) => true,
        };
    })?;
    Ok(belongs)
}

/// Forgets messages that the index has in segments that are not there, or end before them.
fn drop_missing(
    journal: &Journal,
    state: &State,
    last: &[(Place, LiveMessage)],
    notes: &mut Vec<String>,
) -> Result<(), IndexError> {
    let segments: FxHashMap<SegmentId, u64> = journal.segments().into_iter().collect();
    let is_missing = |location: Location, share: u32| {
        let end = u64::from(location.offset) + u64::from(share);
        segments.get(&location.segment).is_none_or(|bytes| end > *bytes)
    };
    let mut ledger = state.ledger.lock();
    let is_cut = last.iter().any(|(_, entry)| is_missing(entry.location, entry.share));
    if !is_cut && ledger.segments().all(|id| segments.contains_key(&id)) {
        return Ok(());
    }
    let mut counts: BTreeMap<QueueId, u64> = BTreeMap::new();
    let mut from = Some((0, 0));
    while let Some(start) = from {
        let walk = ledger.walk(&is_missing, start, CHUNKS_AT_ONCE)?;
        let origin = LogPosition { segment: 0, offset: 0 };
        for (Place { queue, position }, _) in &walk.found {
            ledger.settle(*queue, &[Run { first: *position, count: 1 }], origin)?;
            *counts.entry(*queue).or_default() += 1;
        }
        from = walk.next;
    }
    drop(ledger);
    tell_lost(&counts, &state.topology, notes);
    Ok(())
}

/// Says of which queues messages are lost, and how many.
fn tell_lost(counts: &BTreeMap<QueueId, u64>, topology: &Topology, notes: &mut Vec<String>) {
    let names: FxHashMap<QueueId, (&str, &str)> = topology
        .records()
        .filter_map(|record| match record {
            Change::PutQueue(queue) => Some((queue.id, (&*queue.name, &*queue.vhost))),
            _ => None,
        })
        .collect();
    for (id, count) in counts.iter().take(QUEUES_TOLD_MAX) {
        let (name, vhost) = names.get(id).copied().unwrap_or_default();
        notes.push(format!(
            "{count} messages are lost of queue `{name}` in virtual host `{vhost}`: their part of the journal is missing"
        ));
    }
    if counts.len() > QUEUES_TOLD_MAX {
        let rest = counts.values().skip(QUEUES_TOLD_MAX);
        notes.push(format!(
            "{} messages are lost of {} more queues",
            rest.clone().sum::<u64>(),
            rest.count()
        ));
    }
}

/// Applies the journal from `from` on, its topology from `known_to` on.
fn replay(
    journal: &mut Journal,
    mut state: State,
    from: LogPosition,
    known_to: LogPosition,
    notes: &mut Vec<String>,
) -> Result<Restored, Failure> {
    let mut applied = Ok(());
    let replayed = journal.replay(from, &mut |extent, record| {
        let Location { segment, offset } = extent.location;
        let reading = if (LogPosition { segment, offset: u64::from(offset) }) < known_to {
            Reading::ReplayKnownTopology
        } else {
            Reading::Replay
        };
        if applied.is_ok() {
            applied = state.apply(&record, extent, reading);
        }
    })?;
    applied?;
    notes.extend(replayed.notes);
    // Of a queue whose deletion is in the journal, an index that was left in the middle of its update may have the
    // messages alone.
    let orphans = state.reconcile()?;
    if replayed.is_damaged && orphans > 0 {
        notes.push(format!("{orphans} messages belonged to queues that are not defined: dropped"));
    }
    Ok(Restored { state, bytes_replayed: replayed.bytes })
}

/// Why the journal keeps a store from opening.
pub(super) fn log_error(directory: &Directory, error: LogError) -> StoreError {
    if let LogError::Newer(newer) = error {
        return newer.into();
    }
    StoreError::Io {
        path: directory.path().join("journal"),
        doing: "recovered",
        source: std::io::Error::other(error),
    }
}
