//! What a run does: who publishes what to where, who takes it, how fast, and for how long.

use std::time::Duration;

use crate::wire::Table;

/// Times are recorded in nanoseconds, up to this many, with three digits.
const LATENCY_NS_MAX: u64 = 600_000_000_000;

/// A distribution of times in nanoseconds.
pub(super) type Histogram = hdrhistogram::Histogram<u64>;

/// An empty distribution.
pub(super) fn histogram() -> Histogram {
    #[expect(clippy::expect_used, reason = "1 is below the maximum, and 3 digits are allowed")]
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are sound")
}

/// Publishers and consumers, and what they do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Load {
    /// What they publish to and consume from.
    pub topology: Topology,
    /// Connections that publish.
    pub publishers: usize,
    /// Connections that consume.
    pub consumers: usize,
    /// Channels on each of them.
    pub channels: u16,
    /// Bytes in a body.
    pub body_bytes: usize,
    /// Delivery mode 2.
    pub persistent: bool,
    /// Messages are to be returned when they reach no queue.
    pub mandatory: bool,
    /// How many messages a publisher has unconfirmed at most; `None` for no confirms.
    pub window: Option<u64>,
    /// How many a consumer has unacknowledged at most; 0 for no limit.
    pub prefetch: u16,
    /// How deliveries are acknowledged.
    pub acks: Acks,
    /// Messages a second of all publishers together.
    pub rate: Option<f64>,
    /// When it ends.
    pub end: End,
    /// This long nothing is counted.
    pub warm_up: Duration,
    /// Whether the way of each message is timed.
    pub timed: bool,
}

/// How deliveries are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acks {
    /// Not at all: the consumer is declared with no-ack.
    Automatic,
    /// Each by itself.
    Each,
    /// All at once after so many.
    Every(u32),
}

/// When a run ends: at what comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// After this time, warm-up not included.
    pub after: Option<Duration>,
    /// When so many messages were published, or, without publishers, consumed.
    pub messages: Option<u64>,
}

/// What is declared on the broker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Topology {
    /// Where messages are published to.
    pub exchange: Exchange,
    /// The queues.
    pub queues: Vec<Queue>,
    /// The routing keys that publishers use in turn. On the default exchange, names of queues.
    pub keys: Vec<String>,
}

/// Where messages are published to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Exchange {
    /// The default exchange.
    Default,
    /// One that is there already.
    Existing(String),
    /// One that is declared, and deleted in the end.
    Own {
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
        /// Its arguments.
        arguments: Table,
    },
}

impl Exchange {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Exchange::Default => "",
            Exchange::Existing(name) | Exchange::Own { name, .. } => name,
        }
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Queue {
    /// Its name.
    pub name: String,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Its arguments.
    pub arguments: Table,
    /// The routing keys that it is bound to the exchange with.
    pub bindings: Vec<String>,
    /// Who made it.
    pub origin: Origin,
}

/// Whose a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Ours: one of that name is deleted before and after.
    Ours,
    /// Ours, but what is in it from before is wanted.
    OursWithContents,
    /// Named by the user: it is used as it is when it is there, and then it is left.
    Users,
}

impl Load {
    /// The routing keys of one publisher. Of the default exchange's queues each publisher has its share; of any other
    /// exchange's keys each has all, and begins elsewhere.
    pub fn keys_of(&self, publisher: usize) -> Vec<String> {
        let keys = &self.topology.keys;
        if self.topology.exchange != Exchange::Default {
            let first = publisher * keys.len() / self.publishers.max(1);
            return keys[first..].iter().chain(&keys[..first]).cloned().collect();
        }
        share(keys, publisher, self.publishers)
    }

    /// The queues of one consumer, one for each of its channels in turn.
    pub fn queues_of(&self, consumer: usize) -> Vec<String> {
        let names: Vec<String> =
            self.topology.queues.iter().map(|queue| queue.name.clone()).collect();
        let own = share(&names, consumer, self.consumers);
        let copies = usize::from(self.channels);
        own.iter().flat_map(|name| std::iter::repeat_n(name.clone(), copies)).collect()
    }
}

/// What falls to one of many: every `parties`th, or, when there are more parties than things, one.
fn share(things: &[String], party: usize, parties: usize) -> Vec<String> {
    let own = party % things.len().max(1);
    things.iter().skip(own).step_by(parties.max(1)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn everything_falls_to_somebody_and_everybody_has_something() {
        let check = |things: usize, parties: usize, expected: &[&[&str]]| {
            let things: Vec<String> = (0..things).map(|number| number.to_string()).collect();
            for (party, expected) in expected.iter().enumerate() {
                assert_eq!(share(&things, party, parties), *expected, "{party} of {parties}");
            }
        };
        check(1, 2, &[&["0"], &["0"]]);
        check(3, 1, &[&["0", "1", "2"]]);
        check(3, 2, &[&["0", "2"], &["1"]]);
        check(2, 4, &[&["0"], &["1"], &["0"], &["1"]]);
    }
}
