//! Leveret as a real process: on a free port of the loopback interface, with a data directory of its own, its log
//! kept; it can be killed, asked to stop, and started again on what it left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::Process;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A Leveret process and its directory. Dropping it kills the process and removes the directory.
pub struct Server {
    process: Process,
    port: u16,
    management: Management,
    directory: TempDir,
}

/// Whether a broker serves its management API, and on which port.
#[derive(Clone, Copy)]
enum Management {
    Off,
    On(u16),
}

impl Server {
    /// Starts a broker with the default configuration and an empty data directory.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`Server::start`], with the management API on another free port.
    pub fn start_managed() -> Self {
        Self::start_managed_with("")
    }

    /// As [`Server::start_with`], with the management API on another free port.
    pub fn start_managed_with(config: &str) -> Self {
        Self::start_as(config, Management::On(0))
    }

    /// Starts a broker with an empty data directory and a configuration file of this text.
    pub fn start_with(config: &str) -> Self {
        Self::start_as(config, Management::Off)
    }

    fn start_as(config: &str, management: Management) -> Self {
        // Under target/, not under the system's temporary directory: that may be memory, where a sync costs nothing.
        let directory = tempfile::Builder::new()
            .prefix("server-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("target/tmp is writable");
        fs::write(directory.path().join("broker.toml"), config).expect("target/tmp is writable");
        let (process, port, management) = launch(directory.path(), 0, management);
        Self { process, port, management, directory }
    }

    /// Ends the process if it runs, then starts another on the same directory, on another free port.
    pub fn restart(&mut self) {
        self.restart_on(0);
    }

    /// As [`Server::restart`], on the port it had, for clients that come back by themselves.
    pub fn restart_on_same_port(&mut self) {
        self.restart_on(self.port);
    }

    fn restart_on(&mut self, port: u16) {
        self.kill();
        let management = match self.management {
            Management::On(_) => Management::On(0),
            Management::Off => Management::Off,
        };
        (self.process, self.port, self.management) =
            launch(self.directory.path(), port, management);
    }

    /// SIGKILL: the process has no chance to write anything more. Returns when it is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM, and how the process ended.
    ///
    /// # Panics
    ///
    /// When it has not ended after a minute.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        match self.process.wait(STOP_LIMIT) {
            Some(status) => status,
            None => panic!("no end {STOP_LIMIT:?} after SIGTERM; its log:\n{}", self.log()),
        }
    }

    /// Sends any signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// The address for clients, as user `guest` on virtual host `/`.
    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// The address of the management API, as `127.0.0.1:PORT`.
    ///
    /// # Panics
    ///
    /// When the broker was started without it.
    pub fn management(&self) -> String {
        match self.management {
            Management::On(port) => format!("127.0.0.1:{port}"),
            Management::Off => panic!("this broker has no management API"),
        }
    }

    /// The port that it listens on for AMQP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The operating system's number for the process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What the running process has logged so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Waits until the log has a line with `text` and returns it; `None` when `limit` passes or the process ends first.
    pub fn log_line_with(&self, text: &str, limit: Duration) -> Option<String> {
        self.process.line_with(text, limit)
    }

    /// Where its data are.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Resident memory of the process now, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        resident_bytes(self.pid())
    }
}

/// Resident memory of a process now, in bytes.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kib.expect("the kernel tells VmRSS in kB") * 1024
}

/// The `leveret` program that cargo built for this test run, to be given arguments; it sees none of the caller's
/// settings except `LEVERET_TEST_LOG`, which becomes its `RUST_LOG`.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LEVERET_") {
            command.env_remove(name);
        }
    }
    let level = std::env::var("LEVERET_TEST_LOG").unwrap_or_else(|_| "info".to_owned());
    command.env("RUST_LOG", level).env("RUST_BACKTRACE", "1");
    // Brokers of tests that run at once would all want the one port.
    command.env("LEVERET_MANAGEMENT_LISTEN", "off");
    command
}

fn launch(directory: &Path, port: u16, management: Management) -> (Process, u16, Management) {
    let mut command = program();
    command.current_dir(directory).arg("serve");
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    if let Management::On(port) = management {
        command.arg("--management-listen").arg(format!("127.0.0.1:{port}"));
    }
    command.arg("--data-dir").arg(directory.join("data"));
    command.arg("--config").arg(directory.join("broker.toml"));
    let process = Process::spawn(command).expect("the built program starts");
    let port_of = |service: &str| {
        let Some(line) = process.line_with(service, START_LIMIT) else {
            panic!("the broker did not come up; its log:\n{}", process.output());
        };
        listening_port(&line).unwrap_or_else(|| panic!("no address in the log line {line:?}"))
    };
    let port = port_of("for AMQP");
    let management = match management {
        Management::On(_) => Management::On(port_of("for management")),
        Management::Off => Management::Off,
    };
    (process, port, management)
}

/// The port in a line that says `listening on 127.0.0.1:PORT for` something.
fn listening_port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
    rest.split(' ').next()?.parse().ok()
}
