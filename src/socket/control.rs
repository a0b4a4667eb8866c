//! What others than its reader and its writer do with a socket: end it, and look whether it has ended.

use std::net::Shutdown;

use async_std::net::TcpStream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionread;

/// A handle on a socket. It keeps it open until it is dropped.
#[derive(Debug, Clone)]
pub struct Control(TcpStream);

impl Control {
    pub(super) fn of(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// Ends it at once: whoever waits for it is woken, and finds that it has ended.
    pub fn abort(&self) {
        // It fails when the peer was faster, which is as good.
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Whether the peer has closed its side, or the socket failed, whatever is still to be read.
    pub fn is_hung_up(&self) -> bool {
        let mut sockets = [PollFd::new(&self.0, PollFlags::RDHUP)];
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Bytes that came and were not read.
    pub fn unread_bytes(&self) -> u64 {
        ioctl_fionread(&self.0).unwrap_or(0)
    }
}
