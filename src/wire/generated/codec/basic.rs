//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `basic`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::basic::{
    Ack, Cancel, CancelOk, Consume, ConsumeOk, Deliver, Get, GetEmpty, GetOk, Nack, Publish, Qos,
    QosOk, Recover, RecoverAsync, RecoverOk, Reject, Return,
};
use crate::wire::generated::method::Method;

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Qos::METHOD_ID => Qos::parse(input).map(|(rest, m)| (rest, Method::BasicQos(m))),
        QosOk::METHOD_ID => QosOk::parse(input).map(|(rest, m)| (rest, Method::BasicQosOk(m))),
        Consume::METHOD_ID => {
            Consume::parse(input).map(|(rest, m)| (rest, Method::BasicConsume(m)))
        }
        ConsumeOk::METHOD_ID => {
            ConsumeOk::parse(input).map(|(rest, m)| (rest, Method::BasicConsumeOk(m)))
        }
        Cancel::METHOD_ID => Cancel::parse(input).map(|(rest, m)| (rest, Method::BasicCancel(m))),
        CancelOk::METHOD_ID => {
            CancelOk::parse(input).map(|(rest, m)| (rest, Method::BasicCancelOk(m)))
        }
        Publish::METHOD_ID => {
            Publish::parse(input).map(|(rest, m)| (rest, Method::BasicPublish(m)))
        }
        Return::METHOD_ID => Return::parse(input).map(|(rest, m)| (rest, Method::BasicReturn(m))),
        Deliver::METHOD_ID => {
            Deliver::parse(input).map(|(rest, m)| (rest, Method::BasicDeliver(m)))
        }
        Get::METHOD_ID => Get::parse(input).map(|(rest, m)| (rest, Method::BasicGet(m))),
        GetOk::METHOD_ID => GetOk::parse(input).map(|(rest, m)| (rest, Method::BasicGetOk(m))),
        GetEmpty::METHOD_ID => {
            GetEmpty::parse(input).map(|(rest, m)| (rest, Method::BasicGetEmpty(m)))
        }
        Ack::METHOD_ID => Ack::parse(input).map(|(rest, m)| (rest, Method::BasicAck(m))),
        Reject::METHOD_ID => Reject::parse(input).map(|(rest, m)| (rest, Method::BasicReject(m))),
        RecoverAsync::METHOD_ID => {
            RecoverAsync::parse(input).map(|(rest, m)| (rest, Method::BasicRecoverAsync(m)))
        }
        Recover::METHOD_ID => {
            Recover::parse(input).map(|(rest, m)| (rest, Method::BasicRecover(m)))
        }
        RecoverOk::METHOD_ID => {
            RecoverOk::parse(input).map(|(rest, m)| (rest, Method::BasicRecoverOk(m)))
        }
        Nack::METHOD_ID => Nack::parse(input).map(|(rest, m)| (rest, Method::BasicNack(m))),
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl Qos {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, prefetch_size) = field::long(input)?;
        let (input, prefetch_count) = field::short(input)?;
        let (input, bits) = field::octet(input)?;
        let global = field::bit(bits, 0);
        Ok((input, Self { prefetch_size, prefetch_count, global }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_long(out, self.prefetch_size);
        field::put_short(out, self.prefetch_count);
        field::put_bits(out, [self.global]);
    }
}

impl QosOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl<'a> Consume<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, consumer_tag) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_local = field::bit(bits, 0);
        let no_ack = field::bit(bits, 1);
        let exclusive = field::bit(bits, 2);
        let no_wait = field::bit(bits, 3);
        let (input, arguments) = field::table(input)?;
        Ok((input, Self { queue, consumer_tag, no_local, no_ack, exclusive, no_wait, arguments }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_shortstr(out, self.consumer_tag);
        field::put_bits(out, [self.no_local, self.no_ack, self.exclusive, self.no_wait]);
        field::put_table(out, &self.arguments);
    }
}

impl<'a> ConsumeOk<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, consumer_tag) = field::shortstr(input)?;
        Ok((input, Self { consumer_tag }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.consumer_tag);
    }
}

