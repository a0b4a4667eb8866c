//! The things of a virtual host: exchanges, queues and consumers as handles, their arguments and settings, and the ways
//! from an exchange to queues.

pub(super) mod arguments;
pub(super) mod charge;
pub(super) mod dead_letters_waiting;
pub(super) mod delivery_count;
pub(super) mod equivalence;
pub(super) mod exchange_handle;
pub(super) mod gate;
pub(super) mod in_force;
pub(super) mod properties;
pub(super) mod queue_handle;
pub(super) mod reply_address;
pub(super) mod routes;
pub(super) mod subscriber;
pub(super) mod vhost;
