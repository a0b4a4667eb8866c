//! A column of a listing: which field of the API's objects it shows, how, and how much it matters.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::numbers::{self, Units};
use super::terminal::Tone;
use super::text::escaped;

/// How the exchange without a name is shown.
const DEFAULT_EXCHANGE: &str = "(default)";

/// What kind of value a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Words, or anything else as it is.
    Text,
    /// The name of an exchange; the default one has an empty name.
    Exchange,
    /// The state of something; green when it is well.
    State,
    /// Yes or no.
    Flag,
    /// A number of things.
    Count,
    /// A number of things in a second.
    Rate,
    /// A size.
    Bytes,
    /// A size in a second.
    Flow,
    /// Milliseconds that have passed.
    Age,
    /// Milliseconds since 1970, shown as what has passed since.
    Since,
}

/// When a column is shown without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// Always; where room is short, the higher number goes first, and 0 never.
    Shown(u8),
    /// When the rows differ in it; else as `Shown`.
    WhereSeveral(u8),
    /// Never.
    OnRequest,
}

/// A value made of several fields.
type Made = fn(&Value) -> Value;

/// A column of a listing.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The field's path in the API's objects, or our name for what is made of several.
    pub key: Cow<'static, str>,
    /// A short name, which is the heading too.
    pub short: Cow<'static, str>,
    /// What kind of value it holds.
    pub kind: Kind,
    /// When it is shown.
    pub rank: Rank,
    made: Option<Made>,
    /// The fields that it is made of; empty: its own.
    needs: &'static [&'static str],
}

impl Column {
    /// A column that shows a field.
    pub const fn new(key: &'static str, short: &'static str, kind: Kind, rank: Rank) -> Self {
        let (key, short) = (Cow::Borrowed(key), Cow::Borrowed(short));
        Self { key, short, kind, rank, made: None, needs: &[] }
    }

    /// A column that is made of several fields.
    pub const fn made(
        name: &'static str,
        rank: Rank,
        needs: &'static [&'static str],
        made: Made,
    ) -> Self {
        let (key, short) = (Cow::Borrowed(name), Cow::Borrowed(name));
        Self { key, short, kind: Kind::Text, rank, made: Some(made), needs }
    }

    /// One field of an object in this column, such as one of the arguments.
    pub fn inner(&self, path: &str) -> Self {
        let short = path.rsplit('.').next().unwrap_or(path).to_owned();
        Self {
            key: Cow::Owned(path.to_owned()),
            short: Cow::Owned(short),
            kind: Kind::Text,
            rank: Rank::Shown(0),
            made: None,
            needs: &[],
        }
    }

    /// Whether this is what someone means by a name.
    pub fn is_called(&self, name: &str) -> bool {
        self.key == name || self.short == name
    }

    /// What stands above it.
    pub fn heading(&self) -> String {
        match self.kind {
            Kind::Rate | Kind::Flow => format!("{}/s", self.short),
            _ => self.short.to_string(),
        }
    }

    /// The fields that have to be asked for, as paths.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        // A key of our own is a path. In one that was typed, a dot may belong to a name, such as an argument's.
        let own = match &self.key {
            Cow::Borrowed(path) => path,
            Cow::Owned(path) => path.split('.').next().unwrap_or_default(),
        };
        let own = self.needs.is_empty().then_some(own);
        self.needs.iter().copied().chain(own)
    }

    /// Its value in an object of the API; null where there is none.
    pub fn value(&self, object: &Value) -> Value {
        let found = match self.made {
            Some(made) => made(object),
            None => at_path(object, &self.key).cloned().unwrap_or(Value::Null),
        };
        // What has not been counted yet has not happened.
        if found.is_null() && matches!(self.kind, Kind::Rate | Kind::Flow) {
            Value::from(0)
        } else {
            found
        }
    }

    /// Its value as it stands in a table.
    pub fn shown(&self, value: &Value, now_ms: f64) -> String {
        let number = value.as_f64();
        match (self.kind, number) {
            (Kind::Count, Some(number)) => numbers::count(number),
            (Kind::Rate, Some(number)) => numbers::rate(number),
            (Kind::Bytes | Kind::Flow, Some(number)) => numbers::bytes(number),
            (Kind::Age, Some(number)) => numbers::age(number),
            (Kind::Since, Some(number)) => numbers::age(now_ms - number),
            (kind, None) if kind.is_number() => "-".to_owned(),
            (Kind::Exchange, None) if value == "" => DEFAULT_EXCHANGE.to_owned(),
            _ => escaped(&words(value)).into_owned(),
        }
    }

    /// Its value as the number that a filter compares; a time as what has passed since.
    pub fn compared(&self, value: &Value, now_ms: f64) -> Option<f64> {
        let number = value.as_f64()?;
        Some(if self.kind == Kind::Since { now_ms - number } else { number })
    }

    /// How its value stands out in a table.
    pub fn tone(&self, value: &Value) -> Tone {
        match (self.kind, value.as_str()) {
            (Kind::State, Some("running" | "active")) => Tone::Good,
            (Kind::State, Some("idle")) => Tone::Plain,
            (Kind::State, Some("flow" | "blocking" | "starting" | "closing" | "syncing")) => {
                Tone::Warning
            }
            (Kind::State, Some(_)) => Tone::Bad,
            _ => Tone::Plain,
        }
    }
}

impl Kind {
    /// Whether its values are numbers, which stand at the right.
    pub fn is_number(self) -> bool {
        matches!(
            self,
            Self::Count | Self::Rate | Self::Bytes | Self::Flow | Self::Age | Self::Since
        )
    }

    /// Whether its values may be cut to fit.
    pub fn may_be_cut(self) -> bool {
        matches!(self, Self::Text | Self::Exchange)
    }

    /// The units that its numbers may have in a filter.
    pub fn units(self) -> Units {
        match self {
            Self::Bytes | Self::Flow => Units::Sizes,
            Self::Age | Self::Since => Units::Ages,
            _ => Units::Counts,
        }
    }
}

/// What is at a path in an object. A name with a dot in it counts as one step where the object has it.
fn at_path<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = object.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    at_path(object.get(first)?, rest)
}

/// A value on one line, without the marks of JSON around it where it can do without.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(words).collect();
            items.join(", ")
        }
        Value::Object(fields) => {
            let inner = |value: &Value| match value {
                Value::Object(_) | Value::Array(_) | Value::Bool(_) => value.to_string(),
                value => words(value),
            };
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", inner(value))).collect();
            fields.join(" ")
        }
    }
}

/// The order of two values of one column: what is missing first, then numbers, then words.
pub(super) fn order(one: &Value, other: &Value) -> Ordering {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => (class(one), words(one)).cmp(&(class(other), words(other))),
    }
}

fn class(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Number(_) => 1,
        _ => 2,
    }
}
