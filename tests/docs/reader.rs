//! A reader who follows a page to the letter: writes its files, starts a broker where the page has something to run,
//! runs each block, and compares what it prints with what the page says.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::page::{Block, Mark, Page};
use crate::support::example::built;
use crate::support::interpreter::Interpreter;
use crate::support::process::{run, try_run};
use crate::support::server::{Server, program};

/// No block takes so long; one that does has hung.
const LIMIT: Duration = Duration::from_secs(60);

/// Where pages find the management API of their broker.
const API_VARIABLE: &str = "API_URL";

/// Someone with an empty directory and a page to follow.
pub struct Reader {
    page: Page,
    directory: TempDir,
    broker: Option<(Server, String)>,
    /// What the last block that was run has printed; `None` when it was skipped.
    printed: Option<String>,
}

impl Reader {
    /// Follows a page from its top to its end.
    ///
    /// # Panics
    ///
    /// At the first block that does not do what the page says, with its line.
    pub fn follow(path: &str) {
        let directory = tempfile::Builder::new()
            .prefix("docs-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("target/tmp is writable");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        std::os::unix::fs::symlink(examples, directory.path().join("examples")).unwrap();
        let mut reader = Self { page: Page::read(path), directory, broker: None, printed: None };
        for block in reader.page.blocks.clone() {
            reader.block(&block);
        }
    }

    fn block(&mut self, block: &Block) {
        match (&block.mark, block.language.as_str()) {
            (Mark::NotRun(_), _) => {}
            (Mark::File(name), _) => {
                fs::write(self.directory.path().join(name), &block.text).unwrap();
            }
            (Mark::Output, _) => self.compare(block),
            (Mark::None, "python") => self.printed = self.python(&block.text),
            (Mark::None, "sh") => self.printed = Some(self.shell(block)),
            (Mark::None, "toml") => self.check_config(block),
            (Mark::None, "rust") => self.expect_in_an_example(block),
            // A picture, or a message that is told of.
            (Mark::None, "text") => {}
            (Mark::None, language) => {
                panic!("{}: nobody knows how to run {language:?}", self.place(block));
            }
        }
    }

    fn python(&mut self, text: &str) -> Option<String> {
        let python = Interpreter::python()?;
        let file = self.directory.path().join("block.py");
        fs::write(&file, text).unwrap();
        let mut command = python.command();
        command.arg(file);
        self.broker();
        Some(run(self.in_place(command), LIMIT))
    }

    /// Runs lines of shell. `cargo run --example NAME` runs what cargo has built already.
    fn shell(&mut self, block: &Block) -> String {
        // Both of its outputs are one, in the order they were written.
        let mut text = "exec 2>&1\n".to_owned();
        for line in block.text.lines() {
            match line.strip_prefix("cargo run --example ") {
                Some(name) => text.push_str(&built(name).to_string_lossy()),
                None => text.push_str(line),
            }
            text.push('\n');
        }
        let mut command = Command::new("bash");
        command.args(["-eu", "-o", "pipefail", "-c", &text]);
        self.broker();
        let place = self.place(block);
        try_run(self.in_place(command), LIMIT).unwrap_or_else(|why| panic!("{place}: {why}"))
    }

    fn check_config(&self, block: &Block) {
        let file = self.directory.path().join("block.toml");
        fs::write(&file, &block.text).unwrap();
        let mut command = program();
        command.arg("--config").arg(file).arg("check-config").current_dir(self.directory.path());
        let place = self.place(block);
        try_run(command, LIMIT).unwrap_or_else(|why| panic!("{place}: {why}"));
    }

    /// A piece of Rust is not compiled for itself; it stands, line for line, in an example that is.
    fn expect_in_an_example(&self, block: &Block) {
        let wanted = unindented(&block.text);
        let examples = fs::read_dir(self.directory.path().join("examples")).unwrap();
        let found = examples
            .filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok())
            .any(|source| {
                let lines: Vec<String> = unindented(&source);
                lines.windows(wanted.len()).any(|window| window == wanted)
            });
        assert!(found, "{}: this stands in none of the examples", self.place(block));
    }

    fn compare(&self, block: &Block) {
        let Some(printed) = &self.printed else { return };
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = block.text.lines().map(str::trim_end).collect();
        let same = printed.len() == expected.len()
            && printed.iter().zip(&expected).all(|(line, wanted)| matches(line, wanted));
        let place = self.place(block);
        assert!(same, "{place}: the page says\n{}\nbut it is\n{}", block.text, printed.join("\n"));
    }

    /// The address of this page's broker, which is started when it is first needed, with the page's own `broker.toml`.
    fn broker(&mut self) -> String {
        if let Some((_, url)) = &self.broker {
            return url.clone();
        }
        let here = self.directory.path();
        let config = fs::read_to_string(here.join("broker.toml")).unwrap_or_default();
        // The broker has a directory of its own, and the files that its configuration names are in the reader's.
        let named = format!("definitions = \"{}/", here.display());
        let server = Server::start_managed_with(&config.replace("definitions = \"", &named));
        let url = server.uri();
        self.broker = Some((server, url.clone()));
        url
    }

    /// The command as it is given in the reader's directory, with `leveret`, the Python of the tests and the packages
    /// for Node at hand.
    fn in_place(&self, mut command: Command) -> Command {
        let mut path = vec![Path::new(env!("CARGO_BIN_EXE_leveret")).parent().unwrap().to_owned()];
        if let Some(python) = Interpreter::python() {
            path.extend(Path::new(python.command().get_program()).parent().map(Path::to_owned));
        }
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        path.extend(std::env::split_paths(&inherited));
        command.env("PATH", std::env::join_paths(path).unwrap());
        if self.page.blocks.iter().any(|block| block.text.contains("node ")) {
            let node = Interpreter::node();
            for (name, value) in node.iter().flat_map(|node| variables(&node.command())) {
                command.env(name, value);
            }
        }
        if let Some((server, url)) = &self.broker {
            command.env("AMQP_URL", url).env("LEVERET_ADMIN_URL", server.management());
            command.env(API_VARIABLE, format!("http://{}", server.management()));
        }
        command.current_dir(self.directory.path());
        command
    }

    fn place(&self, block: &Block) -> String {
        format!("{}:{}", self.page.path, block.line)
    }
}

fn variables(command: &Command) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
}

fn unindented(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// Whether a line is as expected. Three dots in what is expected stand for anything.
fn matches(line: &str, expected: &str) -> bool {
    let Some((before, after)) = expected.split_once("...") else { return line == expected };
    line.len() >= before.len() + after.len() && line.starts_with(before) && line.ends_with(after)
}
