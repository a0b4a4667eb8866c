//! `leveret admin` as its users meet it: every command against a broker of the test's own, what it prints, what it
//! says when something is wrong, and how it behaves on a terminal.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod admin {
    mod access;
    mod bindings;
    mod definitions;
    mod desk;
    mod listings;
    mod manual;
    mod messages;
    mod queues;
    mod terminals;
    mod users;
    mod vhosts;
}
