//! `overview` and `ping`: which broker this is, how it does, and what it holds.

use std::time::Instant;

use serde_json::Value;

use super::ask::several;
use super::client::{Client, Fault};
use super::numbers::{age, bytes, count, rate};
use super::options::{Format, ObjectFormat, WatchOptions};
use super::path::Path;
use super::terminal::{Terminal, Tone, print, say};
use super::text::{escaped, width};
use super::watch;
use crate::admin::failure::Failure;

const PRODUCT_FIELDS: &str = "product_name,product_version,rabbitmq_version";

/// Says whether the broker answers, what it is, and how long it took.
///
/// # Errors
///
/// Why it does not.
pub(super) fn ping(client: &Client) -> Result<(), Failure> {
    let begun = Instant::now();
    let overview = client.get(&Path::new(&["overview"]).with("columns", PRODUCT_FIELDS))?;
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    say(&format!("{} answers on {} after {ms:.1} ms", product(&overview), client.address))
}

/// Shows the broker at a glance.
///
/// # Errors
///
/// What the broker says.
pub(super) fn overview(
    client: &Client,
    format: ObjectFormat,
    watch: &WatchOptions,
) -> Result<(), Failure> {
    let draw = |terminal: &Terminal| -> Result<String, Failure> {
        let overview = client.get(&Path::new(&["overview"]))?;
        match (format, watch.watch) {
            (ObjectFormat::Json, None) => Ok(format!("{overview:#}\n")),
            (ObjectFormat::Json, Some(_)) => Ok(format!("{overview}\n")),
            (ObjectFormat::Table, _) => {
                let nodes = match client.get(&Path::new(&["nodes"])) {
                    // The node, and rates of all that goes through it, are shown to monitoring users only.
                    Err(Fault::Forbidden(_)) => Value::Null,
                    nodes => nodes?,
                };
                Ok(lines(client, &overview, &nodes, terminal))
            }
        }
    };
    let Some(seconds) = watch.watch else {
        return print(&draw(&Terminal::of_standard_output())?);
    };
    let format = if format == ObjectFormat::Json { Format::Json } else { Format::Table };
    watch::repeat(seconds, format, &format!("overview of {}", client.address), draw)
}

fn product(overview: &Value) -> String {
    let text = |name: &str| overview[name].as_str();
    let name = text("product_name").unwrap_or("RabbitMQ");
    let version = text("product_version").or_else(|| text("rabbitmq_version")).unwrap_or("?");
    format!("{name} {version}")
}

/// One line for each group of figures, its name in front.
fn lines(client: &Client, overview: &Value, nodes: &Value, terminal: &Terminal) -> String {
    let totals = &overview["object_totals"];
    let queued = &overview["queue_totals"];
    let stats = &overview["message_stats"];
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let counted = |names: &[(&str, &Value)]| {
        let parts: Vec<String> =
            names.iter().map(|(name, value)| format!("{} {name}", count(number(value)))).collect();
        parts.join(", ")
    };
    let per_second = |names: &[(&str, &str)]| {
        let parts: Vec<String> = names
            .iter()
            .map(|(name, field)| {
                format!("{} {name}", rate(number(&stats[format!("{field}_details")]["rate"])))
            })
            .collect();
        parts.join(", ")
    };
    let mut rows = vec![
        ("broker", product(overview), Tone::Plain),
        ("address", format!("{} as user {}", client.address, client.user), Tone::Plain),
    ];
    for node in nodes.as_array().into_iter().flatten() {
        rows.extend(node_rows(node));
    }
    rows.extend([
        ("clients", things(totals, &["connection", "channel", "consumer"]), Tone::Plain),
        ("topology", things(totals, &["queue", "exchange"]), Tone::Plain),
        (
            "messages",
            counted(&[
                ("ready", &queued["messages_ready"]),
                ("unacknowledged", &queued["messages_unacknowledged"]),
                ("in all", &queued["messages"]),
            ]),
            Tone::Plain,
        ),
    ]);
    if stats.as_object().is_some_and(|stats| !stats.is_empty()) {
        let rates = per_second(&[
            ("published", "publish"),
            ("confirmed", "confirm"),
            ("delivered", "deliver_get"),
            ("acknowledged", "ack"),
            ("redelivered", "redeliver"),
        ]);
        rows.push(("per second", rates, Tone::Plain));
    }
    let wide = rows.iter().map(|(name, ..)| width(name)).max().unwrap_or(0);
    let lines = rows.iter().map(|(name, text, tone)| {
        let pad = " ".repeat(wide - width(name));
        let name = terminal.colours.paint(name, Tone::Strong);
        format!("{name}{pad}  {}\n", terminal.colours.paint(&escaped(text), *tone))
    });
    lines.collect()
}

/// How many there are of each, under its plural.
fn things(totals: &Value, names: &[&str]) -> String {
    let number = |name: &str| totals[format!("{name}s")].as_u64().unwrap_or(0);
    let parts: Vec<String> = names.iter().map(|name| several(number(name), name)).collect();
    parts.join(", ")
}

/// How one node does.
fn node_rows(node: &Value) -> Vec<(&'static str, String, Tone)> {
    let number = |name: &str| node[name].as_f64();
    let mut rows = Vec::new();
    let up = number("uptime").map(|ms| format!(", up {}", age(ms))).unwrap_or_default();
    rows.push(("node", format!("{}{up}", node["name"].as_str().unwrap_or("?")), Tone::Plain));
    if let (Some(used), Some(limit)) = (number("mem_used"), number("mem_limit")) {
        rows.push(alarmed(
            "memory",
            format!("{} of {}", bytes(used), bytes(limit)),
            &node["mem_alarm"],
        ));
    }
    if let (Some(free), Some(limit)) = (number("disk_free"), number("disk_free_limit")) {
        let text = format!("{} free, {} at least", bytes(free), bytes(limit));
        rows.push(alarmed("disk", text, &node["disk_free_alarm"]));
    }
    rows
}

fn alarmed(name: &'static str, text: String, alarm: &Value) -> (&'static str, String, Tone) {
    if alarm == &Value::Bool(true) {
        (name, format!("{text}: publishers are blocked"), Tone::Bad)
    } else {
        (name, text, Tone::Plain)
    }
}
