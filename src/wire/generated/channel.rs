//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `channel` (20): opening and closing a channel, and its flow of messages.

use crate::wire::method::{MethodFacts, Sender};

/// The class's number.
pub const CLASS_ID: u16 = 20;

/// `channel.open`: opens the channel that the frame names.
///
/// Sent by the client; answered by `open-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Open;

impl Open {
    /// The class's number.
    pub const CLASS_ID: u16 = 20;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "channel.open";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["channel.open-ok"],
        content: false,
    };
}

/// `channel.open-ok`: the channel is open.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenOk;

impl OpenOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 20;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "channel.open-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `channel.flow`: asks the peer to pause or to go on sending content.
///
/// Sent by either peer; answered by `flow-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flow {
    /// Whether content may be sent.
    pub active: bool,
}

impl Flow {
    /// The class's number.
    pub const CLASS_ID: u16 = 20;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 20;
    /// Class and method.
    pub const NAME: &'static str = "channel.flow";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &["channel.flow-ok"],
        content: false,
    };
}

/// `channel.flow-ok`: confirms the state of the flow.
///
/// Sent by either peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowOk {
    /// Whether content will be sent.
    pub active: bool,
}

impl FlowOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 20;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 21;
    /// Class and method.
    pub const NAME: &'static str = "channel.flow-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &[],
        content: false,
    };
}

/// `channel.close`: ends the channel and says why.
///
/// Sent by either peer; answered by `close-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Close<'a> {
    /// The reply code; 200 for an orderly end.
    pub reply_code: u16,
    /// The reason in words.
    pub reply_text: &'a str,
    /// Class of the method that failed, or 0.
    pub class_id: u16,
    /// Number of the method that failed, or 0.
    pub method_id: u16,
}

impl Close<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 20;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 40;
    /// Class and method.
    pub const NAME: &'static str = "channel.close";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &["channel.close-ok"],
        content: false,
    };
}

/// `channel.close-ok`: agrees to the end of the channel.
///
/// Sent by either peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseOk;

impl CloseOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 20;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 41;
    /// Class and method.
    pub const NAME: &'static str = "channel.close-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &[],
        content: false,
    };
}
