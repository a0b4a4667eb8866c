//! The fixed set that brokers are compared by. A name stands for its definition for ever: what is measured otherwise
//! gets another name.

use std::time::Duration;

use super::load::{Acks, End, Exchange, Load, Origin, Queue, Topology};
use crate::wire::Table;

/// What all queues and exchanges of a comparison begin with.
const PREFIX: &str = "leveret.bench.compare";

/// Unconfirmed messages of a publisher, and unacknowledged ones of a consumer.
const WINDOW: u64 = 1000;
const PREFETCH: u16 = 1000;

/// Messages in the queue that `drain-1k` drains, for each second of measuring.
const DRAINED_PER_SECOND: u64 = 62_500;

/// The longest warm-up; a short run warms up for a quarter of its time.
const WARM_UP_MAX: Duration = Duration::from_secs(2);

/// What a scenario's figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Messages a second at the consumers.
    Delivered,
    /// Messages a second that were confirmed to the publisher.
    Confirmed,
    /// Milliseconds from publisher to consumer.
    Latency,
}

/// One of the set.
#[derive(Debug)]
pub(super) struct Scenario {
    /// Its name on the command line, in tables and in JSON.
    pub name: &'static str,
    /// The definition in few words.
    pub what: &'static str,
    /// What is measured.
    pub figure: Figure,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    body_bytes: usize,
    durable: bool,
    window: Option<u64>,
    acks: Acks,
    publishers: usize,
    consumers: usize,
    rate: Option<f64>,
    routes: Routes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Routes {
    OneQueue,
    FilledQueue,
    Fanout(usize),
    Topic(usize),
}

/// Transient, 16 bytes, no acknowledgement: the smallest of all.
const SMALL: Shape = Shape {
    body_bytes: 16,
    durable: false,
    window: None,
    acks: Acks::Automatic,
    publishers: 1,
    consumers: 1,
    rate: None,
    routes: Routes::OneQueue,
};

const TRANSIENT: Shape = Shape { body_bytes: 1024, acks: Acks::Each, ..SMALL };

const PERSISTENT: Shape = Shape { durable: true, window: Some(WINDOW), ..TRANSIENT };

/// The set, in the order in which it is run.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "transient-16",
        what: "16 B, 1 publisher, 1 consumer, no ack",
        figure: Figure::Delivered,
        shape: SMALL,
    },
    Scenario {
        name: "ack-1k",
        what: "1 KiB, prefetch 1000, each acknowledged",
        figure: Figure::Delivered,
        shape: TRANSIENT,
    },
    Scenario {
        name: "confirm-1k",
        what: "persistent 1 KiB, confirms (window 1000), each acknowledged",
        figure: Figure::Delivered,
        shape: PERSISTENT,
    },
    Scenario {
        name: "confirm-1k-window-1",
        what: "the same, window 1",
        figure: Figure::Delivered,
        shape: Shape { window: Some(1), ..PERSISTENT },
    },
    Scenario {
        name: "fill-1k",
        what: "persistent 1 KiB published with confirms (window 1000), nobody consumes",
        figure: Figure::Confirmed,
        shape: Shape { consumers: 0, ..PERSISTENT },
    },
    Scenario {
        name: "drain-1k",
        what: "such a queue drained, each acknowledged",
        figure: Figure::Delivered,
        shape: Shape { routes: Routes::FilledQueue, ..PERSISTENT },
    },
    Scenario {
        name: "many-1k",
        what: "1 KiB, 10 publishers, 10 consumers, one queue, each acknowledged",
        figure: Figure::Delivered,
        shape: Shape { publishers: 10, consumers: 10, ..TRANSIENT },
    },
    Scenario {
        name: "fanout-10",
        what: "16 B, fanout to 10 queues with a consumer each, no ack, deliveries",
        figure: Figure::Delivered,
        shape: Shape { consumers: 10, routes: Routes::Fanout(10), ..SMALL },
    },
    Scenario {
        name: "topic-1000",
        what: "16 B, 1,000 wildcard bindings, rotating keys, no ack",
        figure: Figure::Delivered,
        shape: Shape { routes: Routes::Topic(1000), ..SMALL },
    },
    Scenario {
        name: "latency-1k",
        what: "persistent 1 KiB with confirms, each acknowledged, 1,000 a second",
        figure: Figure::Latency,
        shape: Shape { rate: Some(1000.0), ..PERSISTENT },
    },
    Scenario {
        name: "latency-20k",
        what: "the same, 20,000 a second",
        figure: Figure::Latency,
        shape: Shape { rate: Some(20_000.0), ..PERSISTENT },
    },
];

