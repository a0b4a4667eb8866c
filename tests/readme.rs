//! What the README shows is what is there: its programs are the examples, they run, and its configuration keys exist.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::broker::Broker;
use support::example::built;
use support::interpreter::Interpreter;
use support::process::run;

const README: &str = include_str!("../README.md");
const LIMIT: Duration = Duration::from_secs(60);

/// The first block of this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).expect("such a block");
    rest.split_once("```").expect("its end").0
}

/// A program without the comment at its top, which says how to run it from the repository.
fn without_opening(program: &str, last_line_ends_with: &str) -> String {
    let (_, body) = program.split_once(last_line_ends_with).expect("an opening");
    body.trim_start().to_owned()
}

#[test]
fn the_programs_in_the_readme_are_the_examples() {
    let python = without_opening(include_str!("../examples/hello.py"), "\"\"\"\n\n");
    assert_eq!(block("python"), python);
    let rust = without_opening(include_str!("../examples/hello.rs"), "127.0.0.1:5672.\n");
    assert_eq!(block("rust"), rust);
}

#[test]
fn the_rust_example_publishes_and_consumes() {
    let broker = Broker::start();
    let mut command = Command::new(built("hello"));
    command.env("AMQP_URL", broker.uri());
    assert_eq!(run(command, LIMIT), "Hello from Rust");
}

#[test]
fn the_python_example_publishes_and_consumes() {
    let Some(python) = Interpreter::python() else { return };
    let broker = Broker::start();
    let mut command = python.command();
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello.py"));
    command.env("AMQP_URL", broker.uri());
    assert_eq!(run(command, LIMIT), "Hello from Python");
}

#[test]
fn the_configuration_in_the_readme_is_sound() {
    toml::from_str::<leveret::config::Config>(block("toml")).unwrap().validate().unwrap();
}
