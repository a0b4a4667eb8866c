//! The options that make a load, and the load that they make.

use std::time::Duration;

use clap::Args;

use super::arguments::{
    BrokerArguments, CONNECTIONS_MAX, FanoutArguments, ThroughputArguments, TopicArguments,
    argument, bytes, seconds,
};
use super::load::{Acks, End, Exchange, Load, Origin, Queue, Topology};
use super::scenario::topic_bindings;
use super::template::STAMPED_BYTES_MIN;
use crate::wire::{Table, Value};

/// What our queues and exchanges are called, so that leftovers can be told.
const PREFIX: &str = "leveret.bench";

/// Measured for this long when nothing is said.
const DURATION_S: f64 = 10.0;

/// Not measured before that for this long.
const WARM_UP_S: f64 = 1.0;

/// What `latency` sends a second, and how large.
const LATENCY_RATE: f64 = 1000.0;
const LATENCY_BODY_BYTES: usize = 1024;

/// What everything else sends.
const BODY_BYTES: usize = 16;

/// Queues of a fanout.
const FANOUT_QUEUES: u32 = 10;

/// What a load consists of.
#[derive(Debug, Args)]
pub struct LoadArguments {
    /// The broker.
    #[command(flatten)]
    pub broker: BrokerArguments,

    /// Connections that publish
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=CONNECTIONS_MAX))]
    publishers: u32,

    /// Connections that consume [default: 1; for fanout as many as queues]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=CONNECTIONS_MAX))]
    consumers: Option<u32>,

    /// Channels of each publisher, used in turn, and of each consumer for each of its queues
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2047))]
    channels: u16,

    /// Queues; publishers and consumers are spread over them [default: 1; for fanout 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    queues: Option<u32>,

    /// Bytes in a body; k and M stand for 1,024 and its square [default: 16; for latency 1k]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    size: Option<usize>,

    /// Persistent messages in durable queues
    #[arg(long)]
    persistent: bool,

    /// Ask for confirms, and have at most so many messages of each publisher unconfirmed
    #[arg(long, value_name = "WINDOW", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    confirms: Option<u64>,

    /// Have messages that reach no queue returned, and count them
    #[arg(long)]
    mandatory: bool,

    /// How many messages a consumer may have unacknowledged; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "no_ack")]
    prefetch: u16,

    /// Acknowledge so many messages at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "no_ack")]
    ack_every: u32,

    /// Consume without acknowledgements
    #[arg(long)]
    no_ack: bool,

    /// Publish so many messages a second, all publishers together [default: no limit; for latency 1000]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,

    /// End after this time, warm-up not included [default: 10, unless --messages is given]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<f64>,

    /// End when so many messages were published and delivered; without publishers, delivered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,

    /// Do not measure for this long after the start [default: 1, with --messages 0]
    #[arg(long, value_name = "SECONDS", value_parser = warm_up)]
    warm_up: Option<f64>,

    /// An argument of the queues, such as x-max-length=1000; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = argument)]
    queue_argument: Vec<(String, Value)>,

    /// An argument of the exchange that is declared; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = argument)]
    exchange_argument: Vec<(String, Value)>,

    /// Leave what was declared, with what is in it
    #[arg(long)]
    pub keep: bool,
}

/// Where messages go.
#[derive(Debug, Args)]
pub struct RouteArguments {
    /// Use this queue; when it is there already it is used as it is, and left
    #[arg(long, value_name = "NAME", conflicts_with = "queues")]
    queue: Option<String>,

    /// Publish to this exchange, which the queues are bound to; it must be there, unless a type is given
    #[arg(long, value_name = "NAME")]
    exchange: Option<String>,

    /// Declare the exchange with this type, and delete it in the end
    #[arg(long, value_name = "TYPE", requires = "exchange")]
    exchange_type: Option<String>,

    /// The routing key of all messages and bindings
    #[arg(long, value_name = "KEY", requires = "exchange")]
    routing_key: Option<String>,
}

/// What commands differ in.
struct Defaults {
    body_bytes: usize,
    rate: Option<f64>,
    consumers: usize,
    topology: Topology,
}

/// The load of `leveret bench throughput`.
pub(super) fn throughput(arguments: &ThroughputArguments) -> Result<Load, String> {
    let topology = routed(&arguments.load, &arguments.route)?;
    let (body_bytes, rate, consumers) = (BODY_BYTES, None, 1);
    arguments.load.load(Defaults { body_bytes, rate, consumers, topology })
}

/// The load of `leveret bench latency`.
pub(super) fn latency(arguments: &ThroughputArguments) -> Result<Load, String> {
    let topology = routed(&arguments.load, &arguments.route)?;
    let (body_bytes, rate, consumers) = (LATENCY_BODY_BYTES, Some(LATENCY_RATE), 1);
    let load = arguments.load.load(Defaults { body_bytes, rate, consumers, topology })?;
    if load.body_bytes < STAMPED_BYTES_MIN {
        return Err(format!(
            "a body of {} bytes has no room for a time; give --size {STAMPED_BYTES_MIN} or more",
            load.body_bytes
        ));
    }
    if load.publishers == 0 || load.consumers == 0 {
        return Err("latency needs a publisher and a consumer; use throughput otherwise".to_owned());
    }
    Ok(load)
}

