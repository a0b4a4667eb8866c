//! What one connection is to be sent. Queues write into it, the connection's writer empties it. Three things stand behind
//! one lock (`contents`): the bytes (`outgoing`), for each channel its delivery tags, unacknowledged deliveries and publisher
//! confirms (`channel`), and what happened (`statistics`).

mod buffer;
mod channel;
mod confirms;
mod connection;
mod contents;
mod delivering;
mod delivery;
mod last_delivery;
mod outgoing;
mod statistics;
mod unacked;
mod watching;

pub use self::buffer::Buffer;
pub use self::connection::{Limits, Outbox};
pub use self::delivering::Delivering;
pub use self::delivery::{ChannelKey, Delivered, Delivery, Resume, Settled, UnknownTag};
pub use self::statistics::{ChannelMode, ChannelState, Tally, Traffic};
pub use self::unacked::Unacked;
