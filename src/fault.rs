//! What goes wrong on the protocol: how much it closes, with which reply code and text, and at which method.

use crate::wire::{ReplyCode, Scope, WireError};

/// Longest reply text in bytes: it travels as a short string (specification 4.2.5.3).
const REPLY_TEXT_BYTES_MAX: usize = 255;

/// An error of the protocol. It becomes a `channel.close` or a `connection.close` frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whether the channel or the whole connection is closed.
    pub scope: Scope,
    /// The reply code.
    pub code: ReplyCode,
    /// The explanation, without the code's name.
    pub text: String,
    /// Class of the method that failed, 0 when none did.
    pub class_id: u16,
    /// The method that failed, 0 when none did.
    pub method_id: u16,
}

impl Fault {
    /// A fault whose scope is the one that the specification gives its code.
    pub fn new(code: ReplyCode, text: impl Into<String>) -> Self {
        Self { scope: code.closes(), code, text: text.into(), class_id: 0, method_id: 0 }
    }

    /// A fault that closes its channel.
    pub fn channel(code: ReplyCode, text: impl Into<String>) -> Self {
        Self { scope: Scope::Channel, ..Self::new(code, text) }
    }

    /// A fault that closes the connection.
    pub fn connection(code: ReplyCode, text: impl Into<String>) -> Self {
        Self { scope: Scope::Connection, ..Self::new(code, text) }
    }

    /// The same fault, with the method that it happened at.
    #[must_use]
    pub fn at(self, class_id: u16, method_id: u16) -> Self {
        Self { class_id, method_id, ..self }
    }

    /// The text as it goes on the wire: `NAME - explanation`, at most 255 bytes.
    pub fn reply_text(&self) -> String {
        let mut text = format!("{} - {}", self.code.name(), self.text);
        if text.len() > REPLY_TEXT_BYTES_MAX {
            let mut end = REPLY_TEXT_BYTES_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
        }
        text
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::connection(error.code, error.text)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code.code(), self.reply_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let fault = Fault::new(ReplyCode::NotFound, "ä".repeat(300));
        let text = fault.reply_text();
        assert!(text.starts_with("NOT_FOUND - ä"));
        assert!(text.len() <= REPLY_TEXT_BYTES_MAX);
    }
}
