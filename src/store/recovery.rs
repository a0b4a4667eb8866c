//! Recovery: what a start does to get everything back. The index gives the state as of its mark and the
//! journal the rest; if the index cannot be used, the journal and the snapshot of the topology give all
//! of it.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::directory::Directory;
use super::failure::StoreError;
use super::index::{Index, Mark};
use super::journal::Journal;
use super::log::{Location, Log, LogError, LogPosition, Unreadable};
use super::operation::{
    BindingRecord, Change, ExchangeRecord, PermissionRecord, Place, Position, QueueId, QueueRecord,
    Run, UserRecord, VhostRecord,
};
use super::options::Options;
use super::record::Record;
use super::state::{Reading, State};
use crate::message::Message;

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
    /// The messages of each queue that has any, in order of position. One message in several queues is
    /// shared.
    pub messages: FxHashMap<QueueId, Vec<RecoveredEntry>>,
    /// The highest id that a queue ever had. New queues take higher ones.
    pub queue_id_max: QueueId,
    /// The last stop was in good order.
    pub clean: bool,
    /// The directory was empty.
    pub new: bool,
    /// What was repaired, one line each.
    pub notes: Vec<String>,
}

/// One message of one queue.
#[derive(Debug, Clone)]
pub struct RecoveredEntry {
    /// Its place in the queue.
    pub position: Position,
    /// The message.
    pub message: Arc<Message>,
    /// How often it has come back to the queue.
    pub returns: u32,
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
}

/// State and messages, as far as one way of recovering has brought them.
struct Restored {
    state: State,
    messages: FxHashMap<QueueId, Vec<RecoveredEntry>>,
    bytes_replayed: u64,
}

/// The index names a record that is something else: they do not belong together.
struct Mismatch;

/// Gets everything back, and makes the journal ready to be written.
pub(super) fn recover(
    directory: &Directory,
    journal: &mut Journal,
    options: &Options,
) -> Result<Recovery, StoreError> {
    let mut notes = directory.notes.clone();
    let cache_bytes = options.index_cache_bytes;
    let (mut index, loaded) = open_index(directory, cache_bytes, &mut notes)?;
    let mut from_index = None;
    if let Some((mark, state)) = loaded {
        let restored = replay(journal, state, mark.position, mark.position, &mut notes);
        match restored.map_err(|error| log_error(directory, error))? {
            Ok(restored) => from_index = Some((mark, restored)),
            Err(Mismatch) => {
                drop(index);
                let why = "it does not fit the journal";
                index = replace_index(directory, cache_bytes, why, &mut notes)?;
            }
        }
    }
    let (mark, restored) = match from_index {
        Some((mark, restored)) => (Some(mark), restored),
        None => (None, rebuild(directory, journal, &mut notes)?),
    };
    let Restored { mut state, messages, bytes_replayed } = restored;
    if !matches!(journal.snapshot(), Ok(Some(_))) {
        state.topology.mark_unsaved();
        if mark.is_some() {
            notes.push("definitions.json could not be read and was written anew".to_owned());
        }
    }
    let clean = directory.is_new || (notes.is_empty() && stopped_at_mark(mark, journal));
    let mut recovered = Recovered {
        messages,
        queue_id_max: state.topology.queue_id_max(),
        clean,
        new: directory.is_new,
        notes,
        ..Recovered::default()
    };
    for record in state.topology.records() {
        recovered.add(record.clone());
    }
    // What was repaired is not in the index yet, even where the journal has not grown.
    let marked = mark.map(|mark| mark.position).filter(|_| recovered.notes.is_empty());
    Ok(Recovery { index, state, recovered, marked, bytes_unmarked: bytes_replayed })
}

fn stopped_at_mark(mark: Option<Mark>, journal: &Journal) -> bool {
    mark.is_some_and(|mark| mark.closed && mark.position == journal.end())
}

impl Recovered {
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
    directory: &Directory,
    cache_bytes: u64,
    notes: &mut Vec<String>,
) -> Result<(Index, Option<(Mark, State)>), StoreError> {
    let opened = Index::open(directory.path(), cache_bytes)
        .and_then(|mut index| index.load().map(|loaded| (index, loaded)));
    match opened {
        Ok(opened) => Ok(opened),
        Err(error) => {
            let index = replace_index(directory, cache_bytes, &error.to_string(), notes)?;
            Ok((index, None))
        }
    }
}

/// Moves the index aside and opens an empty one.
fn replace_index(
    directory: &Directory,
    cache_bytes: u64,
    why: &str,
    notes: &mut Vec<String>,
) -> Result<Index, StoreError> {
    let path = Index::path(directory.path());
    let aside =
        Index::move_aside(directory.path()).map_err(StoreError::io(&path, "moved aside"))?;
    notes.push(format!("the index could not be used ({why}) and was moved to {}", aside.display()));
    Index::open(directory.path(), cache_bytes).map_err(|error| StoreError::Io {
        path,
        doing: "created",
        source: std::io::Error::other(error),
    })
}

