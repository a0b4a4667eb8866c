//! A chunk: the live messages of so many adjoining positions of one queue, and how the index packs them
//! into one record. What a message has in common with the one before it takes no room, so that a run of
//! equal messages that stand one behind the other takes a few bytes in all.
//!
//! In the index a byte with the layout's version comes first. The first version had none; its first byte is below all of
//! those. `docs/storage-format.md` has the layouts.

use std::borrow::Cow;

use super::fields::{Fields, put_number};
use super::log::Location;
use super::newer::{Undecoded, Unknown};
use super::operation::{Position, QueueId};
use crate::message::StoredMessage;

/// Positions are kept in chunks of this many. Which chunk a position belongs to never changes, so that
/// each chunk can be written alone.
pub(super) const CHUNK_POSITIONS: u64 = 64;

/// No chunk takes more bytes than this in the index.
#[cfg(test)]
pub(super) const CHUNK_BYTES_MAX: usize = 4096;

/// Names a chunk: its queue, and its first position divided by `CHUNK_POSITIONS`.
pub(super) type ChunkKey = (QueueId, u64);

/// One live message in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LiveMessage {
    /// The position within the chunk.
    pub(super) low: u8,
    pub(super) priority: u8,
    pub(super) location: Location,
    /// This place's share of the record's bytes.
    pub(super) share: u32,
    /// How often the message has come back.
    pub(super) returns: u32,
    pub(super) body_bytes: u32,
    pub(super) accepted_ms: u64,
    pub(super) expiration_ms: Option<u64>,
}

impl LiveMessage {
    /// The message's position, in the chunk of this number.
    pub(super) fn position(&self, number: u64) -> Position {
        number * CHUNK_POSITIONS + u64::from(self.low)
    }

    /// What can be told of the message, in the chunk of this number.
    pub(super) fn stored(&self, number: u64) -> StoredMessage {
        StoredMessage {
            position: self.position(number),
            body_bytes: self.body_bytes,
            returns: self.returns,
            priority: self.priority,
            accepted_ms: self.accepted_ms,
            expiration_ms: self.expiration_ms,
        }
    }
}

/// What a chunk holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// In order of position.
    entries: Vec<LiveMessage>,
    /// The same packed, and well formed. Only one of the two has anything in it.
    packed: Box<[u8]>,
}

impl Content {
    /// What the index holds.
    pub(super) fn from_index(bytes: &[u8]) -> Result<Self, Undecoded> {
        Ok(Self { entries: indexed_entries(bytes)?, packed: Box::default() })
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.packed.is_empty()
    }

    /// Memory that it takes, its own structure aside.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<LiveMessage>() + self.packed.len()
    }

    /// The entries, to be changed.
    pub(super) fn open(&mut self) -> &mut Vec<LiveMessage> {
        if !self.packed.is_empty() {
            let packed = std::mem::take(&mut self.packed);
            self.entries = decode_chunk(&packed).unwrap_or_default();
        }
        &mut self.entries
    }

    /// The entries, to be looked at.
    pub(super) fn entries(&self) -> Cow<'_, [LiveMessage]> {
        if self.packed.is_empty() {
            Cow::Borrowed(&self.entries)
        } else {
            Cow::Owned(decode_chunk(&self.packed).unwrap_or_default())
        }
    }

    /// Packs what is in it.
    pub(super) fn pack(&mut self) {
        if !self.entries.is_empty() {
            self.packed = encode_chunk(&std::mem::take(&mut self.entries)).into_boxed_slice();
        }
    }

    /// As the index is to hold it; nothing when nothing is in it.
    pub(super) fn to_index(&self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut bytes = vec![VERSIONED | VERSION];
        match self.entries.is_empty() {
            true => bytes.extend_from_slice(&self.packed),
            false => put_chunk(&mut bytes, &self.entries),
        }
        Some(bytes)
    }
}

/// In the index a chunk's first byte is its version with this bit. That of the first version is an entry's flags.
const VERSIONED: u8 = 64;

/// The layout that is written.
const VERSION: u8 = 2;

/// The entries of a chunk in the index, in any version.
pub(super) fn indexed_entries(bytes: &[u8]) -> Result<Vec<LiveMessage>, Undecoded> {
    match bytes.split_first() {
        Some((first, rest)) if *first == VERSIONED | VERSION => decode_chunk(rest),
        Some((first, _)) if *first >= VERSIONED => {
            let found = (first - VERSIONED).into();
            let (what, known) = ("a chunk of messages", VERSION.into());
            Err(Unknown { what, number: None, found, known }.into())
        }
        _ => decode_chunk(bytes),
    }
}

/// The position is the next one.
const NEXT: u8 = 1;
/// The record stands behind the one before.
const BEHIND: u8 = 2;
/// Share and body have the same size.
const SIZE: u8 = 4;
/// Returns, priority and expiration are the same.
const REST: u8 = 8;
/// It was accepted in the same millisecond.
const TIME: u8 = 16;
/// All of these; a count of such entries follows.
const ALIKE: u8 = NEXT | BEHIND | SIZE | REST | TIME;
/// An expiration follows. Only where `REST` is not said.
const EXPIRES: u8 = 32;

/// What the first entry of a chunk is compared with.
const NOTHING: LiveMessage = LiveMessage {
    low: u8::MAX,
    priority: 0,
    location: Location { segment: 0, offset: 0 },
    share: 0,
    returns: 0,
    body_bytes: 0,
    accepted_ms: 0,
    expiration_ms: None,
};

