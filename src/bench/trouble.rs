//! Why a run cannot go on: one line for the user, and the broker's reply code when it gave one.

use crate::wire::Method;

/// What went wrong, in one line that says what to do where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The reply code with which the broker closed the channel or the connection.
    pub code: Option<u16>,
    /// The line.
    pub text: String,
}

impl Trouble {
    /// A trouble without a reply code.
    pub fn new(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }

    /// What a close from the broker says; `None` for any other method.
    pub fn from_close(method: &Method<'_>) -> Option<Self> {
        let (what, code, text) = match method {
            Method::ConnectionClose(close) => ("connection", close.reply_code, close.reply_text),
            Method::ChannelClose(close) => ("channel", close.reply_code, close.reply_text),
            _ => return None,
        };
        Some(Self {
            code: Some(code),
            text: format!("the broker closed the {what}: {code} {text}"),
        })
    }
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        trouble.text
    }
}
