//! A consumer's way into its connection's outbox, as the queue sees it.

use super::entry::Entry;

/// Takes deliveries for one consumer. It is called under the queue's lock, so it must neither wait nor call the
/// queue.
pub trait Receiver: Clone {
    /// The way in while it is open.
    type Way<'a>: Way
    where
        Self: 'a;

    /// Opens the way for some offers in a row. No other receiver's is open meanwhile.
    fn open(&self) -> Self::Way<'_>;
}

/// An open way into an outbox.
pub trait Way {
    /// Hands over an entry. With [`Offer::Taken`] and [`Offer::TakenWake`] it is the consumer's, otherwise the
    /// queue keeps it.
    fn offer(&mut self, entry: &Entry) -> Offer;
}

/// The answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Taken; somebody has already seen to it that the outbox is written.
    Taken,
    /// Taken, as the first in an outbox: to be woken once the queue's lock is gone.
    TakenWake,
    /// No room, or no credit on the channel. Nothing more is offered until `Queue::resume`.
    Full,
    /// The connection is closing. Nothing more is ever offered.
    Gone,
}
