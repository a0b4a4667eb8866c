//! Families of metrics, and how they are written: in OpenMetrics' text format, by its library.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::message::{SIZE_BOUNDS_BYTES, Sizes};

/// The content type of what is written.
pub(in crate::management) const CONTENT_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of message sizes as the library writes them, and as Prometheus and RabbitMQ's dashboards do.
const LARGE_BOUNDS: [(&str, &str); 4] = [
    ("le=\"1000000.0\"", "le=\"1e+06\""),
    ("le=\"10000000.0\"", "le=\"1e+07\""),
    ("le=\"50000000.0\"", "le=\"5e+07\""),
    ("le=\"100000000.0\"", "le=\"1e+08\""),
];

/// Names and values; series of one object share them.
pub(super) type Labels = Arc<[(&'static str, String)]>;

/// A metric with its series, or with some of them.
#[derive(Debug, Clone)]
pub(in crate::management) struct Family {
    name: String,
    help: &'static str,
    kind: MetricType,
    series: Vec<Series>,
}

#[derive(Debug, Clone)]
struct Series {
    labels: Labels,
    value: Value,
}

/// What a series says.
#[derive(Debug, Clone, Copy)]
enum Value {
    Count(u64),
    Measure(f64),
    Sizes(Sizes),
}

impl Family {
    /// Something that only grows. The library puts `_total` behind its name.
    pub fn counter(prefix: &str, name: &str, help: &'static str) -> Self {
        Self::new(prefix, name, help, MetricType::Counter)
    }

    /// Something that comes and goes.
    pub fn gauge(prefix: &str, name: &str, help: &'static str) -> Self {
        Self::new(prefix, name, help, MetricType::Gauge)
    }

    /// Sizes of messages.
    pub fn histogram(prefix: &str, name: &str, help: &'static str) -> Self {
        Self::new(prefix, name, help, MetricType::Histogram)
    }

    fn new(prefix: &str, name: &str, help: &'static str, kind: MetricType) -> Self {
        Self { name: format!("{prefix}{name}"), help, kind, series: Vec::new() }
    }

    /// The same without series.
    pub fn emptied(&self) -> Self {
        Self { name: self.name.clone(), help: self.help, kind: self.kind, series: Vec::new() }
    }

    /// With one series without labels.
    pub fn of(mut self, value: u64) -> Self {
        self.push(&Labels::default(), value);
        self
    }

    /// With one series with labels.
    pub fn with(mut self, labels: &Labels, value: u64) -> Self {
        self.push(labels, value);
        self
    }

    /// With one series of message sizes.
    pub fn with_sizes(mut self, labels: &Labels, sizes: Sizes) -> Self {
        self.series.push(Series { labels: Arc::clone(labels), value: Value::Sizes(sizes) });
        self
    }

    /// With one series of a measure that is no integer.
    pub fn measured(mut self, value: f64) -> Self {
        self.push_measured(&Labels::default(), value);
        self
    }

    /// Adds a series.
    pub fn push(&mut self, labels: &Labels, value: u64) {
        let value = match self.kind {
            MetricType::Counter => Value::Count(value),
            _ => Value::Measure(value as f64),
        };
        self.series.push(Series { labels: Arc::clone(labels), value });
    }

    /// Adds a series of a measure that is no integer.
    pub fn push_measured(&mut self, labels: &Labels, value: f64) {
        self.series.push(Series { labels: Arc::clone(labels), value: Value::Measure(value) });
    }
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0 {
            let help = family.help;
            let mut metric = encoder.encode_descriptor(&family.name, help, None, family.kind)?;
            for series in &family.series {
                if series.labels.is_empty() {
                    write(&mut metric, &series.value)?;
                } else {
                    write(&mut metric.encode_family(&&*series.labels)?, &series.value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Count(count) => metric.encode_counter::<NoLabelSet, _, f64>(count, None),
        Value::Measure(measure) => metric.encode_gauge(measure),
        Value::Sizes(sizes) => {
            let bounds = SIZE_BOUNDS_BYTES.iter().map(|bound| *bound as f64).chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = bounds.zip(sizes.counts).collect();
            let total = sizes.total();
            metric.encode_histogram::<NoLabelSet>(sizes.bytes as f64, total, &buckets, None)
        }
    }
}

/// The families as text, without the end.
///
/// # Errors
/// When the library cannot write them.
pub(super) fn written(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    encode_registry(&mut text, &registry)?;
    for (written, wanted) in LARGE_BOUNDS {
        if text.contains(written) {
            text = text.replace(written, wanted);
        }
    }
    Ok(text)
}

/// More series of a family whose name and help were written with the first of them. The library always writes these
/// in front.
///
/// # Errors
/// When the library cannot write them.
pub(super) fn continued(family: Family) -> Result<String, fmt::Error> {
    let mut text = written(vec![family])?;
    let head = text.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    let head_bytes: usize = head.map(str::len).sum();
    text.drain(..head_bytes);
    Ok(text)
}

/// What stands at the end of everything.
pub(super) fn end() -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode_eof(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_as_prometheus_reads_it() {
        let labels: Labels = Arc::new([("queue", "a".to_owned())]);
        let mut sizes = Sizes::default();
        sizes.count(150);
        sizes.count(2_000_000);
        let text = written(vec![
            Family::counter("x_", "made", "Things made").of(3),
            Family::gauge("x_", "held", "Things held").with(&labels, 7),
            Family::gauge("x_", "age", "An age").measured(1.5),
            Family::histogram("x_", "size_bytes", "Sizes").with_sizes(&Labels::default(), sizes),
        ]);
        let text = text.unwrap() + &end().unwrap();
        for line in [
            "# TYPE x_made counter",
            "x_made_total 3",
            "x_held{queue=\"a\"} 7.0",
            "x_age 1.5",
            "x_size_bytes_bucket{le=\"100.0\"} 0",
            "x_size_bytes_bucket{le=\"1000.0\"} 1",
            "x_size_bytes_bucket{le=\"1e+06\"} 1",
            "x_size_bytes_bucket{le=\"1e+07\"} 2",
            "x_size_bytes_bucket{le=\"+Inf\"} 2",
            "x_size_bytes_count 2",
            "x_size_bytes_sum 2000150.0",
            "# EOF",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn what_is_continued_has_its_series_alone() {
        let family = |queue: &str| {
            let labels: Labels = Arc::new([("queue", queue.to_owned())]);
            Family::gauge("x_", "held", "Things held").with(&labels, 7)
        };
        let first = written(vec![family("a")]).unwrap();
        assert_eq!(
            first,
            "# HELP x_held Things held\n# TYPE x_held gauge\nx_held{queue=\"a\"} 7.0\n"
        );
        assert_eq!(continued(family("#b")).unwrap(), "x_held{queue=\"#b\"} 7.0\n");
        assert_eq!(continued(family("b").emptied()).unwrap(), "");
    }
}
