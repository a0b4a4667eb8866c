//! A change of the topology as bytes, in the journal, the index and `definitions.log`: its kind (1 byte), the version of
//! its layout (1), and its fields in the order of the tables in `docs/storage-format.md`. A number is variable, seven bits
//! to a byte; a text or a field table stands behind the count of its bytes; a flag is a byte of 0 or 1.
//!
//! A field that is new goes behind the others, under a version that is one higher: what reads an older version gives it a
//! default. The first version is postcard's (see `plain`); its kinds are below those of here, so that the first byte tells.

use super::fields::{Fields, put_bytes, put_number};
use super::newer::{Undecoded, Unknown};
use super::operation::{
    BindingRecord, Change, DestinationKind, ExchangeRecord, PermissionRecord, QueueRecord,
    UserRecord, VhostRecord,
};
use super::plain::plain_change;

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
pub(super) fn decode_change(fields: &mut Fields<'_>) -> Result<Change, Undecoded> {
    let (kind, version) = (fields.byte()?, fields.byte()?);
    let known = if (PUT_VHOST..=DELETE_BINDING).contains(&kind) { VERSION } else { 0 };
    if known == 0 || version != known {
        let (what, number) = ("a definition of kind", Some(kind.into()));
        return Err(Unknown { what, number, found: version.into(), known: known.into() }.into());
    }
    Ok(match kind {
        PUT_VHOST => Change::PutVhost(VhostRecord { name: text(fields)? }),
        DELETE_VHOST => Change::DeleteVhost { name: text(fields)? },
        PUT_USER => Change::PutUser(UserRecord {
            name: text(fields)?,
            password_hash: text(fields)?,
            tags: (0..fields.number()?).map(|_| text(fields)).collect::<Result<_, _>>()?,
        }),
        DELETE_USER => Change::DeleteUser { name: text(fields)? },
        PUT_PERMISSION => Change::PutPermission(PermissionRecord {
            user: text(fields)?,
            vhost: text(fields)?,
            configure: text(fields)?,
            write: text(fields)?,
            read: text(fields)?,
        }),
        DELETE_PERMISSION => Change::DeletePermission { user: text(fields)?, vhost: text(fields)? },
        PUT_EXCHANGE => Change::PutExchange(ExchangeRecord {
            vhost: text(fields)?,
            name: text(fields)?,
            kind: text(fields)?,
            auto_delete: flag(fields)?,
            internal: flag(fields)?,
            arguments: fields.bytes()?.to_vec(),
        }),
        DELETE_EXCHANGE => Change::DeleteExchange { vhost: text(fields)?, name: text(fields)? },
        PUT_QUEUE => Change::PutQueue(QueueRecord {
            id: fields.number()?,
            vhost: text(fields)?,
            name: text(fields)?,
            auto_delete: flag(fields)?,
            arguments: fields.bytes()?.to_vec(),
        }),
        DELETE_QUEUE => {
            Change::DeleteQueue { vhost: text(fields)?, name: text(fields)?, id: fields.number()? }
        }
        PUT_BINDING => Change::PutBinding(binding(fields)?),
        _ => Change::DeleteBinding(binding(fields)?),
    })
}

/// A change that stands alone, in any version.
pub(super) fn lone_change(bytes: &[u8]) -> Result<Change, Undecoded> {
    if bytes.first().is_some_and(|first| *first < KIND_MIN) {
        return plain_change(bytes);
    }
    let mut fields = Fields(bytes);
    let change = decode_change(&mut fields)?;
    fields.end()?;
    Ok(change)
}

fn text(fields: &mut Fields<'_>) -> Result<String, Undecoded> {
    Ok(fields.text()?.to_owned())
}

fn flag(fields: &mut Fields<'_>) -> Result<bool, Undecoded> {
    match fields.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Undecoded::Senseless),
    }
}

fn binding(fields: &mut Fields<'_>) -> Result<BindingRecord, Undecoded> {
    Ok(BindingRecord {
        vhost: text(fields)?,
        source: text(fields)?,
        destination: text(fields)?,
        destination_kind: match fields.byte()? {
            TO_QUEUE => DestinationKind::Queue,
            TO_EXCHANGE => DestinationKind::Exchange,
            _ => return Err(Undecoded::Senseless),
        },
        routing_key: text(fields)?,
        arguments: fields.bytes()?.to_vec(),
    })
}

#[cfg(test)]
mod tests;
