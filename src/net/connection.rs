//! Setting up a connection that was accepted: its session, its link, and its two tasks.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_std::task;
use futures_lite::FutureExt;

use super::link::Link;
use super::reader::Reader;
use super::server::Server;
use super::watch::Watch;
use super::writer;
use crate::broker::Refusal;
use crate::outbox::{Limits, Outbox};
use crate::session::{Peer, Session};
use crate::socket::{Arriving, Socket};

/// Lets a connection in, if there is room for one more. Those in the middle of a TLS handshake take room as well.
pub(super) fn admit(server: &Arc<Server>, arriving: Arriving) {
    let (most, address) = (server.broker.config().amqp.connections_max, arriving.address());
    let place = server.place();
    // In this order: one that enters in between is counted twice and not left out.
    let places = server.places();
    if server.count() + places > most {
        log::warn!("{address}: refused: there are {most} connections, as many as may be");
        return;
    }
    let handshake = match arriving.enter() {
        Ok(socket) => return start(server, socket),
        Err(handshake) => handshake,
    };
    let server = Arc::clone(server);
    let limit = Duration::from_millis(server.broker.config().amqp.handshake_ms_max);
    task::spawn(async move {
        match handshake.carry_out(limit).await {
            // The server may have begun to stop meanwhile.
            Ok(socket) if !server.is_closing() => start(&server, socket),
            Ok(_) => log::debug!("{address}: refused: the broker stops"),
            Err(why) => log::warn!("{address}: refused: {why}"),
        }
        drop(place);
    });
}

/// Starts to serve a connection.
fn start(server: &Arc<Server>, socket: Socket) {
    let Socket { address, local, security, reading, writing, control } = socket;
    let peer = Peer { address, local };
    match security.tls() {
        None => log::info!("{peer}: accepted"),
        Some(tls) => log::info!("{peer}: accepted, {} {}", tls.protocol, tls.cipher_suite),
    }
    let config = server.broker.config();
    let link = Arc::new(Link::new(peer, control));
    let limits = Limits {
        bytes_max: config.amqp.outbox_bytes_max,
        unacked_per_channel_max: config.limits.unacked_per_channel_max,
        unacked_bytes_per_channel_max: config.limits.unacked_bytes_per_channel_max,
    };
    let writer = Arc::clone(&link);
    let outbox = Arc::new(Outbox::new(limits, config.amqp.frame_bytes_max, move || {
        writer.writable.notify(1);
    }));
    let operator = Arc::clone(&link);
    let close = Box::new(move |refusal: Refusal| operator.close(refusal.into()));
    let session = Session::new(Arc::clone(&server.broker), Arc::clone(&outbox), peer, close)
        .secured_by(security);
    let number = server.enter(Watch::new(Arc::clone(&link), Arc::clone(&outbox)));
    let writer = writer::run(Arc::clone(&server.broker), Arc::clone(&link), outbox, writing);
    let reader = Reader::new(Arc::clone(server), link, session, reading, number);
    task::spawn(writer);
    task::spawn(async move {
        // The reader gives everything back when it is dropped, also by a panic.
        if AssertUnwindSafe(reader.run()).catch_unwind().await.is_err() {
            log::error!("{peer}: closed: the broker made a mistake; please report it");
        }
    });
}
