//! Survivors of mostly dead segments are appended again, for the places that are left, so that the segments can go.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::super::Committer;
use super::Trouble;
use crate::message::Message;
use crate::store::chunk::{CHUNK_POSITIONS, ChunkKey, LiveMessage};
use crate::store::log::{Location, LogError, SegmentId};
use crate::store::operation::{Operation, Place, Position, QueueId};
use crate::store::options::Slice;
use crate::store::record::Record;

/// Survivors are copied only when the journal is larger than this many full segments.
const SPARE_SEGMENTS: u64 = 4;

/// A segment is mostly dead when less than one part in this many is alive.
const ALIVE_PART: u64 = 4;

/// Survivors that could not be read so many times in a row will not be.
const UNREAD_MAX: u32 = 5;

/// What lies between two survivors is read with them when it is shorter than this.
const READ_BYTES: u64 = 256 << 10;

/// So many bytes of segments does a slice read, or one message more.
const SLICE_READ_BYTES: u64 = 4 << 20;

/// What a record takes beside its message's body, about.
const RECORD_OVERHEAD_BYTES: u64 = 64;

/// What is to be copied, as far as it is not yet.
pub(super) struct Copying {
    sources: FxHashSet<SegmentId>,
    /// The chunk to look for survivors from.
    from: Option<ChunkKey>,
    /// What was found, in the order in which it stands.
    survivors: VecDeque<Survivor>,
}

/// A message that outlives its segment.
#[derive(Debug)]
struct Survivor {
    location: Location,
    /// Each with the number of its returns.
    places: SmallVec<[(Place, u32); 1]>,
    bytes: u64,
}

impl From<Vec<SegmentId>> for Copying {
    fn from(sources: Vec<SegmentId>) -> Self {
        let from = (!sources.is_empty()).then_some((0, 0));
        Self { sources: sources.into_iter().collect(), from, survivors: VecDeque::new() }
    }
}

impl Committer {
    /// The mostly dead segments, if the journal is large enough to bother.
    pub(super) fn sources(&self) -> Vec<SegmentId> {
        let segments = self.local.log.segments();
        let total: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
        if total <= SPARE_SEGMENTS * self.options.segment_bytes_max {
            return Vec::new();
        }
        let writing = self.local.log.end().segment;
        let ledger = self.local.state.ledger.lock();
        let is_source = |(id, bytes): &(SegmentId, u64)| {
            let usage = ledger.usage(*id);
            let mostly_dead = usage.places > 0 && usage.bytes * ALIVE_PART < *bytes;
            *id != writing && mostly_dead && !self.unreadable.contains(id)
        };
        segments.into_iter().filter(is_source).map(|(id, _)| id).collect()
    }

    /// Looks for survivors, or copies some. Breaks when there are no more.
    pub(super) fn copy_some(&mut self, copying: &mut Copying) -> Result<ControlFlow<()>, Trouble> {
        if !copying.survivors.is_empty() {
            let run = copying.next_run(self.options.slice);
            self.copy_run(run)?;
            return Ok(ControlFlow::Continue(()));
        }
        let Some(from) = copying.from else { return Ok(ControlFlow::Break(())) };
        let is_wanted = |location: Location, _| copying.sources.contains(&location.segment);
        let ledger = self.local.state.ledger.lock();
        let walk =
            ledger.walk(&is_wanted, from, self.options.slice.chunks).map_err(LogError::from)?;
        drop(ledger);
        self.counters.note_chunks(walk.count);
        copying.survivors = survivors(walk.found);
        copying.from = walk.next;
        Ok(ControlFlow::Continue(()))
    }

    fn copy_run(&mut self, mut run: Vec<Survivor>) -> Result<(), Trouble> {
        self.refresh(&mut run)?;
        self.counters.note_bytes(run.iter().map(|survivor| survivor.bytes).sum());
        self.copy(&run)?;
        let chunks = run.iter().flat_map(|survivor| {
            survivor.places.iter().map(|(place, _)| (place.queue, place.position / CHUNK_POSITIONS))
        });
        self.local.state.ledger.lock().pack(chunks);
        Ok(())
    }

