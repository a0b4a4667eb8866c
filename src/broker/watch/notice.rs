//! What all connections are told when the broker changes: some of them at a time, so that nobody waits for the others.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::errands::{Errand, Progress};

/// Connections that are told in one slice.
const CLIENTS_PER_SLICE: usize = 128;

/// What one of them is told. It is told what is true then, not what was true when this began: whoever connects meanwhile
/// has learned it so.
type Tell = fn(&Broker, &Arc<Client>, u64);

/// A notice on its way round.
pub(in crate::broker) struct Notice {
    tell: Tell,
    /// Who is still to be told. They are listed in the first slice, since whoever begins this may be in a hurry.
    clients: Option<Vec<Arc<Client>>>,
}

impl Notice {
    pub(in crate::broker) fn new(tell: Tell) -> Self {
        Self { tell, clients: None }
    }
}

impl Errand for Notice {
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        let clients = self.clients.get_or_insert_with(|| broker.clients.values());
        for client in clients.drain(clients.len().saturating_sub(CLIENTS_PER_SLICE)..) {
            (self.tell)(broker, &client, now_ms);
        }
        if clients.is_empty() { Progress::Over } else { Progress::More }
    }
}
