//! Channels that are closed, and connections that leave. A channel's deliveries go back first and its consumers go then,
//! and at last the exclusive queues of the connection: so much of it in each turn. While the session is there it goes on
//! with that before it looks at its next frame; otherwise the rest is an errand.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::delivery::departure::Departure;
use crate::broker::delivery::settling::Settlement;
use crate::broker::delivery::settling::{Allowance, Settling};
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::subscriber::{ClientOutbox, Consumer};
use crate::outbox::{ChannelKey, Settled};

/// That a consumer goes costs as much as to settle so many deliveries.
const CONSUMER_COSTS: usize = 16;

/// What was begun and is more than a turn's work.
pub enum Unfinished {
    /// Deliveries are settled.
    Settling(Settling),
    /// A channel is closed.
    Channel(ClosingChannel),
}

/// A channel on which nothing is sent any more.
pub struct ClosingChannel {
    deliveries: Deliveries,
    consumers: Box<dyn Iterator<Item = Consumer> + Send>,
}

/// The unacknowledged deliveries of a channel that is closed.
enum Deliveries {
    /// They are still in the ledger.
    Untouched(Arc<ClientOutbox>, ChannelKey),
    /// They are on their way back.
    Returning(Settling),
    /// They are back.
    Returned,
}

impl Unfinished {
    /// Does as much as is allowed. Answers whether it is over.
    pub fn go_on(&mut self, broker: &Broker, allowance: &mut Allowance, now_ms: u64) -> bool {
        match self {
            Self::Settling(settling) => settling.go_on(broker, allowance, now_ms) == Progress::Over,
            Self::Channel(channel) => channel.go_on(broker, allowance, now_ms),
        }
    }

    /// Does what must not be left undone when the broker is closed.
    fn finish(&mut self, broker: &Broker) {
        match self {
            Self::Settling(settling) => settling.finish(broker),
            Self::Channel(channel) => {
                channel.shut();
                if let Deliveries::Returning(settling) = &mut channel.deliveries {
                    settling.finish(broker);
                }
            }
        }
    }
}

impl ClosingChannel {
    /// Takes the deliveries out of the ledger: from now on there are no more.
    fn shut(&mut self) {
        if let Deliveries::Untouched(outbox, key) = &self.deliveries {
            let unacked = outbox.close_channel(*key).into();
            let settled = Settled { unacked, resume: Vec::new() };
            self.deliveries = Deliveries::Returning(Settling::new(settled, Settlement::Requeue));
        }
    }

    fn go_on(&mut self, broker: &Broker, allowance: &mut Allowance, now_ms: u64) -> bool {
        // The deliveries first: whoever is next in a queue is to get them before anything that came later. The
        // channel's own consumers are offered nothing any more.
        self.shut();
        if let Deliveries::Returning(settling) = &mut self.deliveries {
            if settling.go_on(broker, allowance, now_ms) != Progress::Over {
                return false;
            }
            self.deliveries = Deliveries::Returned;
        }
        while !allowance.is_spent() {
            let Some(consumer) = self.consumers.next() else { return true };
            broker.cancel(&consumer, now_ms);
            allowance.spend(CONSUMER_COSTS);
        }
        false
    }
}

impl Client {
    /// Begins to end everything on a channel: its deliveries, which go back to their queues, and its consumers. Nothing is
    /// sent on it any more.
    pub fn begin_to_close(
        &self,
        key: ChannelKey,
        consumers: impl IntoIterator<Item = Consumer, IntoIter: Send + 'static>,
    ) -> Unfinished {
        let mut channel = self.closing_channel(key, consumers);
        channel.shut();
        Unfinished::Channel(channel)
    }

    /// Does so in its turn with the channel of a connection that leaves, whose outbox is closed.
    pub fn leave_channel(
        &self,
        key: ChannelKey,
        consumers: impl IntoIterator<Item = Consumer, IntoIter: Send + 'static>,
    ) -> Unfinished {
        Unfinished::Channel(self.closing_channel(key, consumers))
    }

    fn closing_channel(
        &self,
        key: ChannelKey,
        consumers: impl IntoIterator<Item = Consumer, IntoIter: Send + 'static>,
    ) -> ClosingChannel {
        ClosingChannel {
            deliveries: Deliveries::Untouched(Arc::clone(&self.outbox), key),
            consumers: Box::new(consumers.into_iter()),
        }
    }

    /// Ends everything on a channel of which nobody wants to know when it is done.
    pub fn close_channel(&self, key: ChannelKey, consumers: Vec<Consumer>, now_ms: u64) {
        let closing = self.begin_to_close(key, consumers);
        self.broker.leave_unfinished([closing].into(), now_ms);
    }
}

impl Broker {
    /// Does a turn's work of what nobody waits for any more, and leaves the rest for later.
    pub fn leave_unfinished(&self, unfinished: VecDeque<Unfinished>, now_ms: u64) {
        self.run_or_leave(Leaving { unfinished, queues: Vec::new() }, now_ms);
    }

    /// Forgets a connection whose channels were closed, and deletes its exclusive queues.
    pub fn disconnect(&self, client: &Arc<Client>, now_ms: u64) {
        self.disconnect_after(client, VecDeque::new(), now_ms);
    }

    /// Forgets a connection. What it had begun is finished and its channels are closed before its exclusive queues are
    /// deleted: a turn's work of that at once.
    pub fn disconnect_after(
        &self,
        client: &Arc<Client>,
        unfinished: VecDeque<Unfinished>,
        now_ms: u64,
    ) {
        if self.clients.remove(&client.id).is_none() {
            return;
        }
        self.departed.note_connection(&client.outbox.traffic());
        let queues = client.take_exclusive_queues();
        self.run_or_leave(Leaving { unfinished, queues }, now_ms);
    }
}

/// What is left to be done when a connection has left.
struct Leaving {
    unfinished: VecDeque<Unfinished>,
    queues: Vec<QueueRef>,
}

impl Errand for Leaving {
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        let mut allowance = Allowance::default();
        while let Some(first) = self.unfinished.front_mut() {
            if allowance.is_spent() || !first.go_on(broker, &mut allowance, now_ms) {
                return Progress::More;
            }
            self.unfinished.pop_front();
            allowance.spend(1);
        }
        broker.run_or_leave(Departure::new(std::mem::take(&mut self.queues)), now_ms);
        Progress::Over
    }

    fn finish(&mut self, broker: &Broker) {
        self.unfinished.iter_mut().for_each(|one| one.finish(broker));
    }
}
