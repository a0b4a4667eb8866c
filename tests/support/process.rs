//! A program run beside a test: its output is read as it comes and kept, every wait for it is bounded, and it is gone
//! when its owner is.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The lines that a program has written so far to standard output and standard error, in the order they were read.
#[derive(Default)]
struct Output {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    read: Vec<String>,
    pipes_ended: u8,
}

const PIPES: u8 = 2;

/// A running program.
pub struct Process {
    child: Child,
    output: Arc<Output>,
}

impl Process {
    /// Starts `command` without standard input.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = Arc::new(Output::default());
        if let Some(pipe) = child.stdout.take() {
            drain(pipe, Arc::clone(&output));
        }
        if let Some(pipe) = child.stderr.take() {
            drain(pipe, Arc::clone(&output));
        }
        Ok(Self { child, output })
    }

    /// The operating system's number for it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written so far.
    pub fn output(&self) -> String {
        self.output.lines.lock().unwrap().read.join("\n")
    }

    /// The first line that contains `text`, now or later; `None` when the program ends or `limit` passes without one.
    pub fn line_with(&self, text: &str, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut looked_at = 0;
        let mut lines = self.output.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.read[looked_at..].iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            looked_at = lines.read.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.pipes_ended == PIPES || left.is_zero() {
                return None;
            }
            lines = self.output.changed.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits until it has ended; `None` when `limit` passes first.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        let mut lines = self.output.lines.lock().unwrap();
        while lines.pipes_ended < PIPES {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            lines = self.output.changed.wait_timeout(lines, left).unwrap().0;
        }
        drop(lines);
        Some(self.child.wait().expect("a child of this process can be waited for"))
    }

    /// Sends `signal`; a program that has ended already does not mind.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        let _ = kill_process(pid, signal);
    }

    /// Ends it at once with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `command` to its end and returns what it wrote.
///
/// # Panics
///
/// When it cannot be started, is not done within `limit` (it is killed then), or does not exit with 0.
pub fn run(command: Command, limit: Duration) -> String {
    match try_run(command, limit) {
        Ok(output) => output,
        Err(reason) => panic!("{reason}"),
    }
}

/// As [`run`], with what went wrong as a text instead of a panic.
pub fn try_run(command: Command, limit: Duration) -> Result<String, String> {
    let shown = format!("{command:?}");
    let mut process =
        Process::spawn(command).map_err(|error| format!("{shown} did not start: {error}"))?;
    match process.wait(limit) {
        Some(status) if status.success() => Ok(process.output()),
        Some(status) => Err(format!("{shown} ended with {status}:\n{}", process.output())),
        None => Err(format!("{shown} was not done after {limit:?}:\n{}", process.output())),
    }
}

fn drain(pipe: impl Read + Send + 'static, output: Arc<Output>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            output.lines.lock().unwrap().read.push(text);
            output.changed.notify_all();
        }
        output.lines.lock().unwrap().pipes_ended += 1;
        output.changed.notify_all();
    });
}
