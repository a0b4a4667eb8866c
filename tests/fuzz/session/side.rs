//! One connection: its session, its outbox, and a peer that listens.

use std::net::SocketAddr;
use std::sync::Arc;

use leveret::broker::{Broker, ClientOutbox};
use leveret::outbox::{Buffer, Limits, Outbox};
use leveret::session::{Next, Peer, Session, Stage};

use super::world::FRAME_BYTES_MAX;
use crate::targets::listener::Listener;

/// One connection.
pub struct Side {
    broker: Arc<Broker>,
    session: Session,
    outbox: Arc<ClientOutbox>,
    /// What the peer has sent and the session has not taken.
    received: Vec<u8>,
    /// What the peer is about to send.
    pub gathered: Vec<u8>,
    pub listener: Listener,
    pub reads: bool,
    over: bool,
}

impl Side {
    pub fn new(broker: &Arc<Broker>) -> Self {
        let config = broker.config();
        let limits = Limits {
            bytes_max: config.amqp.outbox_bytes_max,
            unacked_per_channel_max: config.limits.unacked_per_channel_max,
            unacked_bytes_per_channel_max: config.limits.unacked_bytes_per_channel_max,
        };
        let outbox = Arc::new(Outbox::new(limits, FRAME_BYTES_MAX, || {}));
        let here = SocketAddr::from(([127, 0, 0, 1], 5672));
        let peer = Peer { address: here, local: here };
        let session = Session::new(Arc::clone(broker), Arc::clone(&outbox), peer, Box::new(|_| {}));
        Self {
            broker: Arc::clone(broker),
            session,
            outbox,
            received: Vec::new(),
            gathered: Vec::new(),
            listener: Listener::default(),
            reads: true,
            over: false,
        }
    }

    /// Whether the session has no use for more bytes.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The gathered bytes arrive.
    pub fn receive(&mut self, pieces: Option<usize>, now_ms: u64) {
        let gathered = std::mem::take(&mut self.gathered);
        let piece = pieces.unwrap_or(gathered.len()).max(1);
        for bytes in gathered.chunks(piece) {
            if self.over {
                return;
            }
            self.received.extend(bytes);
            self.work(now_ms);
        }
    }

    fn work(&mut self, now_ms: u64) {
        if self.session.is_full() && self.session.stage() != Stage::Closing {
            // Nothing more would be read from the socket until the peer has read.
            self.write(now_ms);
        }
        let held_before = self.outbox.waiting_bytes();
        let steps_max = self.received.len() + 8;
        let mut rest = std::mem::take(&mut self.received);
        for step in 0.. {
            assert!(step < steps_max, "{} bytes lead nowhere", rest.len());
            let received = self.session.receive(&rest, now_ms);
            assert!(received.consumed <= rest.len(), "more was taken than there was");
            rest.drain(..received.consumed);
            if self.follow(received.next, now_ms) {
                break;
            }
        }
        self.nothing_piles_up(held_before, steps_max, rest.len());
        self.received = rest;
        if self.reads {
            self.write(now_ms);
        }
    }

    /// Does what the session says. True when it wants more bytes, or none ever.
    fn follow(&mut self, mut next: Next, now_ms: u64) -> bool {
        loop {
            next = match next {
                Next::Read => return true,
                Next::Frame | Next::Yield => return false,
                Next::Full => {
                    self.write(now_ms);
                    return false;
                }
                // Nothing is short, and one body always has room.
                Next::Held => panic!("publishers are held back"),
                Next::Close | Next::Refuse => {
                    self.over = true;
                    return true;
                }
                Next::Store(pending) => {
                    let stored = pending.wait_blocking();
                    assert!(stored.is_ok(), "the store is well");
                    self.session.stored(stored, now_ms)
                }
                Next::Room(turn) => self.session.make_room(turn.take(), now_ms),
                Next::Verify(verification) => self.session.verified(verification.run(), now_ms),
            };
        }
    }

    /// A peer that does not read costs a bounded amount of memory, and so does a frame that does not end.
    fn nothing_piles_up(&self, held_before: usize, received: usize, rest: usize) {
        let amqp = &self.broker.config().amqp;
        let replies = 2 * amqp.outbox_bytes_max + amqp.message_bytes_max as usize + 4096;
        let waiting = self.outbox.waiting_bytes();
        assert!(waiting <= held_before.max(replies) + 64 * received, "{waiting} bytes wait");
        let frame = self.session.frame_bytes_max() as usize;
        assert!(self.over || rest < frame, "{rest} bytes of a frame of at most {frame}");
    }

    /// The peer reads all that there is.
    pub fn write(&mut self, now_ms: u64) {
        let mut buffer = Buffer::default();
        let resumed = self.outbox.drain(&mut buffer);
        let bytes: Vec<u8> = buffer.parts().flatten().copied().collect();
        assert_eq!(bytes.len(), buffer.len());
        self.listener.hear(&bytes, self.session.frame_bytes_max().max(4096));
        self.broker.resume(resumed, now_ms);
    }

    /// An operator closes the connection.
    pub fn close(&mut self, now_ms: u64) {
        let forced = leveret::wire::ReplyCode::ConnectionForced;
        let fault = leveret::fault::Fault::connection(forced, "closed by the operator");
        self.session.fail(fault, now_ms);
        self.over = self.over || self.session.stage() == Stage::Closed;
    }

    /// The socket is gone.
    pub fn end(&mut self, now_ms: u64) {
        if !self.over {
            self.write(now_ms);
        }
        self.session.end("the input ends", now_ms);
        assert_eq!(self.session.stage(), Stage::Closed);
        assert!(self.session.client().is_none());
        // What was said before the end is still written, and nothing is offered any more.
        self.write(now_ms);
    }
}
