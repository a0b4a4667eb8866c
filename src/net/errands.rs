//! The broker's errands: one task does them slice by slice, and lets others have a turn after each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_lite::FutureExt;
use futures_lite::future::yield_now;

use super::server::Server;
use crate::broker::Remaining;
use crate::clock::now_ms;

/// Runs the broker's errands for ever.
pub(super) async fn run(server: Arc<Server>) {
    loop {
        let added = server.hub.errands.listen();
        let room = server.hub.gates.listen();
        match slice(&server) {
            Remaining::Some => yield_now().await,
            Remaining::Held => added.or(room).await,
            Remaining::Nothing => added.await,
        }
    }
}

/// A mistake in one errand ends that errand alone.
fn slice(server: &Server) -> Remaining {
    let work = AssertUnwindSafe(|| server.broker.run_errands(now_ms()));
    catch_unwind(work).unwrap_or_else(|_| {
        log::error!("an errand was given up: the broker made a mistake; please report it");
        Remaining::Some
    })
}
