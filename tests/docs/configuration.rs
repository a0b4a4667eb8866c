//! The tables of docs/configuration.md are those that broker.toml gives: every key, its default and its meaning.

use std::path::Path;

use super::page::Page;

const PAGE: &str = "docs/configuration.md";
const BEGIN: &str =
    "<!-- the tables begin: LEVERET_WRITE_DOCS=1 cargo test --test docs writes them -->\n";
const END: &str = "<!-- the tables end -->\n";

/// Set, the tables are written instead of compared.
const WRITE: &str = "LEVERET_WRITE_DOCS";

#[test]
fn the_page_explains_every_key_of_broker_toml() {
    let expected = tables(include_str!("../../broker.toml"));
    let page = Page::read(PAGE).text;
    let (before, rest) = page.split_once(BEGIN).expect("where the tables begin");
    let (written, after) = rest.split_once(END).expect("where they end");
    if std::env::var_os(WRITE).is_some() {
        let text = [before, BEGIN, &expected, END, after].concat();
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), text).unwrap();
        return;
    }
    assert!(written == expected, "broker.toml has changed; {WRITE}=1 writes the tables anew");
}

/// A table for each section, made of the comments in front of the keys.
fn tables(toml: &str) -> String {
    // The comment at the top of the file is about the file.
    let (_, keys) = toml.split_once("\n\n").expect("a comment, then the keys");
    let mut text = "## At the top\n".to_owned();
    text.push_str(HEAD);
    let mut section = String::new();
    let mut comment = String::new();
    for line in keys.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            text.push_str(&format!("\n## `[{name}]`\n{HEAD}"));
        } else if let Some((key, value)) = assignment(line) {
            // A key that stands in a comment shows an example; its default is to be absent.
            let value =
                if line.starts_with('#') { "none".to_owned() } else { format!("`{value}`") };
            let variable = variable(&section, key);
            text.push_str(&format!("| `{key}` | {value} | `{variable}` | {} |\n", comment.trim()));
            comment.clear();
        } else if let Some(words) = line.strip_prefix("# ") {
            comment.push_str(words);
            comment.push(' ');
        }
    }
    text.push('\n');
    text
}

const HEAD: &str = "\n| key | default | variable | meaning |\n|---|---|---|---|\n";

/// `key = value`, also in a comment.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.trim_start_matches("# ").split_once(" = ")?;
    let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_key.then_some((key, value))
}

fn variable(section: &str, key: &str) -> String {
    match (section, key) {
        ("amqp", "listen") => "LEVERET_LISTEN".to_owned(),
        ("", key) => format!("LEVERET_{}", key.to_uppercase()),
        (section, key) => format!("LEVERET_{}_{}", section.to_uppercase(), key.to_uppercase()),
    }
}
