//! An alarm with many connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use leveret::broker::{Capabilities, Client, ClientOutbox, Identity, NewClient, Terms};
use leveret::outbox::{Limits, Outbox};
use leveret::wire::Table;

use super::desk::Desk;

const CLIENTS: u16 = 1000;

/// A connection that publishes and wants to be told of alarms.
fn publisher(desk: &Desk, port: u16) -> Arc<Client> {
    let limits = Limits {
        bytes_max: 1 << 20,
        unacked_per_channel_max: 100,
        unacked_bytes_per_channel_max: 1 << 20,
    };
    let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let outbox: Arc<ClientOutbox> = Arc::new(Outbox::new(limits, 4096, || {}));
    let new = NewClient {
        identity: Identity { user: "guest".into() },
        vhost: "/".to_owned(),
        peer,
        terms: Terms::NONE,
        security: leveret::security::Security::Plain,
        name: format!("{peer} -> broker"),
        capabilities: Capabilities { connection_blocked: true, ..Capabilities::default() },
        client_properties: Table::default(),
        outbox: Arc::clone(&outbox),
        sink: outbox,
        close: Box::new(|_| {}),
    };
    let client = desk.broker.connect(new).unwrap();
    client.mark_publisher();
    client
}

#[test]
fn an_alarm_is_told_to_many_connections_in_slices() {
    let desk = Desk::new(|config| config.alarms.memory_bytes_max = 100_000);
    let clients: Vec<Arc<Client>> = (1..=CLIENTS).map(|port| publisher(&desk, port)).collect();
    let told = || clients.iter().filter(|one| one.outbox().waiting_bytes() > 0).count();
    let held = desk.client.memory().hold(200_000);
    desk.broker.check_alarms();
    assert!(desk.broker.shortage().is_some());
    assert_eq!(told(), 0);
    let (mut before, mut most) = (0, 0);
    desk.run_errands(|| {
        most = most.max(told() - before);
        before = told();
    });
    assert_eq!(told(), usize::from(CLIENTS));
    assert!(most <= 128, "{most} in one slice");
    drop(held);
}
