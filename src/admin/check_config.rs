//! `leveret check-config`: whether the broker could run with its configuration, and what that is.

use std::io::Write;

use super::command_line::Format;
use super::{absolute, complain, load};
use crate::config::{Config, Loaded, Overrides};

/// Prints that the configuration is sound, or the configuration itself when a format is named.
///
/// # Errors
///
/// What is wrong with the configuration, in one line.
pub(super) fn check_config(overrides: &Overrides, format: Option<Format>) -> Result<(), String> {
    let Loaded { config, file, warnings } = load(overrides)?;
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
    let text = match (format, file) {
        (Some(format), _) => render(&config, format)?,
        (None, Some(file)) => format!("{} is sound", absolute(&file)),
        (None, None) => "there is no configuration file; what is set otherwise is sound".to_owned(),
    };
    writeln!(std::io::stdout(), "{}", text.trim_end())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}

fn render(config: &Config, format: Format) -> Result<String, String> {
    // What is printed gets around, so the password is left out.
    let mut config = config.clone();
    config.admin.password = None;
    let config = &config;
    let rendered = match format {
        Format::Toml => toml::to_string(config).map_err(|error| error.to_string()),
        Format::Json => serde_json::to_string_pretty(config).map_err(|error| error.to_string()),
    };
    rendered.map_err(|error| format!("cannot print the configuration: {error}"))
}
