//! The journal: segment files that are only ever appended to, and deleted whole. It is the log on local
//! files, and the one truth on disk.
//!
//! # What reading does with damage
//!
//! - What is unreadable at the end of the last segment is a torn tail: it was never confirmed. It is
//!   cut and noted. Zeros at the end of any segment are room that was reserved and not used: they are
//!   cut in silence.
//! - What is unreadable elsewhere is skipped up to the next frame of that segment whose sum is right,
//!   and noted. The other records stay in force: losing one message is better than losing all behind
//!   it.
//! - A last segment that is missing or empty is noticed, because its number was noted when it was begun.
//! - A segment whose head is unreadable is read with the marker of its first frame.
//! - What a later version wrote is no damage: the journal is refused, and nothing of it is cut.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, SegmentFile, is_full, read_full, replace_file};
use super::log::{
    Extent, Location, Log, LogError, LogPosition, LogReader, Progress, Replayed, SegmentId,
    Unreadable,
};
use super::lookup::Lookup;
use super::newer::{Newer, Undecoded};
use super::record::{Marker, Record, encode};
use super::segment::{
    Gap, LAST_BEGUN, SEGMENT_HEAD_BYTES, SegmentHead, SegmentReader, decode_last_begun,
    encode_head, encode_last_begun, is_zeros, read_head, scan, segment_of, segment_path,
};
use crate::entropy::Entropy;

/// So many encoded bytes are handed to the system at once, at least: a small batch is one write.
const WRITE_BYTES: usize = 1 << 20;

/// The buffer gives memory back when a burst has made it larger than this.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// By one part in so many may a segment grow past its size for counts of returns.
const RETURNS_PART: u64 = 8;

/// Largest segment size, so that an offset fits four bytes.
const SEGMENT_BYTES_LIMIT: u64 = 1 << 30;

/// The journal of one data directory.
pub(super) struct Journal {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    /// Where the markers of new segments come from.
    entropy: Arc<dyn Entropy>,
    segment_bytes_max: u64,
    segments: BTreeMap<SegmentId, Segment>,
    writing: Option<Writing>,
    /// Encoded records that are not yet written.
    buffer: Vec<u8>,
    /// Nothing was appended since the last sync.
    is_synced: bool,
    /// There was no room for the next segment.
    is_overgrown: bool,
    lost: Option<String>,
    /// What opening found worth telling.
    notes: Vec<String>,
    /// The last segment whose head cannot be read.
    headless: Option<SegmentId>,
    /// The last segment that was begun, as the disk was told; 0 where it was not.
    last_begun: SegmentId,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    marker: Marker,
    bytes: u64,
}

/// What could not be read of a segment.
struct Unread {
    segment: SegmentId,
    gap: Gap,
    /// Bytes of it up to the last one that is not zero.
    written: usize,
}

/// The segment at the end.
struct Writing {
    id: SegmentId,
    marker: Marker,
    file: Box<dyn SegmentFile>,
}

