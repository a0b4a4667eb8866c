//! The body of an answer, handed out in pieces: what is under way to a socket is copied, and a reader that takes its
//! time must not cost a copy of the whole. What is long is not even there in whole: it is made while it is sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::stream::{self, Stream};
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Bytes of one piece.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// What is left of a body.
pub(super) enum Pieces {
    /// All of it is there.
    Whole(Bytes),
    /// The next piece is made when there is room for it. Where that fails, what was sent breaks off, which its reader
    /// notices.
    Made(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

impl Pieces {
    /// A body of unknown length. `next` makes a piece of what is still to be made, and gives the rest back with it.
    pub fn made<S, F>(all: S, next: impl FnMut(S) -> F + Send + 'static) -> Self
    where
        S: Send + 'static,
        F: Future<Output = io::Result<Option<(Bytes, S)>>> + Send + 'static,
    {
        Self::Made(Box::pin(stream::try_unfold(all, next)))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let end = bytes.len().min(PIECE_BYTES);
                Poll::Ready(Some(Ok(Frame::data(bytes.split_to(end)))))
            }
            Self::Made(pieces) => {
                pieces.as_mut().poll_next(context).map(|piece| Some(piece?.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Made(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_std::task;
    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn a_body_goes_out_in_pieces_and_whole() {
        let body = Bytes::from(vec![7; 3 * PIECE_BYTES + 1]);
        let mut pieces = Pieces::Whole(body.clone());
        assert_eq!(pieces.size_hint().exact(), Some(body.len() as u64));
        let mut sizes = Vec::new();
        while let Some(Ok(frame)) = task::block_on(pieces.frame()) {
            sizes.push(frame.into_data().unwrap().len());
        }
        assert_eq!(sizes, [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, 1]);
        assert!(pieces.is_end_stream() && Pieces::Whole(Bytes::new()).is_end_stream());
    }

    #[test]
    fn a_body_that_is_made_breaks_off_where_it_cannot_go_on() {
        let check = |last: u8, breaks_at: u8, expected: &[Result<u8, io::ErrorKind>]| {
            let mut pieces = Pieces::made(0_u8, move |at| async move {
                match at {
                    at if at == breaks_at => Err(io::ErrorKind::Other.into()),
                    at => Ok((at < last).then(|| (Bytes::from(vec![at]), at + 1))),
                }
            });
            assert!(!pieces.is_end_stream() && pieces.size_hint().exact().is_none());
            let mut found = Vec::new();
            while let Some(frame) = task::block_on(pieces.frame()) {
                let piece = frame.map(|frame| frame.into_data().unwrap()[0]);
                found.push(piece.map_err(|error| error.kind()));
            }
            assert_eq!(found, expected);
        };
        check(3, 9, &[Ok(0), Ok(1), Ok(2)]);
        check(0, 9, &[]);
        check(3, 1, &[Ok(0), Err(io::ErrorKind::Other)]);
    }
}
