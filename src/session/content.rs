//! Putting a message together from its method, its header and its body (specification 4.2.6): the order of the
//! frames, and sizes.

use smallvec::SmallVec;

use super::channel::Channel;
use super::properties::{self, Read, Sender};
use super::work::Context;
use crate::broker::{Reserved, Room, Turn};
use crate::fault::Fault;
use crate::message::{Builder, Facts};
use crate::wire::{ContentHeader, ReplyCode, basic};

/// A message that is arriving.
pub(super) enum Content {
    /// The method is there.
    Announced(Publishing),
    /// Method and header are there.
    Begun(Begun),
}

/// How a message is to be published, to the exchange that its channel published to last.
pub(super) struct Publishing {
    pub mandatory: bool,
}

/// A message whose body is arriving.
pub(super) struct Begun {
    publishing: Publishing,
    extra_keys: Vec<String>,
    builder: Builder,
    /// Bytes of the body that are still to come.
    missing_bytes: u64,
    place: Place,
}

/// Where a body's memory comes from while it arrives.
enum Place {
    /// What every connection may have: so many bytes of it.
    Unreserved(u64),
    /// Reserved for it.
    Room(#[allow(dead_code, reason = "it is given back when it goes")] Room),
}

/// Bodies of one connection that are arriving may be so large together without having reserved room, on whatever
/// channels they are.
const UNRESERVED_BYTES_MAX: u64 = 64 * 1024;

/// Longer properties are read each time.
const KNOWN_BYTES_MAX: usize = 512;

/// Properties that were read already.
pub(super) struct KnownProperties {
    encoded: SmallVec<[u8; 32]>,
    facts: Facts,
}

impl Channel {
    /// Whether a method may come now: not in the middle of a message.
    pub(super) fn expect_method(&self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(Content::Announced(_)) => Err(out_of_order(format!(
                "expected content header for class {}, got non content header frame instead",
                basic::CLASS_ID
            ))),
            Some(Content::Begun(_)) => Err(expected_body()),
        }
    }

    /// Whether a content header may come now.
    pub(super) fn expect_header(&self) -> Result<(), Fault> {
        match self.content {
            None => Err(expected_method()),
            Some(Content::Announced(_)) => Ok(()),
            Some(Content::Begun(_)) => Err(expected_body()),
        }
    }

    pub(super) fn content_header(
        &mut self,
        context: &mut Context<'_>,
        header: &ContentHeader<'_>,
    ) -> Result<Option<Turn>, Fault> {
        self.expect_header()?;
        let Some(Content::Announced(publishing)) = self.content.take() else {
            return Err(expected_method());
        };
        if header.class_id != basic::CLASS_ID {
            return Err(out_of_order(format!(
                "expected content header for class {}, got one for class {} instead",
                basic::CLASS_ID,
                header.class_id
            )));
        }
        self.begin(context, publishing, header).map_err(at_publish)
    }

    fn begin(
        &mut self,
        context: &mut Context<'_>,
        publishing: Publishing,
        header: &ContentHeader<'_>,
    ) -> Result<Option<Turn>, Fault> {
        let (size, most) = (header.body_size, context.amqp.message_bytes_max);
        if size > most {
            let text = format!("message size {size} is larger than configured max size {most}");
            return Err(Fault::channel(ReplyCode::PreconditionFailed, text));
        }
        let place = match place(context, size, header.properties) {
            Some(Reserved::Room(room)) => Place::Room(room),
            Some(Reserved::Later(turn)) => {
                self.content = Some(Content::Announced(publishing));
                return Ok(Some(turn));
            }
            Some(Reserved::Refused) => {
                let text = format!("no memory for {size} bytes beside what is arriving already");
                return Err(Fault::channel(ReplyCode::ContentTooLarge, text));
            }
            None => Place::Unreserved(arriving_bytes(size, header.properties)),
        };
        let read = self.read_properties(context, header.properties)?;
        let builder = Builder::new(
            context.client.memory(),
            self.target.as_ref().map_or("", |exchange| exchange.name()),
            &self.routing_key,
            read.rewritten.as_deref().unwrap_or(header.properties),
            size as usize,
            read.facts,
        );
        if size == 0 {
            self.published(context, publishing, read.extra_keys, builder.finish())?;
            return Ok(None);
        }
        if let Place::Unreserved(bytes) = place {
            context.work.unreserved_bytes += bytes;
        }
        let extra_keys = read.extra_keys;
        let begun = Begun { publishing, extra_keys, builder, missing_bytes: size, place };
        self.content = Some(Content::Begun(begun));
        Ok(None)
    }

