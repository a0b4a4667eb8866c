//! A connection's reader task: it feeds the session with what the socket brings, waits for what the session
//! waits for, and stands still while the peer must not send more.
//!
//! Whatever it waits for, it also waits for the link to call for attention: an order to close or to give memory
//! back. A listener is always there before the orders are looked at, so that none is missed.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use async_std::io::Read;
use async_std::task;
use event_listener::EventListener;
use futures_lite::future::{pending, poll_fn, yield_now};

use super::link::{Link, Stage};
use super::read_buffer::ReadBuffer;
use super::server::Server;
use super::turn::Turn;
use super::watch::REFUSAL;
use crate::broker::{Identity, Verification};
use crate::clock::now_ms;
use crate::session::{self, Next, Session};
use crate::socket::Reading;

/// Reads after which a reader lets others have a turn. A peer that sends without a pause always has something to
/// read, so its reader would keep a thread for itself.
const READS_PER_TURN: u32 = 8;

/// A connection's reader.
pub(super) struct Reader {
    server: Arc<Server>,
    link: Arc<Link>,
    session: Session,
    socket: Reading,
    number: u64,
    buffer: ReadBuffer,
    /// Becomes ready when the link wants attention.
    attention: EventListener,
    /// Why the connection ended without the session having closed it.
    why: &'static str,
}

