//! Completions and manual pages: made, whole, and understood by the programs they are for.

use std::process::Command;

use super::desk::{complaint, printed};
use crate::support::server::program;

const COMMANDS: &[&str] = &[
    "ping",
    "overview",
    "queues",
    "exchanges",
    "bindings",
    "consumers",
    "connections",
    "channels",
    "vhosts",
    "users",
    "permissions",
    "declare",
    "delete",
    "bind",
    "unbind",
    "purge",
    "publish",
    "get",
    "route",
    "close",
    "add-user",
    "change-password",
    "delete-user",
    "set-permissions",
    "clear-permissions",
    "add-vhost",
    "delete-vhost",
    "definitions",
];

fn completions(shell: &str) -> String {
    printed(&program().args(["completions", shell]).output().unwrap())
}

#[test]
fn every_shell_s_completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = completions(shell);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    let output = program().args(["completions", "tcsh"]).output().unwrap();
    complaint(&output, 2, "invalid value 'tcsh' for '<SHELL>'");
}

#[test]
fn bash_completes_commands_and_options() {
    let script = completions("bash");
    let check = |typed: &str, expected: &str| {
        // What bash does when someone types this and then Tab.
        let ask = format!(
            "{script}\nCOMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _leveret leveret \
             \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
        let offered = printed(&output);
        assert_eq!(offered.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{typed}");
    };
    check("leveret adm", "admin");
    check("leveret admin que", "queues");
    check("leveret admin queues --wa", "--watch");
    check("leveret admin queues --format c", "csv");
    check("leveret admin declare ex", "exchange");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let told = printed(&program().args(["man", name]).output().unwrap());
    assert!(told.starts_with(&format!("the manual is in {name}")), "{told}");
    for command in COMMANDS {
        let page =
            std::fs::read_to_string(folder.path().join(format!("leveret-admin-{command}.1")));
        let page = page.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains(".TH") && page.contains(".SH NAME"), "{page}");
    }
    let first = std::fs::read_to_string(folder.path().join("leveret.1")).unwrap();
    assert!(first.contains("admin") && first.contains("LEVERET_CONFIG"));
    let output = program().args(["man", "/none"]).output().unwrap();
    complaint(&output, 1, "/none is no directory: make it first");
}
