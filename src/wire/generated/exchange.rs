//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `exchange` (40): declaring and deleting exchanges, and binding them to one another.

use crate::wire::method::{MethodFacts, Sender};
use crate::wire::table::Table;

/// The class's number.
pub const CLASS_ID: u16 = 40;

/// `exchange.declare`: creates an exchange, or checks that it is there.
///
/// Sent by the client; answered by `declare-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declare<'a> {
    /// Name of the exchange.
    pub exchange: &'a str,
    /// Its type: direct, fanout, topic, headers.
    pub kind: &'a str,
    /// Only check that it exists.
    pub passive: bool,
    /// It survives a restart.
    pub durable: bool,
    /// It goes when its last binding goes.
    pub auto_delete: bool,
    /// Only other exchanges may publish to it.
    pub internal: bool,
    /// Send no reply.
    pub no_wait: bool,
    /// Further arguments, such as `alternate-exchange`.
    pub arguments: Table,
}

impl Declare<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "exchange.declare";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["exchange.declare-ok"],
        content: false,
    };
}

/// `exchange.declare-ok`: the exchange is there.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeclareOk;

impl DeclareOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "exchange.declare-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `exchange.delete`: deletes an exchange and its bindings.
///
/// Sent by the client; answered by `delete-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delete<'a> {
    /// Name of the exchange.
    pub exchange: &'a str,
    /// Only when nothing is bound to it.
    pub if_unused: bool,
    /// Send no reply.
    pub no_wait: bool,
}

impl Delete<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 20;
    /// Class and method.
    pub const NAME: &'static str = "exchange.delete";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["exchange.delete-ok"],
        content: false,
    };
}

/// `exchange.delete-ok`: the exchange is gone.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeleteOk;

impl DeleteOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 21;
    /// Class and method.
    pub const NAME: &'static str = "exchange.delete-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `exchange.bind`: binds an exchange to another.
///
/// Sent by the client; answered by `bind-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind<'a> {
    /// The exchange that messages go to.
    pub destination: &'a str,
    /// The exchange that messages come from.
    pub source: &'a str,
    /// Routing key or pattern of the binding.
    pub routing_key: &'a str,
    /// Send no reply.
    pub no_wait: bool,
    /// Arguments of the binding.
    pub arguments: Table,
}

impl Bind<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 30;
    /// Class and method.
    pub const NAME: &'static str = "exchange.bind";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["exchange.bind-ok"],
        content: false,
    };
}

/// `exchange.bind-ok`: the binding is there.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BindOk;

impl BindOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 31;
    /// Class and method.
    pub const NAME: &'static str = "exchange.bind-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `exchange.unbind`: removes a binding between exchanges.
///
/// Sent by the client; answered by `unbind-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Unbind<'a> {
    /// The exchange that messages went to.
    pub destination: &'a str,
    /// The exchange that messages came from.
    pub source: &'a str,
    /// Routing key or pattern of the binding.
    pub routing_key: &'a str,
    /// Send no reply.
    pub no_wait: bool,
    /// Arguments of the binding.
    pub arguments: Table,
}

impl Unbind<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 40;
    /// Class and method.
    pub const NAME: &'static str = "exchange.unbind";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["exchange.unbind-ok"],
        content: false,
    };
}

/// `exchange.unbind-ok`: the binding is gone.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnbindOk;

impl UnbindOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 40;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 51;
    /// Class and method.
    pub const NAME: &'static str = "exchange.unbind-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}
