//! What a connection published while memory was short and publishers waited. Whoever holds messages unacknowledged
//! may publish a little: the acknowledgements that would free memory may stand behind what it publishes, or wait for
//! its confirm. What it acknowledges meanwhile lets it publish as much again.

use crate::outbox::Unacked;

/// Bytes that a message takes beside its body, on either side of the account.
const MESSAGE_BYTES: u64 = 256;

/// The account of one connection, for as long as the shortage lasts.
#[derive(Debug, Default)]
pub(super) struct Arrears {
    /// It has published something since memory is short.
    is_open: bool,
    bytes: u64,
}

impl Arrears {
    /// Whether there is an account.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Bytes that were published and not made good.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A message begins.
    pub fn begin_message(&mut self) {
        self.is_open = true;
        self.bytes = self.bytes.saturating_add(MESSAGE_BYTES);
    }

    /// What was read counts, once there is an account: up to `consumed`, from where it was `counted` last.
    pub fn count_to(&mut self, counted: &mut usize, consumed: usize) {
        if self.is_open {
            self.bytes = self.bytes.saturating_add((consumed - *counted) as u64);
        }
        *counted = consumed;
    }

    /// Deliveries were settled for good.
    pub fn settle<Q>(&mut self, settled: &[Unacked<Q>]) {
        if self.is_open {
            let freed: u64 = settled.iter().map(|one| one.body_bytes + MESSAGE_BYTES).sum();
            self.bytes = self.bytes.saturating_sub(freed);
        }
    }

    /// The shortage is over.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}