    /// Takes out what died since it was found, for nothing may come back, and brings the number of returns up to date.
    fn refresh(&self, run: &mut Vec<Survivor>) -> Result<(), LogError> {
        let mut wanted: FxHashMap<QueueId, Vec<Position>> = FxHashMap::default();
        for (Place { queue, position }, _) in run.iter().flat_map(|survivor| &survivor.places) {
            wanted.entry(*queue).or_default().push(*position);
        }
        let mut found: FxHashMap<Place, LiveMessage> = FxHashMap::default();
        let ledger = self.local.state.ledger.lock();
        for (queue, positions) in wanted {
            let located = ledger.locate(queue, &positions).map_err(LogError::from)?;
            let places = located.into_iter();
            found.extend(places.map(|(position, entry)| (Place { queue, position }, entry)));
        }
        drop(ledger);
        for survivor in run.iter_mut() {
            let location = survivor.location;
            survivor.places.retain(|(place, returns)| {
                let entry = found.get(place).filter(|entry| entry.location == location);
                *returns = entry.map_or(0, |entry| entry.returns);
                entry.is_some()
            });
        }
        run.retain(|survivor| !survivor.places.is_empty());
        Ok(())
    }

    /// What cannot be read now may be read by the next checkpoint. A disk that goes on failing ends the store.
    fn copy_later(&mut self, error: LogError) -> Trouble {
        self.unread += 1;
        if self.unread >= UNREAD_MAX || matches!(error, LogError::Newer(_)) {
            return Trouble::Log(error);
        }
        log::error!("survivors are copied later: {error}");
        Trouble::NoRoom
    }

    fn copy(&mut self, survivors: &[Survivor]) -> Result<(), Trouble> {
        let locations: Vec<Location> = survivors.iter().map(|survivor| survivor.location).collect();
        let mut messages: Vec<Option<Message>> = Vec::with_capacity(survivors.len());
        let memory = self.options.memory;
        let read = self.local.log.read(&locations, &mut |_, record| {
            messages.push(match record {
                Ok(Record::Enqueue { message, .. }) => Some(message.to_message(memory)),
                _ => None,
            });
        });
        if let Err(error) = read {
            return Err(self.copy_later(error));
        }
        self.unread = 0;
        let mut operations: Vec<Operation> = Vec::with_capacity(survivors.len());
        for (survivor, message) in survivors.iter().zip(messages) {
            let Some(message) = message else {
                let segment = survivor.location.segment;
                if self.unreadable.insert(segment) {
                    log::error!("journal segment {segment} is damaged; it is kept as it is");
                }
                continue;
            };
            let places = survivor.places.iter().map(|(place, _)| *place).collect();
            operations.push(Operation::Enqueue { places, message: Arc::new(message) });
            for (place, returns) in survivor.places.iter().filter(|(_, returns)| *returns > 0) {
                let Place { queue, position } = *place;
                operations.push(Operation::Returned { queue, position, count: *returns });
            }
        }
        // What finds no room now is written before the next slice.
        self.local.enter(operations)?;
        Ok(())
    }
}

impl Copying {
    /// Takes off as many survivors as a slice copies.
    fn next_run(&mut self, slice: Slice) -> Vec<Survivor> {
        let mut run: Vec<Survivor> = Vec::new();
        let (mut bytes, mut places, mut read) = (0, 0, 0);
        while let Some(survivor) = self.survivors.pop_front() {
            bytes += survivor.bytes;
            places += survivor.places.len();
            read += run.last().map_or(READ_BYTES, |before: &Survivor| {
                let (here, there) = (survivor.location, before.location);
                match u64::from(here.offset.saturating_sub(there.offset)) {
                    gap if here.segment == there.segment && gap < READ_BYTES => gap,
                    _ => READ_BYTES.max(survivor.bytes),
                }
            });
            run.push(survivor);
            if bytes >= slice.bytes || places >= slice.places || read >= SLICE_READ_BYTES {
                break;
            }
        }
        run
    }
}

/// Messages in the order in which they stand, each with its places.
fn survivors(mut entries: Vec<(Place, LiveMessage)>) -> VecDeque<Survivor> {
    entries.sort_unstable_by_key(|(place, entry)| (entry.location, *place));
    let mut survivors: VecDeque<Survivor> = VecDeque::new();
    for (place, entry) in entries {
        match survivors.back_mut() {
            Some(last) if last.location == entry.location => {
                last.places.push((place, entry.returns));
            }
            _ => survivors.push_back(Survivor {
                location: entry.location,
                places: SmallVec::from_iter([(place, entry.returns)]),
                bytes: u64::from(entry.body_bytes) + RECORD_OVERHEAD_BYTES,
            }),
        }
    }
    survivors
}
