//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Properties of a message (specification 4.2.6.1): sixteen flags, then those whose flag is set.

use crate::wire::error::{Flaw, WireError};
use crate::wire::field;
use crate::wire::table::Table;

/// Every flag that stands for a property.
const FLAGS: u16 = 0xfffc;

/// Properties as they stand in a content header, borrowed from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PropertiesView<'a> {
    /// MIME type of the body.
    pub content_type: Option<&'a str>,
    /// MIME encoding of the body.
    pub content_encoding: Option<&'a str>,
    /// The application's headers. The table's payload.
    pub headers: Option<&'a [u8]>,
    /// 1 for transient, 2 for persistent.
    pub delivery_mode: Option<u8>,
    /// Priority; higher is delivered earlier.
    pub priority: Option<u8>,
    /// Ties a reply to its request.
    pub correlation_id: Option<&'a str>,
    /// The queue that a reply should go to.
    pub reply_to: Option<&'a str>,
    /// Time to live in milliseconds, written in decimal digits.
    pub expiration: Option<&'a str>,
    /// The application's name for the message.
    pub message_id: Option<&'a str>,
    /// When the message was made, in seconds since the Unix epoch.
    pub timestamp: Option<u64>,
    /// The application's name for the kind of message.
    pub message_type: Option<&'a str>,
    /// The user who published it; checked by the broker.
    pub user_id: Option<&'a str>,
    /// The application that published it.
    pub app_id: Option<&'a str>,
    /// A field of older revisions, carried along.
    pub cluster_id: Option<&'a str>,
}

impl<'a> PropertiesView<'a> {
    /// Reads property flags and list, as a content header holds them.
    ///
    /// # Errors
    /// 501 when they are cut short or have bytes after them, when a flag is set that stands for no
    /// property, when a short string is not UTF-8, or when the headers are malformed; 502 when the
    /// headers are nested too deeply.
    #[inline]
    pub fn parse(properties: &'a [u8]) -> Result<Self, WireError> {
        Ok(Self::parse_flaw(properties)?)
    }

    /// The headers as a table, when there are any.
    ///
    /// # Errors
    /// Those of [`Table::parse`]; none for a view that [`PropertiesView::parse`] made.
    pub fn headers_table(&self) -> Result<Option<Table>, WireError> {
        self.headers.map(Table::parse).transpose()
    }

    pub(in crate::wire) fn parse_flaw(properties: &'a [u8]) -> Result<Self, Flaw> {
        let mut view = Self::default();
        let (mut input, flags) = field::short(properties)?;
        if flags & !FLAGS != 0 {
            return Err(Flaw::PropertyFlag);
        }
        if flags & 0x8000 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.content_type) = (rest, Some(value));
        }
        if flags & 0x4000 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.content_encoding) = (rest, Some(value));
        }
        if flags & 0x2000 != 0 {
            let (rest, value) = field::longstr(input)?;
            Table::check_flaw(value)?;
            (input, view.headers) = (rest, Some(value));
        }
        if flags & 0x1000 != 0 {
            let (rest, value) = field::octet(input)?;
            (input, view.delivery_mode) = (rest, Some(value));
        }
        if flags & 0x0800 != 0 {
            let (rest, value) = field::octet(input)?;
            (input, view.priority) = (rest, Some(value));
        }
        if flags & 0x0400 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.correlation_id) = (rest, Some(value));
        }
        if flags & 0x0200 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.reply_to) = (rest, Some(value));
        }
        if flags & 0x0100 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.expiration) = (rest, Some(value));
        }
        if flags & 0x0080 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.message_id) = (rest, Some(value));
        }
        if flags & 0x0040 != 0 {
            let (rest, value) = field::timestamp(input)?;
            (input, view.timestamp) = (rest, Some(value));
        }
        if flags & 0x0020 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.message_type) = (rest, Some(value));
        }
        if flags & 0x0010 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.user_id) = (rest, Some(value));
        }
        if flags & 0x0008 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.app_id) = (rest, Some(value));
        }
        if flags & 0x0004 != 0 {
            let (rest, value) = field::shortstr(input)?;
            (input, view.cluster_id) = (rest, Some(value));
        }
        field::end(input)?;
        Ok(view)
    }
}

/// Properties that own what they hold, for messages that the broker makes or changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties {
    /// MIME type of the body.
    pub content_type: Option<String>,
    /// MIME encoding of the body.
    pub content_encoding: Option<String>,
    /// The application's headers.
    pub headers: Option<Table>,
    /// 1 for transient, 2 for persistent.
    pub delivery_mode: Option<u8>,
    /// Priority; higher is delivered earlier.
    pub priority: Option<u8>,
    /// Ties a reply to its request.
    pub correlation_id: Option<String>,
    /// The queue that a reply should go to.
    pub reply_to: Option<String>,
    /// Time to live in milliseconds, written in decimal digits.
    pub expiration: Option<String>,
    /// The application's name for the message.
    pub message_id: Option<String>,
    /// When the message was made, in seconds since the Unix epoch.
    pub timestamp: Option<u64>,
    /// The application's name for the kind of message.
    pub message_type: Option<String>,
    /// The user who published it; checked by the broker.
    pub user_id: Option<String>,
    /// The application that published it.
    pub app_id: Option<String>,
    /// A field of older revisions, carried along.
    pub cluster_id: Option<String>,
}

impl Properties {
    /// Appends property flags and list, as a content header holds them.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = 0;
        let start = out.len();
        field::put_short(out, flags);
        if let Some(value) = &self.content_type {
            flags |= 0x8000;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.content_encoding {
            flags |= 0x4000;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.headers {
            flags |= 0x2000;
            field::put_table(out, value);
        }
        if let Some(value) = self.delivery_mode {
            flags |= 0x1000;
            field::put_octet(out, value);
        }
        if let Some(value) = self.priority {
            flags |= 0x0800;
            field::put_octet(out, value);
        }
        if let Some(value) = &self.correlation_id {
            flags |= 0x0400;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.reply_to {
            flags |= 0x0200;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.expiration {
            flags |= 0x0100;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.message_id {
            flags |= 0x0080;
            field::put_shortstr(out, value);
        }
        if let Some(value) = self.timestamp {
            flags |= 0x0040;
            field::put_timestamp(out, value);
        }
        if let Some(value) = &self.message_type {
            flags |= 0x0020;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.user_id {
            flags |= 0x0010;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.app_id {
            flags |= 0x0008;
            field::put_shortstr(out, value);
        }
        if let Some(value) = &self.cluster_id {
            flags |= 0x0004;
            field::put_shortstr(out, value);
        }
        out[start..start + 2].copy_from_slice(&u16::to_be_bytes(flags));
    }
}

impl TryFrom<&PropertiesView<'_>> for Properties {
    type Error = WireError;

    fn try_from(view: &PropertiesView<'_>) -> Result<Self, WireError> {
        Ok(Self {
            content_type: view.content_type.map(str::to_owned),
            content_encoding: view.content_encoding.map(str::to_owned),
            headers: view.headers_table()?,
            delivery_mode: view.delivery_mode,
            priority: view.priority,
            correlation_id: view.correlation_id.map(str::to_owned),
            reply_to: view.reply_to.map(str::to_owned),
            expiration: view.expiration.map(str::to_owned),
            message_id: view.message_id.map(str::to_owned),
            timestamp: view.timestamp,
            message_type: view.message_type.map(str::to_owned),
            user_id: view.user_id.map(str::to_owned),
            app_id: view.app_id.map(str::to_owned),
            cluster_id: view.cluster_id.map(str::to_owned),
        })
    }
}