/// Gets everything from the journal and the snapshot of the topology.
fn rebuild(
    directory: &Directory,
    journal: &mut Journal,
    notes: &mut Vec<String>,
) -> Result<Restored, StoreError> {
    let start = journal.start();
    let is_whole = start.segment == 1;
    let (known_to, state) = match journal.snapshot() {
        Ok(Some((known_to, topology))) => {
            notes.push("the index was rebuilt from the journal".to_owned());
            (known_to, State { topology, ..State::default() })
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
    let restored = replay(journal, state, start, known_to, notes)
        .map_err(|error| log_error(directory, error))?;
    match restored {
        Ok(mut restored) => {
            restored.state.mark_unindexed();
            Ok(restored)
        }
        Err(Mismatch) => Err(StoreError::Corrupt {
            dir: directory.path().to_owned(),
            what: "the journal changes while it is read".to_owned(),
            mend: "check the disk, then start again".to_owned(),
        }),
    }
}

/// Applies the journal from `from` on, its topology from `known_to` on, and reads the messages that are
/// alive.
fn replay(
    journal: &mut Journal,
    mut state: State,
    from: LogPosition,
    known_to: LogPosition,
    notes: &mut Vec<String>,
) -> Result<Result<Restored, Mismatch>, LogError> {
    let replayed = journal.replay(from, &mut |stand, record| {
        let Location { segment, offset } = stand.location;
        let reading = if (LogPosition { segment, offset: u64::from(offset) }) < known_to {
            Reading::ReplayKnownTopology
        } else {
            Reading::Replay
        };
        state.apply(&record, stand, reading);
    })?;
    let damaged = !replayed.notes.is_empty();
    notes.extend(replayed.notes);
    let orphans = state.reconcile();
    if damaged && orphans > 0 {
        notes.push(format!("{orphans} messages belonged to queues that are not defined: dropped"));
    }
    let Ok(messages) = load_messages(journal, &mut state, notes) else { return Ok(Err(Mismatch)) };
    Ok(Ok(Restored { state, messages, bytes_replayed: replayed.bytes }))
}

/// Reads every live message. One that cannot be read is noted and taken out of the ledger.
fn load_messages(
    journal: &Journal,
    state: &mut State,
    notes: &mut Vec<String>,
) -> Result<FxHashMap<QueueId, Vec<RecoveredEntry>>, Mismatch> {
    let mut wanted: Vec<(Location, Place, u32)> = state
        .ledger
        .lock()
        .iter()
        .map(|(place, entry)| (entry.location, place, entry.returns))
        .collect();
    wanted.sort_unstable();
    let groups: Vec<&[(Location, Place, u32)]> = wanted.chunk_by(|a, b| a.0 == b.0).collect();
    let locations: Vec<Location> = groups.iter().map(|group| group[0].0).collect();
    let mut messages: FxHashMap<QueueId, Vec<RecoveredEntry>> = FxHashMap::default();
    let mut exchanges: HashMap<Box<str>, Arc<str>> = HashMap::new();
    let mut lost: Vec<(Unreadable, Place)> = Vec::new();
    let mut mismatch = false;
    journal.read(&locations, &mut |at, record| match record {
        Ok(Record::Enqueue { places, message }) => {
            let exchange = exchanges
                .entry(message.exchange.into())
                .or_insert_with(|| Arc::from(message.exchange))
                .clone();
            let message = Arc::new(message.to_message(exchange));
            for (_, place, returns) in groups[at] {
                mismatch |= !places.contains(place);
                let message = message.clone();
                let entry = RecoveredEntry { position: place.position, message, returns: *returns };
                messages.entry(place.queue).or_default().push(entry);
            }
        }
        Ok(_) => mismatch = true,
        Err(why) => lost.extend(groups[at].iter().map(|(_, place, _)| (why, *place))),
    });
    if mismatch {
        return Err(Mismatch);
    }
    for entries in messages.values_mut() {
        entries.sort_unstable_by_key(|entry| entry.position);
    }
    note_lost(&lost, notes);
    for (_, place) in lost {
        state.ledger.lock().settle(place.queue, Run { first: place.position, count: 1 });
    }
    Ok(messages)
}

fn note_lost(lost: &[(Unreadable, Place)], notes: &mut Vec<String>) {
    for (why, text) in [
        (Unreadable::Missing, "their part of the journal is missing"),
        (Unreadable::Damaged, "their part of the journal is damaged"),
    ] {
        let count = lost.iter().filter(|(this, _)| *this == why).count();
        if count > 0 {
            notes.push(format!("{count} messages are lost: {text}"));
        }
    }
}

fn log_error(directory: &Directory, error: LogError) -> StoreError {
    StoreError::Io {
        path: directory.path().join("journal"),
        doing: "recovered",
        source: std::io::Error::other(error),
    }
}
