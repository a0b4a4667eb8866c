//! A virtual host: a name space of exchanges, queues and bindings.

use std::sync::Arc;

use crate::broker::meeting::{Meet, Meeting, MeetingLock};
use crate::broker::refusal::Refusal;
use crate::broker::registry::Registry;
use crate::broker::topology::charge::ArgumentCount;
use crate::broker::topology::exchange_handle::ExchangeHandle;
use crate::broker::topology::queue_handle::QueueRef;
use crate::config::Limits;
use crate::message::Memory;
use crate::routing::KeyHash;

/// One virtual host.
pub struct Vhost {
    pub(in crate::broker) name: Arc<str>,
    pub(in crate::broker) queues: Registry<Arc<str>, QueueRef>,
    pub(in crate::broker) exchanges: Registry<Arc<str>, Arc<ExchangeHandle>>,
    /// Held while the topology of this virtual host changes, so that the order of changes in memory is
    /// their order in the journal. Publishing and consuming never take it.
    pub(in crate::broker) topology: MeetingLock<Topology>,
    pub(in crate::broker) meet: Meet,
    /// What arguments hold in it.
    pub(in crate::broker) arguments: ArgumentCount,
    /// How names and keys are hashed in it.
    pub(in crate::broker) hash: KeyHash,
}

/// What only changes under the topology lock.
#[derive(Debug, Default)]
pub(in crate::broker) struct Topology {
    /// Bindings of all exchanges together.
    pub bindings: u64,
    /// What an import that is under way still has room kept for.
    pub kept: Counts,
    /// The virtual host was deleted: nothing is to be added to it any more.
    pub gone: bool,
}

/// How many there are of what a virtual host has limits for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) struct Counts {
    pub queues: usize,
    pub exchanges: usize,
    pub bindings: usize,
}

/// A limit of a virtual host that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) struct Full {
    noun: &'static str,
    limit: usize,
}

impl Full {
    /// What is said of it.
    pub fn text(self, vhost: &str) -> String {
        format!("{} limit in vhost '{vhost}' ({}) is reached", self.noun, self.limit)
    }
}

impl Counts {
    /// Whether so many more are allowed.
    pub fn expect_room(self, more: Self, limits: &Limits) -> Result<(), Full> {
        let rows = [
            ("queue", self.queues, more.queues, limits.queues_per_vhost_max),
            ("exchange", self.exchanges, more.exchanges, limits.exchanges_per_vhost_max),
            ("binding", self.bindings, more.bindings, limits.bindings_per_vhost_max),
        ];
        match rows.iter().find(|(_, there, more, limit)| *more > 0 && there + more > *limit) {
            Some((noun, _, _, limit)) => Err(Full { noun, limit: *limit }),
            None => Ok(()),
        }
    }
}

impl Topology {
    /// Whether so many more may be made.
    pub fn expect_room(&self, vhost: &Vhost, more: Counts, limits: &Limits) -> Result<(), Full> {
        let there = Counts {
            queues: vhost.queues.len() + self.kept.queues,
            exchanges: vhost.exchanges.len() + self.kept.exchanges,
            bindings: usize::try_from(self.bindings).unwrap_or(usize::MAX) + self.kept.bindings,
        };
        there.expect_room(more, limits)
    }

    /// # Errors
    /// Not found when the virtual host was deleted: whoever still works in it is about to be closed.
    pub fn expect_vhost(&self, name: &str) -> Result<(), Refusal> {
        match self.gone {
            false => Ok(()),
            true => Err(Refusal::not_found(format!("no vhost '{name}'"))),
        }
    }
}

impl Vhost {
    pub(in crate::broker) fn new(
        name: Arc<str>,
        meet: &Meet,
        memory: &'static Memory,
        hash: KeyHash,
    ) -> Self {
        Self {
            name,
            queues: Registry::new(meet, hash),
            exchanges: Registry::new(meet, hash),
            topology: MeetingLock::new(meet, Meeting::Topology, Topology::default()),
            meet: meet.clone(),
            arguments: ArgumentCount::new(memory),
            hash,
        }
    }

    /// Everything in it forgets everything else: the broker is gone. Exchanges, queues and the virtual host know each
    /// other, and would keep each other in memory for good. While all are held nothing is dropped inside another,
    /// however long a chain they make.
    pub(in crate::broker) fn take_apart(&self) {
        let (exchanges, queues) = (self.exchanges.values(), self.queues.values());
        self.exchanges.clear();
        self.queues.clear();
        for exchange in &exchanges {
            drop(exchange.take_bindings());
            exchange.sources.take().for_each(drop);
        }
        for queue in &queues {
            queue.sources.take().for_each(drop);
        }
    }
}

impl std::fmt::Debug for Vhost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vhost").field("name", &self.name).finish()
    }
}
