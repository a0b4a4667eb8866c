//! What a comparison found, as a table and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::{grouped, median, significant};
use super::scenario::{Figure, Scenario};

/// What one run of a scenario gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sample {
    /// Messages a second.
    Rate(f64),
    /// Milliseconds.
    Latency {
        /// Half of all messages were faster.
        p50: f64,
        /// 99 of 100 were faster.
        p99: f64,
        /// 999 of 1000 were faster.
        p999: f64,
    },
}

/// All that was measured.
#[derive(Debug)]
pub(super) struct Comparison {
    /// The brokers, the one that ratios are of first.
    pub targets: Vec<String>,
    rounds: u32,
    seconds: f64,
    rows: Vec<(&'static Scenario, BTreeMap<String, Vec<Sample>>)>,
}

/// One scenario's result, as JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The scenario.
    pub name: &'static str,
    /// The definition in few words.
    #[serde(skip)]
    pub what: &'static str,
    /// `messages/s` or `ms`.
    pub unit: &'static str,
    /// Each broker's figures.
    pub targets: BTreeMap<String, Figures>,
    /// The first broker's figure divided by each other's; of latencies, the p99.
    pub ratio: BTreeMap<String, f64>,
}

/// One broker's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Figures {
    /// Messages a second.
    Rate {
        /// The middle round.
        median: f64,
        /// The slowest.
        min: f64,
        /// The fastest.
        max: f64,
    },
    /// Milliseconds, the median of all rounds for each.
    Latency {
        /// Half of all messages were faster.
        p50: f64,
        /// 99 of 100 were faster.
        p99: f64,
        /// 999 of 1000 were faster.
        #[serde(rename = "p99.9")]
        p999: f64,
    },
}

impl Figures {
    /// The one figure that brokers are compared by.
    pub fn main(&self) -> f64 {
        match self {
            Figures::Rate { median, .. } => *median,
            Figures::Latency { p99, .. } => *p99,
        }
    }

    /// As a table shows it.
    pub fn shown(&self) -> String {
        match self {
            Figures::Rate { median, .. } => grouped(*median),
            Figures::Latency { p50, p99, p999 } => {
                let [p50, p99, p999] = [p50, p99, p999].map(|figure| significant(*figure));
                format!("{p50} / {p99} / {p999} ms")
            }
        }
    }
}

#[derive(Serialize)]
struct Document {
    scenarios: Vec<Row>,
}

impl Comparison {
    /// Nothing measured yet.
    pub fn new(targets: Vec<String>, rounds: u32, seconds: f64) -> Self {
        Self { targets, rounds, seconds, rows: Vec::new() }
    }

    /// Notes what a run gave.
    pub fn add(&mut self, scenario: &'static Scenario, target: &str, sample: Sample) {
        if self.rows.last().is_none_or(|(last, _)| last.name != scenario.name) {
            self.rows.push((scenario, BTreeMap::new()));
        }
        if let Some((_, samples)) = self.rows.last_mut() {
            samples.entry(target.to_owned()).or_default().push(sample);
        }
    }

    /// The results, scenario by scenario.
    pub fn rows(&self) -> Vec<Row> {
        let rows = self.rows.iter().map(|(scenario, samples)| {
            let targets: BTreeMap<String, Figures> =
                samples.iter().map(|(name, samples)| (name.clone(), summed_up(samples))).collect();
            let first = self.targets.first().and_then(|name| targets.get(name));
            let others = self.targets.iter().skip(1);
            let ratio = others.filter_map(|name| {
                let (ours, theirs) = (first?.main(), targets.get(name)?.main());
                (theirs > 0.0).then(|| (name.clone(), rounded(ours / theirs)))
            });
            let unit = match scenario.figure {
                Figure::Latency => "ms",
                Figure::Delivered | Figure::Confirmed => "messages/s",
            };
            let ratio = ratio.collect();
            Row { name: scenario.name, what: scenario.what, unit, targets, ratio }
        });
        rows.collect()
    }

    /// As one JSON object.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(&Document { scenarios: self.rows() })
            .map(|text| text + "\n")
            .map_err(|error| format!("cannot print the results: {error}"))
    }

    /// As a table in Markdown that can be read as it is, too.
    pub fn markdown(&self) -> String {
        let mut head = vec!["scenario".to_owned(), "what".to_owned()];
        head.extend(self.targets.iter().cloned());
        head.extend(self.targets.iter().skip(1).map(|name| format!("ratio to {name}")));
        let mut lines = vec![head];
        for row in self.rows() {
            let figures = self
                .targets
                .iter()
                .map(|name| row.targets.get(name).map_or_else(|| "-".to_owned(), Figures::shown));
            let ratios = self.targets.iter().skip(1).map(|name| {
                let of = if row.unit == "ms" { " (p99)" } else { "" };
                match row.ratio.get(name) {
                    Some(ratio) => format!("{} ×{of}", significant(*ratio)),
                    None => "-".to_owned(),
                }
            });
            let mut line = vec![format!("`{}`", row.name), row.what.to_owned()];
            line.extend(figures.chain(ratios));
            lines.push(line);
        }
        format!("{}\n{}\n", table(&lines), self.footnote())
    }

    fn footnote(&self) -> String {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let rounds = match self.rounds {
            1 => "One round".to_owned(),
            many => format!("Median of {many} rounds"),
        };
        format!(
            "{rounds} of {} s for each broker, in turn. Rates are messages a second; latencies are \
             p50 / p99 / p99.9 from publisher to consumer. The load generator ran on a machine with \
             {processors} processors, which a broker on the same machine shares.",
            significant_seconds(self.seconds)
        )
    }
}

