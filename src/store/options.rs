//! What the store is told when it is opened: where, how much, whom to call, and what it stands on.

use std::path::PathBuf;
use std::sync::Arc;

use super::base::BasePlace;
use super::disk::{Disk, LocalDisk};
use super::sled_base::SledPlace;

use crate::entropy::{Entropy, SystemEntropy};
use crate::message::Memory;

/// Where the store lives and its limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory. Created when missing.
    pub directory: PathBuf,
    /// A journal segment that has grown past this is closed and a new one begun. At most 1 GiB.
    pub segment_bytes_max: u64,
    /// The index is brought up to date after so many bytes of journal.
    pub checkpoint_bytes: u64,
    /// The index is brought up to date after so many milliseconds, if anything was written meanwhile.
    pub checkpoint_ms: u64,
    /// Above this many bytes of operations that wait for the disk, the store calls itself full.
    pub inbox_bytes_max: usize,
    /// What sled may cache of the index.
    pub index_cache_bytes: u64,
    /// How much is done at once of what takes long.
    pub slice: Slice,
    /// What messages that are read back count in.
    pub memory: &'static Memory,
}

/// What is done of a checkpoint, or of a settlement over many chunks, before the next group gets its turn. Each is passed
/// by the last thing that is done at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// So many chunks, of 64 positions of a queue each, are looked at, and queues on the way to them.
    pub chunks: usize,
    /// So many bytes of messages are copied.
    pub bytes: u64,
    /// In so many places.
    pub places: usize,
    /// So many definitions are written.
    pub definitions: usize,
}

impl Default for Slice {
    /// A millisecond or two of work.
    fn default() -> Self {
        Self { chunks: 256, bytes: 1 << 20, places: 2048, definitions: 128 }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("data"),
            segment_bytes_max: 64 << 20,
            checkpoint_bytes: 256 << 20,
            checkpoint_ms: 60_000,
            inbox_bytes_max: 16 << 20,
            index_cache_bytes: 16 << 20,
            slice: Slice::default(),
            memory: Memory::leaked(),
        }
    }
}

/// All that a store has from outside.
pub struct Surroundings {
    /// Its files, but for the index.
    pub disk: Arc<dyn Disk>,
    /// Its index.
    pub index: Box<dyn BasePlace>,
    /// Tells segments of one number from each other.
    pub entropy: Arc<dyn Entropy>,
}

impl Surroundings {
    /// The file system, with the index in sled, and the system's random numbers.
    pub fn local(options: &Options) -> Self {
        Self {
            disk: Arc::new(LocalDisk::new(options.segment_bytes_max)),
            index: Box::new(SledPlace::new(&options.directory, options.index_cache_bytes)),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}

/// What the store tells its owner. All are called by the committer and must be quick.
pub struct Events {
    /// The inbox has fallen below half of its limit after having been full.
    pub room: Box<dyn Fn() + Send + Sync>,
    /// The store is poisoned: a write or a sync failed, for the reason given. Called once.
    pub lost: Box<dyn Fn(&str) + Send + Sync>,
}

impl Default for Events {
    /// Listens to nothing.
    fn default() -> Self {
        Self { room: Box::new(|| {}), lost: Box::new(|_| {}) }
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}
