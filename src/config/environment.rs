//! Keys that are set by environment variables: `LEVERET_`, the section, `_`, the key, all in capitals, as in
//! `LEVERET_AMQP_CHANNEL_MAX`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use toml::{Table, Value};

use super::Config;
use super::document::{kind, misfit};
use super::keys::{self, Key};
use super::load::ConfigError;

/// Names the configuration file.
const CONFIG_VARIABLE: &str = "LEVERET_CONFIG";
/// The short form of `LEVERET_AMQP_LISTEN`, which it overrides.
const LISTEN_VARIABLE: &str = "LEVERET_LISTEN";
const PREFIX: &str = "LEVERET_";

/// The variables of the process that are meant for us: those that begin with `LEVERET_` and are not empty.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !value.is_empty()).then_some((name, value))
        });
        Self { variables: ours.collect() }
    }

    /// The configuration file that the environment names.
    pub fn config_file(&self) -> Option<&OsString> {
        self.variables.get(CONFIG_VARIABLE)
    }

    /// A configuration with the environment's values in place of its own.
    ///
    /// # Errors
    ///
    /// The first variable whose value is not of its key's type.
    pub fn apply(&self, config: Config) -> Result<Config, ConfigError> {
        let mut config = config;
        for key in keys::known().iter().filter(|key| !key.default.is_table()) {
            if let Some((variable, value)) = self.setting_of(&key.path) {
                config = set(config, key, variable, value)?;
            }
        }
        Ok(config)
    }

    /// The variable that sets a key, with its value.
    pub fn setting_of(&self, key: &str) -> Option<(&str, &OsString)> {
        let short = (key == "amqp.listen").then(|| self.variables.get_key_value(LISTEN_VARIABLE));
        let setting = short.flatten().or_else(|| self.variables.get_key_value(&variable_of(key)));
        setting.map(|(variable, value)| (variable.as_str(), value))
    }

    /// One line for each variable that looks like ours and sets nothing.
    pub fn unknown(&self) -> Vec<String> {
        let paths = keys::known().into_iter().filter(|key| !key.default.is_table());
        let mut known: Vec<String> = paths.map(|key| variable_of(&key.path)).collect();
        known.extend([CONFIG_VARIABLE.to_owned(), LISTEN_VARIABLE.to_owned()]);
        let strangers = self.variables.keys().filter(|variable| !known.contains(variable));
        strangers
            .map(|variable| match keys::nearest(variable, known.iter().map(String::as_str)) {
                Some(near) => {
                    format!("the variable {variable} sets nothing; did you mean {near}?")
                }
                None => format!("the variable {variable} sets nothing"),
            })
            .collect()
    }
}

/// The variable that sets a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

fn set(config: Config, key: &Key, variable: &str, value: &OsString) -> Result<Config, ConfigError> {
    let fault = |fault: String| ConfigError::Fault { place: variable.to_owned(), fault };
    let text = value.to_str().ok_or_else(|| fault(format!("`{}` is not UTF-8", key.path)))?;
    let value = read(text, &key.default).ok_or_else(|| {
        fault(format!("`{}` must be {}, not {text:?}", key.path, kind(&key.default)))
    })?;
    let mut table = keys::table_of(&config);
    place(&mut table, &key.path, value);
    table
        .try_into()
        .map_err(|error: toml::de::Error| fault(misfit(&key.path, error.message(), text)))
}

/// A variable's text as a value of the same kind as a key's default. A list's entries stand between commas.
fn read(text: &str, default: &Value) -> Option<Value> {
    match default {
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Array(_) => {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            Some(Value::Array(entries.map(Value::from).collect()))
        }
        _ => Some(Value::from(text)),
    }
}

fn place(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                place(inner, rest, value);
            }
        }
        None => {
            table.insert(path.to_owned(), value);
        }
    }
}
