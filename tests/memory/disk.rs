//! A disk in memory. A file's bytes survive a crash as far as they were synced, and of those behind them some; names
//! survive as far as their directory was synced, and of later changes those up to some point.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use leveret::store::{Disk, ReadFile, SegmentFile};

use super::Dice;

/// What somebody is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Create,
    Resume,
    Open,
    Read,
    Append,
    Sync,
    Write,
    Cut,
    Rename,
    Remove,
    SyncDirectory,
}

/// Refuses an access with an error, or lets it be.
pub type Watch = Box<dyn FnMut(Access, &Path) -> io::Result<()> + Send>;

/// A disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// By name, as it is now and as the disk has it.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not yet durable, in order.
    renamings: Vec<Renaming>,
    directories: BTreeSet<PathBuf>,
    files: Vec<Content>,
    locked: BTreeSet<PathBuf>,
    bytes_max: Option<u64>,
    watch: Option<Watch>,
}

/// A name that was given or taken away.
enum Renaming {
    Put(PathBuf, usize),
    Delete(PathBuf),
    Move(PathBuf, PathBuf, usize),
}

#[derive(Default, Clone)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

impl MemoryDisk {
    /// Keeps what was synced and some of the rest.
    pub fn crash(&self, dice: &mut Dice) {
        let mut inner = self.inner();
        inner.locked.clear();
        let renamings = std::mem::take(&mut inner.renamings);
        let kept = dice.below(renamings.len() as u64 + 1) as usize;
        let mut names = std::mem::take(&mut inner.durable_names);
        renamings.into_iter().take(kept).for_each(|renaming| renaming.apply(&mut names));
        inner.durable_names = names.clone();
        inner.names = names;
        for file in &mut inner.files {
            let rest = (file.bytes.len() - file.synced) as u64;
            let length = file.synced + dice.below(rest + 1) as usize;
            file.bytes.truncate(length);
            // The file may have grown without its last blocks having been written.
            let zeros = dice.below((length - file.synced) as u64 + 1) as usize;
            if dice.once_in(2) {
                file.bytes[length - zeros..].fill(0);
            }
            file.synced = length;
        }
    }

    /// Nothing more fits than so many bytes in all.
    pub fn limit(&self, bytes_max: Option<u64>) {
        self.inner().bytes_max = bytes_max;
    }

    /// Bytes of all files.
    pub fn used(&self) -> u64 {
        self.inner().used()
    }

    /// Asks before everything that is done from now on.
    pub fn watch(&self, watch: impl FnMut(Access, &Path) -> io::Result<()> + Send + 'static) {
        self.inner().watch = Some(Box::new(watch));
    }

    /// Lets everything be again.
    pub fn leave_alone(&self) {
        self.inner().watch = None;
    }

    /// The files that there are.
    pub fn files(&self) -> Vec<PathBuf> {
        self.inner().names.keys().cloned().collect()
    }

    /// Changes a file behind everybody's back, and for good.
    pub fn spoil(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.inner();
        let id = inner.names[path];
        let file = &mut inner.files[id];
        change(&mut file.bytes);
        file.synced = file.bytes.len();
    }

    /// Removes a file behind everybody's back, and for good.
    pub fn lose(&self, path: &Path) {
        let mut inner = self.inner();
        inner.names.remove(path);
        inner.durable_names.remove(path);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn ask(&self, access: Access, path: &Path) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        if let Some(watch) = &mut inner.watch {
            watch(access, path)?;
        }
        Ok(inner)
    }
}

impl Renaming {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Put(path, id) => names.insert(path, id),
            Self::Delete(path) => names.remove(&path),
            Self::Move(from, to, id) => {
                names.remove(&from);
                names.insert(to, id)
            }
        };
    }

    fn path(&self) -> &Path {
        match self {
            Self::Put(path, _) | Self::Delete(path) | Self::Move(path, ..) => path,
        }
    }
}

