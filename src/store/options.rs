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
    /// What messages that are read back count in.
    pub memory: &'static Memory,
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
