//! Counters with their rates as RabbitMQ writes them: `"publish": 5, "publish_details": {"rate": 0.2}`.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::rates::{Rates, Subject};
use crate::broker::Passed;
use crate::outbox::Tally;
use crate::queue::Totals;

/// A counter's name, and that of its rate.
pub(super) type Name = (&'static str, &'static str);

/// A counter's two names.
macro_rules! name {
    ($name:literal) => {
        ($name, concat!($name, "_details"))
    };
}
pub(super) use name;

/// Values with their rates.
#[derive(Debug)]
pub(super) struct Stats<const N: usize> {
    names: &'static [Name; N],
    values: [u64; N],
    rates: [f64; N],
}

impl<const N: usize> Stats<N> {
    /// Values as they are now, with the rates that the samples give.
    pub fn new(
        names: &'static [Name; N],
        values: [u64; N],
        (rates, subject, now_ms): (&Rates, Subject, u64),
    ) -> Self {
        Self { names, rates: rates.of(subject, values, now_ms), values }
    }

    /// Whether nothing was ever counted; RabbitMQ then leaves them out.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|value| *value == 0)
    }
}

/// A rate in an object of its own.
#[derive(Debug, serde::Serialize)]
pub(super) struct Rate {
    pub rate: f64,
}

impl<const N: usize> Serialize for Stats<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 * N))?;
        for ((name, value), rate) in self.names.iter().zip(self.values).zip(self.rates) {
            map.serialize_entry(name.0, &value)?;
            map.serialize_entry(name.1, &Rate { rate })?;
        }
        map.end()
    }
}

/// What queues count.
pub(super) const QUEUE_NAMES: [Name; 9] = [
    name!("publish"),
    name!("deliver"),
    name!("deliver_no_ack"),
    name!("get"),
    name!("get_no_ack"),
    name!("get_empty"),
    name!("deliver_get"),
    name!("redeliver"),
    name!("ack"),
];

/// A queue's counters in the order of their names.
pub(super) fn queue_values(totals: &Totals) -> [u64; 9] {
    [
        totals.published,
        totals.delivered,
        totals.delivered_automatic,
        totals.got,
        totals.got_automatic,
        totals.got_empty,
        totals.delivered + totals.delivered_automatic + totals.got + totals.got_automatic,
        totals.redelivered,
        totals.acknowledged,
    ]
}

/// What channels count.
pub(super) const CHANNEL_NAMES: [Name; 12] = [
    name!("publish"),
    name!("confirm"),
    name!("return_unroutable"),
    name!("drop_unroutable"),
    name!("deliver"),
    name!("deliver_no_ack"),
    name!("get"),
    name!("get_no_ack"),
    name!("get_empty"),
    name!("deliver_get"),
    name!("redeliver"),
    name!("ack"),
];

/// A channel's counters in the order of their names.
pub(super) fn channel_values(tally: &Tally) -> [u64; 12] {
    [
        tally.published,
        tally.confirmed,
        tally.returned,
        tally.dropped,
        tally.delivered,
        tally.delivered_automatic,
        tally.got,
        tally.got_automatic,
        tally.got_empty,
        tally.delivered + tally.delivered_automatic + tally.got + tally.got_automatic,
        tally.redelivered,
        tally.acknowledged,
    ]
}

/// What exchanges count.
pub(super) const EXCHANGE_NAMES: [Name; 2] = [name!("publish_in"), name!("publish_out")];

/// An exchange's counters in the order of their names.
pub(super) fn exchange_values(passed: Passed) -> [u64; 2] {
    [passed.entered, passed.left]
}

/// What connections count.
pub(super) const CONNECTION_NAMES: [Name; 2] = [name!("recv_oct"), name!("send_oct")];
