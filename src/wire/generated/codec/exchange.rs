//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `exchange`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::exchange::{
    Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Unbind, UnbindOk,
};
use crate::wire::generated::method::Method;

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Declare::METHOD_ID => {
            Declare::parse(input).map(|(rest, m)| (rest, Method::ExchangeDeclare(m)))
        }
        DeclareOk::METHOD_ID => {
            DeclareOk::parse(input).map(|(rest, m)| (rest, Method::ExchangeDeclareOk(m)))
        }
        Delete::METHOD_ID => {
            Delete::parse(input).map(|(rest, m)| (rest, Method::ExchangeDelete(m)))
        }
        DeleteOk::METHOD_ID => {
            DeleteOk::parse(input).map(|(rest, m)| (rest, Method::ExchangeDeleteOk(m)))
        }
        Bind::METHOD_ID => Bind::parse(input).map(|(rest, m)| (rest, Method::ExchangeBind(m))),
        BindOk::METHOD_ID => {
            BindOk::parse(input).map(|(rest, m)| (rest, Method::ExchangeBindOk(m)))
        }
        Unbind::METHOD_ID => {
            Unbind::parse(input).map(|(rest, m)| (rest, Method::ExchangeUnbind(m)))
        }
        UnbindOk::METHOD_ID => {
            UnbindOk::parse(input).map(|(rest, m)| (rest, Method::ExchangeUnbindOk(m)))
        }
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl<'a> Declare<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, exchange) = field::shortstr(input)?;
        let (input, kind) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let passive = field::bit(bits, 0);
        let durable = field::bit(bits, 1);
        let auto_delete = field::bit(bits, 2);
        let internal = field::bit(bits, 3);
        let no_wait = field::bit(bits, 4);
        let (input, arguments) = field::table(input)?;
        Ok((
            input,
            Self { exchange, kind, passive, durable, auto_delete, internal, no_wait, arguments },
        ))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.exchange);
        field::put_shortstr(out, self.kind);
        field::put_bits(
            out,
            [self.passive, self.durable, self.auto_delete, self.internal, self.no_wait],
        );
        field::put_table(out, &self.arguments);
    }
}

impl DeclareOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl<'a> Delete<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, exchange) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let if_unused = field::bit(bits, 0);
        let no_wait = field::bit(bits, 1);
        Ok((input, Self { exchange, if_unused, no_wait }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.exchange);
        field::put_bits(out, [self.if_unused, self.no_wait]);
    }
}

impl DeleteOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl<'a> Bind<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, destination) = field::shortstr(input)?;
        let (input, source) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_wait = field::bit(bits, 0);
        let (input, arguments) = field::table(input)?;
        Ok((input, Self { destination, source, routing_key, no_wait, arguments }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.destination);
        field::put_shortstr(out, self.source);
        field::put_shortstr(out, self.routing_key);
        field::put_bits(out, [self.no_wait]);
        field::put_table(out, &self.arguments);
    }
}

impl BindOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl<'a> Unbind<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, destination) = field::shortstr(input)?;
        let (input, source) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_wait = field::bit(bits, 0);
        let (input, arguments) = field::table(input)?;
        Ok((input, Self { destination, source, routing_key, no_wait, arguments }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.destination);
        field::put_shortstr(out, self.source);
        field::put_shortstr(out, self.routing_key);
        field::put_bits(out, [self.no_wait]);
        field::put_table(out, &self.arguments);
    }
}

impl UnbindOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}
