//! Which messages are alive, by queue and position, where each stands in the journal, and how much of
//! each segment is alive.
//!
//! Most of it is in the index only. In memory are the chunks that differ from what the index holds: those
//! changed since the last checkpoint. A chunk that is needed and not here is fetched. So a queue of ten
//! million messages takes as much memory as what happened to it lately.
//!
//! Nothing here takes long. What concerns many chunks at once, a queue that is deleted or emptied, is put off at first
//! and carried out in slices (see `deferred`). Whoever looks meanwhile sees it carried out; only counts lag behind.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::changed::ChangedChunks;
use self::deferred::{Closing, Deferred};
use self::floors::Floors;
use self::indexed::NoChunks;
use self::queue::Queue;
use self::usage::{SegmentUsage, Usage};
use super::base::IndexError;
use super::chunk::{CHUNK_POSITIONS, ChunkKey, LiveMessage};
use super::log::{LogPosition, SegmentId};
use super::operation::{Place, Position, QueueId, Run};

mod changed;
mod deferred;
mod floors;
mod indexed;
mod keeping;
mod queue;
mod settlement;
mod usage;
mod view;

pub(super) use self::indexed::Chunks;
pub(super) use self::keeping::Changes;

/// When the chunks in memory take more than this, it is time for a checkpoint.
const CHANGED_BYTES_MAX: usize = 16 << 20;

/// A run over more chunks than this is compared with the chunks that there are, instead of asking for each.
const CHUNKS_ASKED_MAX: u64 = 4;

/// The last chunk number that there can be.
const NUMBER_MAX: u64 = Position::MAX / CHUNK_POSITIONS;

