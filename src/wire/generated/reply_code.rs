//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Reply codes (specification 1.2) with their names, and what each of them closes.

use crate::wire::error::Scope;

/// Why a channel or connection is closed, or a message returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReplyCode {
    /// The content is larger than the receiver takes at present.
    ContentTooLarge = 311,
    /// A mandatory message reached no queue; seen in `basic.return` only.
    NoRoute = 312,
    /// An immediate message found no consumer that was ready.
    NoConsumers = 313,
    /// An operator, or the end of the broker, closed the connection.
    ConnectionForced = 320,
    /// The virtual host's name is not one.
    InvalidPath = 402,
    /// The user lacks the permission, or the name is reserved.
    AccessRefused = 403,
    /// The exchange, queue or virtual host does not exist.
    NotFound = 404,
    /// Another connection has the queue to itself.
    ResourceLocked = 405,
    /// The request does not fit what is there.
    PreconditionFailed = 406,
    /// A frame could not be decoded.
    FrameError = 501,
    /// A frame held a value that is not allowed in it.
    SyntaxError = 502,
    /// The method does not exist, or is not for this peer or state.
    CommandInvalid = 503,
    /// The channel is not open, or was opened twice.
    ChannelError = 504,
    /// A frame came out of order.
    UnexpectedFrame = 505,
    /// The broker lacks the resources for the request.
    ResourceError = 506,
    /// The client tried what it may not do.
    NotAllowed = 530,
    /// The feature is not there.
    NotImplemented = 540,
    /// The broker failed.
    InternalError = 541,
}

impl ReplyCode {
    /// The number on the wire.
    #[inline]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The code that has this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            311 => Some(ReplyCode::ContentTooLarge),
            312 => Some(ReplyCode::NoRoute),
            313 => Some(ReplyCode::NoConsumers),
            320 => Some(ReplyCode::ConnectionForced),
            402 => Some(ReplyCode::InvalidPath),
            403 => Some(ReplyCode::AccessRefused),
            404 => Some(ReplyCode::NotFound),
            405 => Some(ReplyCode::ResourceLocked),
            406 => Some(ReplyCode::PreconditionFailed),
            501 => Some(ReplyCode::FrameError),
            502 => Some(ReplyCode::SyntaxError),
            503 => Some(ReplyCode::CommandInvalid),
            504 => Some(ReplyCode::ChannelError),
            505 => Some(ReplyCode::UnexpectedFrame),
            506 => Some(ReplyCode::ResourceError),
            530 => Some(ReplyCode::NotAllowed),
            540 => Some(ReplyCode::NotImplemented),
            541 => Some(ReplyCode::InternalError),
            _ => None,
        }
    }

    /// The name that begins a reply text.
    pub const fn name(self) -> &'static str {
        match self {
            ReplyCode::ContentTooLarge => "CONTENT_TOO_LARGE",
            ReplyCode::NoRoute => "NO_ROUTE",
            ReplyCode::NoConsumers => "NO_CONSUMERS",
            ReplyCode::ConnectionForced => "CONNECTION_FORCED",
            ReplyCode::InvalidPath => "INVALID_PATH",
            ReplyCode::AccessRefused => "ACCESS_REFUSED",
            ReplyCode::NotFound => "NOT_FOUND",
            ReplyCode::ResourceLocked => "RESOURCE_LOCKED",
            ReplyCode::PreconditionFailed => "PRECONDITION_FAILED",
            ReplyCode::FrameError => "FRAME_ERROR",
            ReplyCode::SyntaxError => "SYNTAX_ERROR",
            ReplyCode::CommandInvalid => "COMMAND_INVALID",
            ReplyCode::ChannelError => "CHANNEL_ERROR",
            ReplyCode::UnexpectedFrame => "UNEXPECTED_FRAME",
            ReplyCode::ResourceError => "RESOURCE_ERROR",
            ReplyCode::NotAllowed => "NOT_ALLOWED",
            ReplyCode::NotImplemented => "NOT_IMPLEMENTED",
            ReplyCode::InternalError => "INTERNAL_ERROR",
        }
    }

    /// What it closes, unless it happens on channel 0, where that is always the connection.
    pub const fn closes(self) -> Scope {
        match self {
            ReplyCode::ContentTooLarge
            | ReplyCode::NoRoute
            | ReplyCode::NoConsumers
            | ReplyCode::AccessRefused
            | ReplyCode::NotFound
            | ReplyCode::ResourceLocked
            | ReplyCode::PreconditionFailed => Scope::Channel,
            _ => Scope::Connection,
        }
    }
}
