//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `confirm`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::confirm::{Select, SelectOk};
use crate::wire::generated::method::Method;

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Select::METHOD_ID => Select::parse(input).map(|(rest, m)| (rest, Method::ConfirmSelect(m))),
        SelectOk::METHOD_ID => {
            SelectOk::parse(input).map(|(rest, m)| (rest, Method::ConfirmSelectOk(m)))
        }
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl Select {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, bits) = field::octet(input)?;
        let no_wait = field::bit(bits, 0);
        Ok((input, Self { no_wait }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_bits(out, [self.no_wait]);
    }
}

impl SelectOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}
