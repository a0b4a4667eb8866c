//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Class `connection` (10): opening, tuning, blocking and closing a connection; always on channel 0.

use crate::wire::method::{MethodFacts, Sender};
use crate::wire::table::Table;

/// The class's number.
pub const CLASS_ID: u16 = 10;

/// `connection.start`: answers the protocol header: who the server is and how a client may log in.
///
/// Sent by the server; answered by `start-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Start<'a> {
    /// Major protocol version: 0.
    pub version_major: u8,
    /// Minor protocol version: 9.
    pub version_minor: u8,
    /// Product, version, platform and capabilities of the server.
    pub server_properties: Table,
    /// SASL mechanisms, separated by spaces.
    pub mechanisms: &'a [u8],
    /// Locales for messages, separated by spaces.
    pub locales: &'a [u8],
}

impl Start<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 10;
    /// Class and method.
    pub const NAME: &'static str = "connection.start";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &["connection.start-ok"],
        content: false,
    };
}

/// `connection.start-ok`: chooses a mechanism and logs in.
///
/// Sent by the client.
#[derive(Clone, PartialEq)]
pub struct StartOk<'a> {
    /// Product, version, platform and capabilities of the client.
    pub client_properties: Table,
    /// The SASL mechanism chosen.
    pub mechanism: &'a str,
    /// The mechanism's first response: user and password.
    pub response: &'a [u8],
    /// The locale chosen.
    pub locale: &'a str,
}

impl StartOk<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 11;
    /// Class and method.
    pub const NAME: &'static str = "connection.start-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &[],
        content: false,
    };
}

impl std::fmt::Debug for StartOk<'_> {
    /// Leaves out what no log may show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartOk")
            .field("client_properties", &self.client_properties)
            .field("mechanism", &self.mechanism)
            .field("locale", &self.locale)
            .finish_non_exhaustive()
    }
}

/// `connection.secure`: a further SASL challenge.
///
/// Sent by the server; answered by `secure-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Secure<'a> {
    /// The challenge, in the mechanism's own form.
    pub challenge: &'a [u8],
}

impl Secure<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 20;
    /// Class and method.
    pub const NAME: &'static str = "connection.secure";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &["connection.secure-ok"],
        content: false,
    };
}

/// `connection.secure-ok`: the response to a SASL challenge.
///
/// Sent by the client.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SecureOk<'a> {
    /// The response, in the mechanism's own form.
    pub response: &'a [u8],
}

impl SecureOk<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 21;
    /// Class and method.
    pub const NAME: &'static str = "connection.secure-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &[],
        content: false,
    };
}

impl std::fmt::Debug for SecureOk<'_> {
    /// Leaves out what no log may show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecureOk").finish_non_exhaustive()
    }
}

/// `connection.tune`: proposes the connection's limits.
///
/// Sent by the server; answered by `tune-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tune {
    /// How many channels may be open; 0 for no limit.
    pub channel_max: u16,
    /// Largest frame in bytes, its 8 bytes of overhead included; 0 for no limit.
    pub frame_max: u32,
    /// Seconds between heartbeats; 0 for none.
    pub heartbeat: u16,
}

impl Tune {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 30;
    /// Class and method.
    pub const NAME: &'static str = "connection.tune";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &["connection.tune-ok"],
        content: false,
    };
}

/// `connection.tune-ok`: settles the connection's limits.
///
/// Sent by the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TuneOk {
    /// How many channels may be open; 0 for no limit.
    pub channel_max: u16,
    /// Largest frame in bytes, its 8 bytes of overhead included; 0 for no limit.
    pub frame_max: u32,
    /// Seconds between heartbeats; 0 for none.
    pub heartbeat: u16,
}

impl TuneOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 31;
    /// Class and method.
    pub const NAME: &'static str = "connection.tune-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &[],
        content: false,
    };
}

/// `connection.open`: enters a virtual host.
///
/// Sent by the client; answered by `open-ok`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Open<'a> {
    /// Name of the virtual host.
    pub virtual_host: &'a str,
}

impl Open<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 40;
    /// Class and method.
    pub const NAME: &'static str = "connection.open";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["connection.open-ok"],
        content: false,
    };
}

/// `connection.open-ok`: the connection is ready for channels.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenOk;

impl OpenOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 41;
    /// Class and method.
    pub const NAME: &'static str = "connection.open-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `connection.close`: ends the connection and says why.
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
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 50;
    /// Class and method.
    pub const NAME: &'static str = "connection.close";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &["connection.close-ok"],
        content: false,
    };
}

/// `connection.close-ok`: agrees to the end of the connection.
///
/// Sent by either peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseOk;

impl CloseOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 51;
    /// Class and method.
    pub const NAME: &'static str = "connection.close-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Both,
        replies: &[],
        content: false,
    };
}

/// `connection.blocked`: publishing is suspended: the broker is short of a resource.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Blocked<'a> {
    /// Which resource is short.
    pub reason: &'a str,
}

impl Blocked<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 60;
    /// Class and method.
    pub const NAME: &'static str = "connection.blocked";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `connection.unblocked`: publishing may go on.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unblocked;

impl Unblocked {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 61;
    /// Class and method.
    pub const NAME: &'static str = "connection.unblocked";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}

/// `connection.update-secret`: replaces the secret that the client logged in with.
///
/// Sent by the client; answered by `update-secret-ok`.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct UpdateSecret<'a> {
    /// The new secret.
    pub new_secret: &'a [u8],
    /// Why it is replaced.
    pub reason: &'a str,
}

impl UpdateSecret<'_> {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 70;
    /// Class and method.
    pub const NAME: &'static str = "connection.update-secret";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Client,
        replies: &["connection.update-secret-ok"],
        content: false,
    };
}

impl std::fmt::Debug for UpdateSecret<'_> {
    /// Leaves out what no log may show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpdateSecret").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// `connection.update-secret-ok`: the new secret was taken.
///
/// Sent by the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UpdateSecretOk;

impl UpdateSecretOk {
    /// The class's number.
    pub const CLASS_ID: u16 = 10;
    /// The method's number in its class.
    pub const METHOD_ID: u16 = 71;
    /// Class and method.
    pub const NAME: &'static str = "connection.update-secret-ok";

    pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {
        name: Self::NAME,
        class_id: Self::CLASS_ID,
        method_id: Self::METHOD_ID,
        sender: Sender::Server,
        replies: &[],
        content: false,
    };
}
