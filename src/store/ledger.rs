//! Which messages are alive, by queue and position, where each stands in the journal, and how much of
//! each segment is alive.
//!
//! Most of it is in the index only. In memory are the chunks that differ from what the index holds: those
//! changed since the last checkpoint. A chunk that is needed and not here is fetched. So a queue of ten
//! million messages takes as much memory as what happened to it lately.
//!
//! Nothing here takes long. What concerns many chunks at once, a queue that is deleted or emptied, is put off at first
//! and carried out in slices (see `deferred`). Whoever looks meanwhile sees it carried out; only counts lag behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::deferred::{Closing, Deferred, Settlement};
use super::base::IndexError;
use super::chunk::{CHUNK_POSITIONS, ChunkKey, Content, LiveMessage};
use super::log::{LogPosition, SegmentId};
use super::operation::{Place, Position, QueueId, Run};

mod deferred;
mod floors;
mod keeping;
mod view;

pub(super) use self::keeping::Changes;

/// When the chunks in memory take more than this, it is time for a checkpoint.
const CHANGED_BYTES_MAX: usize = 16 << 20;

/// What a chunk in memory takes beside its content.
const CHUNK_OVERHEAD_BYTES: usize = 96;

/// A run over more chunks than this is compared with the chunks that there are, instead of asking for each.
const CHUNKS_ASKED_MAX: u64 = 4;

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
    /// The same queues in order, for walks that are taken up again.
    ids: BTreeSet<QueueId>,
    /// Chunks that the index does not hold, or holds otherwise. Empty ones are to go from it.
    changed: BTreeMap<ChunkKey, Chunk>,
    /// What `changed` takes.
    changed_bytes: usize,
    /// Counts updates of the index. One under way takes what changed in an earlier age.
    age: u64,
    /// The last chunk that the update under way takes.
    last: Option<ChunkKey>,
    /// How many messages the index holds, dead ones too.
    indexed: u64,
    /// All that the index holds of these queues is to go, and does not count.
    closed: BTreeSet<QueueId>,
    /// Those of them whose turn it is, as far as the update under way has not come to them.
    dropping: BTreeSet<QueueId>,
    /// Deleted queues whose messages are still counted as alive in their segments.
    closing: FxHashMap<QueueId, Closing>,
    /// A settlement that spans more chunks than this is put off at first.
    deferred_above: u64,
    /// What was put off, in the order in which it came.
    deferred: VecDeque<Deferred>,
    /// Queues that have lost messages since their floor was last kept.
    stale_floors: Vec<QueueId>,
    /// Whose floors were last kept in a segment.
    floors_in: BTreeMap<SegmentId, Vec<QueueId>>,
    usage: FxHashMap<SegmentId, Usage>,
    entries: u64,
}

#[derive(Debug, Default)]
struct Queue {
    /// Above every position seen.
    next: Position,
    /// How many messages it has, those included whose settlement is deferred.
    entries: u64,
    /// From this chunk on the index holds nothing.
    indexed_end: u64,
    /// The chunk to which a message came last.
    filling: u64,
    /// Chunks from this one on came in this age.
    frontier: u64,
    frontier_age: u64,
    /// Settlements that were put off, in order.
    deferred: VecDeque<Settlement>,
    /// No chunk before this one holds anything alive.
    bottom: u64,
    /// It is in `stale_floors`.
    is_floor_stale: bool,
    /// The segment in which its floor was last kept.
    floor_in: SegmentId,
}

