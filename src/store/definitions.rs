//! The topology on the disk beside the index: with the journal it rebuilds the index when that cannot be used. A file,
//! `definitions.json`, has all of it as of some point of the journal, and a second one, `definitions.log`, what has
//! changed since. When the changes have grown larger than the whole by far, it is written anew.
//!
//! The file of changes begins with a head: magic (8 bytes), version (4), the CRC-32C of the `definitions.json` that it
//! goes with (4), the CRC-32C of these (4). Each frame is the length of its payload (4), the payload's CRC-32C (4), and
//! the payload. Integers are little-endian. Frames count from the one on that says up to which point of the journal they
//! are complete; what is behind the last such frame was not finished. Zeros at the end are room that was reserved.
//! `docs/storage-format.md` has the payloads. Files of an earlier version are read, and written anew with the first
//! checkpoint; those of a later one are left alone.
//!
//! Both are put together in memory, a slice at a time, and written by a background job.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;

use super::change::{decode_change, encode_change};
use super::disk::{Disk, SegmentFile, replace_file};
use super::fields::{Fields, put_number};
use super::log::{LogPosition, SegmentId};
use super::newer::{Newer, Undecoded, Unknown};
use super::operation::{Change, QueueId};
use super::plain::PlainChange;
use super::topology::{Keeper, Serial, Topology};

const FILE: &str = "definitions.json";
const LOG: &str = "definitions.log";

const MAGIC: [u8; 8] = *b"LVRTDEFS";
/// Of both files, as they are written now.
const VERSION: u32 = 2;
const HEAD_BYTES: usize = 20;
const FRAME_HEAD_BYTES: usize = 8;

/// The changes may take so many times the bytes of the whole.
const LOG_PART: u64 = 2;

/// And so many bytes besides.
const LOG_BYTES: u64 = 4096;

