//! A broker with nothing to do, and with two thousand connections that do nothing: how much memory that takes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::peer::{Delivery, Durability, Event, Peer, Routing, publication};
use support::server::Server;

/// Opened in this many steps, with a look at the memory after each.
const STEPS: usize = 8;
const CONNECTIONS_PER_STEP: usize = 250;
/// Sockets of this process besides those of the connections, each of which it holds twice.
const OTHER_FILES: u64 = 100;
/// What a connection with one channel may cost: the aim in a release build; twice that without optimization, where
/// futures and frames are larger.
const CONNECTION_BYTES_MAX: u64 = if cfg!(debug_assertions) { 40_000 } else { 20_000 };
/// What a broker without connections may hold: the aim in a release build; the code of a debug build is larger.
const IDLE_BYTES_MAX: u64 = if cfg!(debug_assertions) { 40_000_000 } else { 20_000_000 };
/// What the first login may leave behind: less than the scratch memory of its password's hash.
const LOGIN_BYTES_MAX: u64 = 4_000_000;
/// A burst of messages, and what it may leave behind.
const BURST_MESSAGES: u32 = 120_000;
const BURST_BODY: [u8; 1000] = [7; 1000];
const BURST_BYTES_MAX: u64 = 60_000_000;
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(60);
/// Each peer of the test reads little.
const PEER_BUFFER_BYTES: usize = 512;

#[test]
fn an_idle_broker_holds_little_memory() {
    let mut server = Server::start();
    let fresh = server.resident_bytes();
    assert!(server.terminate().success());
    server.restart();
    let again = server.resident_bytes();
    eprintln!("{} kB resident at the first start, {} kB later", fresh / 1000, again / 1000);
    assert!(fresh.max(again) <= IDLE_BYTES_MAX, "{fresh} bytes, then {again}");
}

#[test]
fn an_idle_connection_costs_little_memory() {
    let server = Server::start();
    // Only now, so that the broker has to provide for its own files.
    allow_files((STEPS * CONNECTIONS_PER_STEP) as u64 * 2 + OTHER_FILES);
    let open = || Peer::connect_buffered(server.port(), PEER_BUFFER_BYTES).unwrap();
    let before = server.resident_bytes();
    let mut idle = vec![open()];
    let login = server.resident_bytes().saturating_sub(before);
    assert!(login <= LOGIN_BYTES_MAX, "{login} bytes are left of the first login");
    let mut resident = Vec::new();
    for _ in 0..STEPS {
        idle.extend((0..CONNECTIONS_PER_STEP).map(|_| open()));
        resident.push((idle.len() as u64, server.resident_bytes()));
    }
    let each = steepest(&resident);
    let (connections, in_all) = resident[STEPS - 1];
    eprintln!(
        "{each} bytes for each idle connection with one channel; {} kB with {connections} of them",
        in_all / 1000
    );
    assert!(each <= CONNECTION_BYTES_MAX, "{each} bytes for each connection");

    // All of them are alive.
    for peer in &mut idle {
        peer.declare_queue("", Durability::Transient, &[]).unwrap();
    }
    drop(idle);
    open().declare_queue("", Durability::Transient, &[]).unwrap();
}

/// Messages that came later stay, so that the allocator cannot just cut the end off.
#[test]
fn what_a_burst_took_is_given_back() {
    let server = Server::start();
    let mut peer = Peer::connect(server.port()).unwrap();
    for queue in ["burst", "stays"] {
        peer.declare_queue(queue, Durability::Transient, &[]).unwrap();
    }
    peer.select_confirms().unwrap();
    let before = server.resident_bytes();
    for number in 1..=BURST_MESSAGES {
        let queue = if number % 1000 == 0 { "stays" } else { "burst" };
        let routing = Routing::Optional;
        peer.send(&publication("", queue, routing, Delivery::Transient, &BURST_BODY)).unwrap();
        if number % 1000 == 0 {
            while !matches!(peer.event().unwrap(), Event::Confirmed { tag, .. } if tag == u64::from(number))
            {
            }
        }
    }
    let full = server.resident_bytes();
    assert!(full - before >= u64::from(BURST_MESSAGES) * 900, "{before} bytes, then {full}");
    peer.purge("burst").unwrap();
    let purged = Instant::now();
    while server.resident_bytes() > before + BURST_BYTES_MAX {
        let now = server.resident_bytes();
        assert!(purged.elapsed() < GIVEN_BACK_WITHIN, "{before} bytes, {full} full, {now} now");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The steepest rise from any step to the last, in bytes for each connection. The first connections may live in memory
/// that the allocator had kept from before, and cost nothing that can be seen; what they cost shows in a later step.
fn steepest(resident: &[(u64, u64)]) -> u64 {
    let (&(connections, last), earlier) = resident.split_last().expect("there are steps");
    let rises =
        earlier.iter().map(|(count, bytes)| last.saturating_sub(*bytes) / (connections - count));
    rises.max().expect("there are several steps")
}

/// Raises the number of files that this process may have open, up to what the system allows it.
fn allow_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit { current: Some(count), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("the system allows a few thousand files");
    }
}
