//! The index's map in memory, with the guarantee that sled gives: after a crash there is everything that was flushed,
//! and of what came since, all up to some point.

use std::collections::BTreeMap;
use std::io;
use std::ops::{Bound, ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leveret::store::{Base, BasePlace, IndexError, Visit};
use parking_lot::Mutex;

use crate::disk::Crash;
use crate::random::Random;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Default)]
struct Content {
    map: Map,
    flushed: Map,
    /// Changes since, in order.
    unflushed: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    is_off: bool,
}

impl Content {
    fn on(&mut self) -> Result<&mut Self, IndexError> {
        if self.is_off { Err(IndexError::new("the machine is off")) } else { Ok(self) }
    }

    fn change(&mut self, key: &[u8], value: Option<&[u8]>) {
        apply(&mut self.map, key.to_vec(), value.map(<[u8]>::to_vec));
        self.unflushed.push((key.to_vec(), value.map(<[u8]>::to_vec)));
    }

    fn flush(&mut self) {
        self.flushed = self.map.clone();
        self.unflushed.clear();
    }
}

fn apply(map: &mut Map, key: Vec<u8>, value: Option<Vec<u8>>) {
    match value {
        Some(value) => _ = map.insert(key, value),
        None => _ = map.remove(&key),
    }
}

/// The map. A clone is the same map.
#[derive(Clone, Default)]
pub struct MemoryBase(Arc<Mutex<Content>>);

impl MemoryBase {
    /// Another map with the same in it.
    pub fn copy(&self) -> Self {
        let mut content = self.0.lock().clone();
        content.is_off = false;
        Self(Arc::new(Mutex::new(content)))
    }

    /// What is left after the machine has stopped. This one can be used no more.
    pub fn after(&self, crash: Crash, random: &mut Random) -> Self {
        let mut left = {
            let mut content = self.0.lock();
            content.is_off = true;
            content.clone()
        };
        left.is_off = false;
        // What sled has not flushed itself may be lost with the process too.
        let least = if crash == Crash::Process { left.unflushed.len() / 2 } else { 0 } as u64;
        let kept = random.within(least..left.unflushed.len() as u64 + 1) as usize;
        left.map = std::mem::take(&mut left.flushed);
        for (key, value) in std::mem::take(&mut left.unflushed).into_iter().take(kept) {
            apply(&mut left.map, key, value);
        }
        left.flush();
        Self(Arc::new(Mutex::new(left)))
    }
}

impl Base for MemoryBase {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.0.lock().on()?.map.get(key).cloned())
    }

    fn insert(&self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        self.0.lock().on()?.change(key, Some(value));
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> Result<(), IndexError> {
        self.0.lock().on()?.change(key, None);
        Ok(())
    }

    fn scan(&self, keys: RangeInclusive<&[u8]>, visit: Visit<'_>) -> Result<(), IndexError> {
        let bounds = (Bound::Included(*keys.start()), Bound::Included(*keys.end()));
        let found: Vec<(Vec<u8>, Vec<u8>)> = {
            let mut content = self.0.lock();
            let range = content.on()?.map.range::<[u8], _>(bounds);
            range.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        for (key, value) in found {
            if let ControlFlow::Break(()) = visit(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.0.lock().on()?.flush();
        Ok(())
    }
}

/// Where the map is.
pub struct MemoryPlace(pub MemoryBase);

impl BasePlace for MemoryPlace {
    fn open(&self) -> Result<Arc<dyn Base>, IndexError> {
        self.0.0.lock().on()?;
        Ok(Arc::new(self.0.clone()))
    }

    fn move_aside(&self) -> io::Result<Option<PathBuf>> {
        let mut content = self.0.0.lock();
        let is_new = content.map.is_empty();
        *content = Content { is_off: content.is_off, ..Content::default() };
        Ok((!is_new).then(|| PathBuf::from("/simulated/index.broken-1")))
    }

    fn path(&self) -> &Path {
        Path::new("/simulated/index")
    }
}
