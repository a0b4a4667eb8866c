//! The index: sled holds the topology and where the live messages stand, as of a mark in the journal,
//! so that starting need not read the whole journal. All of it can be rebuilt.
//!
//! One tree. A key begins with its family: `m` is the mark, `t` with serial and part the topology, `l`
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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::chunk::{decode_chunk, encode_chunk};
use super::log::LogPosition;
use super::operation::QueueId;
use super::state::State;

const MARK: &[u8] = b"m";
const TOPOLOGY: u8 = b't';
const CHUNKS: u8 = b'l';

/// A definition longer than this is split into several records.
const PART_BYTES: usize = 3 * 1024;

/// How long sled's own threads may take to let go of an index that this process has just closed.
const LOCK_MS_MAX: u64 = 5_000;

/// What the index stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Everything before this point of the journal is in the index.
    pub(super) position: LogPosition,
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
        // sled meets some kinds of damage with a panic.
        let opened = catch_unwind(AssertUnwindSafe(|| open_sled(&path, cache_bytes)));
        let db = opened.unwrap_or_else(|_| Err(IndexError("sled gave up on it".to_owned())))?;
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

    /// Reads everything. Nothing when the index has no mark yet.
    pub(super) fn load(&mut self) -> Result<Option<(Mark, State)>, IndexError> {
        catch_unwind(AssertUnwindSafe(|| self.load_all()))
            .unwrap_or_else(|_| Err(IndexError("sled gave up on it".to_owned())))
    }

    fn load_all(&mut self) -> Result<Option<(Mark, State)>, IndexError> {
        let Some(mark) = self.db.get(MARK)? else {
            return if self.db.is_empty() {
                Ok(None)
            } else {
                Err(IndexError("it has content and no mark".to_owned()))
            };
        };
        let mark: Mark = postcard::from_bytes(&mark)?;
        let mut state = State::default();
        self.load_definitions(&mut state)?;
        self.load_chunks(&mut state)?;
        state.topology.note_queue_id(mark.queue_id_max);
        let counts = (state.ledger.lock().len(), state.topology.len() as u64);
        if !mark.updating && counts != (mark.entries, mark.definitions) {
            return Err(IndexError(format!(
                "it holds {} messages and {} definitions where its mark says {} and {}",
                counts.0, counts.1, mark.entries, mark.definitions
            )));
        }
        self.mark = Some(mark);
        Ok(Some((mark, state)))
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

    fn load_chunks(&self, state: &mut State) -> Result<(), IndexError> {
        for item in self.db.scan_prefix([CHUNKS]) {
            let (key, value) = item?;
            let (Some(queue), Some(number)) = (number_at(&key, 1), number_at(&key, 9)) else {
                return Err(IndexError("a chunk's key is malformed".to_owned()));
            };
            let Some(entries) = decode_chunk(&value) else {
                return Err(IndexError("a chunk cannot be understood".to_owned()));
            };
            state.ledger.lock().load((queue, number), entries);
        }
        Ok(())
    }

    /// Brings the index up to date with `state` as of `position`. Returns when it is on the disk.
    pub(super) fn update(
        &mut self,
        state: &State,
        position: LogPosition,
        occasion: Occasion,
    ) -> Result<(), IndexError> {
        if let Some(mark) = &mut self.mark {
            mark.updating = true;
            self.db.insert(MARK, postcard::to_stdvec(mark)?)?;
        }
        for (serial, record) in state.topology.dirty() {
            self.update_definition(serial, record)?;
        }
        for ((queue, number), entries) in state.ledger.lock().dirty() {
            let key = chunk_key(queue, number);
            if entries.is_empty() {
                self.db.remove(key)?;
            } else {
                self.db.insert(key, encode_chunk(entries))?;
            }
        }
        self.sync()?;
        let mark = Mark {
            position,
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
