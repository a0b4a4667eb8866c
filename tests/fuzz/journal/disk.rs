//! A data directory whose journal is written without the store, in the format that `src/store` documents.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::targets;

const SEGMENT_HEAD_BYTES: usize = 24;
const MARKER: [u8; 4] = *b"mark";

/// A data directory.
pub struct Disk {
    directory: TempDir,
}

impl Disk {
    /// A directory with a journal whose first segment is empty.
    pub fn new() -> Self {
        let disk = Self { directory: targets::directory() };
        fs::create_dir(disk.journal()).expect("created");
        fs::write(disk.path().join("format"), "1\n").expect("written");
        disk.create(1);
        disk
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn journal(&self) -> PathBuf {
        self.path().join("journal")
    }

    /// The segments in order, with their numbers.
    fn segments(&self) -> Vec<(u32, PathBuf)> {
        let entries = fs::read_dir(self.journal()).into_iter().flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.expect("readable").path();
                let number = path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok()?;
                Some((number, path))
            })
            .collect();
        found.sort();
        found
    }

    /// Begins a segment after the last one.
    pub fn begin(&self, gap: u8) {
        let last = self.segments().last().map_or(0, |(number, _)| *number);
        self.create(last + 1 + u32::from(gap & 3));
    }

    fn create(&self, number: u32) {
        let mut head = b"LVRTJRNL".to_vec();
        head.extend(1_u32.to_le_bytes());
        head.extend(number.to_le_bytes());
        head.extend(MARKER);
        head.extend(crc32c::crc32c(&head).to_le_bytes());
        // There is no journal when it was removed.
        let _ = fs::write(self.journal().join(format!("{number:020}.log")), head);
    }

    /// The marker of the last segment, which may be one that the store began.
    fn marker(&self) -> [u8; 4] {
        let bytes = self.last().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        bytes.get(16..20).and_then(|marker| marker.try_into().ok()).unwrap_or(MARKER)
    }

    fn last(&self) -> Option<PathBuf> {
        self.segments().pop().map(|(_, path)| path)
    }

    pub fn append_record(&self, kind: u8, payload: &[u8]) {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
        let length = (payload.len() as u32).to_le_bytes();
        let head = [self.marker(), length, sum.to_le_bytes()].concat();
        self.append(&[&head, &[kind][..], payload].concat());
    }

    pub fn append(&self, bytes: &[u8]) {
        let Some(path) = self.last() else { return };
        let mut file = OpenOptions::new().append(true).open(path).expect("opened");
        file.write_all(bytes).expect("written");
    }

    pub fn write_definitions(&self, text: &[u8]) {
        fs::write(self.path().join("definitions.json"), text).expect("written");
    }

    pub fn cut(&self, bytes: usize) {
        let Some(path) = self.last() else { return };
        let mut content = fs::read(&path).expect("read");
        content.truncate(content.len().saturating_sub(bytes));
        fs::write(path, content).expect("written");
    }

    pub fn flip(&self, place: usize, bits: u8) {
        let Some(path) = self.last() else { return };
        let mut content = fs::read(&path).expect("read");
        if content.is_empty() {
            return;
        }
        // The head is hit less often than the rest.
        let at = if place.is_multiple_of(16) {
            place % content.len().min(SEGMENT_HEAD_BYTES)
        } else {
            place % content.len()
        };
        content[at] ^= bits;
        fs::write(path, content).expect("written");
    }

    /// What is not there is as good as removed.
    pub fn remove(&self, what: u8) {
        let _ = match what % 8 {
            0 | 1 => match self.segments().first() {
                Some((_, path)) => fs::remove_file(path),
                None => Ok(()),
            },
            2 => self.last().map_or(Ok(()), fs::remove_file),
            3 | 4 => fs::remove_file(self.path().join("definitions.json")),
            5 | 6 => fs::remove_dir_all(self.path().join("index")),
            _ => fs::remove_file(self.path().join("format")),
        };
    }
}
