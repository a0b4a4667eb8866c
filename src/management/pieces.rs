//! The body of an answer, handed out in pieces: what is under way to a socket is copied, and a reader that takes its
//! time must not cost a copy of the whole.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Bytes of one piece.
const PIECE_BYTES: usize = 64 * 1024;

/// What is left of a body.
pub(super) struct Pieces(Bytes);

impl Pieces {
    pub fn new(body: Bytes) -> Self {
        Self(body)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let end = self.0.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.0.split_to(end)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
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
        let mut pieces = Pieces::new(body.clone());
        assert_eq!(pieces.size_hint().exact(), Some(body.len() as u64));
        let mut sizes = Vec::new();
        while let Some(Ok(frame)) = task::block_on(pieces.frame()) {
            sizes.push(frame.into_data().unwrap().len());
        }
        assert_eq!(sizes, [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, 1]);
        assert!(pieces.is_end_stream() && Pieces::new(Bytes::new()).is_end_stream());
    }
}
