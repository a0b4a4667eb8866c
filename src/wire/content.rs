//! Content headers (specification 4.2.6): the size of a body and its properties, which stay the bytes that
//! came in. They are checked once, when the header is read.

use super::error::{Flaw, WireError};
use super::field::{self, Parsed};
use super::generated::basic;
use super::generated::properties::PropertiesView;

/// The header that follows a method with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class of the method that it belongs to.
    pub class_id: u16,
    /// Bytes in all body frames together.
    pub body_size: u64,
    /// Property flags and property list, byte for byte as received. For class `basic` they are known to be
    /// well formed, header table included, so that [`PropertiesView::parse`] accepts them.
    pub properties: &'a [u8],
}

impl<'a> ContentHeader<'a> {
    /// Reads a header frame's payload.
    ///
    /// The properties of another class than `basic` are not looked at: no other has content, and it is for
    /// the session to say so (505).
    ///
    /// # Errors
    /// 501 when it is cut short, when its weight is not zero, or when the properties are malformed; 502 when
    /// the headers are nested too deeply.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        match parse_fields(payload) {
            Ok((_, header)) => Ok(header),
            Err(error) => Err(WireError::from(error).in_method(basic::CLASS_ID, 0)),
        }
    }

    /// Appends the payload of a header frame.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, self.class_id);
        field::put_short(out, 0);
        field::put_longlong(out, self.body_size);
        out.extend_from_slice(self.properties);
    }
}

#[inline]
fn parse_fields(payload: &[u8]) -> Parsed<'_, ContentHeader<'_>> {
    let (input, class_id) = field::short(payload)?;
    let (input, weight) = field::short(input)?;
    let (properties, body_size) = field::longlong(input)?;
    if weight != 0 {
        return field::fail(Flaw::Weight);
    }
    if class_id == basic::CLASS_ID {
        PropertiesView::parse_flaw(properties).map_err(nom::Err::Error)?;
    }
    Ok((&[], ContentHeader { class_id, body_size, properties }))
}
