//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `confirm` (85): publisher confirms.

use crate::wire::method::{MethodFacts, Sender};

/// The class's number.
pub const CLASS_ID: u16 = 85;

/// `confirm.select`: has every later publish on the channel confirmed.
///
/// Sent by the client; answered by `select-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Select {
    /// Send no reply.
    pub no_wait: bool,
}

impl Select {
    /// The class's number.
    pub const CLASS_ID: u16 = 85;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "confirm.select";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["confirm.select-ok"],
        content: false,
    };
}

/// `confirm.select-ok`: the channel is in confirm mode.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SelectOk;

impl SelectOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 85;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "confirm.select-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}
