//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `basic` (60): publishing, consuming and settling messages.

use crate::wire::method::{MethodFacts, Sender};
use crate::wire::table::Table;

/// The class's number.
pub const CLASS_ID: u16 = 60;

/// `basic.qos`: sets how much may be unacknowledged.
///
/// Sent by the client; answered by `qos-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Qos {
    /// Limit in bytes; only 0, no limit, is served.
    pub prefetch_size: u32,
    /// Limit in messages; 0 for no limit.
    pub prefetch_count: u16,
    /// One limit for the channel instead of one for each later consumer.
    pub global: bool,
}

impl Qos {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "basic.qos";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["basic.qos-ok"],
        content: false,
    };
}

/// `basic.qos-ok`: the limit is set.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QosOk;

impl QosOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "basic.qos-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `basic.consume`: starts a consumer.
///
/// Sent by the client; answered by `consume-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Consume<'a> {
    /// Name of the queue; empty for the channel's last one.
    pub queue: &'a str,
    /// The consumer's tag; empty to have one made up.
    pub consumer_tag: &'a str,
    /// Leave out what this connection published.
    pub no_local: bool,
    /// Deliveries count as acknowledged when they are sent.
    pub no_ack: bool,
    /// Be the queue's only consumer.
    pub exclusive: bool,
    /// Send no reply.
    pub no_wait: bool,
    /// Further arguments, such as `x-priority`.
    pub arguments: Table,
}

impl Consume<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 20;
    /// Class and method.
    pub const NAME: &'static str = "basic.consume";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["basic.consume-ok"],
        content: false,
    };
}

/// `basic.consume-ok`: the consumer is there.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConsumeOk<'a> {
    /// The consumer's tag.
    pub consumer_tag: &'a str,
}

impl ConsumeOk<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 21;
    /// Class and method.
    pub const NAME: &'static str = "basic.consume-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `basic.cancel`: ends a consumer; from the server: its queue is gone.
///
/// Sent by either peer; answered by `cancel-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cancel<'a> {
    /// The consumer's tag.
    pub consumer_tag: &'a str,
    /// Send no reply.
    pub no_wait: bool,
}

impl Cancel<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 30;
    /// Class and method.
    pub const NAME: &'static str = "basic.cancel";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &["basic.cancel-ok"],
        content: false,
    };
}

/// `basic.cancel-ok`: the consumer is gone.
///
/// Sent by either peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CancelOk<'a> {
    /// The consumer's tag.
    pub consumer_tag: &'a str,
}

impl CancelOk<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 31;
    /// Class and method.
    pub const NAME: &'static str = "basic.cancel-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &[],
        content: false,
    };
}

/// `basic.publish`: publishes a message.
///
/// Sent by the client, with content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Publish<'a> {
    /// Name of the exchange; empty for the default one.
    pub exchange: &'a str,
    /// Routing key of the message.
    pub routing_key: &'a str,
    /// Return it when it reaches no queue.
    pub mandatory: bool,
    /// Return it when no consumer is ready; not served.
    pub immediate: bool,
}

impl Publish<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 40;
    /// Class and method.
    pub const NAME: &'static str = "basic.publish";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &[],
        content: true,
    };
}

/// `basic.return`: gives back a message that could not be routed.
///
/// Sent by the server, with content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Return<'a> {
    /// The reply code.
    pub reply_code: u16,
    /// The reason in words.
    pub reply_text: &'a str,
    /// The exchange that it was published to.
    pub exchange: &'a str,
    /// The routing key that it was published with.
    pub routing_key: &'a str,
}

impl Return<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 50;
    /// Class and method.
    pub const NAME: &'static str = "basic.return";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: true,
    };
}

/// `basic.deliver`: hands a message to a consumer.
///
/// Sent by the server, with content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deliver<'a> {
    /// The consumer's tag.
    pub consumer_tag: &'a str,
    /// The delivery's number on its channel, from 1.
    pub delivery_tag: u64,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// The exchange that it was published to.
    pub exchange: &'a str,
    /// The routing key that it was published with.
    pub routing_key: &'a str,
}

impl Deliver<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 60;
    /// Class and method.
    pub const NAME: &'static str = "basic.deliver";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: true,
    };
}

/// `basic.get`: asks for one message.
///
/// Sent by the client; answered by `get-ok` or `get-empty`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Get<'a> {
    /// Name of the queue; empty for the channel's last one.
    pub queue: &'a str,
    /// The message counts as acknowledged when it is sent.
    pub no_ack: bool,
}

impl Get<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 70;
    /// Class and method.
    pub const NAME: &'static str = "basic.get";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["basic.get-ok", "basic.get-empty"],
        content: false,
    };
}

/// `basic.get-ok`: hands over the message that was asked for.
///
/// Sent by the server, with content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GetOk<'a> {
    /// The delivery's number on its channel, from 1.
    pub delivery_tag: u64,
    /// It may have been delivered before.
    pub redelivered: bool,
    /// The exchange that it was published to.
    pub exchange: &'a str,
    /// The routing key that it was published with.
    pub routing_key: &'a str,
    /// Messages that are still ready in the queue.
    pub message_count: u32,
}

impl GetOk<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 71;
    /// Class and method.
    pub const NAME: &'static str = "basic.get-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: true,
    };
}

/// `basic.get-empty`: the queue has no message ready.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GetEmpty;

impl GetEmpty {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 72;
    /// Class and method.
    pub const NAME: &'static str = "basic.get-empty";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `basic.ack`: acknowledges deliveries; from the server: confirms publishes.
///
/// Sent by either peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ack {
    /// Number of the delivery or publish.
    pub delivery_tag: u64,
    /// All up to and including this number; number 0 means all there are.
    pub multiple: bool,
}

impl Ack {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 80;
    /// Class and method.
    pub const NAME: &'static str = "basic.ack";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &[],
        content: false,
    };
}

/// `basic.reject`: refuses one delivery.
///
/// Sent by the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reject {
    /// Number of the delivery.
    pub delivery_tag: u64,
    /// Put it back instead of dropping or dead-lettering it.
    pub requeue: bool,
}

impl Reject {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 90;
    /// Class and method.
    pub const NAME: &'static str = "basic.reject";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &[],
        content: false,
    };
}

/// `basic.recover-async`: asks for all unacknowledged messages again; without an answer.
///
/// Sent by the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecoverAsync {
    /// Put them back into their queues.
    pub requeue: bool,
}

impl RecoverAsync {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 100;
    /// Class and method.
    pub const NAME: &'static str = "basic.recover-async";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &[],
        content: false,
    };
}

/// `basic.recover`: asks for all unacknowledged messages again.
///
/// Sent by the client; answered by `recover-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recover {
    /// Put them back into their queues.
    pub requeue: bool,
}

impl Recover {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 110;
    /// Class and method.
    pub const NAME: &'static str = "basic.recover";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["basic.recover-ok"],
        content: false,
    };
}

/// `basic.recover-ok`: the messages will come again.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecoverOk;

impl RecoverOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 111;
    /// Class and method.
    pub const NAME: &'static str = "basic.recover-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `basic.nack`: refuses deliveries; from the server: publishes that were not taken.
///
/// Sent by either peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Nack {
    /// Number of the delivery or publish.
    pub delivery_tag: u64,
    /// All up to and including this number; number 0 means all there are.
    pub multiple: bool,
    /// Put them back instead of dropping or dead-lettering them.
    pub requeue: bool,
}

impl Nack {
    /// The class's number.
    pub const CLASS_ID: u16 = 60;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 120;
    /// Class and method.
    pub const NAME: &'static str = "basic.nack";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &[],
        content: false,
    };
}
