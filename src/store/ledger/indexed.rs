//! What of the ledger is in the index only: chunks that nothing happened to lately.

use std::ops::{ControlFlow, RangeInclusive};

use super::super::base::IndexError;
use super::super::chunk::{ChunkKey, Content};
use super::super::operation::QueueId;

/// What the index holds of the ledger.
pub(crate) trait Chunks: Send + Sync {
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
pub(super) struct NoChunks;

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
