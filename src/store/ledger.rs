//! Which messages are alive, by queue and position, where each stands in the journal, and how much of
//! each segment is alive. It remembers which parts of this the index does not have yet.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::chunk::{CHUNK_POSITIONS, ChunkKey, Entry};
use super::index::IndexError;
use super::log::SegmentId;
use super::operation::{Place, Position, QueueId, Run};
use super::reader::Survivor;

/// All that is alive.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    queues: FxHashMap<QueueId, Queue>,
    usage: FxHashMap<SegmentId, Usage>,
    entries: u64,
    dirty: FxHashSet<ChunkKey>,
    /// Chunks of closed queues that the index still has. Kept apart from `dirty`, because replay may
    /// open a queue again whose chunks the index has in a later state.
    doomed: FxHashSet<ChunkKey>,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: BTreeMap<u64, Chunk>,
    /// Above every position seen.
    next: Position,
}

#[derive(Debug, Default)]
struct Chunk {
    /// In order of position.
    entries: Vec<Entry>,
    /// The index has a record of it.
    indexed: bool,
}

/// What of a segment is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) places: u64,
    pub(super) bytes: u64,
}

impl Ledger {
    /// From now on the queue takes messages.
    pub(super) fn open_queue(&mut self, queue: QueueId) {
        self.queues.entry(queue).or_default();
    }

    /// The queue is gone with all its messages.
    pub(super) fn close_queue(&mut self, queue: QueueId) {
        let Some(mut closed) = self.queues.remove(&queue) else { return };
        for (number, chunk) in &mut closed.chunks {
            for entry in chunk.entries.drain(..) {
                self.entries -= 1;
                release(&mut self.usage, &entry);
            }
            self.dirty.remove(&(queue, *number));
            if chunk.indexed {
                self.doomed.insert((queue, *number));
            }
        }
    }

    /// Queues in no order.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// A message stands at a place. One that stood there before keeps its count of returns. Ignored
    /// when the queue is unknown.
    pub(super) fn place(&mut self, place: Place, mut entry: Entry) {
        let Some(queue) = self.queues.get_mut(&place.queue) else { return };
        queue.next = queue.next.max(place.position.saturating_add(1));
        let number = place.position / CHUNK_POSITIONS;
        let low = (place.position % CHUNK_POSITIONS) as u8;
        entry.low = low;
        let chunk = queue.chunks.entry(number).or_default();
        let usage = self.usage.entry(entry.location.segment).or_default();
        usage.places += 1;
        usage.bytes += u64::from(entry.share);
        match chunk.entries.binary_search_by_key(&low, |entry| entry.low) {
            Ok(at) => {
                let old = chunk.entries[at];
                entry.returns = old.returns;
                chunk.entries[at] = entry;
                release(&mut self.usage, &old);
            }
            Err(at) => {
                chunk.entries.insert(at, entry);
                self.entries += 1;
            }
        }
        self.dirty.insert((place.queue, number));
    }

    /// The messages in a run of positions are gone.
    pub(super) fn settle(&mut self, queue_id: QueueId, run: Run) {
        let Some(queue) = self.queues.get_mut(&queue_id) else { return };
        let (first, last) = (run.first, run.last());
        let numbers = first / CHUNK_POSITIONS..=last / CHUNK_POSITIONS;
        let mut emptied: SmallVec<[u64; 4]> = SmallVec::new();
        for (&number, chunk) in queue.chunks.range_mut(numbers) {
            let base = number * CHUNK_POSITIONS;
            let low = first.saturating_sub(base) as u8;
            let high = last.saturating_sub(base).min(CHUNK_POSITIONS - 1) as u8;
            let start = chunk.entries.partition_point(|entry| entry.low < low);
            let end = chunk.entries.partition_point(|entry| entry.low <= high);
            if start == end {
                continue;
            }
            for entry in chunk.entries.drain(start..end) {
                self.entries -= 1;
                release(&mut self.usage, &entry);
            }
            if chunk.entries.is_empty() && !chunk.indexed {
                emptied.push(number);
            } else {
                self.dirty.insert((queue_id, number));
            }
        }
        // What the index never knew needs no trace.
        for number in emptied {
            queue.chunks.remove(&number);
            self.dirty.remove(&(queue_id, number));
        }
    }

    /// A message came back for the `count`-th time.
    pub(super) fn returned(&mut self, place: Place, count: u32) {
        let number = place.position / CHUNK_POSITIONS;
        let low = (place.position % CHUNK_POSITIONS) as u8;
        let chunk =
            self.queues.get_mut(&place.queue).and_then(|queue| queue.chunks.get_mut(&number));
        let Some(chunk) = chunk else { return };
        if let Ok(at) = chunk.entries.binary_search_by_key(&low, |entry| entry.low) {
            chunk.entries[at].returns = count;
            self.dirty.insert((place.queue, number));
        }
    }