impl Inner {
    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[*id].bytes.len() as u64).sum()
    }

    fn free(&self) -> u64 {
        self.bytes_max.map_or(u64::MAX, |max| max.saturating_sub(self.used()))
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn put(&mut self, path: &Path, id: usize) {
        self.names.insert(path.to_owned(), id);
        self.renamings.push(Renaming::Put(path.to_owned(), id));
    }

    fn delete(&mut self, path: &Path) {
        self.names.remove(path);
        self.renamings.push(Renaming::Delete(path.to_owned()));
    }

    fn create(&mut self, path: &Path) -> usize {
        self.files.push(Content::default());
        self.put(path, self.files.len() - 1);
        self.files.len() - 1
    }

    /// Writes what fits. An error when that is not all.
    fn append(&mut self, id: usize, bytes: &[u8]) -> io::Result<()> {
        let fits = usize::try_from(self.free()).unwrap_or(usize::MAX).min(bytes.len());
        self.files[id].bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

struct Lock(MemoryDisk, PathBuf);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.inner().locked.remove(&self.1);
    }
}

struct File {
    disk: MemoryDisk,
    path: PathBuf,
    id: usize,
}

impl SegmentFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.ask(Access::Append, &self.path)?.append(self.id, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.disk.ask(Access::Sync, &self.path)?;
        let file = &mut inner.files[self.id];
        file.synced = file.bytes.len();
        Ok(())
    }

    fn end(&self) -> u64 {
        self.disk.inner().files[self.id].bytes.len() as u64
    }
}

impl ReadFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.inner().files[self.id].bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let inner = self.disk.ask(Access::Read, &self.path)?;
        let bytes = &inner.files[self.id].bytes;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Disk for MemoryDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.inner().directories.insert(path.to_owned());
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        if !self.inner().locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock(self.clone(), path.to_owned())))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let inner = self.inner();
        if !inner.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = inner.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(here.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let mut inner = self.ask(Access::Create, path)?;
        if inner.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if inner.free() == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let id = inner.create(path);
        Ok(Box::new(File { disk: self.clone(), path: path.to_owned(), id }))
    }

    fn resume(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let id = self.ask(Access::Resume, path)?.find(path)?;
        Ok(Box::new(File { disk: self.clone(), path: path.to_owned(), id }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let id = self.ask(Access::Open, path)?.find(path)?;
        Ok(Box::new(File { disk: self.clone(), path: path.to_owned(), id }))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut inner = self.ask(Access::Write, path)?;
        let id = match inner.find(path) {
            Ok(id) => id,
            Err(_) => inner.create(path),
        };
        inner.files[id] = Content::default();
        inner.append(id, content)?;
        inner.files[id].synced = content.len();
        Ok(())
    }

    fn reserve(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut inner = self.ask(Access::Write, path)?;
        let id = inner.create(path);
        if inner.bytes_max.is_none() {
            // Nobody counts.
            return Err(io::ErrorKind::Unsupported.into());
        }
        inner.append(id, &vec![0; bytes as usize])
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut inner = self.ask(Access::Cut, path)?;
        let id = inner.find(path)?;
        let file = &mut inner.files[id];
        file.bytes.truncate(bytes as usize);
        file.synced = file.bytes.len();
        Ok(())
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.ask(Access::Sync, path)?;
        let id = inner.find(path)?;
        let file = &mut inner.files[id];
        file.synced = file.bytes.len();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.ask(Access::Rename, from)?;
        let id = inner.find(from)?;
        inner.names.remove(from);
        inner.names.insert(to.to_owned(), id);
        // Both at once or neither: no crash comes between.
        inner.renamings.push(Renaming::Move(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.ask(Access::Remove, path)?;
        inner.find(path)?;
        inner.delete(path);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.ask(Access::SyncDirectory, path)?;
        let (here, elsewhere): (Vec<_>, Vec<_>) = std::mem::take(&mut inner.renamings)
            .into_iter()
            .partition(|renaming| renaming.path().parent() == Some(path));
        inner.renamings = elsewhere;
        let mut names = std::mem::take(&mut inner.durable_names);
        here.into_iter().for_each(|renaming| renaming.apply(&mut names));
        inner.durable_names = names;
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> Option<u64> {
        Some(self.inner().free())
    }
}
