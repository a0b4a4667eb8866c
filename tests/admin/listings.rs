//! Who is connected, what the broker does at a glance, and closing a connection.

use serde_json::Value;

use super::desk::Desk;
use crate::support::peer::{Acknowledging, Durability, Event};

#[test]
fn clients_are_listed_with_what_they_do() {
    let desk = Desk::new();
    let mut peer = desk.peer();
    peer.declare_queue("orders", Durability::Durable, &[]).unwrap();
    peer.consume("orders", Acknowledging::ByConsumer).unwrap();
    desk.fill("orders", &["one"]);
    assert!(matches!(peer.event().unwrap(), Event::Delivered { .. }));

    let connections = desk.prints(&[
        "connections",
        "--columns",
        "name,user,vhost,state,channels",
        "--format",
        "csv",
    ]);
    let line = connections.lines().nth(1).unwrap();
    assert!(
        line.starts_with("127.0.0.1:") && line.ends_with(",guest,/,running,1"),
        "{connections}"
    );
    let channels = desk.prints(&[
        "channels",
        "--columns",
        "user,consumers,unacked,confirm",
        "--filter",
        "consumers>0",
    ]);
    assert_eq!(channels, "user   consumers  unacked  confirm\nguest          1        1  no\n");
    let consumers = desk.prints(&["consumers", "--columns", "queue,ack,prefetch,exclusive,active"]);
    assert_eq!(
        consumers,
        "queue   ack  prefetch  exclusive  active\norders  yes         0  no         yes\n"
    );
    for noun in ["connections", "channels", "consumers"] {
        let whole = desk.prints(&[noun]);
        assert!(whole.contains("127.0.0.1:") && whole.lines().count() >= 2, "{noun}: {whole}");
        let json: Value = serde_json::from_str(&desk.prints(&[noun, "--format", "json"])).unwrap();
        assert!(!json.as_array().unwrap().is_empty(), "{noun}");
        desk.fails(&[noun, "--vhost", "none"], "there is no virtual host 'none'");
        desk.makes_no_sense(
            &[noun, "--columns", "nonsense"],
            &format!("{noun} have no column `nonsense`"),
        );
        desk.makes_no_sense(&[noun, "extra"], "unexpected argument 'extra' found");
    }
    desk.check(
        &["queues", "--columns", "name,ready,unacked,total,consumers"],
        "name    ready  unacked  total  consumers\norders      0        1      1          1",
    );
}

#[test]
fn the_overview_counts_what_there_is() {
    let desk = Desk::new();
    desk.prints(&["declare", "queue", "orders"]);
    desk.fill("orders", &["one", "two"]);
    let _peer = desk.peer();
    let overview = desk.prints(&["overview"]);
    let told = |name: &str| {
        let line = overview.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("nothing about {name}: {overview}")).to_owned()
    };
    assert_eq!(told("broker"), format!("broker      Leveret {}", env!("CARGO_PKG_VERSION")));
    assert!(told("address").ends_with("as user guest"));
    assert_eq!(told("clients"), "clients     1 connection, 1 channel, no consumers");
    assert_eq!(told("topology"), "topology    1 queue, 7 exchanges");
    assert_eq!(told("messages"), "messages    2 ready, 0 unacknowledged, 2 in all");
    assert!(told("memory").contains("iB of ") && told("disk").contains(" free, "));
    let json: Value =
        serde_json::from_str(&desk.prints(&["overview", "--format", "json"])).unwrap();
    assert_eq!(json["object_totals"]["queues"], 1);
    desk.makes_no_sense(&["overview", "--format", "csv"], "invalid value 'csv'");
}

#[test]
fn the_overview_leaves_out_what_a_user_may_not_see() {
    let desk = Desk::new();
    desk.prints_with(b"secret\n", &["add-user", "ann", "--tags", "management"]);
    desk.prints(&["set-permissions", "ann", "", "", ".*"]);
    desk.prints(&["declare", "queue", "orders"]);
    let overview = desk.prints_with(b"secret\n", &["overview", "--user", "ann", "--password", "-"]);
    assert!(overview.contains("as user ann") && overview.contains("1 queue,"), "{overview}");
    for hidden in ["node ", "memory ", "disk ", "per second "] {
        assert!(!overview.contains(hidden), "{hidden}: {overview}");
    }
}

#[test]
fn the_client_of_a_connection_that_is_closed_is_told_why() {
    let desk = Desk::new();
    let name = || {
        let text = desk.prints(&["connections", "--columns", "name", "--format", "csv"]);
        text.lines().nth(1).unwrap().to_owned()
    };
    let mut peer = desk.peer();
    for broken in ["one\ntwo", "one\rtwo", "\u{7f}"] {
        desk.makes_no_sense(&["close", &name(), "--reason", broken], "--reason must be one line");
    }
    desk.prints(&["close", &name(), "--reason", "Wartung für 5 Minuten – bis gleich"]);
    match peer.event().unwrap() {
        Event::Closed { code: 320, text } => {
            assert!(text.ends_with("Wartung für 5 Minuten – bis gleich"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_closed_by_its_name_or_its_client_s_address() {
    let desk = Desk::new();
    let name = || {
        let text = desk.prints(&["connections", "--columns", "name", "--format", "csv"]);
        text.lines().nth(1).unwrap().to_owned()
    };
    for by_peer in [false, true] {
        let mut peer = desk.peer();
        let full = name();
        let wanted = if by_peer { full.split(" -> ").next().unwrap() } else { &full };
        let told = desk.prints(&["close", wanted, "--reason", "maintenance"]);
        assert_eq!(told, format!("connection '{full}' closed\n"));
        match peer.event().unwrap() {
            Event::Closed { code: 320, text } => assert!(text.contains("maintenance"), "{text}"),
            other => panic!("{other:?}"),
        }
        drop(peer);
        desk.check(&["connections"], "no connections");
    }
    desk.fails(
        &["close", "nobody"],
        "there is no connection 'nobody'; `leveret admin connections` lists those there are",
    );
    desk.makes_no_sense(&["close"], "missing: <CONNECTION>");
}