impl<'a> Cancel<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, consumer_tag) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_wait = field::bit(bits, 0);
        Ok((input, Self { consumer_tag, no_wait }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.consumer_tag);
        field::put_bits(out, [self.no_wait]);
    }
}

impl<'a> CancelOk<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, consumer_tag) = field::shortstr(input)?;
        Ok((input, Self { consumer_tag }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.consumer_tag);
    }
}

impl<'a> Publish<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, exchange) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let mandatory = field::bit(bits, 0);
        let immediate = field::bit(bits, 1);
        Ok((input, Self { exchange, routing_key, mandatory, immediate }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.exchange);
        field::put_shortstr(out, self.routing_key);
        field::put_bits(out, [self.mandatory, self.immediate]);
    }
}

impl<'a> Return<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, reply_code) = field::short(input)?;
        let (input, reply_text) = field::shortstr(input)?;
        let (input, exchange) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        Ok((input, Self { reply_code, reply_text, exchange, routing_key }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, self.reply_code);
        field::put_shortstr(out, self.reply_text);
        field::put_shortstr(out, self.exchange);
        field::put_shortstr(out, self.routing_key);
    }
}

impl<'a> Deliver<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, consumer_tag) = field::shortstr(input)?;
        let (input, delivery_tag) = field::longlong(input)?;
        let (input, bits) = field::octet(input)?;
        let redelivered = field::bit(bits, 0);
        let (input, exchange) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        Ok((input, Self { consumer_tag, delivery_tag, redelivered, exchange, routing_key }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.consumer_tag);
        field::put_longlong(out, self.delivery_tag);
        field::put_bits(out, [self.redelivered]);
        field::put_shortstr(out, self.exchange);
        field::put_shortstr(out, self.routing_key);
    }
}

impl<'a> Get<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, _) = field::short(input)?;
        let (input, queue) = field::shortstr(input)?;
        let (input, bits) = field::octet(input)?;
        let no_ack = field::bit(bits, 0);
        Ok((input, Self { queue, no_ack }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, 0);
        field::put_shortstr(out, self.queue);
        field::put_bits(out, [self.no_ack]);
    }
}

impl<'a> GetOk<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, delivery_tag) = field::longlong(input)?;
        let (input, bits) = field::octet(input)?;
        let redelivered = field::bit(bits, 0);
        let (input, exchange) = field::shortstr(input)?;
        let (input, routing_key) = field::shortstr(input)?;
        let (input, message_count) = field::long(input)?;
        Ok((input, Self { delivery_tag, redelivered, exchange, routing_key, message_count }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longlong(out, self.delivery_tag);
        field::put_bits(out, [self.redelivered]);
        field::put_shortstr(out, self.exchange);
        field::put_shortstr(out, self.routing_key);
        field::put_long(out, self.message_count);
    }
}

impl GetEmpty {
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

impl Ack {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, delivery_tag) = field::longlong(input)?;
        let (input, bits) = field::octet(input)?;
        let multiple = field::bit(bits, 0);
        Ok((input, Self { delivery_tag, multiple }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longlong(out, self.delivery_tag);
        field::put_bits(out, [self.multiple]);
    }
}

impl Reject {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, delivery_tag) = field::longlong(input)?;
        let (input, bits) = field::octet(input)?;
        let requeue = field::bit(bits, 0);
        Ok((input, Self { delivery_tag, requeue }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longlong(out, self.delivery_tag);
        field::put_bits(out, [self.requeue]);
    }
}

impl RecoverAsync {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, bits) = field::octet(input)?;
        let requeue = field::bit(bits, 0);
        Ok((input, Self { requeue }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_bits(out, [self.requeue]);
    }
}

impl Recover {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, bits) = field::octet(input)?;
        let requeue = field::bit(bits, 0);
        Ok((input, Self { requeue }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_bits(out, [self.requeue]);
    }
}

impl RecoverOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl Nack {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, delivery_tag) = field::longlong(input)?;
        let (input, bits) = field::octet(input)?;
        let multiple = field::bit(bits, 0);
        let requeue = field::bit(bits, 1);
        Ok((input, Self { delivery_tag, multiple, requeue }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longlong(out, self.delivery_tag);
        field::put_bits(out, [self.multiple, self.requeue]);
    }
}
