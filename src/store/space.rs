//! A full disk. It is no reason to lose the store: nothing that was promised is lost, so the committer waits until
//! there is room again and goes on where it stopped. Meanwhile nothing is confirmed, publishers are held back by the
//! disk alarm, and consumers go on with what is in memory.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::disk::{Disk, SegmentFile};

/// How long the committer waits before it tries a write again that found the disk full.
const RETRY: Duration = Duration::from_millis(200);

/// A checkpoint is put off while fewer bytes than this are free: sled takes a write that fails for the loss of the
/// index.
const CHECKPOINT_FREE_BYTES_MIN: u64 = 16 << 20;

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

    /// Waits a while after a write has failed for want of room.
    ///
    /// # Errors
    /// The write's own error, when the store is being closed.
    fn wait(&self, error: io::Error) -> io::Result<()> {
        if !self.short.swap(true, Ordering::AcqRel) {
            log::error!(
                "the disk of the data directory is full ({error}): nothing is confirmed until there is room again"
            );
        }
        let mut closing = self.closing.lock();
        if !*closing {
            self.changed.wait_for(&mut closing, RETRY);
        }
        if *closing { Err(error) } else { Ok(()) }
    }

    fn found_room(&self) {
        if self.short.swap(false, Ordering::AcqRel) {
            log::info!("the disk of the data directory has room again");
        }
    }

    /// Does something again and again until it does not fail for want of room.
    fn insist<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match attempt() {
                Err(error) if is_full(&error) => self.wait(error)?,
                result => {
                    if result.is_ok() && self.is_short() {
                        self.found_room();
                    }
                    return result;
                }
            }
        }
    }
}

/// Whether a checkpoint's own writes will find room in the data directory. Where that cannot be learned they are
/// tried.
pub(super) fn has_room_for_checkpoint(directory: &Path) -> bool {
    free_bytes(directory).is_none_or(|free| free >= CHECKPOINT_FREE_BYTES_MIN)
}

/// Bytes that are free on the file system of a directory, for those without privileges; nothing when the system does
/// not say.
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(directory).ok()?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A disk whose segments wait for room.
pub(super) struct PatientDisk {
    disk: Box<dyn Disk>,
    space: Arc<Space>,
}

impl PatientDisk {
    pub(super) fn new(disk: Box<dyn Disk>, space: Arc<Space>) -> Self {
        Self { disk, space }
    }

    fn patient(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(PatientFile { file, space: Arc::clone(&self.space) })
    }
}

impl Disk for PatientDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        self.space.insist(|| self.disk.create(path)).map(|file| self.patient(file))
    }

    fn resume(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        self.disk.resume(path).map(|file| self.patient(file))
    }
}

struct PatientFile {
    file: Box<dyn SegmentFile>,
    space: Arc<Space>,
}

impl SegmentFile for PatientFile {
    /// A write that finds the disk full may have written a part, which is not written again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { file, space } = self;
        let start = file.end();
        space.insist(|| {
            let written = (file.end() - start) as usize;
            file.write(&bytes[written..])
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn end(&self) -> u64 {
        self.file.end()
    }
}
