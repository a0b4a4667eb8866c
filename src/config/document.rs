//! One configuration file: its text, where each key stands in it, and what is wrong with it, said with the
//! number of the line.

use std::ops::Range;
use std::path::PathBuf;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::load::ConfigError;
use super::{Config, keys::join};

/// A configuration file that was read.
#[derive(Debug)]
pub(super) struct Document {
    /// The file, as errors name it.
    pub file: PathBuf,
    text: String,
}

/// What is wrong at one place of the text.
struct Finding {
    at: usize,
    fault: String,
}

impl Document {
    /// A document of a file's text.
    pub fn new(file: PathBuf, text: String) -> Self {
        Self { file, text }
    }

    /// The configuration that the text describes; what it leaves out is at its default.
    ///
    /// # Errors
    ///
    /// The first thing in the text that is not TOML, not a key, or not a value of the key's type.
    pub fn parse(&self) -> Result<Config, ConfigError> {
        let table = DeTable::parse(&self.text).map_err(|error| {
            self.error_at(
                start(error.span()),
                format!("not TOML: {}", on_one_line(error.message())),
            )
        })?;
        let mut findings = Vec::new();
        inspect(table.get_ref(), "", &keys::known(), &mut findings);
        if let Some(first) = findings.into_iter().min_by_key(|finding| finding.at) {
            return Err(self.error_at(first.at, first.fault));
        }
        toml::from_str(&self.text).map_err(|error| {
            let at = start(error.span());
            let key = key_at(table.get_ref(), "", at).unwrap_or_default();
            let found = self.text.get(error.span().unwrap_or_default()).unwrap_or_default();
            self.error_at(at, misfit(&key, error.message(), found))
        })
    }

    /// An error about a key, with the line where the key stands, if it stands in the text.
    pub fn error_about(&self, key: &str, fault: String) -> Option<ConfigError> {
        let table = DeTable::parse(&self.text).ok()?;
        Some(self.error_at(place_of(table.get_ref(), "", key)?, fault))
    }

    fn error_at(&self, at: usize, fault: String) -> ConfigError {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        ConfigError::Fault { place: format!("{}:{line}", self.file.display()), fault }
    }
}

fn start(span: Option<Range<usize>>) -> usize {
    span.unwrap_or_default().start
}

fn on_one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

/// Collects names that are not known, and values of another kind than their key's default.
fn inspect(table: &DeTable<'_>, section: &str, known: &[Key], findings: &mut Vec<Finding>) {
    for (name, value) in table {
        let path = join(section, name.get_ref());
        let at = name.span().start;
        let Some(key) = known.iter().find(|key| key.path == path) else {
            let fault = unknown(&path, value.get_ref(), known);
            findings.push(Finding { at, fault });
            continue;
        };
        match (&key.default, value.get_ref()) {
            (Value::Table(_), DeValue::Table(inner)) => inspect(inner, &path, known, findings),
            (Value::String(_), DeValue::String(_)) | (Value::Integer(_), DeValue::Integer(_)) => {}
            (Value::Array(_), DeValue::Array(list))
                if list.iter().all(|entry| entry.get_ref().is_str()) => {}
            (expected, found) => {
                let fault =
                    format!("`{path}` must be {}, not {}", kind(expected), found_kind(found));
                findings.push(Finding { at, fault });
            }
        }
    }
}

fn unknown(path: &str, value: &DeValue<'_>, known: &[Key]) -> String {
    let is_section = matches!(value, DeValue::Table(_));
    let alike = known.iter().filter(|key| key.default.is_table() == is_section);
    let what = if is_section { "section" } else { "key" };
    match keys::nearest(path, alike.map(|key| key.path.as_str())) {
        Some(near) => format!("unknown {what} `{path}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{path}`; `leveret check-config --format toml` lists all"),
    }
}

/// What a key takes, judged by its default.
pub(super) fn kind(default: &Value) -> &'static str {
    match default {
        Value::Table(_) => "a section",
        Value::Integer(_) => "a whole number",
        Value::Array(_) => "a list of texts in quotes",
        _ => "a text in quotes",
    }
}

fn found_kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {:?}", text.as_ref()),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the fraction {number}"),
        DeValue::Boolean(value) => format!("{value}"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list of something else".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}

/// What to say of a value that has the right kind but does not fit the key's type.
pub(super) fn misfit(key: &str, message: &str, found: &str) -> String {
    let range = match message.rsplit(' ').next() {
        Some("u16") => "a whole number from 0 to 65535",
        Some("u32") => "a whole number from 0 to 4294967295",
        Some("u64" | "usize" | "i64") => "a whole number, 0 or more",
        _ => return format!("`{key}`: {}", on_one_line(message)),
    };
    format!("`{key}` must be {range}, not {found}")
}

/// The path of the key whose value covers a place of the text.
fn key_at(table: &DeTable<'_>, section: &str, at: usize) -> Option<String> {
    table.iter().find_map(|(name, value)| {
        let path = join(section, name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => key_at(inner, &path, at),
            _ => value.span().contains(&at).then_some(path),
        }
    })
}

/// Where a key stands in the text.
fn place_of(table: &DeTable<'_>, section: &str, key: &str) -> Option<usize> {
    table.iter().find_map(|(name, value)| {
        let path = join(section, name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => place_of(inner, &path, key),
            _ => (path == key).then(|| name.span().start),
        }
    })
}
