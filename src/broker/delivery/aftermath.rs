//! What a connection leaves unfinished whose socket is gone: messages that it published and that are still on their way
//! to their queues, and what comes behind them. It goes on as an errand, in the connection's name.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::delivery::leaving::Unfinished;
use crate::broker::delivery::publish::{Batch, Publishes};
use crate::broker::errands::{Errand, Progress};

/// The rest of what a connection began.
struct Aftermath {
    client: Arc<Client>,
    /// Settled behind the messages.
    settled: VecDeque<Unfinished>,
    /// What goes with the connection.
    closing: VecDeque<Unfinished>,
    now_ms: u64,
}

impl Broker {
    /// Forgets a connection whose messages are not all in their queues yet, when they are. `settled` waits for them too,
    /// and `closing` is what its channels leave.
    pub fn disconnect_published(
        &self,
        client: Arc<Client>,
        settled: VecDeque<Unfinished>,
        closing: VecDeque<Unfinished>,
        now_ms: u64,
    ) {
        self.errands.add(Box::new(Aftermath { client, settled, closing, now_ms }));
    }
}

impl Errand for Aftermath {
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        self.now_ms = now_ms;
        // Whether it was a transaction is known already.
        if self.client.publish_some(&mut Publishes::default(), Batch::Read, now_ms).is_none() {
            return Progress::More;
        }
        self.settled.append(&mut self.closing);
        broker.disconnect_after(&self.client, std::mem::take(&mut self.settled), now_ms);
        Progress::Over
    }

    /// Nothing of it was confirmed. What it would settle behind its messages comes again after the next start.
    fn finish(&mut self, broker: &Broker) {
        self.client.give_up_publishing();
        broker.disconnect_after(&self.client, std::mem::take(&mut self.closing), self.now_ms);
    }
}
