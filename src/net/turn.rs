//! Turns: a task whose socket is always ready would otherwise never let others run.

use futures_lite::future;

/// Bytes after which the others have their turn.
const TURN_BYTES: usize = 128 * 1024;

/// What one round costs whatever it moved.
const ROUND_BYTES: usize = 4096;

/// A task's work since it last let others run.
#[derive(Debug, Default)]
pub(super) struct Turn {
    bytes: usize,
}

impl Turn {
    /// Counts a round that moved some bytes, and lets others run when it is their turn.
    pub async fn spend(&mut self, bytes: usize) {
        self.bytes += bytes + ROUND_BYTES;
        if self.bytes >= TURN_BYTES {
            self.bytes = 0;
            future::yield_now().await;
        }
    }
}
