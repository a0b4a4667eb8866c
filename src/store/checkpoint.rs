//! Checkpoints: the index is brought up to date, the topology is saved, and segments that hold nothing
//! alive are deleted. Where a segment is mostly dead, its survivors are first copied to the journal's
//! end.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::chunk::Entry;
use super::committer::{Committer, unusable};
use super::figures::Counters;
use super::index::{Index, IndexError, MarkStand, Occasion};
use super::log::{Location, LogError, LogPosition, Progress, SegmentId};
use super::operation::{Operation, Place};
use super::record::Record;
use crate::message::Message;

/// Survivors are copied only when the journal is larger than this many full segments.
const SPARE_SEGMENTS: u64 = 4;

/// A segment is mostly dead when less than one part in this many is alive.
const ALIVE_PART: u64 = 4;

/// So many places are looked up at once.
const COPY_PLACES: usize = 16_384;

/// Survivors are copied in runs of about so many bytes.
const COPY_BYTES: u64 = 1 << 20;

/// Survivors that could not be read so many times in a row will not be.
const UNREAD_MAX: u32 = 5;

/// A message that outlives its segment.
struct Survivor {
    location: Location,
    places: SmallVec<[(Place, u32); 1]>,
    bytes: u64,
}

impl Committer {
    /// Brings the index up to date and deletes what is dead. Stops where the disk has no room, to be begun again.
    pub(super) fn checkpoint(&mut self) -> Result<Progress, LogError> {
        if self.copy_survivors()? == Progress::NoRoom {
            return Ok(Progress::NoRoom);
        }
        let dead = self.dead_segments();
        if self.keep_floors(&dead)? == Progress::NoRoom || self.make_durable()? == Progress::NoRoom
        {
            return Ok(Progress::NoRoom);
        }
        let position = self.log.end();
        if self.marked != Some(position) || self.state.topology.is_unsaved() {
            self.mark(position, Occasion::Running)?;
        }
        self.reclaim(&dead);
        Counters::add(&self.counters.checkpoints, 1);
        self.count();
        Ok(Progress::Done)
    }

    /// Takes back that the last stop was in good order: from now on messages are delivered, of which the journal
    /// says nothing.
    pub(super) fn begin(&mut self) -> Result<(), LogError> {
        self.mark(self.log.end(), Occasion::Running)
    }

    /// Leaves the store so that the next start has nothing to replay.
    pub(super) fn close(&mut self) -> Result<Progress, LogError> {
        let dead = self.dead_segments();
        if self.keep_floors(&dead)? == Progress::NoRoom || self.make_durable()? == Progress::NoRoom
        {
            return Ok(Progress::NoRoom);
        }
        let position = self.log.end();
        let mark = self.index.as_ref().and_then(Index::mark);
        if mark.is_none_or(|mark| !mark.closed || mark.position != position) {
            let occasion = if self.is_in_doubt()? { Occasion::Running } else { Occasion::Closing };
            self.mark(position, occasion)?;
        }
        self.reclaim(&dead);
        self.count();
        Ok(Progress::Done)
    }

    /// Whether a message is left of which nobody knows if it was delivered.
    fn is_in_doubt(&self) -> Result<bool, LogError> {
        let is_doubtful = |place: &Place| {
            self.doubtful.get(&place.queue).is_some_and(|last| place.position <= *last)
        };
        Ok(self.floors()?.iter().any(is_doubtful))
    }

    fn floors(&self) -> Result<Vec<Place>, LogError> {
        self.state.ledger.lock().floors().map_err(unusable)
    }

    fn mark(&mut self, position: LogPosition, occasion: Occasion) -> Result<(), LogError> {
        if self.state.topology.is_unsaved() {
            self.log.checkpoint(position, &self.state.topology)?;
            self.state.topology.mark_saved();
        }
        if let Err(error) = self.update_index(position, occasion) {
            log::error!("the index could not be written and is built anew: {error}");
            self.rebuild_index(position, occasion).map_err(|error| {
                LogError(format!(
                    "the index in {} could not be written: {error}",
                    self.place.path().display()
                ))
            })?;
        }
        self.state.mark_indexed();
        self.marked = Some(position);
        self.bytes_unmarked = 0;
        self.due = None;
        Ok(())
    }

    fn update_index(
        &mut self,
        position: LogPosition,
        occasion: Occasion,
    ) -> Result<(), IndexError> {
        match &mut self.index {
            Some(index) => {
                let fingerprint = self.log.fingerprint(position.segment);
                index.update(&self.state, MarkStand { position, fingerprint }, occasion)
            }
            None => Err(IndexError::missing()),
        }
    }

    fn rebuild_index(
        &mut self,
        position: LogPosition,
        occasion: Occasion,
    ) -> Result<(), IndexError> {
        self.state.detach()?;
        self.index = None;
        self.place.move_aside()?;
        let index = Index::open(&*self.place)?;
        self.state.ledger.lock().attach(index.chunks());
        self.index = Some(index);
        self.update_index(position, occasion)
    }

