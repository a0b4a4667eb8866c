//! A disk in memory: it delays, fills up, fails, tears what is written, and loses in a crash any part of what was not
//! synced.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leveret::store::{Disk, ReadFile, SegmentFile};
use parking_lot::Mutex;

use crate::random::Random;
use crate::strand;

/// How a machine stops that was not told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// The process is killed: the system keeps what was written.
    Process,
    /// The power fails: what was not synced may be lost, in part or as a whole.
    Power,
}

/// What is wrong with the disk at present.
#[derive(Clone, Default, Debug)]
pub struct Trouble {
    /// Bytes that still fit; any number when nothing is said.
    pub room: Option<u64>,
    /// A write fails after so many, having written a part.
    pub write: Option<u32>,
    /// A sync fails after so many, and what it should have written is lost.
    pub sync: Option<u32>,
    /// A read fails after so many.
    pub read: Option<u32>,
    /// What has failed once goes on failing.
    pub for_good: bool,
    /// Whether writes, syncs and reads take so long that others go on meanwhile.
    pub slow: bool,
}

impl Trouble {
    /// Whether anything fails that a store need not survive.
    pub fn fails(&self) -> bool {
        self.write.is_some() || self.sync.is_some() || self.read.is_some()
    }
}

type FileId = u64;

#[derive(Clone, Default)]
struct File {
    content: Vec<u8>,
    synced: Vec<u8>,
    /// Written since it was synced: where, and what.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Renaming {
    Appears(PathBuf, FileId),
    Moves(PathBuf, PathBuf),
    Goes(PathBuf),
}

#[derive(Clone, Default)]
struct Content {
    files: BTreeMap<FileId, File>,
    names: BTreeMap<PathBuf, FileId>,
    synced_names: BTreeMap<PathBuf, FileId>,
    unsynced_names: Vec<Renaming>,
    last: FileId,
    trouble: Trouble,
    /// The machine has stopped: nothing can be done here any more.
    is_off: bool,
}

/// The disk. A clone is the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Content>>);

impl MemoryDisk {
    /// Another disk with the same on it, in good health.
    pub fn copy(&self) -> Self {
        let mut content = self.0.lock().clone();
        content.is_off = false;
        content.trouble = Trouble::default();
        Self(Arc::new(Mutex::new(content)))
    }

    /// What is left after the machine has stopped. This disk can be used no more.
    pub fn after(&self, crash: Crash, random: &mut Random) -> Self {
        let mut left = {
            let mut content = self.0.lock();
            content.is_off = true;
            content.clone()
        };
        left.is_off = false;
        left.trouble = Trouble::default();
        if crash == Crash::Power {
            left.lose_unsynced(random);
            left.sync_all();
        }
        Self(Arc::new(Mutex::new(left)))
    }

    /// From now on this is wrong with it.
    pub fn suffer(&self, trouble: Trouble) {
        self.0.lock().trouble = trouble;
    }

    /// Lets others go on, if it is slow.
    fn wait(&self) {
        let slow = self.0.lock().trouble.slow;
        if slow {
            strand::pause();
        }
    }
}

impl Content {
    fn on(&mut self) -> io::Result<&mut Self> {
        if self.is_off { Err(io::Error::other("the machine is off")) } else { Ok(self) }
    }