fn significant_seconds(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds:.0}") } else { format!("{seconds}") }
}

/// Rows as a Markdown table; the first is the head. Figures, from the third column on, stand to the right.
pub(super) fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default().max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - cell.chars().count());
            match column {
                0 | 1 => out.push_str(&format!("| {cell}{space} ")),
                _ => out.push_str(&format!("| {space}{cell} ")),
            }
        }
        out.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let rule = "-".repeat(*width);
                match column {
                    0 | 1 => out.push_str(&format!("|-{rule}-")),
                    _ => out.push_str(&format!("|-{rule}:")),
                }
            }
            out.push_str("|\n");
        }
    }
    out
}

fn summed_up(samples: &[Sample]) -> Figures {
    let all = |of: fn(&Sample) -> f64| samples.iter().map(of).collect::<Vec<f64>>();
    match samples.first() {
        Some(Sample::Latency { .. }) => Figures::Latency {
            p50: rounded(median(&all(|sample| part(sample, 0)))),
            p99: rounded(median(&all(|sample| part(sample, 1)))),
            p999: rounded(median(&all(|sample| part(sample, 2)))),
        },
        _ => {
            let rates = all(|sample| part(sample, 0));
            Figures::Rate {
                median: median(&rates).round(),
                min: rates.iter().copied().fold(f64::INFINITY, f64::min).round(),
                max: rates.iter().copied().fold(0.0, f64::max).round(),
            }
        }
    }
}

fn part(sample: &Sample, which: usize) -> f64 {
    match *sample {
        Sample::Rate(rate) => rate,
        Sample::Latency { p50, p99, p999 } => [p50, p99, p999][which],
    }
}

/// To a thousandth.
fn rounded(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::scenario::SCENARIOS;

    pub fn measured() -> Comparison {
        let targets = vec!["leveret".to_owned(), "rabbitmq".to_owned()];
        let mut comparison = Comparison::new(targets, 3, 8.0);
        for rate in [300_000.0, 100_000.0, 200_000.0] {
            comparison.add(&SCENARIOS[0], "leveret", Sample::Rate(rate));
            comparison.add(&SCENARIOS[0], "rabbitmq", Sample::Rate(rate / 10.0));
        }
        let latency = |p50| Sample::Latency { p50, p99: p50 * 2.0, p999: p50 * 3.0 };
        comparison.add(&SCENARIOS[9], "leveret", latency(0.25));
        comparison.add(&SCENARIOS[9], "rabbitmq", latency(1.0));
        comparison
    }

    #[test]
    fn json_has_medians_ranges_and_ratios() {
        let json: serde_json::Value = serde_json::from_str(&measured().json().unwrap()).unwrap();
        let expected = serde_json::json!({"scenarios": [
            {"name": "transient-16", "unit": "messages/s",
             "targets": {
                "leveret": {"median": 200_000.0, "min": 100_000.0, "max": 300_000.0},
                "rabbitmq": {"median": 20_000.0, "min": 10_000.0, "max": 30_000.0}},
             "ratio": {"rabbitmq": 10.0}},
            {"name": "latency-1k", "unit": "ms",
             "targets": {
                "leveret": {"p50": 0.25, "p99": 0.5, "p99.9": 0.75},
                "rabbitmq": {"p50": 1.0, "p99": 2.0, "p99.9": 3.0}},
             "ratio": {"rabbitmq": 0.25}},
        ]});
        assert_eq!(json, expected);
    }

    #[test]
    fn the_table_has_a_line_for_each_scenario() {
        let text = measured().markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("| scenario "), "{text}");
        assert!(lines[2].contains(" 200,000 |") && lines[2].contains(" 10.0 × |"), "{text}");
        assert!(lines[3].contains("0.250 / 0.500 / 0.750 ms"), "{text}");
        assert!(lines[3].contains("0.250 × (p99) |"), "{text}");
        let widths: Vec<usize> = lines[..4].iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{text}");
    }

    #[test]
    fn a_target_that_was_not_reached_has_no_figure() {
        let targets = vec!["a".to_owned(), "b".to_owned()];
        let mut comparison = Comparison::new(targets, 1, 0.5);
        comparison.add(&SCENARIOS[0], "a", Sample::Rate(1.0));
        assert!(comparison.markdown().contains("| - |") || comparison.markdown().contains(" - |"));
        assert!(comparison.rows()[0].ratio.is_empty());
    }
}
