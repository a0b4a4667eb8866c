//! What the broker does for programs, rule by rule: expiry, limits, dead letters, priorities, permissions, restarts,
//! alarms. Rules that RabbitMQ has too run against the broker that `LEVERET_TEST_URI` names, if it is set; the
//! others need a Leveret that is configured for them, and start one in either case.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod behaviour {
    mod alarms;
    mod bounds;
    mod client;
    mod consumers;
    mod dead_letters;
    mod expiry;
    mod full_disk;
    mod lengths;
    mod own_queue;
    mod permissions;
    mod private_files;
    mod replies;
    mod restarts;
    mod routing;
}
