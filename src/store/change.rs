//! A change of the topology as bytes, in the journal, the index and `definitions.log`: its kind (1 byte), the version of
//! its layout (1), and its fields in the order of the tables in `docs/storage-format.md`. A number is variable, seven bits
//! to a byte; a text or a field table stands behind the count of its bytes; a flag is a byte of 0 or 1.
//!
//! A field that is new goes behind the others, under a version that is one higher: what reads an older version gives it a
//! default. The first version is postcard's (see `plain`); its kinds are below those of here, so that the first byte tells.

use super::newer::{Undecoded, Unknown};
use super::operation::{
    BindingRecord, Change, DestinationKind, ExchangeRecord, PermissionRecord, QueueRecord,
    UserRecord, VhostRecord,
};
use super::plain::plain_change;
use super::record::{Reader, put_bytes, put_number};

/// What is written of each kind, and the newest that is known.
const VERSION: u8 = 2;

/// The first byte of what postcard wrote is below this.
const KIND_MIN: u8 = 0x20;

const PUT_VHOST: u8 = 0x21;
const DELETE_VHOST: u8 = 0x22;
const PUT_USER: u8 = 0x23;
const DELETE_USER: u8 = 0x24;
const PUT_PERMISSION: u8 = 0x25;
const DELETE_PERMISSION: u8 = 0x26;
const PUT_EXCHANGE: u8 = 0x27;
const DELETE_EXCHANGE: u8 = 0x28;
const PUT_QUEUE: u8 = 0x29;
const DELETE_QUEUE: u8 = 0x2a;
const PUT_BINDING: u8 = 0x2b;
const DELETE_BINDING: u8 = 0x2c;

const TO_QUEUE: u8 = 0;
const TO_EXCHANGE: u8 = 1;

/// Appends a change.
pub(super) fn encode_change(change: &Change, buffer: &mut Vec<u8>) {
    let mut begin = |kind| buffer.extend_from_slice(&[kind, VERSION]);
    match change {
        Change::PutVhost(VhostRecord { name }) => {
            begin(PUT_VHOST);
            put_text(buffer, name);
        }
        Change::DeleteVhost { name } => {
            begin(DELETE_VHOST);
            put_text(buffer, name);
        }
        Change::PutUser(UserRecord { name, password_hash, tags }) => {
            begin(PUT_USER);
            put_text(buffer, name);
            put_text(buffer, password_hash);
            put_number(buffer, tags.len() as u64);
            tags.iter().for_each(|tag| put_text(buffer, tag));
        }
        Change::DeleteUser { name } => {
            begin(DELETE_USER);
            put_text(buffer, name);
        }
        Change::PutPermission(PermissionRecord { user, vhost, configure, write, read }) => {
            begin(PUT_PERMISSION);
            put_texts(buffer, [user, vhost, configure, write, read]);
        }
        Change::DeletePermission { user, vhost } => {
            begin(DELETE_PERMISSION);
            put_texts(buffer, [user, vhost]);
        }
        Change::PutExchange(exchange) => {
            let ExchangeRecord { vhost, name, kind, auto_delete, internal, arguments } = exchange;
            begin(PUT_EXCHANGE);
            put_texts(buffer, [vhost, name, kind]);
            buffer.extend_from_slice(&[u8::from(*auto_delete), u8::from(*internal)]);
            put_bytes(buffer, arguments);
        }
        Change::DeleteExchange { vhost, name } => {
            begin(DELETE_EXCHANGE);
            put_texts(buffer, [vhost, name]);
        }
        Change::PutQueue(QueueRecord { id, vhost, name, auto_delete, arguments }) => {
            begin(PUT_QUEUE);
            put_number(buffer, *id);
            put_texts(buffer, [vhost, name]);
            buffer.push(u8::from(*auto_delete));
            put_bytes(buffer, arguments);
        }
        Change::DeleteQueue { vhost, name, id } => {
            begin(DELETE_QUEUE);
            put_texts(buffer, [vhost, name]);
            put_number(buffer, *id);
        }
        Change::PutBinding(binding) => {
            begin(PUT_BINDING);
            put_binding(buffer, binding);
        }
        Change::DeleteBinding(binding) => {
            begin(DELETE_BINDING);
            put_binding(buffer, binding);
        }
    }
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    put_bytes(buffer, text.as_bytes());
}

