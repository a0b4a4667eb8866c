//! The chunks in memory: those that the index does not hold, or holds otherwise, and what they take.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use super::super::chunk::{ChunkKey, Content, LiveMessage};

/// What a chunk in memory takes beside its content.
const CHUNK_OVERHEAD_BYTES: usize = 96;

/// A chunk in memory.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) content: Content,
    /// How many messages the index holds under its key. The index has no record of a chunk without one.
    pub(super) indexed: u8,
    /// The age in which it came to differ from what the index holds.
    pub(super) age: u64,
}

/// The chunks in memory, by key. Empty ones are to go from the index.
#[derive(Debug, Default)]
pub(super) struct ChangedChunks {
    chunks: BTreeMap<ChunkKey, Chunk>,
    bytes: usize,
}

impl ChangedChunks {
    /// Whether a chunk is here.
    pub(super) fn contains(&self, key: ChunkKey) -> bool {
        self.chunks.contains_key(&key)
    }

    /// A chunk, if it is here.
    pub(super) fn get(&self, key: ChunkKey) -> Option<&Chunk> {
        self.chunks.get(&key)
    }

    /// The chunks in a range, in order.
    pub(super) fn range(
        &self,
        keys: impl RangeBounds<ChunkKey>,
    ) -> impl Iterator<Item = (&ChunkKey, &Chunk)> {
        self.chunks.range(keys)
    }

    /// The last chunk.
    pub(super) fn last_key(&self) -> Option<ChunkKey> {
        self.chunks.last_key_value().map(|(key, _)| *key)
    }

    /// Begins a chunk that the index does not hold.
    pub(super) fn begin(&mut self, key: ChunkKey, age: u64) {
        self.insert(key, Chunk { content: Content::default(), indexed: 0, age });
    }

    /// Takes a chunk in as the index holds it.
    pub(super) fn take_in(&mut self, key: ChunkKey, content: Content, age: u64) {
        let indexed = content.entries().len() as u8;
        self.insert(key, Chunk { content, indexed, age });
    }

    fn insert(&mut self, key: ChunkKey, chunk: Chunk) {
        self.bytes += chunk.bytes();
        let before = self.chunks.insert(key, chunk);
        debug_assert!(before.is_none(), "a chunk in memory was replaced");
    }

    /// Changes the messages of a chunk, if it is here.
    pub(super) fn edit<T>(
        &mut self,
        key: ChunkKey,
        change: impl FnOnce(&mut Vec<LiveMessage>) -> T,
    ) -> Option<T> {
        let chunk = self.chunks.get_mut(&key)?;
        self.bytes -= chunk.bytes();
        let messages = chunk.content.open();
        let changed = change(messages);
        if messages.is_empty() {
            // Give its memory back.
            chunk.content = Content::default();
            if chunk.indexed == 0 {
                // What the index never knew needs no trace.
                self.chunks.remove(&key);
                return Some(changed);
            }
        }
        self.bytes += chunk.bytes();
        Some(changed)
    }

    /// Makes a chunk small, if it is here.
    pub(super) fn pack(&mut self, key: ChunkKey) {
        if let Some(chunk) = self.chunks.get_mut(&key) {
            self.bytes -= chunk.bytes();
            chunk.content.pack();
            self.bytes += chunk.bytes();
        }
    }

    /// Takes a chunk out.
    pub(super) fn remove(&mut self, key: ChunkKey) -> Option<Chunk> {
        let chunk = self.chunks.remove(&key)?;
        self.bytes -= chunk.bytes();
        Some(chunk)
    }

    /// The index holds nothing any more.
    pub(super) fn forget_indexed(&mut self) {
        self.chunks.retain(|_, chunk| !chunk.content.is_empty());
        self.chunks.values_mut().for_each(|chunk| chunk.indexed = 0);
        self.bytes = self.recounted();
    }

    /// What they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What they take, counted anew.
    pub(super) fn recounted(&self) -> usize {
        self.chunks.values().map(Chunk::bytes).sum()
    }
}

impl Chunk {
    fn bytes(&self) -> usize {
        self.content.bytes() + CHUNK_OVERHEAD_BYTES
    }
}
