//! A connection's writer task: takes everything that waits in the outbox, writes it in one go, and lets the
//! consumers that had found no room go on.

use std::io::{self, IoSlice};
use std::sync::Arc;

use futures_lite::AsyncWriteExt;

use super::link::Link;
use super::turn::Turn;
use crate::broker::{Broker, ClientOutbox};
use crate::clock::now_ms;
use crate::outbox::Buffer;
use crate::socket::Writing;

/// Parts handed to the operating system in one call.
const PARTS_MAX: usize = 64;

/// Writes until the reader says that all is said, or the socket fails.
pub(super) async fn run(
    broker: Arc<Broker>,
    link: Arc<Link>,
    outbox: Arc<ClientOutbox>,
    mut socket: Writing,
) {
    let mut buffer = Buffer::default();
    let mut turn = Turn::default();
    loop {
        let mut stalled = outbox.drain(&mut buffer);
        if buffer.is_empty() && stalled.is_empty() {
            let woken = link.writable.listen();
            // What came before the listener was there is found now, what comes later wakes it.
            stalled = outbox.drain(&mut buffer);
            if buffer.is_empty() && stalled.is_empty() {
                if link.is_finishing() {
                    break;
                }
                if link.take_release() {
                    buffer.release();
                    outbox.release_buffer();
                }
                woken.await;
                continue;
            }
        }
        if let Err(error) = write(&mut socket, &buffer).await {
            log::debug!("{}: writing failed: {error}", link.peer);
            link.abort("the client is gone");
            return;
        }
        turn.spend(buffer.len()).await;
        buffer.clear();
        if link.is_paused() {
            link.attention.notify(1);
        }
        broker.resume(stalled, now_ms());
    }
    // It fails when the peer was faster, which is as good.
    let _ = socket.close().await;
}

async fn write(socket: &mut Writing, buffer: &Buffer) -> io::Result<()> {
    let mut parts = buffer.parts().peekable();
    let Some(first) = parts.next() else { return Ok(()) };
    if parts.peek().is_none() {
        socket.write_all(first).await?;
        return socket.flush().await;
    }
    let mut waiting = Vec::with_capacity(PARTS_MAX);
    waiting.push(first);
    loop {
        waiting.extend(parts.by_ref().take(PARTS_MAX - waiting.len()));
        if waiting.is_empty() {
            // With TLS something may wait for room in the socket still.
            return socket.flush().await;
        }
        let slices: Vec<IoSlice<'_>> = waiting.iter().map(|part| IoSlice::new(part)).collect();
        match socket.write_vectored(&slices).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => skip(&mut waiting, written),
        }
    }
}

/// Takes written bytes off the front of the parts that wait.
fn skip(waiting: &mut Vec<&[u8]>, mut written: usize) {
    let done = waiting
        .iter()
        .take_while(|part| {
            let whole = part.len() <= written;
            if whole {
                written -= part.len();
            }
            whole
        })
        .count();
    waiting.drain(..done);
    if let Some(first) = waiting.first_mut() {
        *first = &first[written..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &[&[u8]], written: usize, expected: &[&[u8]]) {
        let mut waiting = parts.to_vec();
        skip(&mut waiting, written);
        assert_eq!(waiting, expected);
    }

    #[test]
    fn what_was_written_does_not_wait_any_more() {
        check(&[b"abc", b"de"], 0, &[b"abc", b"de"]);
        check(&[b"abc", b"de"], 2, &[b"c", b"de"]);
        check(&[b"abc", b"de"], 3, &[b"de"]);
        check(&[b"abc", b"", b"de"], 4, &[b"e"]);
        check(&[b"abc", b"de"], 5, &[]);
    }
}
