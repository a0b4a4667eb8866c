//! What can be wrong with received bytes: the reply code that the connection is closed with, and the words.

use nom::error::{ErrorKind, ParseError};

use super::ReplyCode;
use super::table::TABLE_DEPTH_MAX;

/// What an error closes (specification 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The channel alone, unless it is channel 0.
    Channel,
    /// The whole connection.
    Connection,
}

/// Received bytes that are not AMQP. Every such error closes the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} - {text}", code.name())]
pub struct WireError {
    /// The code for `connection.close`: 501, 502 or 503.
    pub code: ReplyCode,
    /// The explanation, without the code's name in front.
    pub text: String,
    /// The channel that the frame was for, when it got that far.
    pub channel: Option<u16>,
    /// Class of the method at fault, or 0.
    pub class_id: u16,
    /// Number of the method at fault, or 0.
    pub method_id: u16,
}

impl WireError {
    /// An error that no method is to blame for.
    pub(super) fn new(code: ReplyCode, text: String) -> Self {
        Self { code, text, channel: None, class_id: 0, method_id: 0 }
    }

    pub(super) fn on_channel(self, channel: u16) -> Self {
        Self { channel: Some(channel), ..self }
    }

    pub(super) fn in_method(self, class_id: u16, method_id: u16) -> Self {
        Self { class_id, method_id, ..self }
    }
}

/// Why a parser gave up. Small and `Copy`, so that the way without errors pays nothing for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The bytes end inside a field, or a length points past the end.
    Truncated,
    /// Bytes are left after the last field.
    Trailing,
    /// A short string is not UTF-8.
    Utf8,
    /// A table value has a tag that nobody defined.
    TableTag(u8),
    /// Tables and arrays are nested too deeply.
    TableDepth,
    /// A content header's weight is not zero.
    Weight,
    /// A property flag is set that stands for no property.
    PropertyFlag,
    /// No such class, or no such method in it.
    UnknownMethod,
}

impl Flaw {
    fn code(self) -> ReplyCode {
        match self {
            Flaw::UnknownMethod => ReplyCode::CommandInvalid,
            Flaw::TableDepth => ReplyCode::SyntaxError,
            _ => ReplyCode::FrameError,
        }
    }

    fn text(self) -> String {
        match self {
            Flaw::Truncated => "truncated arguments".into(),
            Flaw::Trailing => "bytes after the last argument".into(),
            Flaw::Utf8 => "malformed UTF-8 in a short string".into(),
            Flaw::TableTag(tag) => format!("unknown table value type '{}'", tag.escape_ascii()),
            Flaw::TableDepth => format!("table nested more than {TABLE_DEPTH_MAX} deep"),
            Flaw::Weight => "content header weight is not 0".into(),
            Flaw::PropertyFlag => "unknown property flag".into(),
            Flaw::UnknownMethod => "unimplemented method".into(),
        }
    }
}

impl From<nom::Err<Flaw>> for Flaw {
    #[inline]
    fn from(error: nom::Err<Flaw>) -> Self {
        match error {
            nom::Err::Error(flaw) | nom::Err::Failure(flaw) => flaw,
            nom::Err::Incomplete(_) => Flaw::Truncated,
        }
    }
}

impl From<Flaw> for WireError {
    #[cold]
    fn from(flaw: Flaw) -> Self {
        WireError::new(flaw.code(), flaw.text())
    }
}

impl From<nom::Err<Flaw>> for WireError {
    #[cold]
    fn from(error: nom::Err<Flaw>) -> Self {
        Flaw::from(error).into()
    }
}

impl<I> ParseError<I> for Flaw {
    /// nom itself only ever finds that the input is too short: every other flaw is raised by name.
    #[inline]
    fn from_error_kind(_input: I, _kind: ErrorKind) -> Self {
        Flaw::Truncated
    }

    #[inline]
    fn append(_input: I, _kind: ErrorKind, other: Self) -> Self {
        other
    }
}
