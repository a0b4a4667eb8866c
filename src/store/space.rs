//! A full disk. It is no reason to lose the store: nothing that was promised is lost, so the committer waits until
//! there is room again and goes on where it stopped. Meanwhile nothing is confirmed, publishers are held back by the
//! disk alarm, and consumers go on with what is in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long the committer waits before it tries a write again that found the disk full.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// A checkpoint is put off while fewer bytes than this are free: sled takes a write that fails for the loss of the
/// index.
pub(super) const CHECKPOINT_FREE_BYTES_MIN: u64 = 16 << 20;

/// A start with less than this gives up what was set aside.
pub(super) const START_BYTES_MIN: u64 = 4 << 20;

/// While the disk is full, this much more than what the ledger has to write is enough for a checkpoint.
pub(super) const CHECKPOINT_SHORT_BYTES: u64 = 1 << 20;

/// What is set aside is given up when the disk has been full for so long: by then publishers are held back, and do not
/// use it up.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Whether the disk is full, and who waits for that to change.
#[derive(Debug, Default)]
pub(super) struct Space {
    short: AtomicBool,
    closing: Mutex<bool>,
    changed: Condvar,
}

impl Space {
    /// Whether a write waits for room.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Acquire)
    }

    /// Ends all waiting: the store is closed, and what could not be written stays unwritten.
    pub(super) fn close(&self) {
        *self.closing.lock() = true;
        self.changed.notify_all();
    }

    /// Whether nothing is to be waited for any more.
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.lock()
    }

    /// Waits a while before a write is tried again that found no room, or until the store is closed.
    pub(super) fn wait(&self) {
        let mut closing = self.closing.lock();
        if !*closing {
            self.changed.wait_for(&mut closing, RETRY);
        }
    }

    /// A write found no room.
    pub(super) fn found_none(&self) {
        if !self.short.swap(true, Ordering::AcqRel) {
            log::error!(
                "the disk of the data directory is full: nothing is confirmed until there is room again"
            );
        }
    }

    /// A write found room.
    pub(super) fn found_room(&self) {
        if self.is_short() {
            self.short.store(false, Ordering::Release);
            log::info!("the disk of the data directory has room again");
        }
    }
}