fn put_texts<const N: usize>(buffer: &mut Vec<u8>, texts: [&String; N]) {
    texts.iter().for_each(|text| put_text(buffer, text));
}

fn put_binding(buffer: &mut Vec<u8>, binding: &BindingRecord) {
    let BindingRecord { vhost, source, destination, destination_kind, routing_key, arguments } =
        binding;
    put_texts(buffer, [vhost, source, destination]);
    buffer.push(match destination_kind {
        DestinationKind::Queue => TO_QUEUE,
        DestinationKind::Exchange => TO_EXCHANGE,
    });
    put_text(buffer, routing_key);
    put_bytes(buffer, arguments);
}

/// Takes a change off.
pub(super) fn decode_change(reader: &mut Reader<'_>) -> Result<Change, Undecoded> {
    let (kind, version) = (reader.byte()?, reader.byte()?);
    let known = if (PUT_VHOST..=DELETE_BINDING).contains(&kind) { VERSION } else { 0 };
    if known == 0 || version != known {
        let (what, number) = ("a definition of kind", Some(kind.into()));
        return Err(Unknown { what, number, found: version.into(), known: known.into() }.into());
    }
    Ok(match kind {
        PUT_VHOST => Change::PutVhost(VhostRecord { name: text(reader)? }),
        DELETE_VHOST => Change::DeleteVhost { name: text(reader)? },
        PUT_USER => Change::PutUser(UserRecord {
            name: text(reader)?,
            password_hash: text(reader)?,
            tags: (0..reader.number()?).map(|_| text(reader)).collect::<Result<_, _>>()?,
        }),
        DELETE_USER => Change::DeleteUser { name: text(reader)? },
        PUT_PERMISSION => Change::PutPermission(PermissionRecord {
            user: text(reader)?,
            vhost: text(reader)?,
            configure: text(reader)?,
            write: text(reader)?,
            read: text(reader)?,
        }),
        DELETE_PERMISSION => Change::DeletePermission { user: text(reader)?, vhost: text(reader)? },
        PUT_EXCHANGE => Change::PutExchange(ExchangeRecord {
            vhost: text(reader)?,
            name: text(reader)?,
            kind: text(reader)?,
            auto_delete: flag(reader)?,
            internal: flag(reader)?,
            arguments: reader.bytes()?.to_vec(),
        }),
        DELETE_EXCHANGE => Change::DeleteExchange { vhost: text(reader)?, name: text(reader)? },
        PUT_QUEUE => Change::PutQueue(QueueRecord {
            id: reader.number()?,
            vhost: text(reader)?,
            name: text(reader)?,
            auto_delete: flag(reader)?,
            arguments: reader.bytes()?.to_vec(),
        }),
        DELETE_QUEUE => {
            Change::DeleteQueue { vhost: text(reader)?, name: text(reader)?, id: reader.number()? }
        }
        PUT_BINDING => Change::PutBinding(binding(reader)?),
        _ => Change::DeleteBinding(binding(reader)?),
    })
}

/// A change that stands alone, in any version.
pub(super) fn lone_change(bytes: &[u8]) -> Result<Change, Undecoded> {
    if bytes.first().is_some_and(|first| *first < KIND_MIN) {
        return plain_change(bytes);
    }
    let mut reader = Reader(bytes);
    let change = decode_change(&mut reader)?;
    reader.end()?;
    Ok(change)
}

fn text(reader: &mut Reader<'_>) -> Result<String, Undecoded> {
    Ok(reader.text()?.to_owned())
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, Undecoded> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Undecoded::Senseless),
    }
}

fn binding(reader: &mut Reader<'_>) -> Result<BindingRecord, Undecoded> {
    Ok(BindingRecord {
        vhost: text(reader)?,
        source: text(reader)?,
        destination: text(reader)?,
        destination_kind: match reader.byte()? {
            TO_QUEUE => DestinationKind::Queue,
            TO_EXCHANGE => DestinationKind::Exchange,
            _ => return Err(Undecoded::Senseless),
        },
        routing_key: text(reader)?,
        arguments: reader.bytes()?.to_vec(),
    })
}

#[cfg(test)]
mod tests;