    /// Puts back a chunk that the index holds.
    pub(super) fn load(&mut self, key: ChunkKey, entries: Vec<Entry>) {
        for entry in &entries {
            let usage = self.usage.entry(entry.location.segment).or_default();
            usage.places += 1;
            usage.bytes += u64::from(entry.share);
        }
        self.entries += entries.len() as u64;
        let queue = self.queues.entry(key.0).or_default();
        if let Some(last) = entries.last() {
            let position = key.1.saturating_mul(CHUNK_POSITIONS) + u64::from(last.low);
            queue.next = queue.next.max(position.saturating_add(1));
        }
        queue.chunks.insert(key.1, Chunk { entries, indexed: true });
    }

    /// How many places hold a message.
    pub(super) fn len(&self) -> u64 {
        self.entries
    }

    /// What of a segment is alive.
    pub(super) fn usage(&self, segment: SegmentId) -> Usage {
        self.usage.get(&segment).copied().unwrap_or_default()
    }

    /// A segment was deleted.
    pub(super) fn forget_segment(&mut self, segment: SegmentId) {
        self.usage.remove(&segment);
    }

    /// Every live message with its place, queue by queue in order of position.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, Entry)> {
        self.queues.iter().flat_map(|(queue, Queue { chunks, .. })| {
            chunks.iter().flat_map(move |(number, chunk)| {
                let base = number * CHUNK_POSITIONS;
                chunk.entries.iter().map(move |entry| {
                    let position = base + u64::from(entry.low);
                    (Place { queue: *queue, position }, *entry)
                })
            })
        })
    }

    /// The live messages of a queue in order of position.
    pub(super) fn survey(
        &self,
        queue: QueueId,
        visit: &mut dyn FnMut(Survivor),
    ) -> Result<(), IndexError> {
        let chunks = self.queues.get(&queue).map(|queue| &queue.chunks);
        for (number, chunk) in chunks.into_iter().flatten() {
            for entry in &chunk.entries {
                visit(entry.survivor(*number));
            }
        }
        Ok(())
    }

    /// What stands at a queue's positions; those that hold nothing are left out.
    pub(super) fn locate(
        &self,
        queue: QueueId,
        positions: &[Position],
    ) -> Result<Vec<(Position, Entry)>, IndexError> {
        let Some(queue) = self.queues.get(&queue) else { return Ok(Vec::new()) };
        let find = |position: &Position| {
            let chunk = queue.chunks.get(&(position / CHUNK_POSITIONS))?;
            let low = (position % CHUNK_POSITIONS) as u8;
            let at = chunk.entries.binary_search_by_key(&low, |entry| entry.low).ok()?;
            Some((*position, chunk.entries[at]))
        };
        Ok(positions.iter().filter_map(find).collect())
    }

    /// For each queue the position below which nothing is alive, where that is known.
    pub(super) fn floors(&self) -> Vec<Place> {
        let floor = |(id, queue): (&QueueId, &Queue)| {
            let first = queue.chunks.iter().find_map(|(number, chunk)| {
                let entry = chunk.entries.first()?;
                Some(number * CHUNK_POSITIONS + u64::from(entry.low))
            });
            Place { queue: *id, position: first.unwrap_or(queue.next) }
        };
        self.queues.iter().map(floor).filter(|floor| floor.position > 0).collect()
    }

    /// The chunks that the index must change, in order, each with what it is to hold; empty ones are to go.
    pub(super) fn dirty(&self) -> Vec<(ChunkKey, &[Entry])> {
        let mut keys: Vec<ChunkKey> = self.dirty.union(&self.doomed).copied().collect();
        keys.sort_unstable();
        let entries = |key: ChunkKey| {
            let chunk = self.queues.get(&key.0).and_then(|queue| queue.chunks.get(&key.1));
            (key, chunk.map_or(&[][..], |chunk| &chunk.entries))
        };
        keys.into_iter().map(entries).collect()
    }

    /// The index is up to date.
    pub(super) fn mark_indexed(&mut self) {
        for (queue, number) in self.dirty.drain() {
            let Some(queue) = self.queues.get_mut(&queue) else { continue };
            match queue.chunks.get_mut(&number) {
                Some(chunk) if chunk.entries.is_empty() => {
                    queue.chunks.remove(&number);
                }
                Some(chunk) => chunk.indexed = true,
                None => {}
            }
        }
        self.dirty.shrink_to(1024);
        self.doomed = FxHashSet::default();
    }

    /// The index is new: it is to be given everything.
    pub(super) fn mark_unindexed(&mut self) {
        self.dirty.clear();
        self.doomed.clear();
        for (id, queue) in &mut self.queues {
            queue.chunks.retain(|_, chunk| !chunk.entries.is_empty());
            for (number, chunk) in &mut queue.chunks {
                chunk.indexed = false;
                self.dirty.insert((*id, *number));
            }
        }
    }
}

fn release(usage: &mut FxHashMap<SegmentId, Usage>, entry: &Entry) {
    if let Some(usage) = usage.get_mut(&entry.location.segment) {
        usage.places = usage.places.saturating_sub(1);
        usage.bytes = usage.bytes.saturating_sub(u64::from(entry.share));
    }
}

#[cfg(test)]
mod tests;
