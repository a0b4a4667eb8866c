//! Which messages are alive, by queue and position, where each stands in the journal, and how much of
//! each segment is alive.
//!
//! Most of it is in the index only. In memory are the chunks that differ from what the index holds: those
//! changed since the last checkpoint. A chunk that is needed and not here is fetched. So a queue of ten
//! million messages takes as much memory as what happened to it lately.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::chunk::{CHUNK_POSITIONS, ChunkKey, Content, Entry};
use super::index::IndexError;
use super::log::{Location, SegmentId};
use super::operation::{Place, Position, QueueId, Run};
use super::reader::Survivor;

/// When the chunks in memory take more than this, it is time for a checkpoint.
const CHANGED_BYTES_MAX: usize = 16 << 20;

/// What a chunk in memory takes beside its content.
const CHUNK_OVERHEAD_BYTES: usize = 96;

/// A run over more chunks than this is compared with the chunks that there are, instead of asking for each.
const CHUNKS_ASKED_MAX: u64 = 4;

/// Scans under the ledger's lock look at no more chunks than this at a time.
const CHUNKS_SCANNED_MAX: usize = 4096;

/// The last chunk number that there can be.
const NUMBER_MAX: u64 = Position::MAX / CHUNK_POSITIONS;

/// What the index holds of the ledger.
pub(super) trait Chunks: Send + Sync {
    /// The chunk under this key.
    fn chunk(&self, key: ChunkKey) -> Result<Option<Content>, IndexError>;

    /// Visits a queue's chunks with these numbers, in order, until `visit` breaks off.
    fn scan(
        &self,
        queue: QueueId,
        numbers: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError>;
}

/// Holds nothing.
struct NoChunks;

impl Chunks for NoChunks {
    fn chunk(&self, _: ChunkKey) -> Result<Option<Content>, IndexError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: QueueId,
        _: RangeInclusive<u64>,
        _: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        Ok(())
    }
}

/// All that is alive.
pub(super) struct Ledger {
    index: Arc<dyn Chunks>,
    queues: FxHashMap<QueueId, Queue>,
    /// Chunks that the index does not hold, or holds otherwise. Empty ones are to go from it.
    changed: BTreeMap<ChunkKey, Chunk>,
    /// What `changed` takes.
    changed_bytes: usize,
    /// All that the index holds of these queues is to go, and does not count.
    closed: BTreeSet<QueueId>,
    usage: FxHashMap<SegmentId, Usage>,
    entries: u64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Above every position seen.
    next: Position,
    /// How many messages it has.
    entries: u64,
    /// From this chunk on the index holds nothing.
    indexed_end: u64,
    /// The chunk to which a message came last.
    filling: u64,
}

#[derive(Debug, Default)]
struct Chunk {
    content: Content,
    /// The index has a record of it.
    indexed: bool,
}

/// A live message, and where it stands.
pub(super) type Standing = (Place, Entry);