#[derive(Debug, Default)]
struct Chunk {
    content: Content,
    /// How many messages the index holds under its key. The index has no record of a chunk without one.
    indexed: u8,
    /// The age in which it came to differ from what the index holds.
    age: u64,
}

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
            ids: BTreeSet::new(),
            changed: BTreeMap::new(),
            changed_bytes: 0,
            age: 1,
            last: None,
            indexed: 0,
            closed: BTreeSet::new(),
            dropping: BTreeSet::new(),
            closing: FxHashMap::default(),
            deferred_above: 256,
            deferred: VecDeque::new(),
            stale_floors: Vec::new(),
            floors_in: BTreeMap::new(),
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
    pub(super) fn open_queue(&mut self, queue: QueueId) -> Result<(), IndexError> {
        if self.queues.contains_key(&queue) {
            return Ok(());
        }
        // Ids are not given again; only a replay meets one once more.
        self.finish_closing(queue)?;
        self.queues.insert(queue, Queue::default());
        self.ids.insert(queue);
        Ok(())
    }

    /// The queue is gone with all its messages, by a record at this position.
    pub(super) fn close_queue(&mut self, queue: QueueId, by: LogPosition) {
        let Some(closed) = self.queues.remove(&queue) else { return };
        self.ids.remove(&queue);
        self.entries -= closed.entries;
        self.closing.insert(queue, Closing::new(closed.indexed_end));
        self.deferred.push_back(Deferred::Closing(queue, by));
    }

    /// Queues in no order.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// A message stands at a place, with `entry` for all but its position. One that stood there before keeps its
    /// count of returns. Ignored when the queue is unknown.
    pub(super) fn place(&mut self, place: Place, mut entry: LiveMessage) -> Result<(), IndexError> {
        if !self.deferred.is_empty()
            && self.queues.get(&place.queue).is_some_and(|queue| queue.has_settled(place.position))
        {
            // A settlement may not take what came after it. Positions are not given again; only a replay meets this.
            self.carry_out_settlements(place.queue)?;
        }
        let Some(queue) = self.queues.get_mut(&place.queue) else { return Ok(()) };
        let number = place.position / CHUNK_POSITIONS;
        if number > queue.filling {
            if queue.frontier_age < self.age {
                queue.frontier_age = self.age;
                queue.frontier = number;
            }
            // Nothing more comes to the chunk before; packed it takes a few bytes.
            let before = (place.queue, std::mem::replace(&mut queue.filling, number));
            if let Some(chunk) = self.changed.get_mut(&before) {
                self.changed_bytes -= chunk.bytes();
                chunk.content.pack();
                self.changed_bytes += chunk.bytes();
            }
        }
        queue.next = queue.next.max(place.position.saturating_add(1));
        queue.bottom = queue.bottom.min(number);
        entry.low = (place.position % CHUNK_POSITIONS) as u8;
        let key = (place.queue, number);
        if !self.changed.contains_key(&key) && !self.fetch(key)? {
            self.changed_bytes += CHUNK_OVERHEAD_BYTES;
            self.changed.insert(key, Chunk { age: self.age, ..Chunk::default() });
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

    /// The messages in runs of positions, which are in order and apart, are gone, by a record at this position.
    pub(super) fn settle(
        &mut self,
        queue: QueueId,
        runs: &[Run],
        by: LogPosition,
    ) -> Result<(), IndexError> {
        let chunks_of = |run: &Run| run.last() / CHUNK_POSITIONS - run.first / CHUNK_POSITIONS + 1;
        let mut chunks = 0_u64;
        let is_long = runs.iter().any(|run| {
            chunks = chunks.saturating_add(chunks_of(run));
            chunks > self.deferred_above
        });
        if is_long {
            self.defer_settlement(queue, runs, by);
            return Ok(());
        }
        for run in runs {
            let mut rest = Some(*run);
            while let Some(run) = rest {
                rest = self.settle_some(queue, run, usize::MAX)?.1;
            }
        }
        Ok(())
    }

    /// Settles a run in at most so many of the chunks that there are. Returns how many chunks were looked at, and what
    /// is left of the run.
    fn settle_some(
        &mut self,
        queue: QueueId,
        run: Run,
        count_max: usize,
    ) -> Result<(usize, Option<Run>), IndexError> {
        let Some(indexed_end) = self.queues.get(&queue).map(|queue| queue.indexed_end) else {
            return Ok((1, None));
        };
        let (first, last) = (run.first / CHUNK_POSITIONS, run.last() / CHUNK_POSITIONS);
        if last - first < CHUNKS_ASKED_MAX {
            for number in first..=last {
                let key = (queue, number);
                if self.changed.contains_key(&key) || self.fetch(key)? {
                    self.settle_in(key, run);
                }
            }
            return Ok(((last - first + 1) as usize, None));
        }
        let found = self.gather((queue, first), last, indexed_end, count_max)?;
        for number in found.here {
            self.settle_in((queue, number), run);
        }
        for (number, content) in found.indexed {
            self.take_in((queue, number), content);
            self.settle_in((queue, number), run);
        }
        let rest = found.next.map(|next| {
            let first = next * CHUNK_POSITIONS;
            Run { first, count: run.last() - first + 1 }
        });
        Ok((found.count, rest))
    }

    /// The messages of one chunk, which is here, in a run of positions are gone.
    fn settle_in(&mut self, key: ChunkKey, run: Run) {
        let (Some(chunk), Some(queue)) = (self.changed.get_mut(&key), self.queues.get_mut(&key.0))
        else {
            return;
        };
        self.changed_bytes -= chunk.bytes();
        let base = key.1 * CHUNK_POSITIONS;
        debug_assert!(run.last() >= base, "a run ends before the chunk that it is settled in");
        let low = run.first.saturating_sub(base) as u8;
        let high = run.last().saturating_sub(base).min(CHUNK_POSITIONS - 1) as u8;
        let entries = chunk.content.open();
        let start = entries.partition_point(|entry| entry.low < low);
        let end = entries.partition_point(|entry| entry.low <= high);
        if start < end && !queue.is_floor_stale {
            queue.is_floor_stale = true;
            self.stale_floors.push(key.0);
        }
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
        if chunk.content.is_empty() && chunk.indexed == 0 {
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
        let indexed = content.entries().len() as u8;
        let chunk = Chunk { content, indexed, age: self.age };
        self.changed_bytes += chunk.bytes();
        self.changed.insert(key, chunk);
    }

    /// Takes note of a chunk that the index holds, without keeping it.
    pub(super) fn load(&mut self, key: ChunkKey, entries: &[LiveMessage]) {
        for entry in entries {
            let usage = self.usage.entry(entry.location.segment).or_default();
            usage.places += 1;
            usage.bytes += u64::from(entry.share);
        }
        let count = entries.len() as u64;
        self.entries += count;
        self.indexed += count;
        self.ids.insert(key.0);
        let queue = self.queues.entry(key.0).or_default();
        queue.entries += count;
        queue.indexed_end = queue.indexed_end.max(key.1 + 1);
        queue.filling = queue.filling.max(key.1);
        if !queue.is_floor_stale {
            // Nobody knows what was kept of its floor.
            queue.is_floor_stale = true;
            self.stale_floors.push(key.0);
        }
        if let Some(last) = entries.last() {
            let position = key.1.saturating_mul(CHUNK_POSITIONS) + u64::from(last.low);
            queue.next = queue.next.max(position.saturating_add(1));
        }
    }

    /// How many places hold a message. What is still to be settled counts.
    pub(super) fn len(&self) -> u64 {
        self.entries
    }

    /// What changed since the last checkpoint takes so many bytes.
    pub(super) fn changed_bytes(&self) -> usize {
        self.changed_bytes
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
        let usage = self.usage.remove(&segment).unwrap_or_default();
        debug_assert!(usage.places == 0, "segment {segment} went with {} places", usage.places);
        self.floors_in.remove(&segment);
    }
}

impl Chunk {
    fn bytes(&self) -> usize {
        self.content.bytes() + CHUNK_OVERHEAD_BYTES
    }
}

fn release(usage: &mut FxHashMap<SegmentId, Usage>, entry: &LiveMessage) {
    let segment = entry.location.segment;
    let Some(usage) = usage.get_mut(&segment) else {
        debug_assert!(false, "segment {segment} is not known to hold anything");
        return;
    };
    debug_assert!(
        usage.places > 0 && usage.bytes >= u64::from(entry.share),
        "more goes from segment {segment} than is in it"
    );
    usage.places = usage.places.saturating_sub(1);
    usage.bytes = usage.bytes.saturating_sub(u64::from(entry.share));
}

#[cfg(test)]
mod tests;
