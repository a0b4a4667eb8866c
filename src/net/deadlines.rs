//! The queues' timers: one task sleeps until the next is due.

use std::sync::Arc;
use std::time::Duration;

use async_std::task;
use futures_lite::FutureExt;

use super::server::Server;
use crate::clock::now_ms;

/// The next deadline is looked for after this long, whatever the clock has done.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Runs the queues' timers for ever.
pub(super) async fn run(server: Arc<Server>) {
    loop {
        let earlier = server.hub.deadline.listen();
        match server.broker.tick(now_ms()) {
            None => earlier.await,
            Some(due_ms) => {
                // At least a millisecond, so that a deadline which cannot be met does not take a processor.
                let wait = Duration::from_millis(due_ms.saturating_sub(now_ms()).max(1));
                let wait = wait.min(WAIT_MAX);
                earlier.or(task::sleep(wait)).await;
            }
        }
    }
}
