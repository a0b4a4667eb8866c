//! `src/wire/generated/` is what `grammar/amqp-0-9-1.toml` says it is. This test is also the generator:
//! `LEVERET_REGENERATE=1 cargo test --test grammar` writes the files that it otherwise compares.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod abnf;
mod classes;
mod codecs;
mod enumerations;
mod model;
mod properties;
mod round_trip;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::Grammar;

const FIRST_LINE: &str = "//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: \
                          `LEVERET_REGENERATE=1 cargo test --test grammar`.\n//!\n";

#[test]
fn the_generated_code_is_what_the_grammar_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/generated");
    let files = generate(&Grammar::load());
    if std::env::var_os("LEVERET_REGENERATE").is_some() {
        write_all(&folder, &files);
    }
    for (name, text) in &files {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            committed == *text,
            "{name} is stale: LEVERET_REGENERATE=1 cargo test --test grammar"
        );
    }
    let mut there = Vec::new();
    list(&folder, &mut there);
    for path in there {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
        assert!(files.contains_key(name), "{name} is not generated from anything");
    }
}

/// Every generated file, formatted, by its path below `src/wire/generated`.
fn generate(grammar: &Grammar) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut add = |name: String, text: String| {
        files.insert(name, format!("{FIRST_LINE}{}", rustfmt(&text)));
    };
    for class in &grammar.class {
        add(format!("{}.rs", class.name), classes::file(class));
        add(format!("codec/{}.rs", class.name), codecs::file(class));
    }
    add("mod.rs".into(), enumerations::modules(grammar));
    add("codec/mod.rs".into(), enumerations::codec_modules(grammar));
    add("method.rs".into(), enumerations::methods(grammar));
    add("reply_code.rs".into(), enumerations::reply_codes(grammar));
    add("constant.rs".into(), enumerations::constants(grammar));
    add("properties.rs".into(), properties::file(grammar));
    files
}

fn rustfmt(text: &str) -> String {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", env!("CARGO_MANIFEST_DIR")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is installed: rustup component add rustfmt");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt refused:\n{text}");
    String::from_utf8(output.stdout).unwrap()
}

fn write_all(folder: &Path, files: &BTreeMap<String, String>) {
    std::fs::create_dir_all(folder.join("codec")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, paths) } else { paths.push(path) }
    }
}
