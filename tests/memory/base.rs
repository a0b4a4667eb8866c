//! An index's base in memory. Like sled, after a crash it has what was flushed, and what came later up to some point.

use std::collections::BTreeMap;
use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use leveret::store::{Base, BasePlace, IndexError, Visit};

use super::Dice;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where a base is. Clones are the same place.
#[derive(Clone, Default)]
pub struct MemoryPlace(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    now: Map,
    flushed: Map,
    /// What changed since it was flushed, in order.
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// How many were moved aside.
    aside: u32,
    /// Everything fails.
    fails: bool,
}

impl MemoryPlace {
    /// Keeps what was flushed and some of what came later.
    pub fn crash(&self, dice: &mut Dice) {
        let mut content = self.content();
        let changes = std::mem::take(&mut content.changes);
        let kept = dice.below(changes.len() as u64 + 1) as usize;
        for (key, value) in changes.into_iter().take(kept) {
            match value {
                Some(value) => content.flushed.insert(key, value),
                None => content.flushed.remove(&key),
            };
        }
        content.now = content.flushed.clone();
    }

    /// Whether everything fails from now on.
    pub fn fail(&self, fails: bool) {
        self.content().fails = fails;
    }

    /// Forgets everything, as if its directory were gone.
    pub fn destroy(&self) {
        *self.content() = Content::default();
    }

    /// How often it was moved aside.
    pub fn moved_aside(&self) -> u32 {
        self.content().aside
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    fn working(&self) -> Result<MutexGuard<'_, Content>, IndexError> {
        let content = self.content();
        if content.fails { Err(IndexError::new("told to fail")) } else { Ok(content) }
    }

    fn change(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), IndexError> {
        let mut content = self.working()?;
        match value {
            Some(value) => content.now.insert(key.to_vec(), value.to_vec()),
            None => content.now.remove(key),
        };
        content.changes.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        Ok(())
    }
}

impl BasePlace for MemoryPlace {
    fn open(&self) -> Result<Arc<dyn Base>, IndexError> {
        self.working().map(drop)?;
        Ok(Arc::new(self.clone()))
    }

    fn move_aside(&self) -> io::Result<Option<PathBuf>> {
        let mut content = self.content();
        let aside = content.aside + 1;
        let fails = content.fails;
        *content = Content { aside, fails, ..Content::default() };
        Ok(Some(PathBuf::from(format!("index.broken-{aside}"))))
    }

    fn path(&self) -> &Path {
        Path::new("index")
    }
}

impl Base for MemoryPlace {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.working()?.now.get(key).cloned())
    }

    fn insert(&self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        self.change(key, Some(value))
    }

    fn remove(&self, key: &[u8]) -> Result<(), IndexError> {
        self.change(key, None)
    }

    fn scan(&self, keys: RangeInclusive<&[u8]>, visit: Visit<'_>) -> Result<(), IndexError> {
        let content = self.working()?;
        for (key, value) in content.now.range(keys.start().to_vec()..=keys.end().to_vec()) {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        let mut content = self.working()?;
        for (key, value) in std::mem::take(&mut content.changes) {
            match value {
                Some(value) => content.flushed.insert(key, value),
                None => content.flushed.remove(&key),
            };
        }
        Ok(())
    }
}
