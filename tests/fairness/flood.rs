//! A publisher that writes as fast as it can and never reads.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};

use crate::support::peer::{Delivery, Peer, Routing, publication};

/// The bodies of a whole flood.
pub const FLOOD_BYTES: usize = 256 * 1024 * 1024;
/// Each body.
pub const BODY_BYTES: usize = 16 * 1024;

const BODIES_PER_WRITE: usize = 16;

/// A flood under way.
pub struct Flood {
    writing: JoinHandle<io::Result<usize>>,
    peer: Peer,
    socket: TcpStream,
    held_back: HeldBack,
}

/// Whether a flood may be ended while the broker does not take it.
#[derive(PartialEq, Eq)]
enum HeldBack {
    Never,
    Expected,
}

impl Flood {
    /// Publishes all of it into a queue, without confirms.
    pub fn into_queue(port: u16, queue: &str, delivery: Delivery) -> Self {
        let peer = Peer::connect(port).unwrap();
        Self::start(peer, queue.to_owned(), Routing::Optional, delivery, HeldBack::Never)
    }

    /// Publishes what no queue takes, to be returned and confirmed, which nobody reads.
    pub fn of_returns(port: u16) -> Self {
        let mut peer = Peer::connect(port).unwrap();
        peer.select_confirms().unwrap();
        let nowhere = "nowhere".to_owned();
        Self::start(peer, nowhere, Routing::Mandatory, Delivery::Transient, HeldBack::Expected)
    }

    fn start(
        peer: Peer,
        key: String,
        routing: Routing,
        delivery: Delivery,
        held_back: HeldBack,
    ) -> Self {
        let socket = peer.socket().unwrap();
        let mut writer = peer.socket().unwrap();
        let writing = thread::spawn(move || Self::write(&mut writer, "", &key, routing, delivery));
        Self { writing, peer, socket, held_back }
    }

    /// Writes a whole flood to a socket; how many bytes of bodies that were.
    pub fn write(
        socket: &mut TcpStream,
        exchange: &str,
        key: &str,
        routing: Routing,
        delivery: Delivery,
    ) -> io::Result<usize> {
        let body = vec![0x5a; BODY_BYTES];
        let frames = publication(exchange, key, routing, delivery, &body);
        let many = frames.repeat(BODIES_PER_WRITE);
        let mut thrown = 0;
        while thrown < FLOOD_BYTES {
            socket.write_all(&many)?;
            thrown += BODIES_PER_WRITE * BODY_BYTES;
        }
        Ok(thrown)
    }

    /// Waits for the end of it, and how much that was; or ends it, where the broker is right not to take it all.
    pub fn finish(self) -> Option<io::Result<usize>> {
        let Self { writing, peer, socket, held_back } = self;
        if held_back == HeldBack::Expected {
            socket.shutdown(Shutdown::Both).unwrap();
            let _ = writing.join().unwrap();
            return None;
        }
        let thrown = writing.join().unwrap();
        drop(peer);
        Some(thrown)
    }
}
