//! Where a configuration comes from: the defaults, then `broker.toml`, then the environment, then the command
//! line, each overriding the one before.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::environment::Environment;
use super::{Config, Invalid};

/// The file that is read from the working directory, if it is there and no other is named.
const DEFAULT_FILE: &str = "broker.toml";

/// What the command line sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--config`: the configuration file, which must exist.
    pub config: Option<PathBuf>,
    /// `--data-dir`: in place of `data_dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`: in place of `amqp.listen`.
    pub listen: Option<String>,
    /// `--management-listen`: in place of `management.listen`.
    pub management_listen: Option<String>,
}

/// A configuration that was read and found sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    /// The file that it was read from; None when there was none to read.
    pub file: Option<PathBuf>,
    /// One line for each thing that is harmless but was surely not meant, such as a mistyped variable.
    pub warnings: Vec<String>,
}

/// Why there is no configuration to run with. It displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration file {} ({named_by}): {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What named it: `--config`, a variable, or the working directory.
        named_by: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A name that is not known, or a value that its key does not take.
    #[error("{place}: {fault}")]
    Fault {
        /// Where it stands: a file with the number of the line, a variable, or an option.
        place: String,
        /// What is wrong, and what would be right.
        fault: String,
    },
}

/// Reads the configuration from all its sources and checks it.
///
/// # Errors
///
/// The first thing that keeps the broker from running with it: a named file that cannot be read, an unknown
/// key, a value of the wrong type or out of its range.
pub fn load(
    overrides: &Overrides,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    let environment = Environment::new(variables);
    let document = read_file(overrides, &environment)?;
    let from_file = match &document {
        Some(document) => document.parse()?,
        None => Config::default(),
    };
    let mut config = environment.apply(from_file)?;
    if let Some(data_dir) = &overrides.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    if let Some(listen) = &overrides.listen {
        config.amqp.listen.clone_from(listen);
    }
    if let Some(listen) = &overrides.management_listen {
        config.management.listen.clone_from(listen);
    }
    config
        .validate()
        .map_err(|invalid| locate(&invalid, overrides, &environment, document.as_ref()))?;
    let file = document.map(|document| document.file);
    Ok(Loaded { config, file, warnings: environment.unknown() })
}

fn read_file(
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Option<Document>, ConfigError> {
    let (file, named_by) = match (&overrides.config, environment.config_file()) {
        (Some(file), _) => (file.as_path(), "named by --config"),
        (None, Some(file)) => (Path::new(file), "named by LEVERET_CONFIG"),
        (None, None) => {
            let file = Path::new(DEFAULT_FILE);
            if !file.exists() {
                return Ok(None);
            }
            (file, "in the working directory")
        }
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(Document::new(file.to_owned(), text))),
        Err(source) => Err(ConfigError::Unreadable { file: file.to_owned(), named_by, source }),
    }
}

/// Says which of the sources gave a value that is not sound.
fn locate(
    invalid: &Invalid,
    overrides: &Overrides,
    environment: &Environment,
    document: Option<&Document>,
) -> ConfigError {
    let fault = invalid.to_string();
    let option = match invalid.key {
        "data_dir" if overrides.data_dir.is_some() => Some("--data-dir"),
        "amqp.listen" if overrides.listen.is_some() => Some("--listen"),
        "management.listen" if overrides.management_listen.is_some() => Some("--management-listen"),
        _ => None,
    };
    let variable = environment.setting_of(invalid.key).map(|(variable, _)| variable);
    if let Some(place) = option.or(variable) {
        return ConfigError::Fault { place: place.to_owned(), fault };
    }
    let in_file = document.and_then(|document| document.error_about(invalid.key, fault.clone()));
    in_file.unwrap_or_else(|| ConfigError::Fault { place: "configuration".to_owned(), fault })
}
