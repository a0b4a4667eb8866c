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

/// Brokers of this test crate keep as little of a queue in memory as can be.
const PAGED_CRATE: &str = "paged";

/// A Leveret process and its directory. Dropping it kills the process and removes the directory.
pub struct Server {
    process: Process,
    port: u16,
    /// Where the management API is, if it is served.
    management: Option<u16>,
    directory: TempDir,
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

    /// Starts a broker with an empty data directory and a configuration file of this text.
    pub fn start_with(config: &str) -> Self {
        Self::launch_with(config, None)
    }

    /// As [`Server::start_with`], with the management API on a free port.
    pub fn start_managed_with(config: &str) -> Self {
        Self::launch_with(config, Some(0))
    }

    fn launch_with(config: &str, management: Option<u16>) -> Self {
        // Under target/, not under the system's temporary directory: that may be memory, where a sync costs nothing.
        Self::launch_in(Path::new(env!("CARGO_TARGET_TMPDIR")), config, management)
    }

    /// As [`Server::start_with`], in a directory below this one.
    pub fn start_in(parent: &Path, config: &str) -> Self {
        Self::launch_in(parent, config, None)
    }

    fn launch_in(parent: &Path, config: &str, management: Option<u16>) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("server-")
            .tempdir_in(parent)
            .expect("the directory is writable");
        fs::write(directory.path().join("broker.toml"), config).expect("the directory is writable");
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
        // The management API comes back where it was, for those who look at it meanwhile.
        (self.process, self.port, self.management) =
            launch(self.directory.path(), port, self.management);
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

    /// The port that it listens on for AMQP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of the management API, as `127.0.0.1:PORT`.
    ///
    /// # Panics
    ///
    /// When the server was started without one.
    pub fn management(&self) -> String {
        format!("127.0.0.1:{}", self.management.expect("it was started with the management API"))
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

/// Starts a process, and waits until it serves; a port that is 0 is any free one.
fn launch(directory: &Path, port: u16, management: Option<u16>) -> (Process, u16, Option<u16>) {
    let mut command = program();
    command.current_dir(directory).arg("serve");
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    let listen = management.map_or("off".to_owned(), |port| format!("127.0.0.1:{port}"));
    command.arg("--management-listen").arg(listen);
    command.arg("--data-dir").arg(directory.join("data"));
    command.arg("--config").arg(directory.join("broker.toml"));
    if env!("CARGO_CRATE_NAME") == PAGED_CRATE {
        command.env("LEVERET_STORE_QUEUE_WINDOW_MESSAGES", "2");
    }
    let process = Process::spawn(command).expect("the built program starts");
    let told = |what: &str| {
        let Some(line) = process.line_with(what, START_LIMIT) else {
            panic!("the broker did not come up; its log:\n{}", process.output());
        };
        listening_port(&line).unwrap_or_else(|| panic!("no address in the log line {line:?}"))
    };
    let port = told("for AMQP");
    let management = management.map(|_| told("for management"));
    (process, port, management)
}

/// The port in a line that says `listening on 127.0.0.1:PORT for …`.
fn listening_port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
    rest.split(' ').next()?.parse().ok()
}
