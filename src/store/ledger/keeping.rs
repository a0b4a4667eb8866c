//! How the index takes in what changed: some chunks at a time, while the ledger goes on changing.
//!
//! An update takes the chunks that had changed when it began, each as it is when its turn comes. A chunk that changes
//! behind it waits for the next update.

use std::ops::Bound::{self, Excluded, Unbounded};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::base::IndexError;
use super::super::chunk::ChunkKey;
use super::super::operation::QueueId;
use super::changed::Chunk;
use super::indexed::{Chunks, NoChunks};
use super::{Ledger, NUMBER_MAX};

/// Some chunks that the index must change.
pub(crate) struct Changes {
    /// Each as it is to be written; nothing for one that is to go.
    pub(crate) chunks: Vec<(ChunkKey, Option<Vec<u8>>)>,
    /// The last chunk that was looked at; nothing at the end.
    pub(crate) last: Option<ChunkKey>,
    /// How many chunks were looked at.
    pub(crate) count: usize,
}

impl Ledger {
    /// What changed so far is what an update of the index is to take in.
    pub(crate) fn freeze(&mut self) {
        self.recount();
        self.age += 1;
        self.last = self.changed.last_key();
        self.dropping.append(&mut self.closed);
    }

    /// The next queue of which the index is to drop everything before it takes changes.
    pub(crate) fn dropping(&self) -> Option<QueueId> {
        self.dropping.first().copied()
    }

    /// The index has dropped some chunks of a queue, with so many messages; all of them, or there are more.
    pub(crate) fn dropped(&mut self, queue: QueueId, messages: u64, progress: ControlFlow<()>) {
        debug_assert!(self.indexed >= messages, "the index dropped more than it had");
        self.indexed = self.indexed.saturating_sub(messages);
        if progress.is_break() {
            self.dropping.remove(&queue);
        }
    }

    /// The next chunks behind `after` that the index must change, in order. Looks at so many at most. However many come
    /// meanwhile, it passes them by.
    pub(crate) fn changes(&self, after: Option<ChunkKey>, count_max: usize) -> Changes {
        let mut changes = Changes { chunks: Vec::new(), last: None, count: 0 };
        let Some(end) = self.last else { return changes };
        let mut from = after.map_or(Unbounded, Excluded);
        while let Some((key, chunk)) = self.next_changed(from, end) {
            if changes.count == count_max {
                return changes;
            }
            changes.count += 1;
            let mut last = *key;
            match self.queues.get(&key.0) {
                Some(queue) if queue.frontier_age < self.age || key.1 < queue.frontier => {
                    if chunk.age < self.age {
                        changes.chunks.push((*key, chunk.content.to_index()));
                    }
                }
                // The rest of the queue came since, or is about to go because the queue is deleted.
                _ => last.1 = NUMBER_MAX,
            }
            changes.last = Some(last);
            from = Excluded(last);
        }
        changes.last = None;
        changes
    }

    fn next_changed(&self, from: Bound<ChunkKey>, end: ChunkKey) -> Option<(&ChunkKey, &Chunk)> {
        self.changed.range((from, Unbounded)).next().filter(|(key, _)| **key <= end)
    }

    /// The index holds these chunks now. Nothing has changed since they were taken.
    pub(crate) fn changes_kept(&mut self, changes: &Changes) {
        for (key, _) in &changes.chunks {
            let Some(chunk) = self.changed.remove(*key) else { continue };
            let count = chunk.content.entries().len() as u64;
            self.indexed = self.indexed + count - u64::from(chunk.indexed);
            if let Some(queue) = self.queues.get_mut(&key.0)
                && count > 0
            {
                queue.indexed_end = queue.indexed_end.max(key.1 + 1);
            }
        }
    }

    /// How many messages the index holds, those included that died since it took them.
    pub(crate) fn indexed(&self) -> u64 {
        self.indexed
    }

    /// Makes chunks in memory small.
    pub(crate) fn pack(&mut self, keys: impl Iterator<Item = ChunkKey>) {
        for key in keys {
            self.changed.pack(key);
        }
    }

    /// From now on chunks are fetched there.
    pub(crate) fn attach(&mut self, index: Arc<dyn Chunks>) {
        self.index = index;
    }

    /// Brings here, packed, what only the index holds, from a chunk on; so many chunks at most. Returns the chunk to go on
    /// from. Once all is here, [`Ledger::detach`] lets the index go.
    pub(crate) fn fetch_some(
        &mut self,
        from: ChunkKey,
        count_max: usize,
    ) -> Result<Option<ChunkKey>, IndexError> {
        let mut count = 0;
        let ids: Vec<QueueId> = self.ids.range(from.0..).take(count_max + 1).copied().collect();
        for queue in ids {
            let first = if queue == from.0 { from.1 } else { 0 };
            if count >= count_max {
                return Ok(Some((queue, first)));
            }
            count += 1;
            let end = self.queues.get(&queue).map_or(0, |queue| queue.indexed_end);
            if first >= end {
                continue;
            }
            let found = self.gather((queue, first), end - 1, end, count_max)?;
            count += found.count;
            for (number, mut content) in found.indexed {
                content.pack();
                self.changed.take_in((queue, number), content, self.age);
            }
            if let Some(next) = found.next {
                return Ok(Some((queue, next)));
            }
        }
        Ok(None)
    }

    /// Lets go of the index, which is to be given everything again. What it alone had of queues that are deleted is lost
    /// sight of, and counts no more.
    pub(crate) fn detach(&mut self) -> Result<(), IndexError> {
        // They may still stand in the index only.
        while self.has_deferred() {
            self.carry_out(usize::MAX)?;
        }
        self.attach(Arc::new(NoChunks));
        self.changed.forget_indexed();
        for queue in self.queues.values_mut() {
            queue.indexed_end = 0;
        }
        self.indexed = 0;
        self.closed.clear();
        self.dropping.clear();
        Ok(())
    }
}
