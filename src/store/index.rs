//! The index: sled, or another base, holds the topology and where the live messages stand, as of a mark in the journal,
//! so that starting need not read the whole journal. All of it can be rebuilt.
//!
//! One tree. A key begins with its family: `M` is the mark, `t` with serial and part the topology, `l`
//! with queue and chunk the live messages. No record is larger than 4 KiB. Each begins with the version of its layout,
//! and records of an older version stay as they are until they are written again. `docs/storage-format.md` has the layouts.
//!
//! # Why a crash in the middle of an update does no harm
//!
//! Updates are plain inserts in order from one thread, and the base recovers a prefix of them. The mark
//! moves last. While an update is under way the mark says so, because the counts in it then need not agree.
//!
//! An update is done in slices, and meanwhile the journal grows. The mark will stand for the point at which the update
//! began, or an earlier one: that of the oldest record that is not yet carried out. Chunks are taken as they are when
//! their turn comes, so that some are newer than the mark, and of definitions some are missing that went since. Every
//! record describes one thing whole (a chunk of positions, a definition), and applying the journal from the mark on, to
//! its end, on top of newer records leads to the same state: the last word on each position, and on each name, is in the
//! part that is applied, or it was said before the mark. So the mark's counts are those of what the index holds, not of
//! what was alive at its point.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::base::{Base, BasePlace, IndexError};
use super::change::{encode_change, lone_change};
use super::chunk::{CHUNK_POSITIONS, ChunkKey, Content, LiveMessage, indexed_entries};
use super::ledger::{Changes, Chunks};
use super::log::SegmentId;
pub(super) use super::mark::{Mark, MarkPoint};
use super::newer::Undecoded;
use super::operation::{Change, Place, QueueId};
use super::state::State;
use super::topology::{Keeper, Serial};

const MARK: &[u8] = b"M";
/// The mark of an earlier version, which knew less of each message.
const OLD_MARK: &[u8] = b"m";
const TOPOLOGY: u8 = b't';
const CHUNKS: u8 = b'l';

/// A definition longer than this is split into several records.
const PART_BYTES: usize = 3 * 1024;

/// No key is longer.
const KEY_BYTES_MAX: usize = 24;

/// What the index held when it was opened.
pub(super) struct Loaded {
    pub(super) mark: Mark,
    pub(super) state: State,
    /// The last message of each segment that holds any.
    pub(super) last: Vec<(Place, LiveMessage)>,
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
        let mark = Mark::decode(&mark)?;
        let mut state = State::default();
        self.load_definitions(mark, &mut state)?;
        let last = self.load_chunks(&state)?;
        state.topology.note_queue_id(mark.queue_id_max);
        let definitions = state.topology.held_by(Keeper::Index);
        let counts = (state.ledger.lock().indexed(), definitions);
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

    fn load_definitions(&self, mark: Mark, state: &mut State) -> Result<(), IndexError> {
        let mut open: Option<(Serial, Vec<u8>)> = None;
        let mut unfinished = Vec::new();
        let mut load = |(serial, text): (Serial, Vec<u8>)| -> Result<(), IndexError> {
            state.topology.load(Keeper::Index, serial, lone_change(&text)?);
            Ok(())
        };
        self.each(TOPOLOGY, |key, part| {
            let Some((serial, number)) = parse_definition_key(key) else {
                return Err(IndexError::new("a definition's key is malformed"));
            };
            match &mut open {
                _ if number == 0 => {
                    open.replace((serial, part.to_vec())).map_or(Ok(()), &mut load)?;
                }
                Some((open, text)) if *open == serial => text.extend_from_slice(part),
                _ if mark.updating => unfinished.push(key.to_vec()),
                _ => return Err(IndexError::new("a part of a definition is missing")),
            }
            Ok(())
        })?;
        open.map_or(Ok(()), load)?;
        for key in unfinished {
            self.base.remove(&key)?;
        }
        Ok(())
    }

