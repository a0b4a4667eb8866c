//! One segment file of the journal: its name, its head, and how its records are found again, past damage too.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, ReadFile, read_full};
use super::log::{SegmentId, Unreadable};
use super::newer::{Newer, Undecoded, Unknown};
use super::record::{FRAME_HEAD_BYTES, Frame, Marker, Record, payload_bytes};

/// Bytes before the first record: magic (8), version (4), segment number (4), marker (4), CRC-32C of
/// these (4). They are these in every version, so that each version can tell one that it does not know.
pub(super) const SEGMENT_HEAD_BYTES: usize = 24;

const MAGIC: [u8; 8] = *b"LVRTJRNL";

/// Of a segment that is begun now. Goes up with any record that earlier versions do not know.
const VERSION: u32 = 2;

/// The file of a segment below the journal's directory.
pub(super) fn segment_path(directory: &Path, id: SegmentId) -> PathBuf {
    directory.join(format!("{id:020}.log"))
}

/// The segment that a file name stands for, if it does.
pub(super) fn segment_of(name: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// A segment's first bytes.
pub(super) fn encode_head(id: SegmentId, marker: Marker) -> [u8; SEGMENT_HEAD_BYTES] {
    encode_head_of(VERSION, id, marker)
}

fn encode_head_of(version: u32, id: SegmentId, marker: Marker) -> [u8; SEGMENT_HEAD_BYTES] {
    let mut head = [0; SEGMENT_HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&version.to_le_bytes());
    head[12..16].copy_from_slice(&id.to_le_bytes());
    head[16..20].copy_from_slice(&marker);
    let sum = crc32c::crc32c(&head[..20]);
    head[20..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// The marker that a segment's head names. It makes no sense when it is damaged, or belongs to another segment.
pub(super) fn decode_head(id: SegmentId, head: &[u8]) -> Result<Marker, Undecoded> {
    let head: &[u8; SEGMENT_HEAD_BYTES] = head.first_chunk().ok_or(Undecoded::Senseless)?;
    let part = |start: usize| [head[start], head[start + 1], head[start + 2], head[start + 3]];
    let (version, marker) = (u32::from_le_bytes(part(8)), part(16));
    if *head != encode_head_of(version, id, marker) || version == 0 {
        return Err(Undecoded::Senseless);
    }
    if version > VERSION {
        let (what, number) = ("a part of the journal", None);
        return Err(Unknown { what, number, found: version, known: VERSION }.into());
    }
    Ok(marker)
}

/// What a segment's first bytes say.
pub(super) enum SegmentHead {
    /// The marker of its frames.
    Whole(Marker),
    /// The head is unreadable; the marker comes from the first frame.
    Damaged(Marker),
    /// The file ends before its first record, and its head was not written or not whole; or room was reserved for it, and
    /// nothing written.
    Unfinished,
}

/// Reads the first bytes of a segment's file. One of a later version is an error, as what is in it would be.
pub(super) fn read_head(disk: &dyn Disk, path: &Path, id: SegmentId) -> io::Result<SegmentHead> {
    let mut bytes = vec![0; SEGMENT_HEAD_BYTES + size_of::<Marker>()];
    let filled = read_full(&*disk.open(path)?, &mut bytes, 0)?;
    bytes.truncate(filled);
    match decode_head(id, &bytes) {
        Ok(marker) => return Ok(SegmentHead::Whole(marker)),
        Err(Undecoded::Unknown(unknown)) => return Err(Newer::new(path, unknown).into()),
        Err(Undecoded::Senseless) => {}
    }
    match bytes.get(SEGMENT_HEAD_BYTES..).and_then(|rest| rest.first_chunk::<4>()) {
        None => Ok(SegmentHead::Unfinished),
        Some(_) if is_zeros(&bytes) && is_zeros(&disk.read(path)?) => Ok(SegmentHead::Unfinished),
        Some(marker) => Ok(SegmentHead::Damaged(*marker)),
    }
}

/// The file in the data directory that has the number of the last segment that was begun.
pub(super) const LAST_BEGUN: &str = "last-segment";

/// Of that file.
const LAST_BEGUN_VERSION: u32 = 2;

/// Its content: its version, and the number. The first version was the number alone.
pub(super) fn encode_last_begun(id: SegmentId) -> String {
    format!("{LAST_BEGUN_VERSION} {id}\n")
}

/// The number in it.
pub(super) fn decode_last_begun(content: &[u8]) -> Result<SegmentId, Undecoded> {
    let text = std::str::from_utf8(content).map_err(|_| Undecoded::Senseless)?;
    let words = text.split_whitespace().map(|word| word.parse::<u32>().ok());
    match *words.collect::<Vec<_>>() {
        [Some(id)] | [Some(LAST_BEGUN_VERSION), Some(id)] => Ok(id),
        [Some(found), ..] if found > LAST_BEGUN_VERSION => {
            let (what, number) = ("the number of the last segment", None);
            Err(Unknown { what, number, found, known: LAST_BEGUN_VERSION }.into())
        }
        _ => Err(Undecoded::Senseless),
    }
}

/// Bytes of a segment that hold no readable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// Bytes from the segment's start.
    pub(super) offset: usize,
    pub(super) bytes: usize,
    /// No readable record follows.
    pub(super) at_end: bool,
}

/// Hands out the readable records in `bytes`, which start at `offset` of a segment, with their offset
/// and size. Returns what lies between them.
///
/// # Errors
/// At a whole record of a later version, which is no damage.
pub(super) fn scan(
    bytes: &[u8],
    offset: usize,
    marker: Marker,
    visit: &mut dyn FnMut(usize, usize, Record<'_>),
) -> Result<Vec<Gap>, Unknown> {
    let mut gaps = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if let Some((frame, record)) = readable(&bytes[at..], marker)? {
            visit(offset + at, frame.bytes(), record);
            at += frame.bytes();
            continue;
        }
        let next = match is_zeros(&bytes[at..]) {
            true => None,
            false => next_readable(bytes, at + 1, marker)?,
        };
        let end = next.unwrap_or(bytes.len());
        gaps.push(Gap { offset: offset + at, bytes: end - at, at_end: next.is_none() });
        at = end;
    }
    Ok(gaps)
}

/// Whether nothing was ever written there.
pub(super) fn is_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn readable(bytes: &[u8], marker: Marker) -> Result<Option<(Frame<'_>, Record<'_>)>, Unknown> {
    let Some(frame) = Frame::first(bytes, marker) else { return Ok(None) };
    match frame.decode() {
        Ok(record) => Ok(Some((frame, record))),
        Err(Undecoded::Senseless) => Ok(None),
        Err(Undecoded::Unknown(unknown)) => Err(unknown),
    }
}

/// The first place from `from` on where a readable record begins.
fn next_readable(bytes: &[u8], from: usize, marker: Marker) -> Result<Option<usize>, Unknown> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(found) = rest.windows(marker.len()).position(|part| part == marker) else {
            return Ok(None);
        };
        at += found;
        if readable(&bytes[at..], marker)?.is_some() {
            return Ok(Some(at));
        }
        at += 1;
    }
}

