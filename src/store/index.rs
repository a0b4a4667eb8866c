//! The index: sled holds the topology and where the live messages stand, as of a mark in the journal,
//! so that starting need not read the whole journal. All of it can be rebuilt.
//!
//! One tree. A key begins with its family: `M` is the mark, `t` with serial and part the topology, `l`
//! with queue and chunk the live messages. No record is larger than 4 KiB.
//!
//! # Why a crash in the middle of an update does no harm
//!
//! Updates are plain inserts in order from one thread, and sled recovers a prefix of them. The mark
//! moves last. Every record describes one thing whole (a chunk of positions, a definition), and
//! applying the journal from the old mark on top of newer records leads to the same state. While an
//! update is under way the mark says so, because the counts in it then need not agree.

use std::fs::{self, File};
use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::chunk::{CHUNK_POSITIONS, ChunkKey, Content, Entry, decode_chunk};
use super::ledger::Chunks;
use super::log::{LogPosition, SegmentId};
use super::operation::{Place, QueueId};
use super::state::State;

const MARK: &[u8] = b"M";
/// The mark of an earlier version, which knew less of each message.
const OLD_MARK: &[u8] = b"m";
const TOPOLOGY: u8 = b't';
const CHUNKS: u8 = b'l';

/// A definition longer than this is split into several records.
const PART_BYTES: usize = 3 * 1024;

/// So many chunks are taken from the ledger at once.
const CHUNKS_AT_ONCE: usize = 256;

/// How long sled's own threads may take to let go of an index that this process has just closed.
const LOCK_MS_MAX: u64 = 5_000;

/// What the index stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Everything before this point of the journal is in the index.
    pub(super) position: LogPosition,
    /// Tells the segment in which that is from another journal's.
    pub(super) fingerprint: Option<[u8; 4]>,
    pub(super) queue_id_max: QueueId,
    /// How many places hold a message.
    pub(super) entries: u64,
    /// How many definitions there are.
    pub(super) definitions: u64,
    /// The store was closed in good order at this point.
    pub(super) closed: bool,
    /// An update is under way, so the counts may not agree.
    pub(super) updating: bool,
}

/// A point of the journal, and what tells its segment from another journal's.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkStand {
    pub(super) position: LogPosition,
    pub(super) fingerprint: Option<[u8; 4]>,
}

/// What the index held when it was opened.
pub(super) struct Loaded {
    pub(super) mark: Mark,
    pub(super) state: State,
    /// The last message of each segment that holds any.
    pub(super) last: Vec<(Place, Entry)>,
}

/// When the index is brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Now and then while the store runs.
    Running,
    /// At the end, in good order.
    Closing,
}

/// The index cannot be used; the text says why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct IndexError(String);

impl IndexError {
    /// There is none.
    pub(super) fn missing() -> Self {
        Self("there is no index".to_owned())
    }

    /// Index and journal do not belong together.
    pub(super) fn misfit() -> Self {
        Self("it does not fit the journal".to_owned())
    }
}

