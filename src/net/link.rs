//! What a connection's two tasks share with each other and with the rest of the program: how each is woken, and
//! what it is told.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering};

use event_listener::Event;
use parking_lot::Mutex;

use crate::fault::Fault;
use crate::session::Peer;
use crate::socket::Control;

/// How far a connection has come, as far as time matters to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// Before `connection.open-ok`.
    Handshake,
    /// Open.
    Open,
    /// It was told to close and has some time to agree.
    Closing,
    /// It was refused and waits without an answer.
    Refused,
    /// All is said; the peer has some time to close its side.
    Lingering,
}

const STAGES: [Stage; 5] =
    [Stage::Handshake, Stage::Open, Stage::Closing, Stage::Refused, Stage::Lingering];

/// One connection, seen from outside.
pub(super) struct Link {
    pub peer: Peer,
    /// The socket, as far as others than its reader and writer use it.
    pub socket: Control,
    /// Wakes the reader; it looks at everything below.
    pub attention: Event,
    /// Wakes the writer.
    pub writable: Event,
    orders: Mutex<Orders>,
    /// There is an order that the reader has not seen.
    ordered: AtomicBool,
    stage: AtomicU8,
    heartbeat_s: AtomicU16,
    /// How often something was read; it wraps around.
    reads: AtomicU32,
    /// The reader does not read at present: the peer's silence means nothing.
    paused: AtomicBool,
    /// The writer writes what there is, and ends.
    finishing: AtomicBool,
    /// The writer gives back the memory of its buffers.
    release: AtomicBool,
}

/// What the reader is told.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Close with this fault.
    pub close: Option<Fault>,
    /// The socket was shut down, for this reason.
    pub abort: Option<&'static str>,
    /// Give back the memory of buffers.
    pub release: bool,
}

impl Link {
    pub fn new(peer: Peer, socket: Control) -> Self {
        Self {
            peer,
            socket,
            attention: Event::new(),
            writable: Event::new(),
            orders: Mutex::default(),
            ordered: AtomicBool::new(false),
            stage: AtomicU8::new(Stage::Handshake as u8),
            heartbeat_s: AtomicU16::new(0),
            reads: AtomicU32::new(0),
            paused: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
            release: AtomicBool::new(false),
        }
    }

    /// Closes the connection with a fault that its peer is told. The first fault counts.
    pub fn close(&self, fault: Fault) {
        self.order(|orders| {
            orders.close.get_or_insert(fault);
        });
    }

    /// Ends the connection at once: whatever its tasks wait for on the socket fails.
    pub fn abort(&self, why: &'static str) {
        self.order(|orders| {
            orders.abort.get_or_insert(why);
        });
        self.socket.abort();
        self.writable.notify(1);
    }

    /// Asks both tasks to give back the memory of their buffers.
    pub fn release_buffers(&self) {
        self.release.store(true, Ordering::Release);
        self.writable.notify(1);
        self.order(|orders| orders.release = true);
    }

    /// Lets the reader look again whether it has to stand still.
    pub fn look_again(&self) {
        self.attention.notify(1);
    }

    fn order(&self, give: impl FnOnce(&mut Orders)) {
        give(&mut self.orders.lock());
        self.ordered.store(true, Ordering::Release);
        self.attention.notify(1);
    }

    /// What the reader has been told since it last asked.
    pub fn take_orders(&self) -> Option<Orders> {
        if !self.ordered.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some(std::mem::take(&mut self.orders.lock()))
    }

    /// Lets the writer write what there is, close the socket's sending side, and end.
    pub fn finish_writing(&self) {
        self.finishing.store(true, Ordering::Release);
        self.writable.notify(1);
    }

    pub fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::Acquire)
    }

    /// Whether the writer was asked to give memory back since it last looked.
    pub fn take_release(&self) -> bool {
        self.release.load(Ordering::Relaxed) && self.release.swap(false, Ordering::AcqRel)
    }

    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    pub fn stage(&self) -> Stage {
        let stage = self.stage.load(Ordering::Acquire);
        STAGES.get(usize::from(stage)).copied().unwrap_or(Stage::Lingering)
    }

    pub fn set_heartbeat_s(&self, seconds: u16) {
        self.heartbeat_s.store(seconds, Ordering::Relaxed);
    }

    pub fn heartbeat_s(&self) -> u16 {
        self.heartbeat_s.load(Ordering::Relaxed)
    }

    pub fn note_read(&self) {
        // Only the reader writes it.
        self.reads.store(self.reads().wrapping_add(1), Ordering::Relaxed);
    }

    pub fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Says whether the reader stands still. Set before the reader looks at what it would wait for, so that
    /// whoever ends the wait later finds it set.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }
}