/// What tells the version of `definitions.json`. The first one had none.
#[derive(Deserialize)]
struct Versioned {
    #[serde(default)]
    format: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loaded {
    #[serde(default)]
    format: Option<u32>,
    segment: SegmentId,
    offset: u64,
    queue_id_max: QueueId,
    records: Vec<LoadedRecord>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LoadedRecord {
    Numbered(Serial, PlainChange<'static>),
    /// As the first versions wrote it.
    Plain(PlainChange<'static>),
}

const PUT: u8 = 1;
const GONE: u8 = 2;
const UP_TO: u8 = 3;

/// One of the changes. In the first version postcard wrote them.
#[derive(Debug, Deserialize)]
enum Item<C> {
    Put(Serial, C),
    Gone(Serial),
    /// All before is the topology as of this point of the journal.
    UpTo {
        segment: SegmentId,
        offset: u64,
        queue_id_max: QueueId,
    },
}

/// What the files held when the store was opened.
pub(super) struct Kept {
    /// The topology is as of this point of the journal.
    pub(super) up_to: LogPosition,
    pub(super) topology: Topology,
    /// What is damaged of the changes.
    pub(super) damage: Option<String>,
    files: Files,
}

/// The definitions on the disk, to be written.
pub(super) struct Definitions {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// A background job has them while it writes.
    files: Arc<Mutex<Files>>,
}

/// The two files.
#[derive(Default)]
struct Files {
    /// The size of the whole; 0 where it is missing or does not go with what the topology knows of it.
    whole_bytes: u64,
    whole_sum: u32,
    /// Where the finished changes end; 0 where there are none.
    log_bytes: u64,
    /// Open since something was written to it.
    log: Option<Box<dyn SegmentFile>>,
}

/// The definitions in the making.
pub(super) struct Draft {
    bytes: Vec<u8>,
    is_whole: bool,
    up_to: LogPosition,
    queue_id_max: QueueId,
}

impl Definitions {
    /// The files of a data directory, and how they were found. Without that they are written anew.
    pub(super) fn new(disk: Arc<dyn Disk>, directory: &Path, kept: Option<Kept>) -> Self {
        let files = kept.map(|kept| kept.files).unwrap_or_default();
        Self { disk, directory: directory.to_owned(), files: Arc::new(Mutex::new(files)) }
    }

    /// Begins to put together what the files lack of the topology as of this point of the journal.
    pub(super) fn draft(&self, topology: &mut Topology, up_to: LogPosition) -> Draft {
        let files = self.files.lock();
        let is_whole =
            files.whole_bytes == 0 || files.log_bytes > LOG_PART * files.whole_bytes + LOG_BYTES;
        drop(files);
        if is_whole {
            topology.forget_keeper(Keeper::Definitions);
        }
        topology.freeze(Keeper::Definitions);
        let queue_id_max = topology.queue_id_max();
        let mut draft = Draft { bytes: Vec::new(), is_whole, up_to, queue_id_max };
        if is_whole {
            let LogPosition { segment, offset } = up_to;
            let head = format!(
                "{{\n  \"format\": {VERSION},\n  \"segment\": {segment},\n  \"offset\": {offset},\n  \"queue_id_max\": {queue_id_max},\n  \"records\": ["
            );
            draft.bytes.extend_from_slice(head.as_bytes());
        }
        draft
    }

    /// A background job that writes the draft: when it has ended, the files are durable.
    pub(super) fn keeping(
        &self,
        draft: Draft,
    ) -> Result<impl FnOnce() -> io::Result<()> + Send + use<>, io::Error> {
        let (disk, directory, files) =
            (self.disk.clone(), self.directory.clone(), self.files.clone());
        let is_whole = draft.is_whole;
        let bytes = draft.finish()?;
        Ok(move || {
            let mut files = files.lock();
            let written = match is_whole {
                true => files.replace(&*disk, &directory, &bytes),
                false => files.extend(&*disk, &directory, &bytes),
            };
            if written.is_err() {
                // Nobody knows how much of it is there.
                *files = Files::default();
            }
            written
        })
    }
}

impl Draft {
    /// Takes in the next records that the files lack, at most so many. Returns how many there were.
    pub(super) fn extend(
        &mut self,
        topology: &mut Topology,
        count_max: usize,
    ) -> Result<usize, io::Error> {
        let lacking = topology.take_lacking(Keeper::Definitions, count_max);
        let count = lacking.len();
        if self.is_whole {
            for (serial, record) in lacking {
                let Some(record) = record else { continue };
                let is_first = self.bytes.ends_with(b"[");
                self.bytes.extend_from_slice(if is_first { b"\n    " } else { b",\n    " });
                serde_json::to_writer(&mut self.bytes, &(serial, PlainChange::from(record)))?;
            }
        } else if count > 0 {
            let items = lacking.into_iter().map(|(serial, record)| match record {
                Some(record) => Item::Put(serial, record),
                None => Item::Gone(serial),
            });
            put_frame(&mut self.bytes, &items.collect::<Vec<_>>())?;
        }
        Ok(count)
    }

    fn finish(mut self) -> Result<Vec<u8>, io::Error> {
        if self.is_whole {
            self.bytes.extend_from_slice(b"\n  ]\n}\n");
        } else {
            let LogPosition { segment, offset } = self.up_to;
            let queue_id_max = self.queue_id_max;
            let end = Item::UpTo { segment, offset, queue_id_max };
            put_frame(&mut self.bytes, &[end])?;
        }
        Ok(self.bytes)
    }
}

impl Files {
    fn replace(&mut self, disk: &dyn Disk, directory: &Path, text: &[u8]) -> io::Result<()> {
        replace_file(disk, directory, FILE, text)?;
        // The changes that are there go with the one before, and are written over when there are new ones.
        *self = Self {
            whole_bytes: text.len() as u64,
            whole_sum: crc32c::crc32c(text),
            ..Self::default()
        };
        Ok(())
    }

    fn extend(&mut self, disk: &dyn Disk, directory: &Path, frames: &[u8]) -> io::Result<()> {
        let path = directory.join(LOG);
        let mut is_new = false;
        let mut log = match self.log.take() {
            Some(log) => log,
            None if self.log_bytes > 0 => {
                disk.cut(&path, self.log_bytes)?;
                disk.resume(&path)?
            }
            None => {
                match disk.remove(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                is_new = true;
                let mut log = disk.create(&path)?;
                log.write(&encode_head(VERSION, self.whole_sum))?;
                log
            }
        };
        log.write(frames)?;
        log.sync()?;
        if is_new {
            disk.sync_directory(directory)?;
        }
        self.log_bytes = log.end();
        self.log = Some(log);
        Ok(())
    }
}

fn encode_head(version: u32, whole_sum: u32) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&version.to_le_bytes());
    head.extend_from_slice(&whole_sum.to_le_bytes());
    let sum = crc32c::crc32c(&head);
    head.extend_from_slice(&sum.to_le_bytes());
    head
}

/// The version in a head, and the sum of the file that it goes with. Nothing when it is damaged.
fn decode_head(log: &[u8]) -> Option<(u32, u32)> {
    let part = |start: usize| Some(u32::from_le_bytes(log.get(start..start + 4)?.try_into().ok()?));
    let (version, whole_sum) = (part(8)?, part(12)?);
    (log.get(..HEAD_BYTES)? == encode_head(version, whole_sum)).then_some((version, whole_sum))
}

fn put_frame(bytes: &mut Vec<u8>, items: &[Item<&Change>]) -> Result<(), io::Error> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    put_number(bytes, items.len() as u64);
    for item in items {
        match item {
            Item::Put(serial, change) => {
                bytes.push(PUT);
                put_number(bytes, *serial);
                encode_change(change, bytes);
            }
            Item::Gone(serial) => {
                bytes.push(GONE);
                put_number(bytes, *serial);
            }
            Item::UpTo { segment, offset, queue_id_max } => {
                bytes.push(UP_TO);
                put_number(bytes, u64::from(*segment));
                put_number(bytes, *offset);
                put_number(bytes, *queue_id_max);
            }
        }
    }
    let payload = &bytes[start + FRAME_HEAD_BYTES..];
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_le_bytes();
    let sum = crc32c::crc32c(payload).to_le_bytes();
    bytes[start..start + 4].copy_from_slice(&length);
    bytes[start + 4..start + FRAME_HEAD_BYTES].copy_from_slice(&sum);
    Ok(())
}

/// The first frame and its bytes. It makes no sense unless a whole and undamaged one begins there.
fn first_frame(bytes: &[u8], version: u32) -> Result<(Vec<Item<Change>>, usize), Undecoded> {
    let (head, rest) = bytes.split_at_checked(FRAME_HEAD_BYTES).ok_or(Undecoded::Senseless)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let sum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    let payload = rest.get(..length).filter(|payload| crc32c::crc32c(payload) == sum);
    let payload = payload.ok_or(Undecoded::Senseless)?;
    let items = if version == 1 {
        let items: Vec<Item<PlainChange<'_>>> =
            postcard::from_bytes(payload).map_err(|_| Undecoded::Senseless)?;
        items.into_iter().map(Item::from).collect()
    } else {
        let mut fields = Fields(payload);
        let items = (0..fields.number()?).map(|_| next_item(&mut fields));
        let items = items.collect::<Result<_, _>>()?;
        fields.end()?;
        items
    };
    Ok((items, FRAME_HEAD_BYTES + length))
}

fn next_item(fields: &mut Fields<'_>) -> Result<Item<Change>, Undecoded> {
    Ok(match fields.byte()? {
        PUT => Item::Put(fields.number()?, decode_change(fields)?),
        GONE => Item::Gone(fields.number()?),
        UP_TO => Item::UpTo {
            segment: u32::try_from(fields.number()?).map_err(|_| Undecoded::Senseless)?,
            offset: fields.number()?,
            queue_id_max: fields.number()?,
        },
        kind => {
            let (what, number) = ("a change of the definitions of kind", Some(kind.into()));
            return Err(Unknown { what, number, found: VERSION, known: 0 }.into());
        }
    })
}

impl From<Item<PlainChange<'_>>> for Item<Change> {
    fn from(item: Item<PlainChange<'_>>) -> Self {
        match item {
            Item::Put(serial, change) => Self::Put(serial, change.into()),
            Item::Gone(serial) => Self::Gone(serial),
            Item::UpTo { segment, offset, queue_id_max } => {
                Self::UpTo { segment, offset, queue_id_max }
            }
        }
    }
}

/// Reads the files, if there are any. The inner error says what is wrong with them.
///
/// # Errors
/// When a later version wrote them.
pub(super) fn load(
    disk: &dyn Disk,
    directory: &Path,
) -> Result<Result<Option<Kept>, String>, Newer> {
    let path = directory.join(FILE);
    let text = match disk.read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(None)),
        Err(error) => return Ok(Err(format!("{FILE} cannot be read: {error}"))),
    };
    let loaded = match take_whole(&text) {
        Ok(loaded) => loaded,
        Err(Ok(unknown)) => return Err(Newer::new(&path, unknown)),
        Err(Err(why)) => return Ok(Err(why)),
    };
    let mut kept = Kept::from_whole(loaded, &text);
    let path = directory.join(LOG);
    match disk.read(&path) {
        Ok(log) => kept.read_changes(&log).map_err(|unknown| Newer::new(&path, unknown))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Ok(Err(format!("{LOG} cannot be read: {error}"))),
    }
    Ok(Ok(Some(kept)))
}