/// The load of `leveret bench fanout`.
pub(super) fn fanout(arguments: &FanoutArguments) -> Result<Load, String> {
    let queues = arguments.load.queues.unwrap_or(FANOUT_QUEUES);
    let own = |number| arguments.load.own_queue(number, vec![String::new()]);
    let topology = Topology {
        exchange: arguments.load.own_exchange("fanout"),
        queues: (0..queues).map(own).collect(),
        keys: vec!["key".to_owned()],
    };
    let (body_bytes, rate, consumers) = (BODY_BYTES, None, queues as usize);
    arguments.load.load(Defaults { body_bytes, rate, consumers, topology })
}

/// The load of `leveret bench topic`.
pub(super) fn topic(arguments: &TopicArguments) -> Result<Load, String> {
    let (bindings, keys) = topic_bindings(arguments.bindings as usize);
    let queues = arguments.load.queues.unwrap_or(1);
    let of = |number: u32| {
        let bindings = bindings.iter().skip(number as usize).step_by(queues as usize);
        arguments.load.own_queue(number, bindings.cloned().collect())
    };
    let topology = Topology {
        exchange: arguments.load.own_exchange("topic"),
        queues: (0..queues).map(of).collect(),
        keys,
    };
    let (body_bytes, rate, consumers) = (BODY_BYTES, None, 1);
    arguments.load.load(Defaults { body_bytes, rate, consumers, topology })
}

impl LoadArguments {
    fn load(&self, defaults: Defaults) -> Result<Load, String> {
        let body_bytes = self.size.unwrap_or(defaults.body_bytes);
        let publishers = self.publishers as usize;
        let consumers = self.consumers.map_or(defaults.consumers, |count| count as usize);
        let duration = match (self.duration, self.messages) {
            (None, None) => Some(DURATION_S),
            (duration, _) => duration,
        };
        let warm_up = self.warm_up.unwrap_or(match self.messages {
            None => WARM_UP_S,
            Some(_) => 0.0,
        });
        self.check(publishers, consumers)?;
        Ok(Load {
            topology: defaults.topology,
            publishers,
            consumers,
            channels: self.channels,
            body_bytes,
            persistent: self.persistent,
            mandatory: self.mandatory,
            window: self.confirms,
            prefetch: self.prefetch,
            acks: match (self.no_ack, self.ack_every) {
                (true, _) => Acks::Automatic,
                (false, 1) => Acks::Each,
                (false, many) => Acks::Every(many),
            },
            rate: self.rate.or(defaults.rate),
            end: End { after: duration.map(Duration::from_secs_f64), messages: self.messages },
            warm_up: Duration::from_secs_f64(warm_up),
            timed: body_bytes >= STAMPED_BYTES_MIN,
        })
    }

    fn check(&self, publishers: usize, consumers: usize) -> Result<(), String> {
        if publishers + consumers == 0 {
            return Err("there is nothing to do without publishers and consumers".to_owned());
        }
        if publishers == 0 && (self.rate.is_some() || self.confirms.is_some() || self.mandatory) {
            return Err("--publishers 0 publishes nothing: leave out --rate, --confirms and \
                        --mandatory"
                .to_owned());
        }
        if self.prefetch > 0 && self.ack_every > u32::from(self.prefetch) {
            return Err(format!(
                "--ack-every {} waits for more messages than --prefetch {} lets through; raise \
                 --prefetch",
                self.ack_every, self.prefetch
            ));
        }
        Ok(())
    }

    fn own_queue(&self, number: u32, bindings: Vec<String>) -> Queue {
        // What is in a queue is what consumers without publishers are there for.
        let origin = if self.publishers == 0 { Origin::OursWithContents } else { Origin::Ours };
        self.queue(format!("{PREFIX}.{number}"), bindings, origin)
    }

    fn queue(&self, name: String, bindings: Vec<String>, origin: Origin) -> Queue {
        let (durable, arguments) = (self.persistent, table(&self.queue_argument));
        Queue { name, durable, arguments, bindings, origin }
    }

    fn own_exchange(&self, kind: &str) -> Exchange {
        let (name, kind) = (PREFIX.to_owned(), kind.to_owned());
        Exchange::Own { name, kind, arguments: table(&self.exchange_argument) }
    }
}

/// Queues and exchange as the user names them.
fn routed(load: &LoadArguments, route: &RouteArguments) -> Result<Topology, String> {
    let exchange = match (&route.exchange, &route.exchange_type) {
        (None, _) => Exchange::Default,
        (Some(name), None) => Exchange::Existing(name.clone()),
        (Some(name), Some(kind)) => Exchange::Own {
            name: name.clone(),
            kind: kind.clone(),
            arguments: table(&load.exchange_argument),
        },
    };
    if !load.exchange_argument.is_empty() && !matches!(exchange, Exchange::Own { .. }) {
        return Err("--exchange-argument is for an exchange that is declared: name it with \
                    --exchange and --exchange-type"
            .to_owned());
    }
    let key = route.routing_key.clone().unwrap_or_else(|| "key".to_owned());
    let bindings = match exchange {
        Exchange::Default => Vec::new(),
        _ => vec![key.clone()],
    };
    let queues: Vec<Queue> = match &route.queue {
        Some(name) => vec![load.queue(name.clone(), bindings, Origin::Users)],
        None => (0..load.queues.unwrap_or(1))
            .map(|number| load.own_queue(number, bindings.clone()))
            .collect(),
    };
    let keys = match exchange {
        Exchange::Default => queues.iter().map(|queue| queue.name.clone()).collect(),
        _ => vec![key],
    };
    Ok(Topology { exchange, queues, keys })
}

pub(super) fn table(arguments: &[(String, Value)]) -> Table {
    arguments.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("write messages a second, as in 1000".to_owned()),
    }
}

fn warm_up(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { seconds(text) }
}
