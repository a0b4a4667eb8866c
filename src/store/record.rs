//! The journal's records as bytes. A frame is: the segment's marker (4 bytes), the payload's length
//! (4), a CRC-32C over kind and payload (4), the kind with the version of its layout (1), the payload. Fixed integers are
//! little-endian; those within a payload are variable, seven bits to a byte. `docs/storage-format.md` has every layout.
//!
//! What a later version wrote is an error of its own, and never taken for damage.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::change::{decode_change, encode_change};
use super::fields::{Fields, put_bytes, put_number};
use super::newer::{Undecoded, Unknown};
use super::operation::{Change, Operation, Place, Position, QueueId, Run};
use super::plain::plain_changes;
use crate::message::{Facts, Memory, Message};

/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD_BYTES: usize = 13;

/// The four random bytes that begin every frame of one segment. Reading can find its way again after
/// damage by looking for them, and nobody who chooses a message's body can know them.
pub(super) type Marker = [u8; 4];

/// In a frame's byte for both, the kind takes the low bits, and the version less one the others.
const KIND_BITS: u32 = 5;

const ENQUEUE: u8 = 1;
const SETTLE: u8 = 2;
const RETURNED: u8 = 3;
const TOPOLOGY: u8 = 4;
const FLOORS: u8 = 5;

/// The newest version of each kind, which is the one that is written; 0 for a kind that there is not.
const fn newest(kind: u8) -> u8 {
    match kind {
        ENQUEUE | SETTLE | RETURNED | FLOORS => 1,
        TOPOLOGY => 2,
        _ => 0,
    }
}

/// The byte for a kind and its newest version.
const fn kind_byte(kind: u8) -> u8 {
    kind | (newest(kind) - 1) << KIND_BITS
}

const PERSISTENT: u8 = 1;
const EXPIRES: u8 = 2;
const DEAD_LETTER: u8 = 4;
/// A later version may say more of a message.
const FLAGS_KNOWN: u8 = PERSISTENT | EXPIRES | DEAD_LETTER;

/// One record of the journal. It borrows from the operation on the way in, from the file's bytes on the
/// way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A message and all its places.
    Enqueue { places: SmallVec<[Place; 1]>, message: Parts<'a> },
    /// Positions of one queue that are gone.
    Settle { queue: QueueId, runs: SmallVec<[Run; 2]> },
    /// A message came back for the `count`-th time.
    Returned { queue: QueueId, position: Position, count: u32 },
    /// Changes of the topology.
    Topology(Cow<'a, [Change]>),
    /// Everything below these positions is gone. Written before a segment is deleted that may hold the
    /// `Settle` of a message in an older segment.
    Floors(Vec<Place>),
}

/// A message's parts, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) properties: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) facts: Facts,
}

impl Parts<'_> {
    /// The message.
    pub(super) fn to_message(self, memory: &'static Memory) -> Message {
        let Self { exchange, routing_key, properties, body, facts } = self;
        Message::new(memory, exchange, routing_key, properties, body, facts)
    }
}

impl<'a> From<&'a Message> for Parts<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            exchange: message.exchange(),
            routing_key: message.routing_key(),
            properties: message.properties(),
            body: message.body(),
            facts: *message.facts(),
        }
    }
}

impl<'a> From<&'a Operation> for Record<'a> {
    fn from(operation: &'a Operation) -> Self {
        match operation {
            Operation::Enqueue { message, places } => {
                Self::Enqueue { places: places.clone(), message: Parts::from(&**message) }
            }
            Operation::Settle { queue, positions } => {
                Self::Settle { queue: *queue, runs: runs_of(positions) }
            }
            Operation::SettleRuns { queue, runs } => {
                let runs = runs.iter().copied().filter(|run| run.count > 0).collect();
                Self::Settle { queue: *queue, runs }
            }
            Operation::Returned { queue, position, count } => {
                Self::Returned { queue: *queue, position: *position, count: *count }
            }
            Operation::Topology(changes) => Self::Topology(Cow::Borrowed(changes)),
        }
    }
}

