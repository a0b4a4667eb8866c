//! One task looks at all connections every now and then, and has the broker look at its alarms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_std::task;

use super::server::Server;
use super::watch::LOOK_EVERY;
use crate::clock::{self, now_ms};

/// Looks after all connections for ever.
pub(super) async fn run(server: Arc<Server>) {
    let handshake_max = Duration::from_millis(server.broker.config().amqp.handshake_ms_max);
    loop {
        task::sleep(LOOK_EVERY).await;
        let now = Instant::now();
        if clock::correct() {
            server.hub.deadline.notify(1);
        }
        server.each(|watch| watch.look(now, handshake_max));
        server.broker.check_alarms();
        server.broker.check_frugality();
        server.broker.check_arrivals(now_ms());
        server.broker.forget_failed_logins(now_ms());
    }
}
