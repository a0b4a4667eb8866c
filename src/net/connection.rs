//! Setting up a connection that was accepted: its session, its link, and its two tasks.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

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
use crate::socket::Socket;

/// Lets a connection in, if there is room for one more.
pub(super) fn admit(server: &Arc<Server>, socket: Socket) {
    let most = server.broker.config().amqp.connections_max;
    if server.count() >= most {
        let address = socket.address;
        log::warn!("{address}: refused: there are {most} connections, as many as may be");
        return;
    }
    start(server, socket);
}

/// Starts to serve a connection.
fn start(server: &Arc<Server>, socket: Socket) {
    let Socket { address, local, reading, writing, control, .. } = socket;
    let peer = Peer { address, local };
    log::info!("{peer}: accepted");
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
    let session = Session::new(Arc::clone(&server.broker), Arc::clone(&outbox), peer, close);
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
