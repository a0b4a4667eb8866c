//! Definitions in files: what is declared, in the format that RabbitMQ exports and imports.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path as FilePath, PathBuf};

use serde_json::Value;

use super::ask::several;
use super::client::Client;
use super::options::Definitions;
use super::path::Path;
use super::terminal::{print, say};
use super::topology::no_vhost;
use crate::admin::failure::Failure;

/// Bytes of a definitions file.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Hashes of passwords are for the owner's eyes.
const OWNER_ONLY: u32 = 0o600;
/// What definitions are made of.
const PARTS: &[(&str, &str)] = &[
    ("users", "user"),
    ("vhosts", "virtual host"),
    ("permissions", "permission"),
    ("exchanges", "exchange"),
    ("queues", "queue"),
    ("bindings", "binding"),
    ("policies", "policy"),
    ("parameters", "parameter"),
];

/// Exports or imports.
///
/// # Errors
///
/// What is wrong with the file, or what the broker says.
pub(super) fn run(client: &Client, what: &Definitions) -> Result<(), Failure> {
    match what {
        Definitions::Export { file, vhost } => export(client, file.as_deref(), vhost.as_deref()),
        Definitions::Import { file, vhost } => import(client, file.as_ref(), vhost.as_deref()),
    }
}

fn export(client: &Client, file: Option<&FilePath>, vhost: Option<&str>) -> Result<(), Failure> {
    let definitions = client.get(&path(vhost)).map_err(|fault| match vhost {
        Some(vhost) => no_vhost(client, fault, vhost),
        None => fault.into(),
    })?;
    let text = format!("{definitions:#}\n");
    match file.filter(|file| *file != FilePath::new("-")) {
        None => print(&text),
        Some(file) => {
            let cannot = |error| format!("cannot write {}: {error}", file.display());
            if is_more_than_a_file(file) {
                // It may be standard output itself, and so nothing is said after the definitions.
                return Ok(write_into(file, &text).map_err(cannot)?);
            }
            write_whole(file, &text).map_err(cannot)?;
            say(&format!("{} written to {}", contents(&definitions), file.display()))
        }
    }
}

/// Whether it is there and no regular file: a device, a pipe or a link, which must stay what it is.
fn is_more_than_a_file(file: &FilePath) -> bool {
    fs::symlink_metadata(file).is_ok_and(|there| !there.is_file())
}

fn write_into(file: &FilePath, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    // A link may lead to a file that is not there yet.
    options.write(true).create(true).truncate(true).mode(OWNER_ONLY);
    options.open(file)?.write_all(text.as_bytes())
}

/// Writes a file as a whole or not at all.
fn write_whole(file: &FilePath, text: &str) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(&beside)
        .and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()))
        .and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // What is half written is of no use to anyone.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn import(client: &Client, file: Option<&PathBuf>, vhost: Option<&str>) -> Result<(), Failure> {
    let file = file.filter(|file| file.as_path() != FilePath::new("-"));
    let named = file.map_or("standard input".to_owned(), |file| file.display().to_string());
    let mut text = String::new();
    let read = match file {
        Some(file) => fs::File::open(file)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)),
        None => std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text),
    };
    read.map_err(|error| format!("cannot read {named}: {error}"))?;
    let definitions: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{named}:{}: not JSON: {error}", error.line()))?;
    if !definitions.is_object() {
        return Err(format!("{named} holds no definitions: they are one JSON object").into());
    }
    client.post(&path(vhost), &definitions).map_err(|fault| match vhost {
        Some(vhost) => no_vhost(client, fault, vhost),
        None => fault.into(),
    })?;
    say(&format!("{} imported from {named}", contents(&definitions)))
}

fn path(vhost: Option<&str>) -> Path {
    match vhost {
        Some(vhost) => Path::new(&["definitions", vhost]),
        None => Path::new(&["definitions"]),
    }
}

/// How much of what there is, without what there is nothing of.
fn contents(definitions: &Value) -> String {
    let counted = PARTS.iter().filter_map(|(name, one)| {
        let number = definitions[*name].as_array().map_or(0, Vec::len);
        (number > 0).then(|| several(number as u64, one).replace("policys", "policies"))
    });
    let counted: Vec<String> = counted.collect();
    if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") }
}