    /// Segments before the last that hold nothing alive.
    fn dead_segments(&self) -> Vec<SegmentId> {
        let writing = self.log.end().segment;
        let is_dead =
            |id: &SegmentId| *id != writing && self.state.ledger.lock().usage(*id).places == 0;
        self.log.segments().into_iter().map(|(id, _)| id).filter(is_dead).collect()
    }

    /// When a segment goes while an older one stays, settlements of the older one's messages may go
    /// with it. Without the index nothing else would tell that they are gone.
    fn keep_floors(&mut self, dead: &[SegmentId]) -> Result<Progress, LogError> {
        let oldest_alive =
            self.log.segments().into_iter().map(|(id, _)| id).find(|id| !dead.contains(id));
        if dead.last() <= oldest_alive.as_ref() {
            return Ok(Progress::Done);
        }
        let floors = self.floors()?;
        if floors.is_empty() {
            return Ok(Progress::Done);
        }
        self.append_floors(floors)
    }

    /// Deletes segments that the index no longer needs. What cannot be deleted is tried again next time.
    fn reclaim(&mut self, dead: &[SegmentId]) {
        match self.log.reclaim(dead) {
            Ok(()) => {
                for id in dead {
                    self.state.ledger.lock().forget_segment(*id);
                }
            }
            Err(error) => log::warn!("{error}"),
        }
    }

    /// Appends the survivors of mostly dead segments again, for the places that are left.
    fn copy_survivors(&mut self) -> Result<Progress, LogError> {
        let sources = self.sources();
        let mut from = (!sources.is_empty()).then_some((0, 0));
        while let Some(start) = from {
            let is_wanted = |location: Location, _| sources.contains(&location.segment);
            let ledger = self.state.ledger.lock();
            let (entries, rest) =
                ledger.standing(&is_wanted, start, COPY_PLACES).map_err(unusable)?;
            drop(ledger);
            let survivors = survivors(entries);
            let mut rest_of_them = &survivors[..];
            while !rest_of_them.is_empty() {
                let mut bytes = 0;
                let mut count = 0;
                while count < rest_of_them.len() && bytes < COPY_BYTES {
                    bytes += rest_of_them[count].bytes;
                    count += 1;
                }
                let (run, after) = rest_of_them.split_at(count);
                if self.copy(run)? == Progress::NoRoom {
                    return Ok(Progress::NoRoom);
                }
                rest_of_them = after;
            }
            self.state.ledger.lock().pack();
            from = rest;
        }
        Ok(Progress::Done)
    }

    /// What cannot be read now may be read by the next checkpoint. A disk that goes on failing ends the store.
    fn copy_later(&mut self, error: LogError) -> Result<Progress, LogError> {
        self.unread += 1;
        if self.unread >= UNREAD_MAX {
            return Err(error);
        }
        log::error!("survivors are copied later: {error}");
        Ok(Progress::NoRoom)
    }

    /// The mostly dead segments, if the journal is large enough to bother.
    fn sources(&self) -> FxHashSet<SegmentId> {
        let segments = self.log.segments();
        let total: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
        let mut sources = FxHashSet::default();
        if total <= SPARE_SEGMENTS * self.options.segment_bytes_max {
            return sources;
        }
        let writing = self.log.end().segment;
        let ledger = self.state.ledger.lock();
        for (id, bytes) in segments {
            let usage = ledger.usage(id);
            let mostly_dead = usage.places > 0 && usage.bytes * ALIVE_PART < bytes;
            if id != writing && mostly_dead && !self.unreadable.contains(&id) {
                sources.insert(id);
            }
        }
        sources
    }

    fn copy(&mut self, survivors: &[Survivor]) -> Result<Progress, LogError> {
        let locations: Vec<Location> = survivors.iter().map(|survivor| survivor.location).collect();
        let mut messages: Vec<Option<Message>> = Vec::with_capacity(survivors.len());
        let memory = self.options.memory;
        let read = self.log.read(&locations, &mut |_, record| {
            messages.push(match record {
                Ok(Record::Enqueue { message, .. }) => {
                    Some(message.to_message(memory, Arc::from(message.exchange)))
                }
                _ => None,
            });
        });
        if let Err(error) = read {
            return self.copy_later(error);
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
        self.append(operations)
    }
}

/// Messages in the order in which they stand, each with its places.
fn survivors(mut entries: Vec<(Place, Entry)>) -> Vec<Survivor> {
    entries.sort_unstable_by_key(|(place, entry)| (entry.location, *place));
    let mut survivors: Vec<Survivor> = Vec::new();
    for (place, entry) in entries {
        match survivors.last_mut() {
            Some(last) if last.location == entry.location => {
                last.places.push((place, entry.returns));
                last.bytes += u64::from(entry.share);
            }
            _ => survivors.push(Survivor {
                location: entry.location,
                places: SmallVec::from_iter([(place, entry.returns)]),
                bytes: u64::from(entry.share),
            }),
        }
    }
    survivors
}
