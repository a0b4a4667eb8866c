//! The protocol, rule by rule: frames in, frames out, the reply code and its text, and what stays open. The rows run
//! against a Leveret of their own, or against the broker that `LEVERET_TEST_URI` names, such as a RabbitMQ; rows
//! where we differ from it on purpose say so and are left out then.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod conformance {
    mod channels;
    mod confirms;
    mod consuming;
    mod content;
    mod exchanges;
    mod frames;
    mod handshake;
    mod methods;
    mod publishing;
    mod queues;
    mod replies;
    mod row;
    mod settling;
    mod transactions;
}