/// Takes `definitions.json` apart, or says what is wrong with it: that it is of a later version, or else.
fn take_whole(text: &[u8]) -> Result<Loaded, Result<Unknown, String>> {
    if let Ok(Versioned { format: Some(found) }) = serde_json::from_slice(text)
        && found > VERSION
    {
        let (what, number) = ("definitions", None);
        return Err(Ok(Unknown { what, number, found, known: VERSION }));
    }
    serde_json::from_slice(text)
        .map_err(|error| Err(format!("{FILE} cannot be understood: {error}")))
}

impl Kept {
    fn from_whole(loaded: Loaded, text: &[u8]) -> Self {
        let mut topology = Topology::default();
        let mut is_numbered = true;
        for record in loaded.records {
            match record {
                LoadedRecord::Numbered(serial, record) => {
                    topology.load(Keeper::Definitions, serial, record.into());
                }
                LoadedRecord::Plain(record) => {
                    is_numbered = false;
                    topology.apply(&record.into());
                }
            }
        }
        topology.note_queue_id(loaded.queue_id_max);
        let whole_sum = crc32c::crc32c(text);
        // What an earlier version wrote is written anew as a whole.
        let is_present = is_numbered && loaded.format == Some(VERSION);
        let whole_bytes = if is_present { text.len() as u64 } else { 0 };
        Self {
            up_to: LogPosition { segment: loaded.segment, offset: loaded.offset },
            topology,
            damage: None,
            files: Files { whole_bytes, whole_sum, log_bytes: 0, log: None },
        }
    }

