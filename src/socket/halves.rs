//! The two directions of a socket. Each has one owner; they go on beside each other.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_std::io::{Read, Write};
use async_std::net::TcpStream;

use super::secured::Half;

/// What comes.
#[derive(Debug)]
pub struct Reading(ReadingFrom);

#[derive(Debug)]
enum ReadingFrom {
    Plain(TcpStream),
    Secured(Half),
}

/// What goes. Closing it tells the peer that nothing more will come; what it sends is still read.
#[derive(Debug)]
pub struct Writing(WritingTo);

#[derive(Debug)]
enum WritingTo {
    Plain(TcpStream),
    Secured(Half),
}

impl Reading {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self(ReadingFrom::Plain(stream))
    }

    pub(super) fn secured(half: Half) -> Self {
        Self(ReadingFrom::Secured(half))
    }
}

impl Writing {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self(WritingTo::Plain(stream))
    }

    pub(super) fn secured(half: Half) -> Self {
        Self(WritingTo::Secured(half))
    }
}

impl Read for Reading {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            ReadingFrom::Plain(stream) => Pin::new(stream).poll_read(context, into),
            ReadingFrom::Secured(half) => half.poll_read(context, into),
        }
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            ReadingFrom::Plain(stream) => Pin::new(stream).poll_read_vectored(context, into),
            ReadingFrom::Secured(half) => match into.iter_mut().find(|part| !part.is_empty()) {
                Some(part) => half.poll_read(context, part),
                None => Poll::Ready(Ok(0)),
            },
        }
    }
}

impl Write for Writing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            WritingTo::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            WritingTo::Secured(half) => half.poll_write(context, &[IoSlice::new(bytes)]),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            WritingTo::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            WritingTo::Secured(half) => half.poll_write(context, parts),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            WritingTo::Plain(stream) => Pin::new(stream).poll_flush(context),
            WritingTo::Secured(half) => half.poll_flush(context),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            WritingTo::Plain(stream) => Poll::Ready(stream.shutdown(Shutdown::Write)),
            WritingTo::Secured(half) => half.poll_close(context),
        }
    }
}
