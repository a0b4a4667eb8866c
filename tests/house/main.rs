//! The house test: what CONTRIBUTING.md asks of every file is checked here, and every violation is printed with
//! its file and line.

#![allow(clippy::unwrap_used)]

mod exceptions;
mod rooms;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::path::Path;

use exceptions::Exceptions;
use source::Source;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Directories that hold nothing of ours.
const SKIPPED: &[&str] =
    &[".git", ".venv", "__pycache__", "artifacts", "corpus", "data", "node_modules", "target"];

/// Every text file of the repository, as (path from the root, text).
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(Path::new(ROOT), &mut found);
    found.sort();
    found
}

fn collect(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if !SKIPPED.contains(&entry.file_name().to_string_lossy().as_ref()) {
                collect(&path, found);
            }
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let path = path.strip_prefix(ROOT).unwrap().to_string_lossy().replace('\\', "/");
            found.push((path, text));
        }
    }
}

fn sources() -> impl Iterator<Item = Source> {
    let rust = files().into_iter().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, text)| Source::new(path, text))
}

/// Fails with all violations of a rule, one to a line.
fn check(rule: impl Fn(&Source) -> Vec<rules::Violation>) {
    let violations = sources().flat_map(|source| {
        let found = rule(&source);
        let lines =
            found.into_iter().map(|(line, fault)| format!("{}:{line}: {fault}", source.path));
        lines.collect::<Vec<_>>()
    });
    refuse(&violations.collect::<Vec<_>>());
}

fn refuse(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn imports_point_downward() {
    check(rules::imports_point_downward);
}

#[test]
fn no_protocol_beneath_session() {
    check(rules::no_protocol_beneath_session);
}

#[test]
fn libraries_stay_at_home() {
    check(rules::libraries_stay_at_home);
}

#[test]
fn pure_modules_are_pure() {
    check(rules::pure_modules_are_pure);
}

#[test]
fn nothing_is_unwrapped_unproved() {
    check(rules::nothing_is_unwrapped_unproved);
}

#[test]
fn a_file_says_what_it_owns() {
    check(rules::a_file_says_what_it_owns);
}

#[test]
fn comments_have_no_banners() {
    check(rules::comments_have_no_banners);
}

#[test]
fn nothing_is_too_long_without_a_listed_reason() {
    let mut exceptions = Exceptions::read(include_str!("exceptions.toml"));
    let mut violations = Vec::new();
    for source in sources() {
        for (line, fault) in rules::nothing_is_too_long(&source, &mut exceptions) {
            violations.push(format!("{}:{line}: {fault}", source.path));
        }
    }
    violations.extend(exceptions.faults());
    refuse(&violations);
}

#[test]
fn nothing_is_left_over() {
    let violations = files().into_iter().flat_map(|(path, text)| {
        let found = rules::nothing_is_left_over(&path, &text);
        found.into_iter().map(move |(line, fault)| format!("{path}:{line}: {fault}"))
    });
    refuse(&violations.collect::<Vec<_>>());
}

#[test]
fn rooms_and_files_inside_a_module_have_an_order() {
    let exceptions = Exceptions::read(include_str!("exceptions.toml"));
    let mut needed = BTreeSet::new();
    let mut violations = Vec::new();
    let files = files();
    for module in rooms::WATCHED {
        let beneath = files.iter().filter(|(path, _)| rules::module_of(path) == Some(module));
        let rust = beneath.filter(|(path, _)| path.ends_with(".rs")).cloned();
        let inside = rooms::Inside::new(module, rust.map(|(path, text)| Source::new(path, text)));
        violations.extend(rooms::faults(&inside, &exceptions.import, &mut needed));
    }
    violations.extend(rooms::idle(&exceptions.import, &needed));
    refuse(&violations);
}

#[test]
fn functions_that_architecture_md_names_are_there() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let named: Vec<(&str, &str)> =
        text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")).collect();
    assert!(named.len() > 60, "only {} functions are named", named.len());
    let missing = named.iter().filter(|(file, function)| {
        let path = Path::new(ROOT).join("src").join(file).with_extension("rs");
        let source = std::fs::read_to_string(path).unwrap_or_default();
        let is_there = |end: &str| source.contains(&format!("fn {function}{end}"));
        !(is_there("(") || is_there("<"))
    });
    let missing: Vec<String> =
        missing.map(|(file, function)| format!("{file}.rs::{function}")).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
}

#[test]
fn the_layer_table_in_architecture_md_is_the_one_that_is_enforced() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let mut written: Vec<(String, u8)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | `"))
        .filter_map(|(layer, rest)| Some((rest.split('`').next()?.to_owned(), layer.parse().ok()?)))
        .collect();
    let mut enforced: Vec<(String, u8)> =
        rules::LAYERS.iter().map(|&(module, layer)| (module.to_owned(), layer)).collect();
    written.sort();
    enforced.sort();
    assert_eq!(written, enforced);
}

#[test]
fn a_link_in_the_documents_leads_somewhere() {
    let mut violations = Vec::new();
    for (path, text) in files().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        for (number, line) in (1..).zip(text.lines()) {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            for target in targets.filter(|target| !target.contains("://")) {
                let file = target.split('#').next().unwrap_or_default();
                let directory = Path::new(ROOT).join(&path);
                if !file.is_empty() && !directory.with_file_name("").join(file).exists() {
                    violations.push(format!("{path}:{number}: {target} does not exist"));
                }
            }
        }
    }
    refuse(&violations);
}
