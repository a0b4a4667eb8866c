//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `queue`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::method::Method;
use crate::wire::generated::queue::{
    Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Purge, PurgeOk, Unbind, UnbindOk,
};

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Declare::METHOD_ID => {
            Declare::parse(input).map(|(rest, m)| (rest, Method::QueueDeclare(m)))
        }
        DeclareOk::METHOD_ID => {
            DeclareOk::parse(input).map(|(rest, m)| (rest, Method::QueueDeclareOk(m)))
        }
        Bind::METHOD_ID => Bind::parse(input).map(|(rest, m)| (rest, Method::QueueBind(m))),
        BindOk::METHOD_ID => BindOk::parse(input).map(|(rest, m)| (rest, Method::QueueBindOk(m))),
        Purge::METHOD_ID => Purge::parse(input).map(|(rest, m)| (rest, Method::QueuePurge(m))),
        PurgeOk::METHOD_ID => {
            PurgeOk::parse(input).map(|(rest, m)| (rest, Method::QueuePurgeOk(m)))
        }
        Delete::METHOD_ID => Delete::parse(input).map(|(rest, m)| (rest, Method::QueueDelete(m))),
        DeleteOk::METHOD_ID => {
            DeleteOk::parse(input).map(|(rest, m)| (rest, Method::QueueDeleteOk(m)))
        }
        Unbind::METHOD_ID => Unbind::parse(input).map(|(rest, m)| (rest, Method::QueueUnbind(m))),
        UnbindOk::METHOD_ID => {
            UnbindOk::parse(input).map(|(rest, m)| (rest, Method::QueueUnbindOk(m)))
        }
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl<'a> Declare<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let passive = field::bit(bits, 0);
        let durable = field::bit(bits, 1);
        let exclusive = field::bit(bits, 2);
        let auto_delete = field::bit(bits, 3);
        let no_wait = field::bit(bits, 4);
        let (input, arguments) = field::table(input)?;
        Ok((input, Self { queue, passive, durable, exclusive, auto_delete, no_wait, arguments }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_bits(
            out,
            [self.passive, self.durable, self.exclusive, self.auto_delete, self.no_wait],
        );
        field::put_table(out, &self.arguments);
    }
}

impl<'a> DeclareOk<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, queue) = field::shortstr(input)?;
        let (input, message_count) = field::long(input)?;
        let (input, consumer_count) = field::long(input)?;
        Ok((input, Self { queue, message_count, consumer_count }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.queue);
        field::put_long(out, self.message_count);
        field::put_long(out, self.consumer_count);
    }
}

impl<'a> Bind<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, exchange) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_wait = field::bit(bits, 0);
        let (input, arguments) = field::table(input)?;
        Ok((input, Self { queue, exchange, routing_key, no_wait, arguments }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_shortstr(out, self.exchange);
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

impl<'a> Purge<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_wait = field::bit(bits, 0);
        Ok((input, Self { queue, no_wait }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_bits(out, [self.no_wait]);
    }
}

impl PurgeOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, message_count) = field::long(input)?;
        Ok((input, Self { message_count }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_long(out, self.message_count);
    }
}

impl<'a> Delete<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let if_unused = field::bit(bits, 0);
        let if_empty = field::bit(bits, 1);
        let no_wait = field::bit(bits, 2);
        Ok((input, Self { queue, if_unused, if_empty, no_wait }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_bits(out, [self.if_unused, self.if_empty, self.no_wait]);
    }
}

impl DeleteOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, message_count) = field::long(input)?;
        Ok((input, Self { message_count }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_long(out, self.message_count);
    }
}

impl<'a> Unbind<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, exchange) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        let (input, arguments) = field::table(input)?;
        Ok((input, Self { queue, exchange, routing_key, arguments }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_shortstr(out, self.exchange);
        field::put_shortstr(out, self.routing_key);
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
