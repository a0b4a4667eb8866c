//! An operator with a broker: runs admin commands and looks at what they print and how they end.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::peer::{Delivery, Event, Peer, Routing, publication};
use crate::support::server::{Server, program};

/// A broker with its management API, and who looks after it.
pub struct Desk {
    /// The broker.
    pub server: Server,
}

impl Desk {
    /// With a broker that nobody else uses.
    pub fn new() -> Self {
        Self::with("")
    }

    /// With a broker of this configuration.
    pub fn with(config: &str) -> Self {
        Self { server: Server::start_managed_with(config) }
    }

    /// An admin command, ready to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        // Where there is no broker.toml.
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        command.env("LEVERET_ADMIN_URL", self.server.management());
        command.env_remove("NO_COLOR").env_remove("COLUMNS").env("TERM", "xterm-256color");
        command.arg("admin").args(arguments);
        command
    }

    /// Runs an admin command without a terminal.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command prints that has nothing to complain about.
    #[track_caller]
    pub fn prints(&self, arguments: &[&str]) -> String {
        printed(&self.run(arguments))
    }

    /// As [`Desk::prints`], with something on standard input.
    #[track_caller]
    pub fn prints_with(&self, input: &[u8], arguments: &[&str]) -> String {
        printed(&run_with(self.command(arguments), input))
    }

    /// Checks what a command prints.
    #[track_caller]
    pub fn check(&self, arguments: &[&str], expected: &str) {
        assert_eq!(self.prints(arguments).trim_end(), expected, "{arguments:?}");
    }

    /// Checks that a command ends with 1 and one line that begins so.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], begins: &str) {
        complaint(&self.run(arguments), 1, begins);
    }

    /// Checks that a command line is refused with 2 and one line that begins so.
    #[track_caller]
    pub fn makes_no_sense(&self, arguments: &[&str], begins: &str) {
        complaint(&self.run(arguments), 2, begins);
    }

    /// Publishes messages to a queue, and waits until they are there.
    pub fn fill(&self, queue: &str, bodies: &[&str]) {
        let mut peer = self.peer();
        peer.select_confirms().unwrap();
        for body in bodies {
            let body = body.as_bytes();
            peer.send(&publication("", queue, Routing::Optional, Delivery::Persistent, body))
                .unwrap();
        }
        let last = bodies.len() as u64;
        while !matches!(peer.event().unwrap(), Event::Confirmed { tag, .. } if tag == last) {}
    }

    /// An AMQP client.
    pub fn peer(&self) -> Peer {
        Peer::connect(self.server.port()).unwrap()
    }
}

/// Runs a command with something on its standard input.
pub fn run_with(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A command that does not read may have ended already.
    let _ = pipe.write_all(input);
    drop(pipe);
    child.wait_with_output().unwrap()
}

/// What a command printed that ended with 0 and complained of nothing.
#[track_caller]
pub fn printed(output: &Output) -> String {
    let (text, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && errors.is_empty(), "{output:?}");
    text
}

/// Checks how a command failed: with this code, nothing printed, and one line that begins so.
#[track_caller]
pub fn complaint(output: &Output, code: i32, begins: &str) -> String {
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!((text(&output.stdout).as_str(), errors.lines().count()), ("", 1), "{output:?}");
    let complaint = errors.trim_end().strip_prefix("leveret: ").expect("it says who complains");
    assert!(complaint.starts_with(begins), "{complaint:?} does not begin with {begins:?}");
    complaint.to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
