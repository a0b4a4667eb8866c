//! The mark: which point of the journal the index stands for, and how its record is laid out.

use serde::Deserialize;

use super::fields::{Fields, put_number};
use super::log::{LogPosition, SegmentId};
use super::newer::{Undecoded, Unknown};
use super::operation::QueueId;

/// What the index stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Everything before this point of the journal is in the index.
    pub(super) position: LogPosition,
    /// Tells the segment in which that is from another journal's.
    pub(super) fingerprint: Option<[u8; 4]>,
    pub(super) queue_id_max: QueueId,
    /// How many messages the index holds, those included that died after `position`.
    pub(super) entries: u64,
    /// How many definitions it holds.
    pub(super) definitions: u64,
    /// The store was closed in good order at this point.
    pub(super) closed: bool,
    /// An update is under way, so the counts may not agree.
    pub(super) updating: bool,
}

/// A point of the journal, and what tells its segment from another journal's.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkPoint {
    pub(super) position: LogPosition,
    pub(super) fingerprint: Option<[u8; 4]>,
}

/// The first version began with the segment's number, which is never this.
const VERSIONED: u8 = 0;

/// The layout that is written.
const VERSION: u8 = 2;

const CLOSED: u8 = 1;
const UPDATING: u8 = 2;
const FINGERPRINT: u8 = 4;

/// The first version, as postcard wrote it: its fields, in this order, for ever.
#[derive(Deserialize)]
struct PlainMark {
    segment: SegmentId,
    offset: u64,
    fingerprint: Option<[u8; 4]>,
    queue_id_max: QueueId,
    entries: u64,
    definitions: u64,
    closed: bool,
    updating: bool,
}

impl Mark {
    /// As the index holds it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(self.closed, CLOSED)
            | flag(self.updating, UPDATING)
            | flag(self.fingerprint.is_some(), FINGERPRINT);
        let mut bytes = vec![VERSIONED, VERSION, flags];
        put_number(&mut bytes, self.position.segment.into());
        let counts = [self.position.offset, self.queue_id_max, self.entries, self.definitions];
        counts.iter().for_each(|number| put_number(&mut bytes, *number));
        bytes.extend(self.fingerprint.iter().flatten());
        bytes
    }

    /// What the index holds, in any version.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Undecoded> {
        let mut fields = Fields(bytes);
        if fields.byte()? != VERSIONED {
            let plain: PlainMark = postcard::from_bytes(bytes).map_err(|_| Undecoded::Senseless)?;
            return Ok(plain.into());
        }
        let unknown = |number: Option<u32>, found: u8, known: u8| {
            let what = if number.is_some() { "a mark with flags" } else { "a mark" };
            Undecoded::from(Unknown { what, number, found: found.into(), known: known.into() })
        };
        let version = fields.byte()?;
        if version != VERSION {
            return Err(unknown(None, version, VERSION));
        }
        let flags = fields.byte()?;
        if flags & !(CLOSED | UPDATING | FINGERPRINT) != 0 {
            return Err(unknown(Some(flags.into()), version, 0));
        }
        let segment = u32::try_from(fields.number()?).map_err(|_| Undecoded::Senseless)?;
        let position = LogPosition { segment, offset: fields.number()? };
        let queue_id_max = fields.number()?;
        let (entries, definitions) = (fields.number()?, fields.number()?);
        let mut fingerprint = None;
        if flags & FINGERPRINT != 0 {
            fingerprint = Some([fields.byte()?, fields.byte()?, fields.byte()?, fields.byte()?]);
        }
        fields.end()?;
        let (closed, updating) = (flags & CLOSED != 0, flags & UPDATING != 0);
        Ok(Self { position, fingerprint, queue_id_max, entries, definitions, closed, updating })
    }
}

impl From<PlainMark> for Mark {
    fn from(plain: PlainMark) -> Self {
        let PlainMark { segment, offset, .. } = plain;
        Self {
            position: LogPosition { segment, offset },
            fingerprint: plain.fingerprint,
            queue_id_max: plain.queue_id_max,
            entries: plain.entries,
            definitions: plain.definitions,
            closed: plain.closed,
            updating: plain.updating,
        }
    }
}

#[cfg(test)]
mod tests;
