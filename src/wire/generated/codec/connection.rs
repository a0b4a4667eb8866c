//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `connection`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::connection::{
    Blocked, Close, CloseOk, Open, OpenOk, Secure, SecureOk, Start, StartOk, Tune, TuneOk,
    Unblocked, UpdateSecret, UpdateSecretOk,
};
use crate::wire::generated::method::Method;

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Start::METHOD_ID => Start::parse(input).map(|(rest, m)| (rest, Method::ConnectionStart(m))),
        StartOk::METHOD_ID => {
            StartOk::parse(input).map(|(rest, m)| (rest, Method::ConnectionStartOk(m)))
        }
        Secure::METHOD_ID => {
            Secure::parse(input).map(|(rest, m)| (rest, Method::ConnectionSecure(m)))
        }
        SecureOk::METHOD_ID => {
            SecureOk::parse(input).map(|(rest, m)| (rest, Method::ConnectionSecureOk(m)))
        }
        Tune::METHOD_ID => Tune::parse(input).map(|(rest, m)| (rest, Method::ConnectionTune(m))),
        TuneOk::METHOD_ID => {
            TuneOk::parse(input).map(|(rest, m)| (rest, Method::ConnectionTuneOk(m)))
        }
        Open::METHOD_ID => Open::parse(input).map(|(rest, m)| (rest, Method::ConnectionOpen(m))),
        OpenOk::METHOD_ID => {
            OpenOk::parse(input).map(|(rest, m)| (rest, Method::ConnectionOpenOk(m)))
        }
        Close::METHOD_ID => Close::parse(input).map(|(rest, m)| (rest, Method::ConnectionClose(m))),
        CloseOk::METHOD_ID => {
            CloseOk::parse(input).map(|(rest, m)| (rest, Method::ConnectionCloseOk(m)))
        }
        Blocked::METHOD_ID => {
            Blocked::parse(input).map(|(rest, m)| (rest, Method::ConnectionBlocked(m)))
        }
        Unblocked::METHOD_ID => {
            Unblocked::parse(input).map(|(rest, m)| (rest, Method::ConnectionUnblocked(m)))
        }
        UpdateSecret::METHOD_ID => {
            UpdateSecret::parse(input).map(|(rest, m)| (rest, Method::ConnectionUpdateSecret(m)))
        }
        UpdateSecretOk::METHOD_ID => UpdateSecretOk::parse(input)
            .map(|(rest, m)| (rest, Method::ConnectionUpdateSecretOk(m))),
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl<'a> Start<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, version_major) = field::octet(input)?;
        let (input, version_minor) = field::octet(input)?;
        let (input, server_properties) = field::table(input)?;
        let (input, mechanisms) = field::longstr(input)?;
        let (input, locales) = field::longstr(input)?;
        Ok((input, Self { version_major, version_minor, server_properties, mechanisms, locales }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_octet(out, self.version_major);
        field::put_octet(out, self.version_minor);
        field::put_table(out, &self.server_properties);
        field::put_longstr(out, self.mechanisms);
        field::put_longstr(out, self.locales);
    }
}

impl<'a> StartOk<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, client_properties) = field::table(input)?;
        let (input, mechanism) = field::shortstr(input)?;
        let (input, response) = field::longstr(input)?;
        let (input, locale) = field::shortstr(input)?;
        Ok((input, Self { client_properties, mechanism, response, locale }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_table(out, &self.client_properties);
        field::put_shortstr(out, self.mechanism);
        field::put_longstr(out, self.response);
        field::put_shortstr(out, self.locale);
    }
}

impl<'a> Secure<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, challenge) = field::longstr(input)?;
        Ok((input, Self { challenge }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longstr(out, self.challenge);
    }
}

impl<'a> SecureOk<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, response) = field::longstr(input)?;
        Ok((input, Self { response }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longstr(out, self.response);
    }
}

impl Tune {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, channel_max) = field::short(input)?;
        let (input, frame_max) = field::long(input)?;
        let (input, heartbeat) = field::short(input)?;
        Ok((input, Self { channel_max, frame_max, heartbeat }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, self.channel_max);
        field::put_long(out, self.frame_max);
        field::put_short(out, self.heartbeat);
    }
}

impl TuneOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, channel_max) = field::short(input)?;
        let (input, frame_max) = field::long(input)?;
        let (input, heartbeat) = field::short(input)?;
        Ok((input, Self { channel_max, frame_max, heartbeat }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_short(out, self.channel_max);
        field::put_long(out, self.frame_max);
        field::put_short(out, self.heartbeat);
    }
}

impl<'a> Open<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, virtual_host) = field::shortstr(input)?;
        let (input, _) = field::shortstr(input)?;
        let (input, _) = field::octet(input)?;
        Ok((input, Self { virtual_host }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.virtual_host);
        field::put_shortstr(out, "");
        field::put_bits(out, [false]);
    }
}

impl OpenOk {
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

impl<'a> Blocked<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, reason) = field::shortstr(input)?;
        Ok((input, Self { reason }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_shortstr(out, self.reason);
    }
}

impl Unblocked {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl<'a> UpdateSecret<'a> {
    #[inline]
    pub(in crate::wire) fn parse(input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, new_secret) = field::longstr(input)?;
        let (input, reason) = field::shortstr(input)?;
        Ok((input, Self { new_secret, reason }))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        field::put_longstr(out, self.new_secret);
        field::put_shortstr(out, self.reason);
    }
}

impl UpdateSecretOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}