/// How much of a segment is read at once when single records are wanted.
const WINDOW_BYTES: usize = 256 * 1024;

/// Opens a segment to read single records. Nothing when it is not there or has no record.
pub(super) fn open_segment(
    disk: &dyn Disk,
    directory: &Path,
    id: SegmentId,
) -> io::Result<Option<SegmentReader>> {
    let path = segment_path(directory, id);
    match read_head(disk, &path, id) {
        Ok(SegmentHead::Whole(marker) | SegmentHead::Damaged(marker)) => {
            SegmentReader::open(disk, &path, marker).map(Some)
        }
        Ok(SegmentHead::Unfinished) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads single records of one segment, best in order.
pub(super) struct SegmentReader {
    path: PathBuf,
    file: Box<dyn ReadFile>,
    /// The file's length when it was opened.
    bytes: u64,
    marker: Marker,
    window: Vec<u8>,
    window_start: u64,
}

impl SegmentReader {
    /// Opens a segment's file.
    pub(super) fn open(disk: &dyn Disk, path: &Path, marker: Marker) -> io::Result<Self> {
        let file = disk.open(path)?;
        let bytes = file.bytes()?;
        let (path, window) = (path.to_owned(), Vec::new());
        Ok(Self { path, file, bytes, marker, window, window_start: 0 })
    }

    /// The record at `offset`, or what is wrong with it.
    ///
    /// # Errors
    /// When it could not be read, which says nothing about it, or when a later version wrote it.
    pub(super) fn find(&mut self, offset: u32) -> io::Result<Result<Record<'_>, Unreadable>> {
        match self.record(u64::from(offset)) {
            Ok(Some(record)) => Ok(Ok(record)),
            Ok(None) => Ok(Err(Unreadable::Damaged)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Err(Unreadable::Missing))
            }
            Err(error) => Err(error),
        }
    }

    /// The record at `offset`. `Ok(None)` when what stands there is not a readable record.
    pub(super) fn record(&mut self, offset: u64) -> io::Result<Option<Record<'_>>> {
        let marker = self.marker;
        let head = self.bytes(offset, FRAME_HEAD_BYTES)?;
        if head[..4] != marker {
            return Ok(None);
        }
        let wanted = FRAME_HEAD_BYTES + payload_bytes(head);
        if offset + wanted as u64 > self.bytes {
            return Ok(None);
        }
        self.bytes(offset, wanted)?;
        let start = (offset - self.window_start) as usize;
        match readable(&self.window[start..start + wanted], marker) {
            Ok(read) => Ok(read.map(|(_, record)| record)),
            Err(unknown) => Err(Newer::new(&self.path, unknown).into()),
        }
    }

    fn bytes(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || offset + count as u64 > window_end {
            self.window.resize(count.max(WINDOW_BYTES), 0);
            self.window_start = offset;
            let filled = match read_full(&*self.file, &mut self.window, offset) {
                Ok(filled) => filled,
                Err(error) => {
                    self.window.clear();
                    return Err(error);
                }
            };
            self.window.truncate(filled);
        }
        let start = (offset - self.window_start) as usize;
        self.window.get(start..start + count).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests;
