//! Two thousand connections that do nothing: how much memory each costs the broker.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::peer::{Durability, Peer};
use support::server::Server;

const CONNECTIONS: usize = 2_000;
/// Opened and measured as the base, so that what a broker needs once is not counted: its threads, its tables' first
/// growth, its allocator's first pages.
const FIRST_CONNECTIONS: usize = 50;
/// Sockets of this process besides those of the connections.
const OTHER_FILES: u64 = 100;
/// What a connection with one channel may cost: the aim in a release build; twice that without optimization, where
/// futures and frames are larger.
const RESIDENT_BYTES_MAX: u64 = if cfg!(debug_assertions) { 40_000 } else { 20_000 };
/// Each peer of the test reads little.
const PEER_BUFFER_BYTES: usize = 512;

#[test]
fn an_idle_connection_costs_little_memory() {
    let server = Server::start();
    // Only now, so that the broker has to provide for its own files.
    allow_files((CONNECTIONS + FIRST_CONNECTIONS) as u64 * 2 + OTHER_FILES);
    let open = |count: usize| -> Vec<Peer> {
        let peer = |_| Peer::connect_buffered(server.port(), PEER_BUFFER_BYTES).unwrap();
        (0..count).map(peer).collect()
    };
    let _first = open(FIRST_CONNECTIONS);
    let before = server.resident_bytes();
    let mut idle = open(CONNECTIONS);
    let after = server.resident_bytes();

    let each = after.saturating_sub(before) / CONNECTIONS as u64;
    eprintln!(
        "{each} bytes resident for each of {CONNECTIONS} idle connections with one channel; {} MB in all",
        after / 1_000_000
    );
    assert!(each <= RESIDENT_BYTES_MAX, "{each} bytes for each connection");

    // All of them are alive.
    for peer in &mut idle {
        peer.declare_queue("", Durability::Transient, &[]).unwrap();
    }
    drop(idle);
    open(1)[0].declare_queue("", Durability::Transient, &[]).unwrap();
}

/// Raises the number of files that this process may have open, up to what the system allows it.
fn allow_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit { current: Some(count), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("the system allows a few thousand files");
    }
}