    /// Tells the ledger of all chunks. Returns the last message of each segment.
    fn load_chunks(&self, state: &State) -> Result<Vec<(Place, LiveMessage)>, IndexError> {
        let mut ledger = state.ledger.lock();
        ledger.attach(self.chunks());
        let mut last: FxHashMap<SegmentId, (Place, LiveMessage)> = FxHashMap::default();
        self.each(CHUNKS, |key, value| {
            let (Some(queue), Some(number)) = (number_at(key, 1), number_at(key, 9)) else {
                return Err(IndexError::new("a chunk's key is malformed"));
            };
            let entries = indexed_entries(value)?;
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

    /// Begins an update. From here to its end the counts in the mark need not agree. A new index gets a first mark, if
    /// there is a point of the journal before which there is nothing.
    pub(super) fn begin(&mut self, origin: Option<MarkPoint>) -> Result<(), IndexError> {
        let first = origin.map(|MarkPoint { position, fingerprint }| Mark {
            position,
            fingerprint,
            queue_id_max: 0,
            entries: 0,
            definitions: 0,
            closed: false,
            updating: true,
        });
        let Some(mark) = self.mark.or(first) else { return Ok(()) };
        self.put_mark(Mark { updating: true, ..mark })
    }

    /// Ends an update whose changes are on the disk: the index stands for this now, once the mark is on the disk too.
    pub(super) fn finish(&mut self, mark: Mark) -> Result<(), IndexError> {
        self.put_mark(mark)
    }

    fn put_mark(&mut self, mark: Mark) -> Result<(), IndexError> {
        self.base.insert(MARK, &mark.encode())?;
        self.mark = Some(mark);
        Ok(())
    }

    /// What is to be flushed.
    pub(super) fn base(&self) -> Arc<dyn Base> {
        self.base.clone()
    }

    /// What the index stands for; nothing when it is new.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Drops the chunks of a queue, so many of them at most. Returns how many, with how many messages, and breaks when they
    /// were the last.
    pub(super) fn drop_chunks(
        &self,
        queue: QueueId,
        count_max: usize,
    ) -> Result<(usize, u64, ControlFlow<()>), IndexError> {
        let (first, last) = (chunk_key(queue, 0), chunk_key(queue, u64::MAX));
        let mut dropped = Vec::new();
        let mut messages = 0;
        let mut progress = ControlFlow::Break(());
        self.base.scan(&first..=&last, &mut |key, value| {
            if dropped.len() == count_max {
                progress = ControlFlow::Continue(());
                return ControlFlow::Break(());
            }
            messages += indexed_entries(value).map_or(0, |entries| entries.len() as u64);
            dropped.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        for key in &dropped {
            self.base.remove(key)?;
        }
        Ok((dropped.len(), messages, progress))
    }

    /// Writes chunks, or takes them out.
    pub(super) fn write_chunks(&self, changes: &Changes) -> Result<(), IndexError> {
        for ((queue, number), content) in &changes.chunks {
            let key = chunk_key(*queue, *number);
            match content {
                Some(bytes) => self.base.insert(&key, bytes)?,
                None => self.base.remove(&key)?,
            }
        }
        Ok(())
    }

    /// Writes a definition, or takes it out. One in several parts is there when its first part is, which comes last and goes
    /// first.
    pub(super) fn write_definition(
        &self,
        serial: Serial,
        record: Option<&Change>,
    ) -> Result<(), IndexError> {
        let Some(record) = record else {
            return self.drop_keys(&definition_key(serial, 0)..=&definition_key(serial, u32::MAX));
        };
        let mut bytes = Vec::new();
        encode_change(record, &mut bytes);
        let parts: Vec<(&[u8], u32)> = bytes.chunks(PART_BYTES).zip(0_u32..).collect();
        for (part, number) in parts.into_iter().rev() {
            self.base.insert(&definition_key(serial, number), part)?;
        }
        Ok(())
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
}

/// Chunks as the base has them.
struct BaseChunks(Arc<dyn Base>);

impl Chunks for BaseChunks {
    fn chunk(&self, key: ChunkKey) -> Result<Option<Content>, IndexError> {
        let Some(value) = self.0.get(&chunk_key(key.0, key.1))? else { return Ok(None) };
        Ok(Some(Content::from_index(&value)?))
    }

    fn scan(
        &self,
        queue: QueueId,
        numbers: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let (first, last) = (chunk_key(queue, *numbers.start()), chunk_key(queue, *numbers.end()));
        let mut result = Ok(());
        self.0.scan(&first..=&last, &mut |key, value| {
            let found = number_at(key, 9).ok_or(Undecoded::Senseless);
            match found.and_then(|number| Ok((number, Content::from_index(value)?))) {
                Ok((number, content)) => visit(number, content),
                Err(undecoded) => {
                    result = Err(undecoded.into());
                    ControlFlow::Break(())
                }
            }
        })?;
        result
    }
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
