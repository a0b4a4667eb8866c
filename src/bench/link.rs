//! One socket to a broker, which never blocks: what was read from it and not yet used, what is still to be written,
//! and the one place where a thread waits.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::uri::Uri;
use crate::wire;

/// Room for what is read at once. It holds more than the largest frame, so that a frame always fits.
pub(super) const INPUT_BYTES: usize = 512 * 1024;

/// Nothing more is read while this much waits to be written: the broker does not take what it is sent.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// A machine that does not answer a connection attempt is given up after this.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// What a thread waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// Something to read; to write too, when something is left over.
    Read,
    /// Something to read, or room to write.
    ReadOrWrite,
}

/// A connected socket with its buffers.
pub(super) struct Link {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    written: usize,
    heard_at: Instant,
    said_at: Instant,
}

impl Link {
    /// Connects, and says in one line why it cannot.
    pub fn connect(uri: &Uri, input_bytes: usize) -> Result<Self, String> {
        let refused = |error: &dyn std::fmt::Display| {
            format!("cannot connect to {uri}: {error}; start the broker, or give its address")
        };
        let places = (&*uri.host, uri.port).to_socket_addrs().map_err(|error| refused(&error))?;
        let mut last = None;
        for place in places {
            match TcpStream::connect_timeout(&place, CONNECT_MAX) {
                Ok(stream) => return Self::over(stream, input_bytes),
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) => refused(&error),
            None => refused(&"the name has no address"),
        })
    }

    fn over(stream: TcpStream, input_bytes: usize) -> Result<Self, String> {
        let prepared = stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true));
        prepared.map_err(|error| format!("cannot prepare a socket: {error}"))?;
        let now = Instant::now();
        Ok(Self {
            stream,
            input: vec![0; input_bytes],
            start: 0,
            end: 0,
            output: Vec::new(),
            written: 0,
            heard_at: now,
            said_at: now,
        })
    }

    /// What was read and not yet used.
    pub fn unread(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    /// Marks the first `bytes` of [`Link::unread`] as used.
    pub fn used(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads once. `true` when the socket may have more: as much came as there was room for.
    pub fn fill(&mut self) -> Result<Filled, String> {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.input.len() - self.end;
        match self.stream.read(&mut self.input[self.end..]) {
            Ok(0) => Err("the broker closed the connection without a word; see its log".to_owned()),
            Ok(bytes) => {
                self.end += bytes;
                self.heard_at = Instant::now();
                Ok(if bytes == room { Filled::All } else { Filled::Some })
            }
            Err(error) if is_for_later(error.kind()) => Ok(Filled::Nothing),
            Err(error) => Err(gone(&error)),
        }
    }

    /// Where to append what is to be written next; [`Link::flush`] writes it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whether so much waits to be written that reading has to wait too.
    pub fn is_clogged(&self) -> bool {
        self.output.len() - self.written > OUTPUT_BYTES_MAX
    }

    /// Writes what waits, as far as the socket takes it. `true` when all of it is written.
    pub fn flush(&mut self) -> Result<bool, String> {
        while self.written < self.output.len() {
            let bytes = write_once(&mut self.stream, &self.output[self.written..])?;
            if bytes == 0 {
                return Ok(false);
            }
            self.written += bytes;
            self.said_at = Instant::now();
        }
        self.output.clear();
        self.written = 0;
        Ok(true)
    }

    /// Writes bytes past the output buffer, which must be empty; says how many the socket took.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let taken = write_once(&mut self.stream, bytes)?;
        if taken > 0 {
            self.said_at = Instant::now();
        }
        Ok(taken)
    }

    /// Waits until there is something to do, or the time is over.
    pub fn wait(&self, interest: Interest, limit: Duration) -> Result<(), String> {
        let mut events = PollFlags::IN;
        if interest == Interest::ReadOrWrite || self.written < self.output.len() {
            events |= PollFlags::OUT;
        }
        if self.is_clogged() {
            events = PollFlags::OUT;
        }
        let limit = Timespec {
            tv_sec: limit.as_secs().min(3600) as i64,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(&self.stream, events)], Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(format!("cannot wait for the broker: {error}")),
        }
    }

    /// Sends a heartbeat when it is time for one, and fails when the broker has sent nothing for too long.
    pub fn keep_alive(&mut self, interval: Option<Duration>) -> Result<(), String> {
        let Some(interval) = interval else { return Ok(()) };
        if self.heard_at.elapsed() > interval * 2 {
            let seconds = self.heard_at.elapsed().as_secs();
            return Err(format!(
                "the broker has sent nothing for {seconds} s, no heartbeat either"
            ));
        }
        if self.said_at.elapsed() > interval / 2 && self.output.is_empty() {
            wire::encode_heartbeat(&mut self.output);
            self.flush()?;
        }
        Ok(())
    }
}

/// What came of reading once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// The socket had nothing.
    Nothing,
    /// It gave what it had.
    Some,
    /// It filled all the room, and may have more.
    All,
}

/// How many bytes a socket takes now; 0 when it has no room.
fn write_once(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize, String> {
    match stream.write(bytes) {
        Ok(bytes) => Ok(bytes),
        Err(error) if is_for_later(error.kind()) => Ok(0),
        Err(error) => Err(gone(&error)),
    }
}

fn is_for_later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn gone(error: &std::io::Error) -> String {
    format!("the connection to the broker broke: {error}; see the broker's log")
}
