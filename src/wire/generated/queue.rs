//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `queue` (50): declaring, binding, purging and deleting queues.

use crate::wire::method::{MethodFacts, Sender};
use crate::wire::table::Table;

/// The class's number.
pub const CLASS_ID: u16 = 50;

/// `queue.declare`: creates a queue, or checks that it is there.
///
/// Sent by the client; answered by `declare-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declare<'a> {
    /// Name of the queue; empty to have one made up.
    pub queue: &'a str,
    /// Only check that it exists.
    pub passive: bool,
    /// It survives a restart.
    pub durable: bool,
    /// It belongs to this connection and goes with it.
    pub exclusive: bool,
    /// It goes when its last consumer goes.
    pub auto_delete: bool,
    /// Send no reply.
    pub no_wait: bool,
    /// Further arguments, such as `x-message-ttl`.
    pub arguments: Table,
}

impl Declare<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "queue.declare";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["queue.declare-ok"],
        content: false,
    };
}

/// `queue.declare-ok`: the queue is there.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeclareOk<'a> {
    /// Name of the queue.
    pub queue: &'a str,
    /// Messages that are ready in it.
    pub message_count: u32,
    /// Consumers that it has.
    pub consumer_count: u32,
}

impl DeclareOk<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "queue.declare-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `queue.bind`: binds a queue to an exchange.
///
/// Sent by the client; answered by `bind-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind<'a> {
    /// Name of the queue; empty for the channel's last one.
    pub queue: &'a str,
    /// Name of the exchange.
    pub exchange: &'a str,
    /// Routing key or pattern of the binding.
    pub routing_key: &'a str,
    /// Send no reply.
    pub no_wait: bool,
    /// Arguments of the binding.
    pub arguments: Table,
}

impl Bind<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 20;
    /// Class and method.
    pub const NAME: &'static str = "queue.bind";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["queue.bind-ok"],
        content: false,
    };
}

/// `queue.bind-ok`: the binding is there.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BindOk;

impl BindOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 21;
    /// Class and method.
    pub const NAME: &'static str = "queue.bind-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `queue.purge`: removes every message that is ready in a queue.
///
/// Sent by the client; answered by `purge-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Purge<'a> {
    /// Name of the queue; empty for the channel's last one.
    pub queue: &'a str,
    /// Send no reply.
    pub no_wait: bool,
}

impl Purge<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 30;
    /// Class and method.
    pub const NAME: &'static str = "queue.purge";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["queue.purge-ok"],
        content: false,
    };
}

/// `queue.purge-ok`: the messages are gone.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PurgeOk {
    /// How many there were.
    pub message_count: u32,
}

impl PurgeOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 31;
    /// Class and method.
    pub const NAME: &'static str = "queue.purge-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `queue.delete`: deletes a queue with its messages and bindings.
///
/// Sent by the client; answered by `delete-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delete<'a> {
    /// Name of the queue; empty for the channel's last one.
    pub queue: &'a str,
    /// Only when it has no consumers.
    pub if_unused: bool,
    /// Only when it holds no messages.
    pub if_empty: bool,
    /// Send no reply.
    pub no_wait: bool,
}

impl Delete<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 40;
    /// Class and method.
    pub const NAME: &'static str = "queue.delete";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["queue.delete-ok"],
        content: false,
    };
}

/// `queue.delete-ok`: the queue is gone.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeleteOk {
    /// How many messages went with it.
    pub message_count: u32,
}

impl DeleteOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 41;
    /// Class and method.
    pub const NAME: &'static str = "queue.delete-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `queue.unbind`: removes a binding of a queue.
///
/// Sent by the client; answered by `unbind-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Unbind<'a> {
    /// Name of the queue; empty for the channel's last one.
    pub queue: &'a str,
    /// Name of the exchange.
    pub exchange: &'a str,
    /// Routing key or pattern of the binding.
    pub routing_key: &'a str,
    /// Arguments of the binding.
    pub arguments: Table,
}

impl Unbind<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 50;
    /// Class and method.
    pub const NAME: &'static str = "queue.unbind";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["queue.unbind-ok"],
        content: false,
    };
}

/// `queue.unbind-ok`: the binding is gone.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnbindOk;

impl UnbindOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 50;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 51;
    /// Class and method.
    pub const NAME: &'static str = "queue.unbind-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}
