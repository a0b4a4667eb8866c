//! Places that were promised to messages on their way through the journal, so that they cannot exceed a queue's limits
//! together.

use super::counts::Totals;
use super::entry::{Entry, Reservation};
use super::options::Options;
use crate::message::Message;

/// Places promised to messages on their way through the journal.
#[derive(Default)]
pub(super) struct Reservations {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Reservations {
    /// Takes in an entry that was published: its place is given back, and its expiry set.
    pub(super) fn admit(
        &mut self,
        mut entry: Entry,
        options: &Options,
        totals: &mut Totals,
    ) -> Entry {
        self.give_back(std::mem::take(&mut entry.reservation), &entry.message);
        totals.published += 1;
        entry.limit_life(options.message_ttl_ms);
        entry
    }

    /// Gives back what was reserved for a message.
    pub(super) fn give_back(&mut self, reservation: Reservation, message: &Message) {
        if reservation == Reservation::Place {
            let body_bytes = message.body().len() as u64;
            debug_assert!(
                self.messages > 0 && self.bytes >= body_bytes,
                "a place is given back that nobody reserved"
            );
            self.messages = self.messages.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(body_bytes);
        }
    }
}
