//! The management API and the metrics, asked as RabbitMQ's tools ask them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod management {
    mod accounts;
    mod bounds;
    mod client_crate;
    mod connections;
    mod definitions;
    mod messages;
    mod metrics;
    mod queues;
    mod rates;
    mod row;
    mod rows;
    mod tools;
}