    fn id(&self, path: &Path) -> io::Result<FileId> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&mut self, id: FileId) -> &mut File {
        self.files.entry(id).or_default()
    }

    fn create(&mut self, path: &Path) -> FileId {
        self.last += 1;
        self.files.insert(self.last, File::default());
        self.names.insert(path.to_owned(), self.last);
        self.unsynced_names.push(Renaming::Appears(path.to_owned(), self.last));
        self.last
    }

    /// Whether something fails now that fails after so many.
    fn fails(trouble: &mut Option<u32>, for_good: bool) -> bool {
        match trouble {
            None => false,
            Some(0) => {
                if !for_good {
                    *trouble = None;
                }
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Appends to a file as much as fits.
    fn append(&mut self, id: FileId, bytes: &[u8]) -> (usize, io::Result<()>) {
        let for_good = self.trouble.for_good;
        let mut outcome = Ok(());
        let mut count = bytes.len();
        if Self::fails(&mut self.trouble.write, for_good) {
            count /= 2;
            outcome = Err(io::Error::from_raw_os_error(5));
        }
        if let Some(room) = &mut self.trouble.room {
            let fits = usize::try_from(*room).unwrap_or(usize::MAX);
            if count > fits {
                count = fits;
                outcome = Err(io::ErrorKind::StorageFull.into());
            }
            *room -= count as u64;
        }
        let file = self.file(id);
        file.unsynced.push((file.content.len(), bytes[..count].to_vec()));
        file.content.extend_from_slice(&bytes[..count]);
        (count, outcome)
    }

    fn sync(&mut self, id: FileId) -> io::Result<()> {
        let for_good = self.trouble.for_good;
        let fails = Self::fails(&mut self.trouble.sync, for_good);
        let file = self.file(id);
        if fails {
            // The kernel calls the pages clean that it could not write, and shows them.
            file.unsynced.clear();
            return Err(io::Error::from_raw_os_error(5));
        }
        for (at, bytes) in std::mem::take(&mut file.unsynced) {
            file.store(at, &bytes);
        }
        Ok(())
    }

    fn apply(names: &mut BTreeMap<PathBuf, FileId>, renaming: Renaming) {
        match renaming {
            Renaming::Appears(path, id) => _ = names.insert(path, id),
            Renaming::Moves(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
            Renaming::Goes(path) => _ = names.remove(&path),
        }
    }

    fn lose_unsynced(&mut self, random: &mut Random) {
        let kept = random.within(0..self.unsynced_names.len() as u64 + 1) as usize;
        for renaming in std::mem::take(&mut self.unsynced_names).into_iter().take(kept) {
            Self::apply(&mut self.synced_names, renaming);
        }
        self.names = self.synced_names.clone();
        for file in self.files.values_mut() {
            for (at, bytes) in std::mem::take(&mut file.unsynced) {
                match random.within(0..4) {
                    0 => {}
                    1 => {
                        let torn = random.within(0..bytes.len() as u64 + 1) as usize;
                        file.store(at, &bytes[..torn]);
                    }
                    _ => file.store(at, &bytes),
                }
            }
            file.content = file.synced.clone();
        }
    }

    fn sync_all(&mut self) {
        let kept: std::collections::BTreeSet<FileId> = self.names.values().copied().collect();
        self.files.retain(|id, _| kept.contains(id));
        for file in self.files.values_mut() {
            file.unsynced.clear();
            file.synced = file.content.clone();
        }
        self.unsynced_names.clear();
        self.synced_names = self.names.clone();
    }
}

impl File {
    /// What was written comes to the disk itself. What stands before and never came reads as zeros.
    fn store(&mut self, at: usize, bytes: &[u8]) {
        if self.synced.len() < at + bytes.len() {
            self.synced.resize(at + bytes.len(), 0);
        }
        self.synced[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

impl Disk for MemoryDisk {
    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        self.0.lock().on().map(|_| ())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Any + Send>> {
        self.0.lock().on().map(|_| Box::new(()) as Box<dyn Any + Send>)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut content = self.0.lock();
        let names = content.on()?.names.keys();
        let inside = names.filter(|path| path.parent() == Some(directory));
        Ok(inside.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let mut content = self.0.lock();
        if content.on()?.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = content.create(path);
        Ok(Box::new(Writing { disk: self.clone(), id, end: 0 }))
    }

    fn resume(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let mut content = self.0.lock();
        let id = content.on()?.id(path)?;
        let end = content.file(id).content.len() as u64;
        Ok(Box::new(Writing { disk: self.clone(), id, end }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let id = self.0.lock().on()?.id(path)?;
        Ok(Box::new(Reading { disk: self.clone(), id }))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.wait();
        let mut content = self.0.lock();
        let id = match content.on()?.id(path) {
            Ok(id) => id,
            Err(_) => content.create(path),
        };
        *content.file(id) = File { synced: content.file(id).synced.clone(), ..File::default() };
        content.append(id, bytes).1?;
        content.file(id).synced.clear();
        content.sync(id)
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut content = self.0.lock();
        let id = content.on()?.id(path)?;
        content.sync(id)?;
        let file = content.file(id);
        file.content.truncate(bytes as usize);
        file.synced.truncate(bytes as usize);
        Ok(())
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        let mut content = self.0.lock();
        let id = content.on()?.id(path)?;
        content.sync(id)?;
        let file = content.file(id);
        file.content = file.synced.clone();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut content = self.0.lock();
        content.on()?.id(from)?;
        let renaming = Renaming::Moves(from.to_owned(), to.to_owned());
        Content::apply(&mut content.names, renaming.clone());
        content.unsynced_names.push(renaming);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut content = self.0.lock();
        content.on()?.id(path)?;
        content.names.remove(path);
        content.unsynced_names.push(Renaming::Goes(path.to_owned()));
        Ok(())
    }

    fn sync_directory(&self, _path: &Path) -> io::Result<()> {
        self.wait();
        let mut content = self.0.lock();
        content.on()?;
        for renaming in std::mem::take(&mut content.unsynced_names) {
            Content::apply(&mut content.synced_names, renaming);
        }
        Ok(())
    }

    fn free_bytes(&self, _directory: &Path) -> Option<u64> {
        Some(self.0.lock().trouble.room.unwrap_or(u64::MAX))
    }
}

/// A file that is being written.
struct Writing {
    disk: MemoryDisk,
    id: FileId,
    end: u64,
}

impl SegmentFile for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.wait();
        let mut content = self.disk.0.lock();
        let (count, outcome) = content.on()?.append(self.id, bytes);
        self.end += count as u64;
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.wait();
        let outcome = self.disk.0.lock().on()?.sync(self.id);
        self.disk.wait();
        outcome
    }

    fn end(&self) -> u64 {
        self.end
    }
}

/// A file that is being read.
struct Reading {
    disk: MemoryDisk,
    id: FileId,
}

impl ReadFile for Reading {
    fn bytes(&self) -> io::Result<u64> {
        let mut content = self.disk.0.lock();
        Ok(content.on()?.file(self.id).content.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.wait();
        let mut content = self.disk.0.lock();
        let for_good = content.on()?.trouble.for_good;
        if Content::fails(&mut content.trouble.read, for_good) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let file = content.file(self.id);
        let from = file.content.get(offset as usize..).unwrap_or_default();
        let count = from.len().min(buffer.len());
        buffer[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }
}
