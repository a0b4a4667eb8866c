//! The index: sled, or another base, holds the topology and where the live messages stand, as of a mark in the journal,
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

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub(super) use super::base::IndexError;
use super::base::{Base, BasePlace};
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

/// No key is longer.
const KEY_BYTES_MAX: usize = 24;

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

/// An open index.
pub(super) struct Index {
    base: Arc<dyn Base>,
    mark: Option<Mark>,
}

impl Index {
    /// Opens the index, or creates an empty one.
    pub(super) fn open(place: &dyn BasePlace) -> Result<Self, IndexError> {
        Ok(Self { base: place.open()?, mark: None })
    }

    /// Where the ledger fetches what it does not hold.
    pub(super) fn chunks(&self) -> Arc<dyn Chunks> {
        Arc::new(BaseChunks(self.base.clone()))
    }

    /// Reads everything, and keeps of the messages only how many there are and where. Nothing when the index has
    /// no mark yet.
    pub(super) fn load(&mut self) -> Result<Option<Loaded>, IndexError> {
        let Some(mark) = self.base.get(MARK)? else {
            return if self.is_empty()? {
                Ok(None)
            } else if self.base.get(OLD_MARK)?.is_some() {
                Err(IndexError::new("an earlier version wrote it"))
            } else {
                Err(IndexError::new("it has content and no mark"))
            };
        };
        let mark: Mark = postcard::from_bytes(&mark)?;
        let mut state = State::default();
        self.load_definitions(&mut state)?;
        let last = self.load_chunks(&state)?;
        state.topology.note_queue_id(mark.queue_id_max);
        let counts = (state.ledger.lock().len(), state.topology.len() as u64);
        if !mark.updating && counts != (mark.entries, mark.definitions) {
            return Err(IndexError::new(format!(
                "it holds {} messages and {} definitions where its mark says {} and {}",
                counts.0, counts.1, mark.entries, mark.definitions
            )));
        }
        self.mark = Some(mark);
        Ok(Some(Loaded { mark, state, last }))
    }

    fn is_empty(&self) -> Result<bool, IndexError> {
        let mut is_empty = true;
        self.base.scan(&[]..=&[u8::MAX; KEY_BYTES_MAX], &mut |_, _| {
            is_empty = false;
            ControlFlow::Break(())
        })?;
        Ok(is_empty)
    }

    /// Visits all records of a family in order. The first error ends it.
    fn each(
        &self,
        family: u8,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut last = [u8::MAX; KEY_BYTES_MAX];
        last[0] = family;
        let mut result = Ok(());
        self.base.scan(&[family]..=&last, &mut |key, value| {
            result = visit(key, value);
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        result
    }

    fn load_definitions(&self, state: &mut State) -> Result<(), IndexError> {
        let mut serial = None;
        let mut text = Vec::new();
        self.each(TOPOLOGY, |key, part| {
            let Some((this, number)) = parse_definition_key(key) else {
                return Err(IndexError::new("a definition's key is malformed"));
            };
            if number == 0
                && let Some(serial) = serial.replace(this)
            {
                state.topology.load(serial, postcard::from_bytes(&text)?);
                text.clear();
            }
            if serial != Some(this) {
                return Err(IndexError::new("a part of a definition is missing"));
            }
            text.extend_from_slice(part);
            Ok(())
        })?;
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
        self.each(CHUNKS, |key, value| {
            let (Some(queue), Some(number)) = (number_at(key, 1), number_at(key, 9)) else {
                return Err(IndexError::new("a chunk's key is malformed"));
            };
            let entries = decode_chunk(value).ok_or_else(malformed)?;
            ledger.load((queue, number), &entries);
            for entry in entries {
                let place =
                    Place { queue, position: number * CHUNK_POSITIONS + u64::from(entry.low) };
                let last = last.entry(entry.location.segment).or_insert((place, entry));
                if last.1.location < entry.location {
                    *last = (place, entry);
                }
            }
            Ok(())
        })?;
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
            self.base.insert(MARK, &postcard::to_stdvec(mark)?)?;
        }
        for (serial, record) in state.topology.dirty() {
            self.update_definition(serial, record)?;
        }
        for queue in state.ledger.lock().closed() {
            self.drop_chunks(queue)?;
        }
        self.update_chunks(state)?;
        self.base.flush()?;
        let mark = Mark {
            position: stand.position,
            fingerprint: stand.fingerprint,
            queue_id_max: state.topology.queue_id_max(),
            entries: state.ledger.lock().len(),
            definitions: state.topology.len() as u64,
            closed: occasion == Occasion::Closing,
            updating: false,
        };
        self.base.insert(MARK, &postcard::to_stdvec(&mark)?)?;
        self.base.flush()?;
        self.mark = Some(mark);
        Ok(())
    }

    /// What the index stands for; nothing when it is new.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    fn drop_chunks(&self, queue: QueueId) -> Result<(), IndexError> {
        self.drop_keys(&chunk_key(queue, 0)..=&chunk_key(queue, u64::MAX))
    }

    fn drop_keys(&self, keys: RangeInclusive<&[u8]>) -> Result<(), IndexError> {
        let mut dropped = Vec::new();
        self.base.scan(keys, &mut |key, _| {
            dropped.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        for key in dropped {
            self.base.remove(&key)?;
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
                    Some(bytes) => self.base.insert(&key, &bytes)?,
                    None => self.base.remove(&key)?,
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
            return self.drop_keys(&definition_key(serial, 0)..=&definition_key(serial, u32::MAX));
        };
        for (part, number) in postcard::to_stdvec(record)?.chunks(PART_BYTES).zip(0_u32..) {
            self.base.insert(&definition_key(serial, number), part)?;
        }
        Ok(())
    }
}

/// Chunks as the base has them.
struct BaseChunks(Arc<dyn Base>);

impl Chunks for BaseChunks {
    fn chunk(&self, key: ChunkKey) -> Result<Option<Content>, IndexError> {
        let Some(value) = self.0.get(&chunk_key(key.0, key.1))? else { return Ok(None) };
        Content::from_index(&value).map(Some).ok_or_else(malformed)
    }

    fn scan(
        &self,
        queue: QueueId,
        numbers: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let (first, last) = (chunk_key(queue, *numbers.start()), chunk_key(queue, *numbers.end()));
        let mut is_malformed = false;
        self.0.scan(&first..=&last, &mut |key, value| match (
            number_at(key, 9),
            Content::from_index(value),
        ) {
            (Some(number), Some(content)) => visit(number, content),
            _ => {
                is_malformed = true;
                ControlFlow::Break(())
            }
        })?;
        if is_malformed { Err(malformed()) } else { Ok(()) }
    }
}

fn malformed() -> IndexError {
    IndexError::new("a chunk cannot be understood")
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
