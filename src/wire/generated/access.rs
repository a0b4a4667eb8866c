//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `access` (30): access tickets of the protocol's older revisions, answered for the sake of old clients.

use crate::wire::method::{MethodFacts, Sender};

/// The class's number.
pub const CLASS_ID: u16 = 30;

/// `access.request`: asks for an access ticket.
///
/// Sent by the client; answered by `request-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// Name of the realm.
    pub realm: &'a str,
    /// Ask for the realm alone.
    pub exclusive: bool,
    /// Ask to look at the realm's resources.
    pub passive: bool,
    /// Ask to create and delete resources.
    pub active: bool,
    /// Ask to publish.
    pub write: bool,
    /// Ask to consume.
    pub read: bool,
}

impl Request<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 30;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "access.request";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["access.request-ok"],
        content: false,
    };
}

/// `access.request-ok`: grants an access ticket.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestOk {
    /// The ticket, which no method looks at.
    pub ticket: u16,
}

impl RequestOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 30;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "access.request-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}
