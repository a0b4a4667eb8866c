//! Routing: an exchange's bindings, and which destinations a message's routing key and headers reach. Pure:
//! nothing here waits, locks, or knows what a destination is.

mod arguments;
mod bindings;
mod destinations;
mod explain;
mod headers;
mod key_hash;
mod search;
mod tables;
mod term;
mod topic;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::wire::Table;

pub use arguments::{BindError, canonical_arguments, check_arguments};
pub use bindings::Bindings;
pub use destinations::Destinations;
pub use explain::{Mismatch, explain};
pub use key_hash::KeyHash;
pub use search::{Search, Steps};

/// What a binding leads to: a queue, or another exchange.
pub trait Destination: Clone + Eq {
    /// A number that no other destination has, for as long as anything is bound to this one.
    fn id(&self) -> u64;
}

/// How an exchange compares a message with its bindings. Specification: 3.1.3, exchange types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The binding's key equals the routing key.
    Direct,
    /// Every binding, whatever the routing key.
    Fanout,
    /// The binding's key is a pattern of words: `*` stands for one word, `#` for any number of them.
    Topic,
    /// The binding's arguments are compared with the message's headers.
    Headers,
}

impl Kind {
    /// The type's name in `exchange.declare`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Fanout => "fanout",
            Kind::Topic => "topic",
            Kind::Headers => "headers",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        match name {
            "direct" => Ok(Kind::Direct),
            "fanout" => Ok(Kind::Fanout),
            "topic" => Ok(Kind::Topic),
            "headers" => Ok(Kind::Headers),
            _ => Err(UnknownKind),
        }
    }
}

/// The name is not that of an exchange type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown exchange type")]
pub struct UnknownKind;

/// One binding of an exchange. Two bindings are the same when all three parts are; the order of the arguments
/// does not count, their types do.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding<D> {
    /// The binding key, at most 255 bytes.
    pub key: Arc<str>,
    /// The arguments of `queue.bind` or `exchange.bind`, as [`canonical_arguments`] makes them.
    pub arguments: Arc<Table>,
    /// Where matching messages go.
    pub destination: D,
}

/// What a bind did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The binding was made.
    New,
    /// The exchange already had this very binding, and nothing changed.
    AlreadyThere,
}
