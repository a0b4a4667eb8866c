//! What every method has in common: reading one from a frame's payload, writing one, and the grammar's
//! facts about it. The methods themselves are generated.

use super::error::{Flaw, WireError};
use super::field;
use super::frame::put_frame;
use super::generated::constant::FRAME_METHOD;
use super::generated::method::{Method, parse_arguments};

/// Who may send a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// Only a client.
    Client,
    /// Only the server.
    Server,
    /// Either of them.
    Both,
}

/// What the grammar says of a method.
#[derive(Debug)]
pub(super) struct MethodFacts {
    pub(super) name: &'static str,
    pub(super) class_id: u16,
    pub(super) method_id: u16,
    pub(super) sender: Sender,
    pub(super) replies: &'static [&'static str],
    pub(super) content: bool,
}

impl<'a> Method<'a> {
    /// Reads a method frame's payload: class, method, arguments (specification 4.2.4). Strings borrow from
    /// it; tables are built.
    ///
    /// # Errors
    /// 503 for a class or method that does not exist; 501 for arguments that are cut short, that have bytes
    /// after them, or that hold a short string which is not UTF-8 or a table which is malformed; 502 for a
    /// table nested too deeply.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let (input, class_id) = field::short(payload)?;
        let (input, method_id) = field::short(input)?;
        match parse_arguments(class_id, method_id, input) {
            Ok(([], method)) => Ok(method),
            Ok(_) => Err(WireError::from(Flaw::Trailing).in_method(class_id, method_id)),
            Err(error) => Err(WireError::from(error).in_method(class_id, method_id)),
        }
    }

    /// The class's number.
    #[inline]
    pub fn class_id(&self) -> u16 {
        self.facts().class_id
    }

    /// The method's number in its class.
    #[inline]
    pub fn method_id(&self) -> u16 {
        self.facts().method_id
    }

    /// Class and method as the specification writes them: `basic.publish`.
    #[inline]
    pub fn name(&self) -> &'static str {
        self.facts().name
    }

    /// Whether its sender waits for a reply (unless it set `no_wait`).
    #[inline]
    pub fn is_sync(&self) -> bool {
        !self.facts().replies.is_empty()
    }

    /// Names of the methods that answer it, such as `basic.get-ok`; empty when nothing does.
    #[inline]
    pub fn replies(&self) -> &'static [&'static str] {
        self.facts().replies
    }

    /// Whether a content header and a body follow it.
    #[inline]
    pub fn has_content(&self) -> bool {
        self.facts().content
    }

    /// Who may send it.
    #[inline]
    pub fn sender(&self) -> Sender {
        self.facts().sender
    }

    /// Whether a client may send it.
    #[inline]
    pub fn sent_by_client(&self) -> bool {
        self.sender() != Sender::Server
    }

    /// Whether the server may send it.
    #[inline]
    pub fn sent_by_server(&self) -> bool {
        self.sender() != Sender::Client
    }

    /// Appends class, method and arguments: the payload of a method frame.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let facts = self.facts();
        field::put_short(out, facts.class_id);
        field::put_short(out, facts.method_id);
        self.encode_arguments(out);
    }

    /// Appends a whole method frame.
    #[inline]
    pub fn encode_frame(&self, channel: u16, out: &mut Vec<u8>) {
        put_frame(out, FRAME_METHOD, channel, |out| self.encode(out));
    }
}
