//! The index's records in sled.

use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::base::{Base, BasePlace, IndexError, Visit};

/// How long sled's own threads may take to let go of an index that this process has just closed.
const LOCK_MS_MAX: u64 = 5_000;

/// A directory for sled.
#[derive(Debug)]
pub(super) struct SledPlace {
    path: PathBuf,
    cache_bytes: u64,
}

impl SledPlace {
    /// Below a data directory; sled may cache so many bytes.
    pub(super) fn new(data_directory: &Path, cache_bytes: u64) -> Self {
        Self { path: data_directory.join("index"), cache_bytes }
    }
}

impl BasePlace for SledPlace {
    fn open(&self) -> Result<Arc<dyn Base>, IndexError> {
        remove_unfinished_snapshots(&self.path)?;
        let db = guarded(|| open_sled(&self.path, self.cache_bytes))?;
        let file = File::open(self.path.join("db"))?;
        Ok(Arc::new(SledBase { db, file }))
    }

    fn move_aside(&self) -> io::Result<Option<PathBuf>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let mut number = 1_u32;
        loop {
            let aside = self.path.with_file_name(format!("index.broken-{number}"));
            if !aside.exists() {
                fs::rename(&self.path, &aside)?;
                return Ok(Some(aside));
            }
            number += 1;
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

struct SledBase {
    db: sled::Db,
    /// Our own handle of sled's file, because sled's flush leaves data in the system's cache.
    file: File,
}

impl Base for SledBase {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        guarded(|| Ok(self.db.get(key)?.map(|value| value.to_vec())))
    }

    fn insert(&self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        guarded(|| Ok(self.db.insert(key, value).map(drop)?))
    }

    fn remove(&self, key: &[u8]) -> Result<(), IndexError> {
        guarded(|| Ok(self.db.remove(key).map(drop)?))
    }

    fn scan(&self, keys: RangeInclusive<&[u8]>, visit: Visit<'_>) -> Result<(), IndexError> {
        guarded(|| {
            for item in self.db.range(keys) {
                let (key, value) = item?;
                if visit(&key, &value).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    fn flush(&self) -> Result<(), IndexError> {
        guarded(|| {
            self.db.flush()?;
            Ok(self.file.sync_data()?)
        })
    }
}

impl From<sled::Error> for IndexError {
    fn from(error: sled::Error) -> Self {
        // sled's messages span lines.
        Self::new(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// sled meets some kinds of damage with a panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(IndexError::new("sled gave up on it")))
}

fn open_sled(path: &Path, cache_bytes: u64) -> Result<sled::Db, IndexError> {
    let give_up = Instant::now() + Duration::from_millis(LOCK_MS_MAX);
    loop {
        match sled::Config::new().path(path).cache_capacity(cache_bytes).open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("lock") && Instant::now() < give_up =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return Ok(result?),
        }
    }
}

/// A crash while sled opens leaves a file behind that makes every later open fail.
fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