/// Gathers positions into runs, sorting only when they do not come in order.
fn runs_of(positions: &[Position]) -> SmallVec<[Run; 2]> {
    let sorted: Cow<'_, [Position]> = if positions.is_sorted() {
        Cow::Borrowed(positions)
    } else {
        let mut copy = positions.to_vec();
        copy.sort_unstable();
        Cow::Owned(copy)
    };
    let mut runs: SmallVec<[Run; 2]> = SmallVec::new();
    for &position in sorted.iter() {
        match runs.last_mut() {
            Some(run) if position <= run.last() => {}
            Some(run) if position - 1 == run.last() => run.count += 1,
            _ => runs.push(Run { first: position, count: 1 }),
        }
    }
    runs
}

/// A record that is too long for its length field.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of {0} bytes is longer than the journal can hold")]
pub(super) struct TooLong(pub(super) usize);

/// Appends one frame to `buffer`. On an error the buffer is as before.
pub(super) fn encode(
    record: &Record<'_>,
    marker: Marker,
    buffer: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let start = buffer.len();
    buffer.extend_from_slice(&marker);
    buffer.extend_from_slice(&[0; 8]);
    match record {
        Record::Enqueue { places, message } => encode_enqueue(places, message, buffer),
        Record::Settle { queue, runs } => encode_settle(*queue, runs, buffer),
        Record::Returned { queue, position, count } => {
            buffer.push(kind_byte(RETURNED));
            put_number(buffer, *queue);
            put_number(buffer, *position);
            put_number(buffer, u64::from(*count));
        }
        Record::Topology(changes) => {
            buffer.push(kind_byte(TOPOLOGY));
            put_number(buffer, changes.len() as u64);
            changes.iter().for_each(|change| encode_change(change, buffer));
        }
        Record::Floors(floors) => {
            buffer.push(kind_byte(FLOORS));
            put_number(buffer, floors.len() as u64);
            for floor in floors {
                put_number(buffer, floor.queue);
                put_number(buffer, floor.position);
            }
        }
    }
    let payload_bytes = buffer.len() - start - FRAME_HEAD_BYTES;
    let Ok(length) = u32::try_from(payload_bytes) else {
        buffer.truncate(start);
        return Err(TooLong(payload_bytes));
    };
    let sum = crc32c::crc32c(&buffer[start + 12..]);
    buffer[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    buffer[start + 8..start + 12].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

fn encode_enqueue(places: &[Place], message: &Parts<'_>, buffer: &mut Vec<u8>) {
    buffer.push(kind_byte(ENQUEUE));
    put_number(buffer, places.len() as u64);
    for place in places {
        put_number(buffer, place.queue);
        put_number(buffer, place.position);
    }
    let facts = &message.facts;
    let mut flags = 0;
    if facts.persistent {
        flags |= PERSISTENT;
    }
    if facts.expiration_ms.is_some() {
        flags |= EXPIRES;
    }
    if facts.dead_letter {
        flags |= DEAD_LETTER;
    }
    buffer.push(flags);
    buffer.push(facts.priority);
    put_number(buffer, facts.accepted_ms);
    if let Some(expiration_ms) = facts.expiration_ms {
        put_number(buffer, expiration_ms);
    }
    put_bytes(buffer, message.exchange.as_bytes());
    put_bytes(buffer, message.routing_key.as_bytes());
    put_bytes(buffer, message.properties);
    buffer.extend_from_slice(message.body);
}

fn encode_settle(queue: QueueId, runs: &[Run], buffer: &mut Vec<u8>) {
    buffer.push(kind_byte(SETTLE));
    put_number(buffer, queue);
    put_number(buffer, runs.len() as u64);
    let mut before = 0;
    for run in runs {
        put_number(buffer, run.first.wrapping_sub(before));
        put_number(buffer, run.count);
        before = run.last();
    }
}

/// A frame whose marker, length and sum are right. What its payload says is not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// With the version.
    kind: u8,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame that begins `bytes`, if a whole and undamaged one does.
    pub(super) fn first(bytes: &'a [u8], marker: Marker) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(FRAME_HEAD_BYTES)?;
        if head[..4] != marker {
            return None;
        }
        let payload = rest.get(..payload_bytes(head))?;
        let sum = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        let kind = head[12];
        if crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload) != sum {
            return None;
        }
        Some(Self { kind, payload })
    }

    /// Bytes of the frame, head included.
    pub(super) fn bytes(&self) -> usize {
        FRAME_HEAD_BYTES + self.payload.len()
    }

    /// What the frame says.
    pub(super) fn decode(&self) -> Result<Record<'a>, Undecoded> {
        let mut fields = Fields(self.payload);
        let (kind, version) = (self.kind & ((1 << KIND_BITS) - 1), (self.kind >> KIND_BITS) + 1);
        let record = match (kind, version) {
            (ENQUEUE, 1) => return decode_enqueue(fields),
            (SETTLE, 1) => decode_settle(&mut fields)?,
            (RETURNED, 1) => Record::Returned {
                queue: fields.number()?,
                position: fields.number()?,
                count: u32::try_from(fields.number()?).map_err(|_| Undecoded::Senseless)?,
            },
            (TOPOLOGY, 1) => {
                let changes = plain_changes(&mut fields)?;
                Record::Topology(Cow::Owned(changes))
            }
            (TOPOLOGY, 2) => {
                let count = fields.number()?;
                let changes = (0..count).map(|_| decode_change(&mut fields));
                Record::Topology(Cow::Owned(changes.collect::<Result<_, _>>()?))
            }
            (FLOORS, 1) => {
                let count = fields.number()?;
                let floors =
                    (0..count).map(|_| decode_place(&mut fields)).collect::<Result<_, _>>()?;
                Record::Floors(floors)
            }
            _ => {
                let (what, number) = ("a record of kind", Some(kind.into()));
                let (found, known) = (version.into(), newest(kind).into());
                return Err(Unknown { what, number, found, known }.into());
            }
        };
        fields.end()?;
        Ok(record)
    }
}

