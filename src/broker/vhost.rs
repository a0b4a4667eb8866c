//! A virtual host: a name space of exchanges, queues and bindings.

use std::sync::Arc;

use super::exchange::ExchangeHandle;
use super::meeting::{Meet, Meeting, MeetingLock};
use super::queue_handle::QueueRef;
use super::registry::Registry;
use crate::fault::Fault;
use crate::routing::KeyHash;
use crate::wire::ReplyCode;

/// One virtual host.
pub struct Vhost {
    pub(super) name: Arc<str>,
    pub(super) queues: Registry<Arc<str>, QueueRef>,
    pub(super) exchanges: Registry<Arc<str>, Arc<ExchangeHandle>>,
    /// Held while the topology of this virtual host changes, so that the order of changes in memory is
    /// their order in the journal. Publishing and consuming never take it.
    pub(super) topology: MeetingLock<Topology>,
    pub(super) meet: Meet,
    /// How names and keys are hashed in it.
    pub(super) hash: KeyHash,
}

/// What only changes under the topology lock.
#[derive(Debug, Default)]
pub(super) struct Topology {
    /// Bindings of all exchanges together.
    pub bindings: u64,
    /// The virtual host was deleted: nothing is to be added to it any more.
    pub gone: bool,
}

impl Topology {
    /// # Errors
    /// Channel 404 when the virtual host was deleted: whoever still works in it is about to be closed.
    pub fn expect_vhost(&self, name: &str) -> Result<(), Fault> {
        match self.gone {
            false => Ok(()),
            true => Err(Fault::channel(ReplyCode::NotFound, format!("no vhost '{name}'"))),
        }
    }
}

impl Vhost {
    pub(super) fn new(name: Arc<str>, meet: &Meet, hash: KeyHash) -> Self {
        Self {
            name,
            queues: Registry::new(meet, hash),
            exchanges: Registry::new(meet, hash),
            topology: MeetingLock::new(meet, Meeting::Topology, Topology::default()),
            meet: meet.clone(),
            hash,
        }
    }
}

impl std::fmt::Debug for Vhost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vhost").field("name", &self.name).finish()
    }
}