impl From<sled::Error> for IndexError {
    fn from(error: sled::Error) -> Self {
        // sled's messages span lines.
        Self(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<postcard::Error> for IndexError {
    fn from(error: postcard::Error) -> Self {
        Self(format!("a record cannot be understood: {error}"))
    }
}

/// An open index.
pub(super) struct Index {
    db: sled::Db,
    /// Our own handle of sled's file, because sled's flush leaves data in the system's cache.
    file: File,
    mark: Option<Mark>,
}

impl Index {
    /// The index's directory below the data directory.
    pub(super) fn path(data_directory: &Path) -> PathBuf {
        data_directory.join("index")
    }

    /// Opens the index, or creates an empty one.
    pub(super) fn open(data_directory: &Path, cache_bytes: u64) -> Result<Self, IndexError> {
        let path = Self::path(data_directory);
        remove_unfinished_snapshots(&path)?;
        let db = guarded(|| open_sled(&path, cache_bytes))?;
        let file = File::open(path.join("db"))?;
        Ok(Self { db, file, mark: None })
    }

    /// Moves an index out of the way that cannot be used. Returns its new name.
    pub(super) fn move_aside(data_directory: &Path) -> io::Result<PathBuf> {
        let mut number = 1_u32;
        loop {
            let aside = data_directory.join(format!("index.broken-{number}"));
            if !aside.exists() {
                fs::rename(Self::path(data_directory), &aside)?;
                return Ok(aside);
            }
            number += 1;
        }
    }

    /// Where the ledger fetches what it does not hold.
    pub(super) fn chunks(&self) -> Arc<dyn Chunks> {
        Arc::new(SledChunks(self.db.clone()))
    }

    /// Reads everything, and keeps of the messages only how many there are and where. Nothing when the index has
    /// no mark yet.
    pub(super) fn load(&mut self) -> Result<Option<Loaded>, IndexError> {
        guarded(|| self.load_all())
    }

    fn load_all(&mut self) -> Result<Option<Loaded>, IndexError> {
        let Some(mark) = self.db.get(MARK)? else {
            return if self.db.is_empty() {
                Ok(None)
            } else if self.db.contains_key(OLD_MARK)? {
                Err(IndexError("an earlier version wrote it".to_owned()))
            } else {
                Err(IndexError("it has content and no mark".to_owned()))
            };
        };
        let mark: Mark = postcard::from_bytes(&mark)?;
        let mut state = State::default();
        self.load_definitions(&mut state)?;
        let last = self.load_chunks(&state)?;
        state.topology.note_queue_id(mark.queue_id_max);
        let counts = (state.ledger.lock().len(), state.topology.len() as u64);
        if !mark.updating && counts != (mark.entries, mark.definitions) {
            return Err(IndexError(format!(
                "it holds {} messages and {} definitions where its mark says {} and {}",
                counts.0, counts.1, mark.entries, mark.definitions
            )));
        }
        self.mark = Some(mark);
        Ok(Some(Loaded { mark, state, last }))
    }

    fn load_definitions(&self, state: &mut State) -> Result<(), IndexError> {
        let mut serial = None;
        let mut text = Vec::new();
        for item in self.db.scan_prefix([TOPOLOGY]) {
            let (key, part) = item?;
            let Some((this, number)) = parse_definition_key(&key) else {
                return Err(IndexError("a definition's key is malformed".to_owned()));
            };
            if number == 0
                && let Some(serial) = serial.replace(this)
            {
                state.topology.load(serial, postcard::from_bytes(&text)?);
                text.clear();
            }
            if serial != Some(this) {
                return Err(IndexError("a part of a definition is missing".to_owned()));
            }
            text.extend_from_slice(&part);
        }
        if let Some(serial) = serial {
            state.topology.load(serial, postcard::from_bytes(&text)?);
        }
        Ok(())
    }

    /// Tells the ledger of all chunks. Returns the last message of each segment.
    fn load_chunks(&self, state: &State) -> Result<Vec<(Place, Entry)>, IndexError> {
        let mut ledger = state.ledger.lock();
        ledger.attach(self.chunks());
        let mut last: FxHashMap<SegmentId, (Place, Entry)> = FxHashMap::default();
        for item in self.db.scan_prefix([CHUNKS]) {
            let (key, value) = item?;
            let (Some(queue), Some(number)) = (number_at(&key, 1), number_at(&key, 9)) else {
                return Err(IndexError("a chunk's key is malformed".to_owned()));
            };
            let entries = decode_chunk(&value).ok_or_else(malformed)?;
            ledger.load((queue, number), &entries);
            for entry in entries {
                let place =
                    Place { queue, position: number * CHUNK_POSITIONS + u64::from(entry.low) };
                let last = last.entry(entry.location.segment).or_insert((place, entry));
                if last.1.location < entry.location {
                    *last = (place, entry);
                }
            }
        }
        Ok(last.into_values().collect())
    }

    /// Brings the index up to date with `state` as of `stand`. Returns when it is on the disk.
    pub(super) fn update(
        &mut self,
        state: &State,
        stand: MarkStand,
        occasion: Occasion,
    ) -> Result<(), IndexError> {
        if let Some(mark) = &mut self.mark {
            mark.updating = true;
            self.db.insert(MARK, postcard::to_stdvec(mark)?)?;
        }
        for (serial, record) in state.topology.dirty() {
            self.update_definition(serial, record)?;
        }
        for queue in state.ledger.lock().closed() {
            self.drop_chunks(queue)?;
        }
        self.update_chunks(state)?;
        self.sync()?;
        let mark = Mark {
            position: stand.position,
            fingerprint: stand.fingerprint,
            queue_id_max: state.topology.queue_id_max(),
            entries: state.ledger.lock().len(),
            definitions: state.topology.len() as u64,
            closed: occasion == Occasion::Closing,
            updating: false,
        };
        self.db.insert(MARK, postcard::to_stdvec(&mark)?)?;
        self.sync()?;
        self.mark = Some(mark);
        Ok(())
    }

    /// What the index stands for; nothing when it is new.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    fn drop_chunks(&self, queue: QueueId) -> Result<(), IndexError> {
        for key in self.db.scan_prefix(&chunk_key(queue, 0)[..9]).keys() {
            self.db.remove(key?)?;
        }
        Ok(())
    }

    fn update_chunks(&self, state: &State) -> Result<(), IndexError> {
        let mut after = None;
        loop {
            // Written with the ledger's lock free, for those who read meanwhile.
            let changes = state.ledger.lock().changes(after, CHUNKS_AT_ONCE);
            let Some(((queue, number), _)) = changes.last() else { return Ok(()) };
            after = Some((*queue, *number));
            for ((queue, number), content) in changes {
                let key = chunk_key(queue, number);
                match content {
                    Some(bytes) => self.db.insert(key, bytes)?,
                    None => self.db.remove(key)?,
                };
            }
        }
    }

    fn update_definition(
        &self,
        serial: u64,
        record: Option<&super::operation::Change>,
    ) -> Result<(), IndexError> {
        let Some(record) = record else {
            for key in self.db.scan_prefix(&definition_key(serial, 0)[..9]).keys() {
                self.db.remove(key?)?;
            }
            return Ok(());
        };
        for (part, number) in postcard::to_stdvec(record)?.chunks(PART_BYTES).zip(0_u32..) {
            self.db.insert(definition_key(serial, number), part)?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), IndexError> {
        self.db.flush()?;
        self.file.sync_data()?;
        Ok(())
    }
}

/// Chunks as sled has them.
struct SledChunks(sled::Db);

impl Chunks for SledChunks {
    fn chunk(&self, key: ChunkKey) -> Result<Option<Content>, IndexError> {
        guarded(|| {
            let Some(value) = self.0.get(chunk_key(key.0, key.1))? else { return Ok(None) };
            Content::from_index(&value).map(Some).ok_or_else(malformed)
        })
    }

    fn scan(
        &self,
        queue: QueueId,
        numbers: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        guarded(|| {
            let keys = chunk_key(queue, *numbers.start())..=chunk_key(queue, *numbers.end());
            for item in self.0.range(keys) {
                let (key, value) = item?;
                let number = number_at(&key, 9).ok_or_else(malformed)?;
                let content = Content::from_index(&value).ok_or_else(malformed)?;
                if visit(number, content).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn malformed() -> IndexError {
    IndexError("a chunk cannot be understood".to_owned())
}

/// sled meets some kinds of damage with a panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(IndexError("sled gave up on it".to_owned())))
}

fn open_sled(path: &Path, cache_bytes: u64) -> Result<sled::Db, IndexError> {
    let give_up = Instant::now() + Duration::from_millis(LOCK_MS_MAX);
    loop {
        match sled::Config::new().path(path).cache_capacity(cache_bytes).open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("lock") && Instant::now() < give_up =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return Ok(result?),
        }
    }
}

/// A crash while sled opens leaves a file behind that makes every later open fail.
fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn definition_key(serial: u64, part: u32) -> [u8; 13] {
    let mut key = [TOPOLOGY; 13];
    key[1..9].copy_from_slice(&serial.to_be_bytes());
    key[9..].copy_from_slice(&part.to_be_bytes());
    key
}

fn parse_definition_key(key: &[u8]) -> Option<(u64, u32)> {
    let part = key.get(9..)?.try_into().ok()?;
    Some((number_at(key, 1)?, u32::from_be_bytes(part)))
}

fn chunk_key(queue: QueueId, number: u64) -> [u8; 17] {
    let mut key = [CHUNKS; 17];
    key[1..9].copy_from_slice(&queue.to_be_bytes());
    key[9..].copy_from_slice(&number.to_be_bytes());
    key
}

fn number_at(key: &[u8], start: usize) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(start..start + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
