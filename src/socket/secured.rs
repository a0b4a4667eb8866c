//! A TLS connection's two halves. They share the connection, and each holds it only while it is asked for something.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_std::io::{Read, Write};
use async_std::net::TcpStream;
use futures_rustls::server::TlsStream;
use parking_lot::Mutex;

/// Reads of the socket in a row; then others come. Records may be empty, and TLS itself would read on for as long as
/// there are any.
const READS_MAX: u32 = 16;

/// The socket beneath TLS.
#[derive(Debug)]
pub(super) struct Fair {
    stream: TcpStream,
    reads_left: u32,
}

impl Fair {
    pub(super) fn of(stream: TcpStream) -> Self {
        Self { stream, reads_left: READS_MAX }
    }
}

impl Read for Fair {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.reads_left == 0 {
            self.reads_left = READS_MAX;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        self.reads_left = if read.is_ready() { self.reads_left - 1 } else { READS_MAX };
        read
    }
}

impl Write for Fair {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Says that nothing more will come, also to those who wait for that and not for TLS to say so.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(Shutdown::Write))
    }
}

/// One half. Both halves are the same: which is which is up to who holds them.
#[derive(Debug, Clone)]
pub(super) struct Half(Arc<Mutex<TlsStream<Fair>>>);

impl Half {
    /// The halves of a connection after its handshake.
    pub(super) fn two_of(stream: TlsStream<Fair>) -> (Self, Self) {
        let half = Self(Arc::new(Mutex::new(stream)));
        (half.clone(), half)
    }

    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_read(context, into)
    }

    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write_vectored(context, parts)
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(context)
    }

    pub(super) fn poll_close(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_close(context)
    }
}
