//! The rules for queues once more, on brokers that keep two messages of a durable queue in memory: whatever is behind
//! them leaves, and is read back from the journal. `tests/support/server.rs` sees to that by this crate's name.

#![allow(clippy::unwrap_used, clippy::expect_used)]
// What only the rules need that are left out here.
#![allow(dead_code)]

mod support;

mod behaviour {
    mod client;
    mod consumers;
    mod dead_letters;
    mod expiry;
    mod lengths;
    mod own_queue;
    mod restarts;
}

mod conformance {
    mod confirms;
    mod consuming;
    mod methods;
    mod queues;
    mod row;
    mod settling;
    mod transactions;
}