/// What of a segment is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) places: u64,
    pub(super) bytes: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            index: Arc::new(NoChunks),
            queues: FxHashMap::default(),
            changed: BTreeMap::new(),
            changed_bytes: 0,
            closed: BTreeSet::new(),
            usage: FxHashMap::default(),
            entries: 0,
        }
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Ledger {
    /// From now on the queue takes messages.
    pub(super) fn open_queue(&mut self, queue: QueueId) {
        self.queues.entry(queue).or_default();
    }

    /// The queue is gone with all its messages.
    pub(super) fn close_queue(&mut self, queue: QueueId) -> Result<(), IndexError> {
        let usage = &mut self.usage;
        each_chunk(&*self.index, &self.changed, &self.queues, (queue, 0), &mut |_, content| {
            content.entries().iter().for_each(|entry| release(usage, entry));
            ControlFlow::Continue(())
        })?;
        let Some(closed) = self.queues.remove(&queue) else { return Ok(()) };
        self.entries -= closed.entries;
        let keys: Vec<ChunkKey> = self.changed.range(chunks_of(queue)).map(|(k, _)| *k).collect();
        for key in keys {
            if let Some(chunk) = self.changed.remove(&key) {
                self.changed_bytes -= chunk.bytes();
            }
        }
        if closed.indexed_end > 0 {
            self.closed.insert(queue);
        }
        Ok(())
    }

    /// Queues in no order.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// A message stands at a place, with `entry` for all but its position. One that stood there before keeps its
    /// count of returns. Ignored when the queue is unknown.
    pub(super) fn place(&mut self, place: Place, mut entry: Entry) -> Result<(), IndexError> {
        let Some(queue) = self.queues.get_mut(&place.queue) else { return Ok(()) };
        let number = place.position / CHUNK_POSITIONS;
        if number > queue.filling {
            // Nothing more comes to the chunk before; packed it takes a few bytes.
            let before = (place.queue, std::mem::replace(&mut queue.filling, number));
            if let Some(chunk) = self.changed.get_mut(&before) {
                self.changed_bytes -= chunk.bytes();
                chunk.content.pack();
                self.changed_bytes += chunk.bytes();
            }
        }
        queue.next = queue.next.max(place.position.saturating_add(1));
        entry.low = (place.position % CHUNK_POSITIONS) as u8;
        let key = (place.queue, number);
        if !self.changed.contains_key(&key) && !self.fetch(key)? {
            self.changed_bytes += CHUNK_OVERHEAD_BYTES;
            self.changed.insert(key, Chunk::default());
        }
        let (Some(chunk), Some(queue)) =
            (self.changed.get_mut(&key), self.queues.get_mut(&place.queue))
        else {
            return Ok(());
        };
        self.changed_bytes -= chunk.bytes();
        let entries = chunk.content.open();
        let usage = self.usage.entry(entry.location.segment).or_default();
        usage.places += 1;
        usage.bytes += u64::from(entry.share);
        match entries.binary_search_by_key(&entry.low, |entry| entry.low) {
            Ok(at) => {
                entry.returns = entries[at].returns;
                let old = std::mem::replace(&mut entries[at], entry);
                release(&mut self.usage, &old);
            }
            Err(at) => {
                entries.insert(at, entry);
                queue.entries += 1;
                self.entries += 1;
            }
        }
        self.changed_bytes += chunk.bytes();
        Ok(())
    }

    /// The messages in a run of positions are gone.
    pub(super) fn settle(&mut self, queue: QueueId, run: Run) -> Result<(), IndexError> {
        let Some(indexed_end) = self.queues.get(&queue).map(|queue| queue.indexed_end) else {
            return Ok(());
        };
        let (first, last) = (run.first / CHUNK_POSITIONS, run.last() / CHUNK_POSITIONS);
        if last - first < CHUNKS_ASKED_MAX {
            for number in first..=last {
                let key = (queue, number);
                if self.changed.contains_key(&key) || self.fetch(key)? {
                    self.settle_in(key, run);
                }
            }
            return Ok(());
        }
        let range = (queue, first)..=(queue, last);
        let here: Vec<ChunkKey> = self.changed.range(range).map(|(key, _)| *key).collect();
        for key in here {
            self.settle_in(key, run);
        }
        if first < indexed_end {
            let index = self.index.clone();
            let numbers = first..=last.min(indexed_end - 1);
            index.scan(queue, numbers, &mut |number, content| {
                let key = (queue, number);
                // What is here was settled above, or was found to be gone.
                if !self.changed.contains_key(&key) {
                    self.take_in(key, content);
                    self.settle_in(key, run);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    /// The messages of one chunk, which is here, in a run of positions are gone.
    fn settle_in(&mut self, key: ChunkKey, run: Run) {
        let (Some(chunk), Some(queue)) = (self.changed.get_mut(&key), self.queues.get_mut(&key.0))
        else {
            return;
        };
        self.changed_bytes -= chunk.bytes();
        let base = key.1 * CHUNK_POSITIONS;
        let low = run.first.saturating_sub(base) as u8;
        let high = run.last().saturating_sub(base).min(CHUNK_POSITIONS - 1) as u8;
        let entries = chunk.content.open();
        let start = entries.partition_point(|entry| entry.low < low);
        let end = entries.partition_point(|entry| entry.low <= high);
        for entry in entries.drain(start..end) {
            queue.entries -= 1;
            self.entries -= 1;
            release(&mut self.usage, &entry);
        }
        if entries.is_empty() {
            // Give its memory back.
            chunk.content = Content::default();
        }
        self.changed_bytes += chunk.bytes();
        if chunk.content.is_empty() && !chunk.indexed {
            // What the index never knew needs no trace.
            self.changed.remove(&key);
            self.changed_bytes -= CHUNK_OVERHEAD_BYTES;
        }
    }

    /// A message came back for the `count`-th time.
    pub(super) fn returned(&mut self, place: Place, count: u32) -> Result<(), IndexError> {
        let key = (place.queue, place.position / CHUNK_POSITIONS);
        let low = (place.position % CHUNK_POSITIONS) as u8;
        if !self.changed.contains_key(&key) && !self.fetch(key)? {
            return Ok(());
        }
        let Some(chunk) = self.changed.get_mut(&key) else { return Ok(()) };
        self.changed_bytes -= chunk.bytes();
        let entries = chunk.content.open();
        if let Ok(at) = entries.binary_search_by_key(&low, |entry| entry.low) {
            entries[at].returns = count;
        }
        self.changed_bytes += chunk.bytes();
        Ok(())
    }

    /// Brings a chunk here from the index, to be changed. Returns whether the index has it.
    fn fetch(&mut self, key: ChunkKey) -> Result<bool, IndexError> {
        if self.queues.get(&key.0).is_none_or(|queue| key.1 >= queue.indexed_end) {
            return Ok(false);
        }
        let Some(content) = self.index.chunk(key)? else { return Ok(false) };
        self.take_in(key, content);
        Ok(true)
    }

    fn take_in(&mut self, key: ChunkKey, content: Content) {
        let chunk = Chunk { content, indexed: true };
        self.changed_bytes += chunk.bytes();
        self.changed.insert(key, chunk);
    }

    /// Takes note of a chunk that the index holds, without keeping it.
    pub(super) fn load(&mut self, key: ChunkKey, entries: &[Entry]) {
        for entry in entries {
            let usage = self.usage.entry(entry.location.segment).or_default();
            usage.places += 1;
            usage.bytes += u64::from(entry.share);
        }
        let count = entries.len() as u64;
        self.entries += count;
        let queue = self.queues.entry(key.0).or_default();
        queue.entries += count;
        queue.indexed_end = queue.indexed_end.max(key.1 + 1);
        queue.filling = queue.filling.max(key.1);
        if let Some(last) = entries.last() {
            let position = key.1.saturating_mul(CHUNK_POSITIONS) + u64::from(last.low);
            queue.next = queue.next.max(position.saturating_add(1));
        }
    }

    /// How many places hold a message.
    pub(super) fn len(&self) -> u64 {
        self.entries
    }

    /// What changed takes so much memory that it is time for a checkpoint.
    pub(super) fn is_heavy(&self) -> bool {
        self.changed_bytes > CHANGED_BYTES_MAX
    }

    /// What of a segment is alive.
    pub(super) fn usage(&self, segment: SegmentId) -> Usage {
        self.usage.get(&segment).copied().unwrap_or_default()
    }

    /// The segments in which something is alive, in no order.
    pub(super) fn segments(&self) -> impl Iterator<Item = SegmentId> {
        self.usage.iter().filter(|(_, usage)| usage.places > 0).map(|(id, _)| *id)
    }

    /// A segment was deleted.
    pub(super) fn forget_segment(&mut self, segment: SegmentId) {
        self.usage.remove(&segment);
    }

    /// The live messages of a queue in order of position.
    pub(super) fn survey(
        &self,
        queue: QueueId,
        visit: &mut dyn FnMut(Survivor),
    ) -> Result<(), IndexError> {
        self.each_chunk((queue, 0), &mut |number, content| {
            content.entries().iter().for_each(|entry| visit(entry.survivor(number)));
            ControlFlow::Continue(())
        })
    }

    /// What stands at a queue's positions; those that hold nothing are left out.
    pub(super) fn locate(
        &self,
        queue: QueueId,
        positions: &[Position],
    ) -> Result<Vec<(Position, Entry)>, IndexError> {
        let indexed_end = self.queues.get(&queue).map_or(0, |queue| queue.indexed_end);
        let mut found = Vec::with_capacity(positions.len());
        let mut open: Option<(u64, Vec<Entry>)> = None;
        for position in positions {
            let number = position / CHUNK_POSITIONS;
            if open.as_ref().is_none_or(|(open, _)| *open != number) {
                let entries = match self.changed.get(&(queue, number)) {
                    Some(chunk) => chunk.content.entries().into_owned(),
                    None if number < indexed_end => {
                        let content = self.index.chunk((queue, number))?;
                        content.map(|content| content.entries().into_owned()).unwrap_or_default()
                    }
                    None => Vec::new(),
                };
                open = Some((number, entries));
            }
            let low = (position % CHUNK_POSITIONS) as u8;
            let entries = open.as_ref().map_or(&[][..], |(_, entries)| entries);
            if let Ok(at) = entries.binary_search_by_key(&low, |entry| entry.low) {
                found.push((*position, entries[at]));
            }
        }
        Ok(found)
    }

    /// For each queue the position below which nothing is alive, where that is known.
    pub(super) fn floors(&self) -> Result<Vec<Place>, IndexError> {
        let mut floors = Vec::new();
        for (id, queue) in &self.queues {
            let mut floor = queue.next;
            if queue.entries > 0 {
                self.each_chunk((*id, 0), &mut |number, content| {
                    let entries = content.entries();
                    let Some(first) = entries.first() else { return ControlFlow::Continue(()) };
                    floor = number * CHUNK_POSITIONS + u64::from(first.low);
                    ControlFlow::Break(())
                })?;
            }
            if floor > 0 {
                floors.push(Place { queue: *id, position: floor });
            }
        }
        Ok(floors)
    }

    /// For each queue that has messages a position that is not below any of them.
    pub(super) fn ceilings(&self) -> impl Iterator<Item = Place> {
        let queues = self.queues.iter().filter(|(_, queue)| queue.entries > 0);
        queues.map(|(id, queue)| Place { queue: *id, position: queue.next.saturating_sub(1) })
    }

    /// Messages that stand where `is_wanted` says, from the chunk `from` on. Stops after `count_max` of them or
    /// after a while, and says from which chunk to go on.
    pub(super) fn standing(
        &self,
        is_wanted: &dyn Fn(Location, u32) -> bool,
        from: ChunkKey,
        count_max: usize,
    ) -> Result<(Vec<Standing>, Option<ChunkKey>), IndexError> {
        let mut found = Vec::new();
        let mut scanned = 0;
        let mut ids: Vec<QueueId> = self.queue_ids().filter(|queue| *queue >= from.0).collect();
        ids.sort_unstable();
        for queue in ids {
            let start = if queue == from.0 { from.1 } else { 0 };
            let mut rest = None;
            self.each_chunk((queue, start), &mut |number, content| {
                if found.len() >= count_max || scanned >= CHUNKS_SCANNED_MAX {
                    rest = Some((queue, number));
                    return ControlFlow::Break(());
                }
                scanned += 1;
                for entry in content.entries().iter() {
                    if is_wanted(entry.location, entry.share) {
                        let position = number * CHUNK_POSITIONS + u64::from(entry.low);
                        found.push((Place { queue, position }, *entry));
                    }
                }
                ControlFlow::Continue(())
            })?;
            if rest.is_some() {
                return Ok((found, rest));
            }
        }
        Ok((found, None))
    }

    fn each_chunk(
        &self,
        from: ChunkKey,
        visit: &mut dyn FnMut(u64, &Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        each_chunk(&*self.index, &self.changed, &self.queues, from, visit)
    }

    /// Queues of which the index is to drop everything before it takes changes.
    pub(super) fn closed(&self) -> Vec<QueueId> {
        self.closed.iter().copied().collect()
    }

    /// The next chunks behind `after` that the index must change, in order, each as it is to be written; nothing
    /// for one that is to go.
    pub(super) fn changes(
        &self,
        after: Option<ChunkKey>,
        count_max: usize,
    ) -> Vec<(ChunkKey, Option<Vec<u8>>)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let chunks = self.changed.range((after.map_or(Unbounded, Excluded), Unbounded));
        let write = |(key, chunk): (&ChunkKey, &Chunk)| (*key, chunk.content.to_index());
        chunks.take(count_max).map(write).collect()
    }

    /// Makes what is in memory small.
    pub(super) fn pack(&mut self) {
        for chunk in self.changed.values_mut() {
            self.changed_bytes -= chunk.bytes();
            chunk.content.pack();
            self.changed_bytes += chunk.bytes();
        }
    }

    /// The index is up to date.
    pub(super) fn mark_indexed(&mut self) {
        for ((queue, number), chunk) in std::mem::take(&mut self.changed) {
            if let Some(queue) = self.queues.get_mut(&queue)
                && !chunk.content.is_empty()
            {
                queue.indexed_end = queue.indexed_end.max(number + 1);
            }
        }
        self.changed_bytes = 0;
        self.closed.clear();
    }

    /// From now on chunks are fetched there.
    pub(super) fn attach(&mut self, index: Arc<dyn Chunks>) {
        self.index = index;
    }

    /// Lets go of the index, which is to be given everything again: all that only it holds is brought here, packed.
    pub(super) fn detach(&mut self) -> Result<(), IndexError> {
        for id in self.queue_ids().collect::<Vec<_>>() {
            let end = self.queues.get(&id).map_or(0, |queue| queue.indexed_end);
            if end > 0 {
                let index = self.index.clone();
                index.scan(id, 0..=end - 1, &mut |number, mut content| {
                    content.pack();
                    if !self.changed.contains_key(&(id, number)) {
                        self.take_in((id, number), content);
                    }
                    ControlFlow::Continue(())
                })?;
            }
        }
        self.attach(Arc::new(NoChunks));
        self.changed.retain(|_, chunk| !chunk.content.is_empty());
        for chunk in self.changed.values_mut() {
            chunk.indexed = false;
        }
        self.changed_bytes = self.changed.values().map(Chunk::bytes).sum();
        for queue in self.queues.values_mut() {
            queue.indexed_end = 0;
        }
        self.closed.clear();
        Ok(())
    }
}

impl Chunk {
    fn bytes(&self) -> usize {
        self.content.bytes() + CHUNK_OVERHEAD_BYTES
    }
}

fn chunks_of(queue: QueueId) -> RangeInclusive<ChunkKey> {
    (queue, 0)..=(queue, NUMBER_MAX)
}

/// Visits a queue's chunks from one on, as they are by now: those that changed, and the others from the index.
fn each_chunk(
    index: &dyn Chunks,
    changed: &BTreeMap<ChunkKey, Chunk>,
    queues: &FxHashMap<QueueId, Queue>,
    (queue, from): ChunkKey,
    visit: &mut dyn FnMut(u64, &Content) -> ControlFlow<()>,
) -> Result<(), IndexError> {
    let indexed_end = queues.get(&queue).map_or(0, |queue| queue.indexed_end);
    let mut here = changed.range((queue, from)..=(queue, NUMBER_MAX)).peekable();
    let mut is_over = false;
    if from < indexed_end {
        index.scan(queue, from..=indexed_end - 1, &mut |number, content| {
            while let Some((key, chunk)) = here.next_if(|(key, _)| key.1 < number) {
                if visit(key.1, &chunk.content).is_break() {
                    is_over = true;
                    return ControlFlow::Break(());
                }
            }
            let step = match here.next_if(|(key, _)| key.1 == number) {
                Some((_, chunk)) => visit(number, &chunk.content),
                None => visit(number, &content),
            };
            is_over = step.is_break();
            step
        })?;
    }
    while !is_over && let Some((key, chunk)) = here.next() {
        is_over = visit(key.1, &chunk.content).is_break();
    }
    Ok(())
}

fn release(usage: &mut FxHashMap<SegmentId, Usage>, entry: &Entry) {
    if let Some(usage) = usage.get_mut(&entry.location.segment) {
        usage.places = usage.places.saturating_sub(1);
        usage.bytes = usage.bytes.saturating_sub(u64::from(entry.share));
    }
}

#[cfg(test)]
mod tests;