/// The socket is of no use any more, and why.
struct Gone(&'static str);

impl Reader {
    pub fn new(
        server: Arc<Server>,
        link: Arc<Link>,
        session: Session,
        socket: Reading,
        number: u64,
    ) -> Self {
        Self {
            attention: link.attention.listen(),
            server,
            link,
            session,
            socket,
            number,
            buffer: ReadBuffer::default(),
            why: "the broker ended its task",
        }
    }

    /// Serves the connection to its end.
    pub async fn run(mut self) {
        match self.serve().await {
            Ok(last) => {
                if let Next::Refuse = last {
                    self.hold().await;
                }
                self.linger().await;
            }
            Err(Gone(why)) => self.why = why,
        }
    }

    /// Does what the session asks for, up to [`Next::Close`] or [`Next::Refuse`].
    async fn serve(&mut self) -> Result<Next, Gone> {
        let mut turn = Turn::default();
        let mut next = Next::Frame;
        loop {
            next = match next {
                Next::Frame => {
                    let received = self.session.receive(self.buffer.unused(), now_ms());
                    self.buffer.used(received.consumed);
                    turn.spend(received.consumed).await;
                    received.next
                }
                Next::Read => {
                    self.note_stage();
                    self.stand_still().await?;
                    self.read().await?;
                    Next::Frame
                }
                Next::Yield => {
                    self.attend()?;
                    // Meanwhile it sees neither heartbeats nor the end of its socket.
                    self.link.set_paused(true);
                    yield_now().await;
                    self.link.set_paused(false);
                    Next::Frame
                }
                Next::Full | Next::Held => {
                    self.stand_still().await?;
                    Next::Frame
                }
                Next::Store(pending) => match self.wait_for(pending.wait()).await? {
                    Some(stored) => self.session.stored(stored, now_ms()),
                    None => Next::Frame,
                },
                Next::Verify(verification) => match self.wait_for(verified(*verification)).await? {
                    Some(verified) => self.session.verified(verified, now_ms()),
                    None => Next::Frame,
                },
                Next::Room(place) => match self.wait_for(place.wait()).await? {
                    Some(room) => self.session.make_room(room, now_ms()),
                    None => Next::Frame,
                },
                last @ (Next::Close | Next::Refuse) => return Ok(last),
            };
        }
    }

    /// Waits while the peer must not send more.
    async fn stand_still(&mut self) -> Result<(), Gone> {
        if !self.must_stand_still() {
            return Ok(());
        }
        self.link.set_paused(true);
        let waited = self.wait_for_gates().await;
        self.link.set_paused(false);
        waited
    }

    async fn wait_for_gates(&mut self) -> Result<(), Gone> {
        loop {
            self.attend()?;
            let mut gates = self.server.hub.gates.listen();
            if !self.must_stand_still() {
                return Ok(());
            }
            self.race(&mut gates).await;
        }
    }

    fn must_stand_still(&self) -> bool {
        // A closing connection is read on: its answer is all that is missing.
        let is_closing =
            matches!(self.session.stage(), session::Stage::Closing | session::Stage::Closed);
        !is_closing && (self.session.is_full() || self.session.is_held())
    }

    /// Reads once, or until an order changed what is to be done.
    async fn read(&mut self) -> Result<(), Gone> {
        let wanted = self.session.wanted(self.buffer.unused());
        loop {
            if self.attend()? || self.session.stage() == session::Stage::Closed {
                return Ok(());
            }
            self.buffer.prepare(wanted);
            match self.read_once().await {
                None => {}
                Some(Ok(0)) => return Err(Gone("the client closed the socket")),
                Some(Ok(count)) => {
                    self.buffer.read(count);
                    self.link.note_read();
                    if self.link.reads().is_multiple_of(READS_PER_TURN) {
                        yield_now().await;
                    }
                    return Ok(());
                }
                Some(Err(error)) => return Err(Gone(lost(&error))),
            }
        }
    }

    /// `None` when the link called for attention.
    async fn read_once(&mut self) -> Option<io::Result<usize>> {
        let Self { attention, link, socket, buffer, .. } = self;
        poll_fn(|context| {
            if called(attention, link, context) {
                return Poll::Ready(None);
            }
            Pin::new(&mut *socket).poll_read(context, buffer.room()).map(Some)
        })
        .await
    }

    /// Waits for something slow. `None` when the connection was told to close meanwhile.
    async fn wait_for<F: Future>(&mut self, slow: F) -> Result<Option<F::Output>, Gone> {
        self.link.set_paused(true);
        let mut slow = pin!(slow);
        let waited = loop {
            match self.attend() {
                Ok(false) => {}
                Ok(true) => break Ok(None),
                Err(gone) => break Err(gone),
            }
            if let Some(done) = self.race(&mut slow).await {
                break Ok(Some(done));
            }
        };
        self.link.set_paused(false);
        waited
    }

    /// Waits for something, or until the link called for attention, which is `None`.
    async fn race<F: Future + Unpin>(&mut self, mut other: F) -> Option<F::Output> {
        let Self { attention, link, .. } = self;
        poll_fn(|context| {
            if called(attention, link, context) {
                return Poll::Ready(None);
            }
            Pin::new(&mut other).poll(context).map(Some)
        })
        .await
    }

    /// Follows the orders that came. True when the session was told to close.
    fn attend(&mut self) -> Result<bool, Gone> {
        let Some(orders) = self.link.take_orders() else { return Ok(false) };
        if let Some(why) = orders.abort {
            return Err(Gone(why));
        }
        if orders.release {
            self.buffer.release();
            self.session.release();
        }
        let Some(fault) = orders.close else { return Ok(false) };
        self.session.fail(fault, now_ms());
        self.note_stage();
        Ok(true)
    }

    fn note_stage(&self) {
        let stage = match self.session.stage() {
            session::Stage::Handshake => Stage::Handshake,
            session::Stage::Open => Stage::Open,
            session::Stage::Closing | session::Stage::Closed => Stage::Closing,
        };
        if stage != self.link.stage() {
            self.link.set_heartbeat_s(self.session.heartbeat_s());
            self.link.set_stage(stage);
        }
    }

    /// Keeps a refused peer waiting, until the watch ends it or the server stops.
    async fn hold(&mut self) {
        self.buffer = ReadBuffer::default();
        self.link.set_stage(Stage::Refused);
        loop {
            let orders = self.link.take_orders().unwrap_or_default();
            if orders.abort.is_some() || orders.close.is_some() {
                return;
            }
            self.race(pending::<()>()).await;
        }
    }

    /// Lets the writer write the rest, then waits for the peer to close its side, so that the rest reaches it.
    async fn linger(&mut self) {
        self.session.end(self.why, now_ms());
        self.link.set_stage(Stage::Lingering);
        self.link.finish_writing();
        loop {
            if self.link.take_orders().is_some_and(|orders| orders.abort.is_some()) {
                return;
            }
            self.buffer = ReadBuffer::default();
            self.buffer.prepare(0);
            match self.read_once().await {
                None | Some(Ok(1..)) => {}
                Some(Ok(0) | Err(_)) => return,
            }
        }
    }
}

impl Drop for Reader {
    /// Gives everything back, also when the task panicked or was cancelled.
    fn drop(&mut self) {
        self.session.end(self.why, now_ms());
        self.link.abort(self.why);
        self.link.finish_writing();
        self.server.leave(self.number);
    }
}

/// Whether the link called for attention. What calls later makes the new listener ready, and what called before
/// is found by looking at the orders now.
fn called(attention: &mut EventListener, link: &Link, context: &mut Context<'_>) -> bool {
    let called = Pin::new(&mut *attention).poll(context).is_ready();
    if called {
        *attention = link.attention.listen();
    }
    called
}

/// Verifies a password in its turn, on a thread for blocking work.
async fn verified(mut verification: Verification) -> Result<Identity, String> {
    if verification.is_refused() {
        task::sleep(REFUSAL).await;
    }
    verification.wait_for_turn().await;
    task::spawn_blocking(move || verification.run()).await
}

fn lost(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionReset => "the client reset the socket",
        io::ErrorKind::TimedOut => "the client cannot be reached any more",
        // On a TLS connection that ends without saying so first.
        io::ErrorKind::UnexpectedEof => "the client closed the socket",
        io::ErrorKind::InvalidData => "what came is not TLS",
        _ => "the socket failed",
    }
}
