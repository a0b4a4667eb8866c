//! What the broker asks the store to keep: messages and what became of them, and changes of the durable
//! topology. These are the values that cross the store's upper edge.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::message::Message;
pub use crate::message::{Position, Run};

/// Names a durable queue for ever: a number that is never given to a second queue.
pub type QueueId = u64;

/// One message's place in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The queue.
    pub queue: QueueId,
    /// The place within the queue.
    pub position: Position,
}

/// Ascending positions as text, such as `3, 5 to 9`.
pub(super) struct Runs<'a>(pub(super) &'a [Position]);

impl std::fmt::Display for Runs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let runs = self.0.chunk_by(|before, after| before.checked_add(1) == Some(*after));
        for (number, run) in runs.enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            match run {
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first} to {last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

/// One thing that happened to durable state.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A message entered durable queues. A place that is already taken is replaced.
    Enqueue {
        /// The message, shared by all its places.
        message: Arc<Message>,
        /// Every durable queue that took it, each at its position.
        places: SmallVec<[Place; 1]>,
    },
    /// Messages that are gone from a queue: acknowledged, dropped, or purged. Must come after their
    /// `Enqueue`. Positions that hold nothing are ignored.
    Settle {
        /// The queue.
        queue: QueueId,
        /// The positions, in any order.
        positions: Vec<Position>,
    },
    /// The same in runs, for when a deep queue is emptied. Positions between its messages that hold nothing
    /// may lie in a run; positions that may still be taken must not.
    SettleRuns {
        /// The queue.
        queue: QueueId,
        /// The runs, in any order.
        runs: Vec<Run>,
    },
    /// A message came back to its queue, so that its delivery count survives a restart.
    Returned {
        /// The queue.
        queue: QueueId,
        /// The message's position.
        position: Position,
        /// How many times it has come back by now.
        count: u32,
    },
    /// Changes of the topology that take effect together or not at all.
    Topology(Vec<Change>),
}

/// One change of the durable topology. `Put` creates or replaces. `Delete` of what is not there is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Creates a virtual host.
    PutVhost(VhostRecord),
    /// Deletes a virtual host with its exchanges, queues, bindings, messages, and permissions.
    DeleteVhost {
        /// The virtual host.
        name: String,
    },
    /// Creates or replaces a user.
    PutUser(UserRecord),
    /// Deletes a user with its permissions.
    DeleteUser {
        /// The user.
        name: String,
    },
    /// Grants or replaces a user's permissions in one virtual host.
    PutPermission(PermissionRecord),
    /// Takes a user's permissions in one virtual host away.
    DeletePermission {
        /// The user.
        user: String,
        /// The virtual host.
        vhost: String,
    },
    /// Creates or replaces an exchange.
    PutExchange(ExchangeRecord),
    /// Deletes an exchange with the bindings that start or end at it.
    DeleteExchange {
        /// The virtual host.
        vhost: String,
        /// The exchange.
        name: String,
    },
    /// Creates or replaces a queue. Another id under the same name replaces the queue and drops its
    /// messages.
    PutQueue(QueueRecord),
    /// Deletes a queue with its messages and the bindings that end at it. Ignored when the name has
    /// another id.
    DeleteQueue {
        /// The virtual host.
        vhost: String,
        /// The queue's name.
        name: String,
        /// The queue's id.
        id: QueueId,
    },
    /// Creates a binding. A binding is its whole record: one that differs in its arguments is another.
    PutBinding(BindingRecord),
    /// Deletes the binding that equals the record.
    DeleteBinding(BindingRecord),
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VhostRecord {
    /// Its name, such as `/`.
    pub name: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UserRecord {
    /// The login name.
    pub name: String,
    /// The password's hash as text, in the form that the broker wrote it.
    pub password_hash: String,
    /// Tags such as `administrator`.
    pub tags: Vec<String>,
}

/// What a user may do in one virtual host: three regular expressions over resource names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PermissionRecord {
    /// The user.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// Names that may be declared and deleted.
    pub configure: String,
    /// Names that may be published to or bound as destination.
    pub write: String,
    /// Names that may be consumed from or bound as source.
    pub read: String,
}

/// A durable exchange.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExchangeRecord {
    /// The virtual host.
    pub vhost: String,
    /// The exchange's name.
    pub name: String,
    /// The type, such as `topic`.
    pub kind: String,
    /// Deleted when its last binding goes.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// The declaration's arguments as an encoded field table.
    pub arguments: Vec<u8>,
}

/// A durable queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Names the queue in operations on messages.
    pub id: QueueId,
    /// The virtual host.
    pub vhost: String,
    /// The queue's name.
    pub name: String,
    /// Deleted when its last consumer goes.
    pub auto_delete: bool,
    /// The declaration's arguments as an encoded field table.
    pub arguments: Vec<u8>,
}

/// What a binding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DestinationKind {
    /// A queue.
    Queue,
    /// Another exchange.
    Exchange,
}

/// A durable binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BindingRecord {
    /// The virtual host.
    pub vhost: String,
    /// The exchange that it starts at.
    pub source: String,
    /// The queue or exchange that it leads to.
    pub destination: String,
    /// Which of the two.
    pub destination_kind: DestinationKind,
    /// The routing key.
    pub routing_key: String,
    /// The binding's arguments as an encoded field table.
    pub arguments: Vec<u8>,
}
