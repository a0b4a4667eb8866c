//! What a run found, for people and as JSON.

use serde::Serialize;

use super::arguments::{BrokerArguments, OutputFormat};
use super::course::Reading;
use super::figure::{grouped, milliseconds, significant};
use super::load::{Histogram, Load};
use super::run::Measured;

/// The result of a run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Which bench.
    pub bench: &'static str,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Written to the sockets.
    pub published: Rate,
    /// Confirmed by the broker; absent without confirms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Rate>,
    /// Delivered to consumers.
    pub delivered: Rate,
    /// Refused with `basic.nack`.
    pub refused: u64,
    /// Returned because they reached no queue.
    pub returned: u64,
    /// From publish to delivery; absent when no message was timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// From publish to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_latency_ms: Option<Latency>,
    /// Processors that the generator kept busy.
    pub generator_cores: f64,
}

/// Messages a second, and in all.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Rate {
    /// While it was measured.
    pub per_second: f64,
    /// From the first to the last, warm-up included.
    pub total: u64,
}

/// A distribution in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// 999 of 1000 were faster.
    #[serde(rename = "p99.9")]
    pub p999: f64,
    /// The slowest.
    pub max: f64,
    /// How many were timed.
    pub count: u64,
}

impl Latency {
    /// The distribution of times in nanoseconds; `None` when there are none.
    pub fn of(times: Option<&Histogram>) -> Option<Self> {
        let times = times.filter(|times| !times.is_empty())?;
        let at = |quantile| milliseconds(times.value_at_quantile(quantile));
        let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
        Some(Self { p50, p99, p999, max: milliseconds(times.max()), count: times.len() })
    }

    /// On one line.
    pub fn shown(&self) -> String {
        let [p50, p99, p999, max] = [self.p50, self.p99, self.p999, self.max].map(significant);
        format!("p50 {p50} ms, p99 {p99} ms, p99.9 {p999} ms, max {max} ms")
    }
}

impl Summary {
    /// Sums up what was measured.
    pub fn new(bench: &'static str, load: &Load, measured: &Measured) -> Self {
        let rate = |per_second: f64, reading: Reading| Rate {
            per_second: per_second.round(),
            total: reading.count,
        };
        let totals = &measured.totals;
        Self {
            bench,
            seconds: thousandths(measured.seconds),
            published: rate(measured.published, totals.published),
            confirmed: load.window.map(|_| rate(measured.confirmed, totals.confirmed)),
            delivered: rate(measured.delivered, totals.delivered),
            refused: totals.refused,
            returned: totals.returned,
            latency_ms: Latency::of(measured.latency.as_ref()),
            confirm_latency_ms: Latency::of(measured.confirm_latency.as_ref()),
            generator_cores: thousandths(measured.cores),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let rates = [
            ("published", Some(self.published)),
            ("confirmed", self.confirmed),
            ("delivered", Some(self.delivered)),
        ];
        for (what, rate) in rates {
            let Some(rate) = rate else { continue };
            let (per_second, total) = (grouped(rate.per_second), grouped(rate.total as f64));
            lines.push(format!("{what}: {per_second} messages/s, {total} in all"));
        }
        for (what, count) in [("refused", self.refused), ("returned", self.returned)] {
            if count > 0 {
                lines.push(format!("{what}: {}", grouped(count as f64)));
            }
        }
        if let Some(latency) = &self.latency_ms {
            lines.push(format!("publish to delivery: {}", latency.shown()));
        }
        if let Some(latency) = &self.confirm_latency_ms {
            lines.push(format!("publish to confirm: {}", latency.shown()));
        }
        lines.push(format!("generator: {:.2} cores", self.generator_cores));
        lines.join("\n") + "\n"
    }
}

/// Prints a result: a text, or the same as JSON.
pub(super) fn show<T: Serialize>(
    broker: &BrokerArguments,
    result: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<(), String> {
    match broker.format {
        OutputFormat::Text => super::print(&text(result)),
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(result)
                .map_err(|error| format!("cannot print the results: {error}"))?;
            super::print(&(json + "\n"))
        }
    }
}

/// To a thousandth.
pub(super) fn thousandths(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}
