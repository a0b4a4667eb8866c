//! The time of one connection: heartbeats both ways, the limits of handshakes, of closing and of refusals, and buffers
//! of a connection that has gone quiet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link::{Link, Stage};
use crate::broker::ClientOutbox;

/// How often it is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A connection that was told to close has this long to agree.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// A refused connection gets no answer for this long.
pub(super) const REFUSAL: Duration = Duration::from_secs(1);

/// After everything was said the peer has this long to close its side.
const LINGERING_MAX: Duration = Duration::from_secs(1);

/// A connection that was quiet for this long gives its buffers back.
const QUIET: Duration = Duration::from_secs(1);

/// A peer that is not read shows that it lives by what comes from it, as long as no more than this has come: beyond, its
/// system may hold back what it sends.
const TELLING_BYTES_MAX: u64 = 8 * 1024;

/// One connection, watched.
pub(super) struct Watch {
    link: Arc<Link>,
    outbox: Arc<ClientOutbox>,
    stage: Stage,
    stage_since: Instant,
    looked_at: Instant,
    reads: u32,
    read_at: Instant,
    written_bytes: u64,
    written_at: Instant,
    released: bool,
    /// Since when the reader stands still.
    paused_at: Option<Instant>,
    unread_bytes: u64,
}

impl Watch {
    pub fn new(link: Arc<Link>, outbox: Arc<ClientOutbox>) -> Self {
        let now = Instant::now();
        Self {
            stage: link.stage(),
            stage_since: now,
            looked_at: now,
            reads: link.reads(),
            read_at: now,
            written_bytes: 0,
            written_at: now,
            released: true,
            paused_at: None,
            unread_bytes: 0,
            link,
            outbox,
        }
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Looks at the time.
    pub fn look(&mut self, now: Instant, handshake_max: Duration) {
        self.note_activity(now);
        let stage = self.link.stage();
        let looked_at = std::mem::replace(&mut self.looked_at, now);
        if stage != self.stage {
            (self.stage, self.stage_since) = (stage, now);
        } else if stage == Stage::Handshake && self.link.is_paused() {
            // It waits for us: for its password to be verified.
            self.stage_since += now.duration_since(looked_at);
        }
        let (limit, why) = match stage {
            Stage::Open => return self.look_at_open(now),
            Stage::Handshake => (handshake_max, "it took too long to open its connection"),
            Stage::Closing => (CLOSING_MAX, "it took too long to agree"),
            Stage::Refused => (REFUSAL, "refused"),
            Stage::Lingering => (LINGERING_MAX, "it did not close its side"),
        };
        if now.duration_since(self.stage_since) >= limit {
            self.link.abort(why);
        }
    }

    fn note_activity(&mut self, now: Instant) {
        let (reads, written_bytes) = (self.link.reads(), self.outbox.written_bytes());
        if reads != self.reads {
            (self.reads, self.read_at) = (reads, now);
            (self.paused_at, self.unread_bytes) = (None, 0);
            self.released = false;
        }
        if self.link.is_paused() {
            self.note_pause(now);
        } else {
            self.paused_at = None;
        }
        if written_bytes != self.written_bytes {
            (self.written_bytes, self.written_at) = (written_bytes, now);
            self.released = false;
        }
    }

    /// A reader that stands still sees neither the end of its socket nor heartbeats.
    fn note_pause(&mut self, now: Instant) {
        let paused_at = *self.paused_at.get_or_insert(now);
        if now.duration_since(paused_at) >= QUIET && self.link.socket.is_hung_up() {
            return self.link.abort("the client closed the socket");
        }
        // It may have to wait no longer, since what it holds unacknowledged came meanwhile.
        if self.outbox.has_unacked() {
            self.link.look_again();
        }
        let unread_bytes = self.link.socket.unread_bytes();
        if unread_bytes != self.unread_bytes || unread_bytes > TELLING_BYTES_MAX {
            (self.unread_bytes, self.read_at) = (unread_bytes, now);
        }
    }

    fn look_at_open(&mut self, now: Instant) {
        let (silent, unwritten) = (now - self.read_at, now - self.written_at);
        let heartbeat = Duration::from_secs(self.link.heartbeat_s().into());
        if !heartbeat.is_zero() {
            if silent >= 2 * heartbeat + LOOK_EVERY {
                return self.link.abort("missed heartbeats from the client");
            }
            // Where bytes are waiting already, one more heartbeat would tell the peer nothing.
            if unwritten + LOOK_EVERY >= heartbeat / 2 && self.outbox.waiting_bytes() == 0 {
                self.outbox.heartbeat();
            }
        }
        if !self.released && silent >= QUIET && unwritten >= QUIET {
            self.released = true;
            self.link.release_buffers();
        }
    }
}
