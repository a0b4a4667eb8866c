//! The exchanges, bindings and queues of the crash test: declared once, and after each start only compared.

use std::io;

use super::letter::Letter;
use crate::support::peer::{Acknowledging, Argument, Durability, Event, Peer};
use crate::support::server::Server;

pub const EXCHANGE: &str = "crash.topic";
const INNER_EXCHANGE: &str = "crash.inner";
pub const FIRST: &str = "crash.first";
pub const SECOND: &str = "crash.second";
pub const THIRD: &str = "crash.third";
/// Where the third queue's dead letters go.
pub const DEAD: &str = "crash.dead";
/// Purged now and then.
pub const PURGED: &str = "crash.purged";
/// Deleted now and then, and declared anew.
pub const DELETED: &str = "crash.deleted";
/// Those that are always there.
const LASTING: [&str; 5] = [FIRST, SECOND, THIRD, DEAD, PURGED];
pub const QUEUES: [&str; 6] = [FIRST, SECOND, THIRD, DEAD, PURGED, DELETED];

const TRANSIENT_QUEUE: &str = "crash.transient";
const TRANSIENT_EXCHANGE: &str = "crash.transient";

/// Declares what is durable, and binds it.
pub fn declare(server: &Server) {
    let mut peer = Peer::connect(server.port()).unwrap();
    declare_durable(&mut peer);
    let bindings = [
        (FIRST, "first.*"),
        (FIRST, "both.#"),
        (SECOND, "second.#"),
        (SECOND, "both.*"),
        (PURGED, "purged.#"),
    ];
    for (queue, key) in bindings {
        peer.bind_queue(queue, EXCHANGE, key).unwrap();
    }
    peer.bind_exchange(INNER_EXCHANGE, EXCHANGE, "third.#").unwrap();
    peer.bind_queue(THIRD, INNER_EXCHANGE, "").unwrap();
}

/// Declares the queue that is deleted now and then, and binds it.
pub fn declare_deleted(peer: &mut Peer) -> io::Result<()> {
    peer.declare_queue(DELETED, Durability::Durable, &[])?;
    peer.bind_queue(DELETED, EXCHANGE, "deleted.#")
}

/// Declares what must be gone after the next start.
pub fn declare_transient(server: &Server) {
    let mut peer = Peer::connect(server.port()).unwrap();
    peer.declare_queue(TRANSIENT_QUEUE, Durability::Transient, &[]).unwrap();
    peer.declare_exchange(TRANSIENT_EXCHANGE, "direct", Durability::Transient).unwrap();
}

/// Everything durable is there with the attributes it was declared with, and nothing transient is.
pub fn check(server: &Server) {
    let connect = || Peer::connect(server.port()).unwrap();
    let mut peer = connect();
    for exchange in [EXCHANGE, INNER_EXCHANGE] {
        peer.find_exchange(exchange).unwrap();
    }
    for queue in LASTING {
        peer.depth(queue).unwrap();
    }
    declare_durable(&mut peer);
    let queue = connect().depth(TRANSIENT_QUEUE).unwrap_err().to_string();
    assert!(queue.contains("404"), "{queue}");
    let exchange = connect().find_exchange(TRANSIENT_EXCHANGE).unwrap_err().to_string();
    assert!(exchange.contains("404"), "{exchange}");
}

/// Whether the queue that is deleted now and then is there.
pub fn has_deleted(server: &Server) -> bool {
    match Peer::connect(server.port()).unwrap().depth(DELETED) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("404"), "{error}");
            false
        }
    }
}

/// Takes and acknowledges all that a queue holds; nothing when it is not there.
pub fn drain(server: &Server, queue: &str) -> Vec<Letter> {
    if queue == DELETED && !has_deleted(server) {
        return Vec::new();
    }
    let mut peer = Peer::connect(server.port()).unwrap();
    let depth = peer.depth(queue).unwrap();
    peer.consume(queue, Acknowledging::ByConsumer).unwrap();
    let mut letters = Vec::new();
    for count in 0..depth {
        match peer.event() {
            Ok(Event::Delivered { body, .. }) => letters.push(Letter::read(&body)),
            other => panic!("{count} of the {depth} messages of {queue} came, then {other:?}"),
        }
    }
    peer.cancel().unwrap();
    if depth > 0 {
        peer.acknowledge_all().unwrap();
    }
    assert_eq!(peer.depth(queue).unwrap(), 0);
    letters
}

fn declare_durable(peer: &mut Peer) {
    peer.declare_exchange(EXCHANGE, "topic", Durability::Durable).unwrap();
    peer.declare_exchange(INNER_EXCHANGE, "fanout", Durability::Durable).unwrap();
    for queue in [FIRST, SECOND, DEAD, PURGED] {
        peer.declare_queue(queue, Durability::Durable, &[]).unwrap();
    }
    let arguments = [
        ("x-dead-letter-exchange", Argument::Text("")),
        ("x-dead-letter-routing-key", Argument::Text(DEAD)),
    ];
    peer.declare_queue(THIRD, Durability::Durable, &arguments).unwrap();
}
