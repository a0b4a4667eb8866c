//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `tx` (90): transactions on a channel.

use crate::wire::method::{MethodFacts, Sender};

/// The class's number.
pub const CLASS_ID: u16 = 90;

/// `tx.select`: makes the channel transactional.
///
/// Sent by the client; answered by `select-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Select;

impl Select {
    /// The class's number.
    pub const CLASS_ID: u16 = 90;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "tx.select";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["tx.select-ok"],
        content: false,
    };
}

/// `tx.select-ok`: the channel is transactional.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SelectOk;

impl SelectOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 90;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "tx.select-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `tx.commit`: does what was gathered since the last commit or rollback.
///
/// Sent by the client; answered by `commit-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Commit;

impl Commit {
    /// The class's number.
    pub const CLASS_ID: u16 = 90;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 20;
    /// Class and method.
    pub const NAME: &'static str = "tx.commit";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["tx.commit-ok"],
        content: false,
    };
}

/// `tx.commit-ok`: it is done.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CommitOk;

impl CommitOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 90;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 21;
    /// Class and method.
    pub const NAME: &'static str = "tx.commit-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `tx.rollback`: drops what was gathered since the last commit or rollback.
///
/// Sent by the client; answered by `rollback-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rollback;

impl Rollback {
    /// The class's number.
    pub const CLASS_ID: u16 = 90;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 30;
    /// Class and method.
    pub const NAME: &'static str = "tx.rollback";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["tx.rollback-ok"],
        content: false,
    };
}

/// `tx.rollback-ok`: it is dropped.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RollbackOk;

impl RollbackOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 90;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 31;
    /// Class and method.
    pub const NAME: &'static str = "tx.rollback-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}