/// What a scenario does, in order.
pub(super) struct Acts {
    /// Done first, and not measured.
    pub filling: Option<Load>,
    /// What is measured.
    pub measured: Load,
}

impl Scenario {
    /// The loads of this scenario for that much time of measuring.
    pub fn acts(&self, time: Duration) -> Acts {
        let load = self.shape.load(time, self.figure == Figure::Latency);
        if self.shape.routes != Routes::FilledQueue {
            return Acts { filling: None, measured: load };
        }
        let messages = (DRAINED_PER_SECOND as f64 * time.as_secs_f64()).ceil() as u64;
        let filling = Load {
            consumers: 0,
            end: End { after: None, messages: Some(messages) },
            warm_up: Duration::ZERO,
            ..load.clone()
        };
        let measured = Load {
            publishers: 0,
            end: End { after: Some(time), messages: Some(messages) },
            warm_up: Duration::ZERO,
            ..load
        };
        Acts { filling: Some(filling), measured }
    }
}

impl Shape {
    fn load(&self, time: Duration, timed: bool) -> Load {
        Load {
            topology: self.topology(),
            publishers: self.publishers,
            consumers: self.consumers,
            channels: 1,
            body_bytes: self.body_bytes,
            persistent: self.durable,
            mandatory: false,
            window: self.window,
            prefetch: PREFETCH,
            acks: self.acks,
            rate: self.rate,
            end: End { after: Some(time), messages: None },
            warm_up: WARM_UP_MAX.min(time / 4),
            timed,
        }
    }

    fn topology(&self) -> Topology {
        match self.routes {
            Routes::OneQueue | Routes::FilledQueue => {
                let queue = self.queue(PREFIX.to_owned(), Vec::new());
                Topology {
                    keys: vec![queue.name.clone()],
                    exchange: Exchange::Default,
                    queues: vec![queue],
                }
            }
            Routes::Fanout(count) => Topology {
                exchange: own_exchange("fanout"),
                queues: (0..count)
                    .map(|number| self.queue(format!("{PREFIX}.{number}"), vec![String::new()]))
                    .collect(),
                keys: vec!["key".to_owned()],
            },
            Routes::Topic(count) => {
                let (bindings, keys) = topic_bindings(count);
                Topology {
                    exchange: own_exchange("topic"),
                    queues: vec![self.queue(PREFIX.to_owned(), bindings)],
                    keys,
                }
            }
        }
    }

    fn queue(&self, name: String, bindings: Vec<String>) -> Queue {
        let (durable, arguments, origin) = (self.durable, Table::new(), Origin::Ours);
        Queue { name, durable, arguments, bindings, origin }
    }
}

fn own_exchange(kind: &str) -> Exchange {
    let (name, kind) = (PREFIX.to_owned(), kind.to_owned());
    Exchange::Own { name, kind, arguments: Table::new() }
}

/// As many bindings, each with both wildcards, and keys of which each matches one of them.
pub(super) fn topic_bindings(count: usize) -> (Vec<String>, Vec<String>) {
    let bindings = (0..count).map(|number| format!("bench.*.{number}.#")).collect();
    let keys = (0..count).map(|number| format!("bench.key.{number}.event")).collect();
    (bindings, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_own_name_and_can_be_run() {
        let mut names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 11);
        for scenario in SCENARIOS {
            let acts = scenario.acts(Duration::from_secs(8));
            let load = &acts.measured;
            assert!(load.publishers + load.consumers > 0);
            assert_eq!(load.persistent, load.topology.queues[0].durable, "{}", scenario.name);
        }
    }

    #[test]
    fn a_drain_begins_with_a_fill_of_a_fixed_size() {
        let drain = SCENARIOS.iter().find(|scenario| scenario.name == "drain-1k").unwrap();
        let acts = drain.acts(Duration::from_secs(8));
        let filling = acts.filling.unwrap();
        assert_eq!((filling.publishers, filling.consumers), (1, 0));
        assert_eq!((acts.measured.publishers, acts.measured.consumers), (0, 1));
        assert_eq!(filling.end.messages, Some(500_000));
        assert_eq!(acts.measured.end.messages, Some(500_000));
    }
}