/// Packs entries, which are in order of position. Each takes at most 48 bytes.
pub(super) fn encode_chunk(entries: &[LiveMessage]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    put_chunk(&mut bytes, entries);
    bytes
}

fn put_chunk(bytes: &mut Vec<u8>, entries: &[LiveMessage]) {
    let mut before = NOTHING;
    let mut alike = 0;
    for entry in entries {
        let flags = compare(&before, entry);
        if flags == ALIKE {
            alike += 1;
        } else {
            put_alike(bytes, &mut alike);
            put_entry(bytes, flags, &before, entry);
        }
        before = *entry;
    }
    put_alike(bytes, &mut alike);
}

fn compare(before: &LiveMessage, entry: &LiveMessage) -> u8 {
    let rest = |entry: &LiveMessage| (entry.returns, entry.priority, entry.expiration_ms);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    flag(entry.low == before.low.wrapping_add(1), NEXT)
        | flag(entry.location == behind(before), BEHIND)
        | flag((entry.share, entry.body_bytes) == (before.share, before.body_bytes), SIZE)
        | flag(rest(entry) == rest(before), REST)
        | flag(entry.accepted_ms == before.accepted_ms, TIME)
}

/// Where the next record stands, if the message is in one queue only.
fn behind(entry: &LiveMessage) -> Location {
    let Location { segment, offset } = entry.location;
    Location { segment, offset: offset.wrapping_add(entry.share) }
}

fn put_alike(bytes: &mut Vec<u8>, alike: &mut u64) {
    if *alike > 0 {
        bytes.push(ALIKE);
        put_number(bytes, *alike);
        *alike = 0;
    }
}

fn put_entry(bytes: &mut Vec<u8>, flags: u8, before: &LiveMessage, entry: &LiveMessage) {
    let expires = flags & REST == 0 && entry.expiration_ms.is_some();
    bytes.push(if expires { flags | EXPIRES } else { flags });
    if flags & NEXT == 0 {
        bytes.push(entry.low);
    }
    if flags & BEHIND == 0 {
        let (from, to) = (before.location, entry.location);
        put_number(bytes, u64::from(to.segment.wrapping_sub(from.segment)));
        put_number(bytes, u64::from(to.offset));
    }
    if flags & SIZE == 0 {
        put_number(bytes, u64::from(entry.share));
        put_number(bytes, u64::from(entry.body_bytes));
    }
    if flags & REST == 0 {
        put_number(bytes, u64::from(entry.returns));
        bytes.push(entry.priority);
        if let Some(expiration_ms) = entry.expiration_ms {
            put_number(bytes, expiration_ms);
        }
    }
    if flags & TIME == 0 {
        let later = entry.accepted_ms.wrapping_sub(before.accepted_ms) as i64;
        // Small steps back are as short as small steps forward.
        put_number(bytes, ((later << 1) ^ (later >> 63)) as u64);
    }
}

/// Unpacks entries. They make sense only in order, in range, and when they are all there is.
pub(super) fn decode_chunk(bytes: &[u8]) -> Result<Vec<LiveMessage>, Undecoded> {
    let mut fields = Fields(bytes);
    let mut entries: Vec<LiveMessage> = Vec::new();
    let mut before = NOTHING;
    while !fields.0.is_empty() {
        let flags = fields.byte()?;
        if flags == ALIKE {
            let count = fields.number()?;
            if count > CHUNK_POSITIONS {
                return Err(Undecoded::Senseless);
            }
            for _ in 0..count {
                before.low = before.low.wrapping_add(1);
                before.location = behind(&before);
                entries.push(before);
            }
        } else {
            let entry = take_entry(&mut fields, flags, &before)?;
            if entries.last().is_some_and(|last| last.low >= entry.low) {
                return Err(Undecoded::Senseless);
            }
            entries.push(entry);
            before = entry;
        }
        if u64::from(before.low) >= CHUNK_POSITIONS {
            return Err(Undecoded::Senseless);
        }
    }
    if entries.is_empty() { Err(Undecoded::Senseless) } else { Ok(entries) }
}

fn take_entry(
    fields: &mut Fields<'_>,
    flags: u8,
    before: &LiveMessage,
) -> Result<LiveMessage, Undecoded> {
    let number =
        |fields: &mut Fields<'_>| u32::try_from(fields.number()?).map_err(|_| Undecoded::Senseless);
    let mut entry = *before;
    entry.low = if flags & NEXT == 0 { fields.byte()? } else { before.low.wrapping_add(1) };
    entry.location = if flags & BEHIND == 0 {
        let segment = before.location.segment.wrapping_add(number(fields)?);
        Location { segment, offset: number(fields)? }
    } else {
        behind(before)
    };
    if flags & SIZE == 0 {
        entry.share = number(fields)?;
        entry.body_bytes = number(fields)?;
    }
    if flags & REST == 0 {
        entry.returns = number(fields)?;
        entry.priority = fields.byte()?;
        entry.expiration_ms = if flags & EXPIRES == 0 { None } else { Some(fields.number()?) };
    }
    if flags & TIME == 0 {
        let later = fields.number()?;
        let later = (later >> 1) ^ (later & 1).wrapping_neg();
        entry.accepted_ms = before.accepted_ms.wrapping_add(later);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests;