    /// Whether the topology that was recovered is the one that the files have.
    pub(super) fn is_whole(&self, topology: &Topology) -> bool {
        self.files.whole_bytes > 0 && self.damage.is_none() && self.topology.is_same(topology)
    }

    /// Applies the changes that go with the whole.
    fn read_changes(&mut self, log: &[u8]) -> Result<(), Unknown> {
        let Some((version, whole_sum)) = decode_head(log) else {
            let is_begun = log.iter().any(|byte| *byte != 0);
            self.damage = is_begun.then(|| format!("the head of {LOG} is damaged"));
            return Ok(());
        };
        if version > VERSION {
            let (what, number) = ("changes of the definitions", None);
            return Err(Unknown { what, number, found: version, known: VERSION });
        }
        if whole_sum != self.files.whole_sum {
            // They went with the whole before this one.
            return Ok(());
        }
        self.files.log_bytes = HEAD_BYTES as u64;
        let mut at = HEAD_BYTES;
        let mut unfinished = Vec::new();
        loop {
            let (items, bytes) = match first_frame(&log[at..], version) {
                Ok(frame) => frame,
                Err(Undecoded::Senseless) => break,
                Err(Undecoded::Unknown(unknown)) => return Err(unknown),
            };
            at += bytes;
            for item in items {
                let Item::UpTo { segment, offset, queue_id_max } = item else {
                    unfinished.push(item);
                    continue;
                };
                unfinished.drain(..).for_each(|item| self.apply(item));
                self.up_to = LogPosition { segment, offset };
                self.topology.note_queue_id(queue_id_max);
                self.files.log_bytes = at as u64;
            }
        }
        let rest = &log[self.files.log_bytes as usize..];
        if let Some(last) = rest.iter().rposition(|byte| *byte != 0) {
            self.damage = Some(format!("{LOG} ends in {} bytes that are not finished", last + 1));
        }
        Ok(())
    }

    fn apply(&mut self, item: Item<Change>) {
        match item {
            Item::Put(serial, record) => self.topology.load(Keeper::Definitions, serial, record),
            Item::Gone(serial) => self.topology.unload(Keeper::Definitions, serial),
            Item::UpTo { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
