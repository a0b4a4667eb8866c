//! Long work comes in slices: whatever one message, one method or one moment leads to, a turn does a bounded part of
//! it, and the rest is done in errands. Counted, not timed: what a call did is what the queues and the store count.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "slices/alarms.rs"]
mod alarms;
#[path = "slices/dead_letters.rs"]
mod dead_letters;
#[path = "slices/desk.rs"]
mod desk;
#[path = "slices/expiry.rs"]
mod expiry;
#[path = "slices/inbox.rs"]
mod inbox;
#[path = "slices/purge.rs"]
mod purge;
