//! The queue state machine: what is ready, what is unacknowledged, who consumes and with how much credit,
//! limits, expiry and priorities. Pure: time comes in as Unix milliseconds, and what has to happen outside
//! goes out as values in [`Effects`].
//!
//! Of a queue deeper than its window the durable entries are evicted from memory, in spans (`ready/span`); `paging` is
//! how they are evicted and loaded again.
//!
//! An entry is in exactly one place at a time: ready (`ready`, made of one `lane` for each priority), or
//! unacknowledged (`unacknowledged`), or it is done with and stands in [`Effects::settled`] or [`Effects::dead`].
//! Only a transient entry that is done with goes without a trace. The caller holds one lock around a queue
//! and calls it with batches; each call ends by handing out what it can.
//!
//! Where later abilities join, without a change to what is here:
//!
//! - **Delayed messages** are a third place beside ready and unacknowledged: entries ordered by the time at
//!   which they become ready. [`Queue::append`] puts an entry there when its time has not come,
//!   [`Queue::next_deadline_ms`] takes the earliest time into account, and [`Queue::expire`] moves what is due
//!   into the ready lanes. A lane takes an entry at any position in logarithmic time, so late arrivals cost
//!   little and still find their original place.
//! - **Retry with backoff** is [`Queue::requeue`] putting entries into that same place, for a time computed from
//!   `Entry::returns`, which the journal already keeps.
//! - **Deduplication** belongs in [`Queue::reserve`], which is given the message before it is journaled and
//!   is called under the same lock as everything else: a table of recently seen identifiers, bounded by count and
//!   time, answers there that the message is held already, and the publisher is confirmed without an append.

mod capacity;
mod closing;
mod consumers;
mod counts;
mod dispatch;
mod effects;
mod entry;
mod expiry;
mod intake;
mod options;
mod paging;
mod peek;
mod ready;
mod receiver;
mod removed;
mod reservations;
mod rings;
mod settlement;
mod state;
mod subscription;
mod unacknowledged;

#[cfg(test)]
mod tests;

pub use crate::message::{AckMode, LoadedMessage, Position, Run, StoredMessage};
pub use closing::{DeleteCondition, DeleteRefusal, DeletedQueue};
pub use consumers::RemovedConsumers;
pub use counts::{Counts, Totals};
pub use dispatch::{GetOutcome, Got};
pub use effects::{Dead, Effects, Reason};
pub use entry::{Entry, NEVER_MS, Reservation};
pub use intake::QueueFull;
pub use options::{Options, Overflow, Window};
pub use ready::{LoadRequest, SpanId};
pub use receiver::{Offer, Receiver, Way};
pub use removed::RemovedEntries;
pub use state::Queue;
pub use subscription::{ConsumerId, ConsumerState, Exclusivity, SubscribeError, Subscription};
