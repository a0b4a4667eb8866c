//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `channel`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::channel::{Close, CloseOk, Flow, FlowOk, Open, OpenOk};
use crate::wire::generated::method::Method;

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Open::METHOD_ID => Open::parse(input).map(|(rest, m)| (rest, Method::ChannelOpen(m))),
        OpenOk::METHOD_ID => OpenOk::parse(input).map(|(rest, m)| (rest, Method::ChannelOpenOk(m))),
        Flow::METHOD_ID => Flow::parse(input).map(|(rest, m)| (rest, Method::ChannelFlow(m))),
        FlowOk::METHOD_ID => FlowOk::parse(input).map(|(rest, m)| (rest, Method::ChannelFlowOk(m))),
        Close::METHOD_ID => Close::parse(input).map(|(rest, m)| (rest, Method::ChannelClose(m))),
        CloseOk::METHOD_ID => {
            CloseOk::parse(input).map(|(rest, m)| (rest, Method::ChannelCloseOk(m)))
        }
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl Open {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, _) = field::shortstr(input)?;
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, "");
    }
}

impl OpenOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, _) = field::longstr(input)?;
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longstr(out, b"");
    }
}

impl Flow {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, bits) = field::octet(input)?;
        let active = field::bit(bits, 0);
        Ok((input, Self { active }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_bits(out, [self.active]);
    }
}

impl FlowOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, bits) = field::octet(input)?;
        let active = field::bit(bits, 0);
        Ok((input, Self { active }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_bits(out, [self.active]);
    }
}

impl<'a> Close<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, reply_code) = field::short(input)?;
        let (input, reply_text) = field::shortstr(input)?;
        let (input, class_id) = field::short(input)?;
        let (input, method_id) = field::short(input)?;
        Ok((input, Self { reply_code, reply_text, class_id, method_id }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, self.reply_code);
        field::put_shortstr(out, self.reply_text);
        field::put_short(out, self.class_id);
        field::put_short(out, self.method_id);
    }
}

impl CloseOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}