/// The payload's length that a frame's head declares.
pub(super) fn payload_bytes(head: &[u8]) -> usize {
    u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize
}

fn decode_enqueue(mut fields: Fields<'_>) -> Result<Record<'_>, Undecoded> {
    let count = fields.number()?;
    let places = (0..count).map(|_| decode_place(&mut fields)).collect::<Result<_, _>>()?;
    let flags = fields.byte()?;
    if flags & !FLAGS_KNOWN != 0 {
        let (what, number) = ("a message with flags", Some(flags.into()));
        return Err(Unknown { what, number, found: 1, known: 0 }.into());
    }
    let priority = fields.byte()?;
    let accepted_ms = fields.number()?;
    let expiration_ms = if flags & EXPIRES == 0 { None } else { Some(fields.number()?) };
    let facts = Facts {
        persistent: flags & PERSISTENT != 0,
        priority,
        expiration_ms,
        accepted_ms,
        dead_letter: flags & DEAD_LETTER != 0,
    };
    let exchange = fields.text()?;
    let routing_key = fields.text()?;
    let properties = fields.bytes()?;
    let message = Parts { exchange, routing_key, properties, body: fields.0, facts };
    Ok(Record::Enqueue { places, message })
}

fn decode_place(fields: &mut Fields<'_>) -> Result<Place, Undecoded> {
    Ok(Place { queue: fields.number()?, position: fields.number()? })
}

fn decode_settle<'a>(fields: &mut Fields<'a>) -> Result<Record<'a>, Undecoded> {
    let queue = fields.number()?;
    let count = fields.number()?;
    let mut runs = SmallVec::new();
    let mut before: Position = 0;
    for _ in 0..count {
        let run = Run { first: before.wrapping_add(fields.number()?), count: fields.number()? };
        if run.count == 0 {
            return Err(Undecoded::Senseless);
        }
        before = run.last();
        runs.push(run);
    }
    Ok(Record::Settle { queue, runs })
}

#[cfg(test)]
mod tests;