impl Journal {
    /// Finds the segments in the data directory's `journal`. `replay` must come before `append`.
    pub(super) fn open(
        data_directory: &Path,
        segment_bytes_max: u64,
        disk: Arc<dyn Disk>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, LogError> {
        let directory = data_directory.join("journal");
        let mut journal = Self {
            disk,
            entropy,
            segment_bytes_max: segment_bytes_max.min(SEGMENT_BYTES_LIMIT),
            segments: BTreeMap::new(),
            writing: None,
            buffer: Vec::new(),
            is_synced: true,
            is_overgrown: false,
            lost: None,
            notes: Vec::new(),
            headless: None,
            last_begun: 0,
            directory,
        };
        journal.find_segments().map_err(|error| journal.error("read", &error))?;
        Ok(journal)
    }

    /// Where the oldest record stands.
    pub(super) fn start(&self) -> LogPosition {
        let segment = self.segments.keys().next().copied().unwrap_or(1);
        LogPosition { segment, offset: SEGMENT_HEAD_BYTES as u64 }
    }

    fn data_directory(&self) -> &Path {
        self.directory.parent().unwrap_or(&self.directory)
    }

    fn error(&self, doing: &str, error: &io::Error) -> LogError {
        if let Some(newer) = Newer::of(error) {
            return LogError::Newer(newer.clone());
        }
        LogError::Failed(format!(
            "the journal in {} could not be {doing}: {error}",
            self.directory.display()
        ))
    }

    fn find_segments(&mut self) -> io::Result<()> {
        self.last_begun = self.read_last_begun()?;
        let names = self.disk.list(&self.directory)?;
        let mut ids: Vec<SegmentId> = names.iter().filter_map(|name| segment_of(name)).collect();
        ids.sort_unstable();
        let last = ids.last().copied();
        // The last may never have been begun. Earlier ones were synced before the next was.
        for id in ids.iter().rev().take(2) {
            self.disk.settle(&segment_path(&self.directory, *id))?;
        }
        let mut found = BTreeMap::new();
        for id in ids {
            let file = self.disk.open(&segment_path(&self.directory, id))?;
            found.insert(id, file.bytes()?);
        }
        for (id, bytes) in found {
            let path = segment_path(&self.directory, id);
            if self.last_begun > 0 && id > self.last_begun && self.is_bare(&path)? {
                // There was no room for more of it, and what follows went into the one before.
                self.notes.push(format!("removed journal segment {id}, which was never begun"));
                self.disk.remove(&path)?;
                continue;
            }
            match read_head(&*self.disk, &path, id)? {
                SegmentHead::Whole(marker) => {
                    self.segments.insert(id, Segment { marker, bytes });
                }
                SegmentHead::Damaged(marker) => {
                    self.notes.push(format!("the head of journal segment {id} is damaged"));
                    self.headless = Some(id);
                    self.segments.insert(id, Segment { marker, bytes });
                }
                SegmentHead::Unfinished if Some(id) == last && id > self.last_begun => {
                    self.notes.push(format!("removed journal segment {id}, which was never begun"));
                    self.disk.remove(&path)?;
                }
                SegmentHead::Unfinished => {
                    self.notes.push(format!("journal segment {id} is empty: its records are lost"));
                    self.disk.rename(&path, &path.with_extension("log.empty"))?;
                }
            }
        }
        Ok(())
    }

    /// Whether nothing stands behind a segment's head.
    fn is_bare(&self, path: &Path) -> io::Result<bool> {
        let bytes = self.disk.read(path)?;
        Ok(bytes.get(SEGMENT_HEAD_BYTES..).is_none_or(is_zeros))
    }

    fn read_last_begun(&self) -> io::Result<SegmentId> {
        let path = self.data_directory().join(LAST_BEGUN);
        match self.disk.read(&path) {
            Ok(content) => match decode_last_begun(&content) {
                Ok(id) => Ok(id),
                Err(Undecoded::Senseless) => Ok(0),
                Err(Undecoded::Unknown(unknown)) => Err(Newer::new(&path, unknown).into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Notes which segment was begun, so that a start misses it when it is not there.
    fn keep_last_begun(&mut self, id: SegmentId) -> io::Result<()> {
        let text = encode_last_begun(id);
        replace_file(&*self.disk, self.data_directory(), LAST_BEGUN, text.as_bytes())?;
        self.last_begun = id;
        Ok(())
    }

    /// Reads the segment from `offset` on, and hands out its records. Returns what it could not read.
    fn replay_segment(
        &self,
        id: SegmentId,
        offset: u64,
        visit: &mut dyn FnMut(Extent, Record<'_>),
        replayed: &mut Replayed,
    ) -> io::Result<Vec<Unread>> {
        let Some(segment) = self.segments.get(&id).copied() else { return Ok(Vec::new()) };
        let path = segment_path(&self.directory, id);
        let file = self.disk.open(&path)?;
        let length = file.bytes()?.saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let filled = read_full(&*file, &mut bytes, offset)?;
        bytes.truncate(filled);
        let gaps = scan(&bytes, offset as usize, segment.marker, &mut |offset, size, record| {
            replayed.bytes += size as u64;
            let location = Location { segment: id, offset: offset as u32 };
            visit(Extent { location, bytes: size as u64 }, record);
        });
        let unread = gaps.map_err(|unknown| Newer::new(&path, unknown))?.into_iter().map(|gap| {
            let start = gap.offset - offset as usize;
            let written = bytes[start..start + gap.bytes].iter().rposition(|byte| *byte != 0);
            Unread { segment: id, gap, written: written.map_or(0, |last| last + 1) }
        });
        Ok(unread.collect())
    }

    /// Cuts what is torn and what was reserved, and says what is lost.
    fn mend(&mut self, unread: Vec<Unread>, replayed: &mut Replayed) -> io::Result<()> {
        let last = self.segments.keys().next_back().copied();
        for Unread { segment, gap, written } in unread {
            if gap.at_end && last == Some(segment) {
                self.cut(segment, gap.offset as u64)?;
                // Zeros are room that was reserved and not used.
                if written > 0 {
                    replayed.notes.push(format!(
                        "cut a torn tail of {written} bytes from journal segment {segment} at {}",
                        gap.offset
                    ));
                }
            } else if gap.at_end && written == 0 {
                // Reserved as well, by a process that ended before it could give it back.
                self.cut(segment, gap.offset as u64)?;
            } else {
                replayed.is_damaged = true;
                replayed.notes.push(format!(
                    "skipped {} damaged bytes of journal segment {segment} at {}: what they held is lost",
                    gap.bytes, gap.offset
                ));
            }
        }
        Ok(())
    }

    fn cut(&mut self, id: SegmentId, bytes: u64) -> io::Result<()> {
        self.disk.cut(&segment_path(&self.directory, id), bytes)?;
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.bytes = bytes;
        }
        Ok(())
    }

    /// Goes on at the end of the last segment, or begins a new one where that would stand before `from`.
    fn resume(&mut self, from: LogPosition) -> io::Result<()> {
        let last = self.segments.keys().next_back().copied().unwrap_or_default();
        if last < self.last_begun {
            return self.begin_first(self.last_begun.max(from.segment) + 1);
        }
        match self.segments.last_key_value() {
            // Neither its head nor anything behind it can be read: the next start would take it for an emptied one.
            Some((&id, &segment))
                if self.headless == Some(id) && segment.bytes <= SEGMENT_HEAD_BYTES as u64 =>
            {
                self.begin_first(id.max(from.segment) + 1)?;
                self.segments.remove(&id);
                self.disk.remove(&segment_path(&self.directory, id))
            }
            Some((&id, &segment))
                if (LogPosition { segment: id, offset: segment.bytes }) >= from =>
            {
                let mut file = self.disk.resume(&segment_path(&self.directory, id))?;
                // What an earlier process wrote and did not sync is relied upon from now on.
                file.sync()?;
                if self.last_begun < id {
                    match self.keep_last_begun(id) {
                        // A directory of an earlier version; the next segment will be noted.
                        Err(error) if is_full(&error) => {}
                        kept => kept?,
                    }
                }
                self.writing = Some(Writing { id, marker: segment.marker, file });
                Ok(())
            }
            Some((&id, _)) => self.begin_first(id.max(from.segment) + 1),
            None if from == self.start() => self.begin_first(1),
            None => self.begin_first(from.segment + 1),
        }
    }

    fn begin_first(&mut self, id: SegmentId) -> io::Result<()> {
        match self.begin_segment(id)? {
            Progress::Done => Ok(()),
            Progress::NoRoom => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn begin_segment(&mut self, id: SegmentId) -> io::Result<Progress> {
        let mut marker = Marker::default();
        self.entropy.fill(&mut marker)?;
        let path = segment_path(&self.directory, id);
        let mut file = match self.disk.create(&path) {
            Err(error) if is_full(&error) => return Ok(Progress::NoRoom),
            created => created?,
        };
        match file.write(&encode_head(id, marker)) {
            Err(error) if is_full(&error) => {
                drop(file);
                self.disk.remove(&path)?;
                return Ok(Progress::NoRoom);
            }
            written => written?,
        }
        file.sync()?;
        self.disk.sync_directory(&self.directory)?;
        match self.keep_last_begun(id) {
            Err(error) if is_full(&error) => {
                drop(file);
                self.disk.remove(&path)?;
                return Ok(Progress::NoRoom);
            }
            kept => kept?,
        }
        self.segments.insert(id, Segment { marker, bytes: SEGMENT_HEAD_BYTES as u64 });
        // Closing the segment before gives back what was reserved for it.
        self.writing = Some(Writing { id, marker, file });
        Ok(Progress::Done)
    }

    /// Where there is no room for a new segment, the batch still goes into the one before.
    fn append_all(
        &mut self,
        batch: &[Record<'_>],
        extents: &mut Vec<Extent>,
    ) -> io::Result<Progress> {
        let mut progress = Progress::Done;
        for record in batch {
            // A count of returns stays with the message that it follows: a segment of its own might go before the message's.
            let spare = match record {
                Record::Returned { .. } => self.segment_bytes_max / RETURNS_PART,
                _ => 0,
            };
            if self.end().offset >= self.segment_bytes_max + spare && progress == Progress::Done {
                progress = self.go_to_next_segment()?;
            }
            let end = self.end();
            let Some(writing) = &self.writing else { return Err(not_ready()) };
            encode(record, writing.marker, &mut self.buffer).map_err(io::Error::other)?;
            let location = Location { segment: end.segment, offset: end.offset as u32 };
            extents.push(Extent { location, bytes: self.end().offset - end.offset });
            if self.buffer.len() >= WRITE_BYTES && progress == Progress::Done {
                progress = self.write_buffer()?;
            }
        }
        if progress == Progress::Done { self.write_buffer() } else { Ok(progress) }
    }

    fn go_to_next_segment(&mut self) -> io::Result<Progress> {
        self.is_overgrown = true;
        if self.write_buffer()? == Progress::NoRoom {
            return Ok(Progress::NoRoom);
        }
        self.sync_written()?;
        let progress = self.begin_segment(self.end().segment + 1)?;
        self.is_overgrown = progress == Progress::NoRoom;
        Ok(progress)
    }

    /// A write that finds the disk full may have written a part, which is not written again.
    fn write_buffer(&mut self) -> io::Result<Progress> {
        let Some(writing) = &mut self.writing else { return Err(not_ready()) };
        if self.buffer.is_empty() {
            return Ok(Progress::Done);
        }
        let start = writing.file.end();
        let result = writing.file.write(&self.buffer);
        let written = writing.file.end() - start;
        if let Some(segment) = self.segments.get_mut(&writing.id) {
            segment.bytes += written;
        }
        match result {
            Ok(()) => self.buffer.clear(),
            Err(error) if is_full(&error) => {
                self.buffer.drain(..written as usize);
                return Ok(Progress::NoRoom);
            }
            Err(error) => return Err(error),
        }
        self.buffer.shrink_to(BUFFER_BYTES_MAX);
        Ok(Progress::Done)
    }

    fn sync_written(&mut self) -> io::Result<()> {
        self.writing.as_mut().map_or_else(|| Err(not_ready()), |writing| writing.file.sync())
    }

    /// Does something unless the log is lost; an error loses it.
    fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<T>) -> Result<T, LogError> {
        if let Some(reason) = &self.lost {
            return Err(LogError::Failed(reason.clone()));
        }
        work(self).map_err(|error| self.lose(&error))
    }

    /// Opens one of the segments to read single records. Nothing when it is not there.
    fn open_known(&self, id: SegmentId) -> io::Result<Option<SegmentReader>> {
        let Some(segment) = self.segments.get(&id) else { return Ok(None) };
        let path = segment_path(&self.directory, id);
        match SegmentReader::open(&*self.disk, &path, segment.marker) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn lose(&mut self, error: &io::Error) -> LogError {
        let error = self.error("written", error);
        self.lost = Some(error.to_string());
        error
    }
}

fn not_ready() -> io::Error {
    io::Error::other("the journal was not replayed")
}

impl Log for Journal {
    fn append(
        &mut self,
        batch: &[Record<'_>],
        extents: &mut Vec<Extent>,
    ) -> Result<Progress, LogError> {
        self.is_synced = false;
        self.attempt(|journal| journal.append_all(batch, extents))
    }

    fn write_out(&mut self) -> Result<Progress, LogError> {
        self.attempt(|journal| match journal.is_overgrown {
            true => journal.go_to_next_segment(),
            false => journal.write_buffer(),
        })
    }

    fn sync(&mut self) -> Result<Progress, LogError> {
        self.attempt(|journal| match journal.write_buffer()? {
            Progress::Done => {
                journal.sync_written()?;
                journal.is_synced = true;
                Ok(Progress::Done)
            }
            Progress::NoRoom => Ok(Progress::NoRoom),
        })
    }

    fn is_synced(&self) -> bool {
        self.is_synced
    }

    fn replay(
        &mut self,
        from: LogPosition,
        visit: &mut dyn FnMut(Extent, Record<'_>),
    ) -> Result<Replayed, LogError> {
        let notes = std::mem::take(&mut self.notes);
        let mut replayed = Replayed { bytes: 0, is_damaged: !notes.is_empty(), notes };
        let ids: Vec<SegmentId> = self.segments.range(from.segment..).map(|(id, _)| *id).collect();
        for (id, expected) in ids.iter().zip(from.segment..) {
            if *id != expected {
                replayed.is_damaged = true;
                replayed.notes.push(format!(
                    "journal segments are missing before segment {id}: their records are lost"
                ));
                break;
            }
        }
        let last = self.segments.keys().next_back().copied().unwrap_or_default();
        if last < self.last_begun {
            replayed.is_damaged = true;
            replayed.notes.push(format!(
                "journal segment {} is missing: what was written to it since the index was brought up to date is lost",
                self.last_begun
            ));
        }
        let mut unread = Vec::new();
        for id in ids {
            let offset = if id == from.segment { from.offset } else { SEGMENT_HEAD_BYTES as u64 };
            let of_segment = self.replay_segment(id, offset, visit, &mut replayed);
            unread.extend(of_segment.map_err(|error| self.error("read", &error))?);
        }
        // Only when there is nothing in it that a later version wrote.
        self.mend(unread, &mut replayed).map_err(|error| self.error("read", &error))?;
        self.resume(from).map_err(|error| self.error("written", &error))?;
        Ok(replayed)
    }

    fn read(
        &self,
        locations: &[Location],
        visit: &mut dyn FnMut(usize, Result<Record<'_>, Unreadable>),
    ) -> Result<(), LogError> {
        let mut open: Option<(SegmentId, SegmentReader)> = None;
        for (place, location) in locations.iter().enumerate() {
            let id = location.segment;
            let unread = |error| match Newer::of(&error) {
                Some(newer) => LogError::Newer(newer.clone()),
                None => LogError::Failed(format!("journal segment {id} cannot be read: {error}")),
            };
            if open.as_ref().is_none_or(|(open, _)| *open != id) {
                open = self.open_known(id).map_err(unread)?.map(|reader| (id, reader));
            }
            let Some((_, reader)) = &mut open else {
                visit(place, Err(Unreadable::Missing));
                continue;
            };
            visit(place, reader.find(location.offset).map_err(unread)?);
        }
        Ok(())
    }

    fn reader(&self) -> Box<dyn LogReader> {
        Box::new(Lookup::new(self.directory.clone(), self.disk.clone()))
    }

    fn reclaim(&mut self, segments: &[SegmentId]) -> Result<(), LogError> {
        let writing = self.end().segment;
        let mut removed = false;
        for id in segments.iter().filter(|id| **id != writing) {
            self.disk
                .remove(&segment_path(&self.directory, *id))
                .map_err(|error| self.error("reclaimed", &error))?;
            self.segments.remove(id);
            removed = true;
        }
        if removed {
            self.disk
                .sync_directory(&self.directory)
                .map_err(|error| self.error("reclaimed", &error))?;
        }
        Ok(())
    }

    fn segments(&self) -> Vec<(SegmentId, u64)> {
        self.segments.iter().map(|(id, segment)| (*id, segment.bytes)).collect()
    }

    fn fingerprint(&self, segment: SegmentId) -> Option<Marker> {
        self.segments.get(&segment).map(|segment| segment.marker)
    }

    fn end(&self) -> LogPosition {
        match self.segments.last_key_value() {
            Some((id, segment)) => {
                LogPosition { segment: *id, offset: segment.bytes + self.buffer.len() as u64 }
            }
            None => self.start(),
        }
    }

    fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}
