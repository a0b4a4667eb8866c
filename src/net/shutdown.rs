//! The server's life: it accepts until a signal comes or the store fails, then it closes its connections, makes
//! everything durable, and ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_std::task::{self, JoinHandle};
use futures_lite::FutureExt;

use super::server::Server;
use super::signals::{Signals, is_about_files, name};
use super::{ServeError, certificates, connection, deadlines, errands, heap, rounds};
use crate::fault::Fault;
use crate::socket::{Listener, Tls};
use crate::wire::ReplyCode;

/// What connections that did not close in time get to be gone.
const ABORT_MAX: Duration = Duration::from_secs(1);

/// What connections get to close when the store has failed: nothing can be saved for them any more.
const LOST_MAX: Duration = Duration::from_secs(1);

/// A program that a signal ends has this exit code and the signal's number added (POSIX shells).
const SIGNAL_EXIT: i32 = 128;

/// Why the server stops.
enum Stop {
    Signal(i32),
    Lost(String),
}

/// Serves until it is told to stop. `start` starts what is served beside AMQP.
pub(super) async fn run<Beside>(
    server: Arc<Server>,
    listeners: Vec<Listener>,
    tls: Option<Arc<Tls>>,
    start: impl FnOnce() -> Beside,
    began: Instant,
) -> Result<(), ServeError> {
    let signals = Signals::new().map_err(ServeError::Signals)?;
    for listener in &listeners {
        if let Ok(address) = listener.address() {
            let with = if listener.is_secured() { " with TLS" } else { "" };
            log::info!("listening on {address} for AMQP{with}");
        }
    }
    let beside = start();
    let accept = |listener: Listener| {
        let server = Arc::clone(&server);
        task::spawn(async move {
            listener.accept("connections", |arriving| connection::admit(&server, arriving)).await;
        })
    };
    let accepting: Vec<_> = listeners.into_iter().map(accept).collect();
    let rereading = tls.clone().map(|tls| task::spawn(certificates::watch(tls)));
    let watching = task::spawn(rounds::run(Arc::clone(&server)));
    let expiring = task::spawn(deadlines::run(Arc::clone(&server)));
    let running = task::spawn(errands::run(Arc::clone(&server)));
    let giving_back = task::spawn(heap::run(Arc::clone(&server)));
    log::info!("ready in {} ms", began.elapsed().as_millis());
    let told = async { Stop::Signal(told_to_end(&signals, tls.as_deref()).await) };
    let stop = told.or(failed(&server)).await;
    for accepting in accepting {
        accepting.cancel().await;
    }
    if let Some(rereading) = rereading {
        rereading.cancel().await;
    }
    let outcome = match stop {
        Stop::Signal(signal) => {
            log::info!("{} received: shutting down", name(signal));
            let _second = exit_on_next(signals);
            let limit = Duration::from_millis(server.broker.config().amqp.shutdown_ms_max);
            let reason = "broker forced connection closure with reason 'shutdown'";
            close_all(&server, &Fault::connection(ReplyCode::ConnectionForced, reason), limit)
                .await;
            Ok(())
        }
        Stop::Lost(why) => {
            log::error!("the store failed: {why}");
            let reason = "the store failed; see the broker's log";
            close_all(&server, &Fault::connection(ReplyCode::InternalError, reason), LOST_MAX)
                .await;
            Err(ServeError::Lost(why))
        }
    };
    expiring.cancel().await;
    running.cancel().await;
    giving_back.cancel().await;
    watching.cancel().await;
    drop(beside);
    let broker = Arc::clone(&server.broker);
    task::spawn_blocking(move || broker.close()).await;
    match (outcome, server.hub.why_lost()) {
        (Ok(()), Some(why)) => Err(ServeError::Lost(why)),
        (outcome, _) => {
            log::info!("stopped");
            outcome
        }
    }
}

/// The first signal that asks for the end.
async fn told_to_end(signals: &Signals, tls: Option<&Tls>) -> i32 {
    loop {
        let signal = signals.next().await;
        if !is_about_files(signal) {
            return signal;
        }
        match tls {
            Some(tls) => certificates::read_again(tls, name(signal)),
            None => {
                log::info!("{} received: there are no certificates to read again", name(signal))
            }
        }
    }
}

async fn failed(server: &Server) -> Stop {
    loop {
        let lost = server.hub.lost.listen();
        if let Some(why) = server.hub.why_lost() {
            return Stop::Lost(why);
        }
        lost.await;
    }
}

/// A second signal ends the program at once.
fn exit_on_next(signals: Signals) -> JoinHandle<()> {
    task::spawn(async move {
        let signal = told_to_end(&signals, None).await;
        log::warn!("{} received again: ending at once", name(signal));
        std::process::exit(SIGNAL_EXIT + signal);
    })
}

/// Closes all connections; those that do not agree in time are cut off.
async fn close_all(server: &Server, fault: &Fault, limit: Duration) {
    // Also those that are in the middle of a handshake, and come later.
    server.close_all(fault);
    let count = server.count();
    if count == 0 {
        return;
    }
    log::info!("closing {count} connections");
    if emptied(server, limit).await {
        return;
    }
    log::warn!("{} connections did not close in time", server.count());
    server.each(|watch| watch.link().abort("the broker stops"));
    emptied(server, ABORT_MAX).await;
}

async fn emptied(server: &Server, limit: Duration) -> bool {
    let empty = async {
        server.wait_until_empty().await;
        true
    };
    let late = async {
        task::sleep(limit).await;
        false
    };
    empty.or(late).await
}