/// All that is alive.
pub(super) struct Ledger {
    index: Arc<dyn Chunks>,
    queues: FxHashMap<QueueId, Queue>,
    /// The same queues in order, for walks that are taken up again.
    ids: BTreeSet<QueueId>,
    /// Chunks that the index does not hold, or holds otherwise. Empty ones are to go from it.
    changed: ChangedChunks,
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
    floors: Floors,
    usage: SegmentUsage,
    entries: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            index: Arc::new(NoChunks),
            queues: FxHashMap::default(),
            ids: BTreeSet::new(),
            changed: ChangedChunks::default(),
            age: 1,
            last: None,
            indexed: 0,
            closed: BTreeSet::new(),
            dropping: BTreeSet::new(),
            closing: FxHashMap::default(),
            deferred_above: 256,
            deferred: VecDeque::new(),
            floors: Floors::default(),
            usage: SegmentUsage::default(),
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
            self.changed.pack((place.queue, std::mem::replace(&mut queue.filling, number)));
        }
        queue.next = queue.next.max(place.position.saturating_add(1));
        queue.bottom = queue.bottom.min(number);
        entry.low = (place.position % CHUNK_POSITIONS) as u8;
        let key = (place.queue, number);
        if !self.changed.contains(key) && !self.fetch(key)? {
            self.changed.begin(key, self.age);
        }
        self.usage.add(&entry);
        let replaced = self.changed.edit(key, |entries| {
            match entries.binary_search_by_key(&entry.low, |entry| entry.low) {
                Ok(at) => {
                    entry.returns = entries[at].returns;
                    Some(std::mem::replace(&mut entries[at], entry))
                }
                Err(at) => {
                    entries.insert(at, entry);
                    None
                }
            }
        });
        match (replaced.flatten(), self.queues.get_mut(&place.queue)) {
            (Some(old), _) => self.usage.remove(&old),
            (None, Some(queue)) => {
                queue.entries += 1;
                self.entries += 1;
            }
            (None, None) => {}
        }
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
                if self.changed.contains(key) || self.fetch(key)? {
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
            self.changed.take_in((queue, number), content, self.age);
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
        let Some(queue) = self.queues.get_mut(&key.0) else { return };
        let base = key.1 * CHUNK_POSITIONS;
        debug_assert!(run.last() >= base, "a run ends before the chunk that it is settled in");
        let low = run.first.saturating_sub(base) as u8;
        let high = run.last().saturating_sub(base).min(CHUNK_POSITIONS - 1) as u8;
        let usage = &mut self.usage;
        let settled = self.changed.edit(key, |entries| {
            let start = entries.partition_point(|entry| entry.low < low);
            let end = entries.partition_point(|entry| entry.low <= high);
            entries.drain(start..end).for_each(|entry| usage.remove(&entry));
            (end - start) as u64
        });
        let settled = settled.unwrap_or_default();
        queue.entries -= settled;
        self.entries -= settled;
        if settled > 0 {
            self.floors.note_loss(key.0, queue);
        }
    }

    /// A message came back for the `count`-th time.
    pub(super) fn returned(&mut self, place: Place, count: u32) -> Result<(), IndexError> {
        let key = (place.queue, place.position / CHUNK_POSITIONS);
        let low = (place.position % CHUNK_POSITIONS) as u8;
        if !self.changed.contains(key) && !self.fetch(key)? {
            return Ok(());
        }
        self.changed.edit(key, |entries| {
            if let Ok(at) = entries.binary_search_by_key(&low, |entry| entry.low) {
                entries[at].returns = count;
            }
        });
        Ok(())
    }

    /// Brings a chunk here from the index, to be changed. Returns whether the index has it.
    fn fetch(&mut self, key: ChunkKey) -> Result<bool, IndexError> {
        if self.queues.get(&key.0).is_none_or(|queue| key.1 >= queue.indexed_end) {
            return Ok(false);
        }
        let Some(content) = self.index.chunk(key)? else { return Ok(false) };
        self.changed.take_in(key, content, self.age);
        Ok(true)
    }

    /// Takes note of a chunk that the index holds, without keeping it.
    pub(super) fn load(&mut self, key: ChunkKey, entries: &[LiveMessage]) {
        entries.iter().for_each(|entry| self.usage.add(entry));
        let count = entries.len() as u64;
        self.entries += count;
        self.indexed += count;
        self.ids.insert(key.0);
        let queue = self.queues.entry(key.0).or_default();
        queue.entries += count;
        queue.indexed_end = queue.indexed_end.max(key.1 + 1);
        queue.filling = queue.filling.max(key.1);
        // Nobody knows what was kept of its floor.
        self.floors.note_loss(key.0, queue);
        if let Some(last) = entries.last() {
            let position = key.1.saturating_mul(CHUNK_POSITIONS) + u64::from(last.low);
            queue.next = queue.next.max(position.saturating_add(1));
        }
    }

    /// Counts anew in a debug build what is counted by hand.
    fn recount(&self) {
        debug_assert_eq!(self.changed.bytes(), self.changed.recounted(), "bytes of chunks");
        let entries = || self.queues.values().map(|queue| queue.entries).sum::<u64>();
        debug_assert_eq!(self.entries, entries(), "messages of queues");
    }

    /// How many places hold a message. What is still to be settled counts.
    pub(super) fn len(&self) -> u64 {
        self.entries
    }

    /// What changed since the last checkpoint takes so many bytes.
    pub(super) fn changed_bytes(&self) -> usize {
        self.changed.bytes()
    }

    /// What changed takes so much memory that it is time for a checkpoint.
    pub(super) fn is_heavy(&self) -> bool {
        self.changed.bytes() > CHANGED_BYTES_MAX
    }

    /// What of a segment is alive.
    pub(super) fn usage(&self, segment: SegmentId) -> Usage {
        self.usage.of(segment)
    }

    /// The segments in which something is alive, in no order.
    pub(super) fn segments(&self) -> impl Iterator<Item = SegmentId> {
        self.usage.segments()
    }

    /// A segment was deleted.
    pub(super) fn forget_segment(&mut self, segment: SegmentId) {
        self.usage.forget(segment);
        self.floors.forget(segment);
    }
}

#[cfg(test)]
mod tests;