    /// What the properties mean. Most publishers send the same ones again and again: those that were read last, and
    /// went on as they came, need not be read again.
    fn read_properties(&mut self, context: &Context<'_>, encoded: &[u8]) -> Result<Read, Fault> {
        if let Some(facts) = self.known_facts(encoded) {
            return Ok(Read::unchanged(Facts { accepted_ms: context.now_ms, ..facts }));
        }
        let sender = Sender {
            user: context.client.user(),
            is_impersonator: context.client.is_impersonator(),
            reply_address: self.reply_to.as_ref().map(|reply_to| &*reply_to.address),
        };
        let read = properties::read(encoded, &sender, context.now_ms)?;
        if read.is_unchanged() && encoded.len() <= KNOWN_BYTES_MAX {
            self.properties = Some(KnownProperties { encoded: encoded.into(), facts: read.facts });
        }
        Ok(read)
    }

    /// What these properties mean, if they were read before and go on as they came.
    pub(super) fn known_facts(&self, encoded: &[u8]) -> Option<Facts> {
        let known = self.properties.as_ref().filter(|known| *known.encoded == *encoded)?;
        Some(known.facts)
    }

    pub(super) fn content_body(
        &mut self,
        context: &mut Context<'_>,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let begun = match &mut self.content {
            None => return Err(expected_method()),
            Some(Content::Announced(_)) => return self.expect_method(),
            Some(Content::Begun(begun)) => begun,
        };
        let Some(missing_bytes) = begun.missing_bytes.checked_sub(payload.len() as u64) else {
            let text = "content body frame exceeds remaining content size";
            return Err(at_publish(Fault::connection(ReplyCode::FrameError, text)));
        };
        begun.missing_bytes = missing_bytes;
        begun.builder.push(payload);
        if missing_bytes > 0 {
            return Ok(());
        }
        let Some(Content::Begun(begun)) = self.content.take() else { return Ok(()) };
        let Begun { publishing, extra_keys, builder, place, .. } = begun;
        if let Place::Unreserved(bytes) = place {
            context.work.unreserved_bytes -= bytes;
        }
        self.published(context, publishing, extra_keys, builder.finish()).map_err(at_publish)
    }

    /// Bytes of the body that is arriving, if it has reserved no room.
    pub(super) fn unreserved_bytes(&self) -> u64 {
        match &self.content {
            Some(Content::Begun(Begun { place: Place::Unreserved(bytes), .. })) => *bytes,
            _ => 0,
        }
    }
}

/// What a message holds while its body arrives. One without a body is whole at once.
fn arriving_bytes(body_bytes: u64, properties: &[u8]) -> u64 {
    if body_bytes == 0 { 0 } else { body_bytes + properties.len() as u64 }
}

/// Asks for room for a message, unless it needs none.
fn place(context: &mut Context<'_>, body_bytes: u64, properties: &[u8]) -> Option<Reserved> {
    let size = arriving_bytes(body_bytes, properties);
    if size == 0 || context.work.unreserved_bytes + size <= UNRESERVED_BYTES_MAX {
        return None;
    }
    Some(match context.work.room.take() {
        Some(room) => Reserved::Room(room),
        None => context.client.reserve(size),
    })
}

pub(super) fn at_publish(fault: Fault) -> Fault {
    fault.at(basic::Publish::CLASS_ID, basic::Publish::METHOD_ID)
}

fn out_of_order(text: String) -> Fault {
    at_publish(Fault::connection(ReplyCode::UnexpectedFrame, text))
}

fn expected_body() -> Fault {
    out_of_order("expected content body, got non content body frame instead".to_owned())
}

fn expected_method() -> Fault {
    let text = "expected method frame, got non method frame instead";
    Fault::connection(ReplyCode::UnexpectedFrame, text)
}
