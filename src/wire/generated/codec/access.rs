//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `access`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::access::{Request, RequestOk};
use crate::wire::generated::method::Method;

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Request::METHOD_ID => {
            Request::parse(input).map(|(rest, m)| (rest, Method::AccessRequest(m)))
        }
        RequestOk::METHOD_ID => {
            RequestOk::parse(input).map(|(rest, m)| (rest, Method::AccessRequestOk(m)))
        }
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl<'a> Request<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, realm) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let exclusive = field::bit(bits, 0);
        let passive = field::bit(bits, 1);
        let active = field::bit(bits, 2);
        let write = field::bit(bits, 3);
        let read = field::bit(bits, 4);
        Ok((input, Self { realm, exclusive, passive, active, write, read }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.realm);
        field::put_bits(out, [self.exclusive, self.passive, self.active, self.write, self.read]);
    }
}

impl RequestOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, ticket) = field::short(input)?;
        Ok((input, Self { ticket }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, self.ticket);
    }
}
