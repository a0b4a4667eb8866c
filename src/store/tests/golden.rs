//! What `docs/storage-format.md` shows is what the store writes, to the byte, and what it reads.

use std::borrow::Cow;
use std::fmt::Write;

use smallvec::smallvec;

use crate::message::Facts;
use crate::store::change::{encode_change, lone_change};
use crate::store::chunk::{Content, LiveMessage, indexed_entries};
use crate::store::directory::FORMAT;
use crate::store::log::{Location, LogPosition};
use crate::store::mark::Mark;
use crate::store::operation::{
    BindingRecord, Change, DestinationKind, ExchangeRecord, PermissionRecord, Place, QueueRecord,
    Run, UserRecord, VhostRecord,
};
use crate::store::record::{Frame, Parts, Record, encode};
use crate::store::segment::{decode_head, decode_last_begun, encode_head, encode_last_begun};

const PAGE: &str = include_str!("../../../docs/storage-format.md");
const MARKER: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    bytes.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
    text
}

/// The bytes that the page shows under a name.
fn shown(name: &str) -> Vec<u8> {
    let row = PAGE.lines().find_map(|line| line.strip_prefix(&format!("| {name} | `")));
    let row = row.unwrap_or_else(|| panic!("the page has no example of {name}"));
    let (digits, _) = row.split_once('`').unwrap();
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn check(name: &str, bytes: &[u8]) {
    let row = format!("| {name} | `{}` |", hex(bytes));
    assert!(PAGE.contains(&row), "the page should have this row:\n{row}");
}

/// A record whose frame is on the page, under its marker.
fn check_record(name: &str, record: &Record<'_>) {
    let mut bytes = Vec::new();
    encode(record, MARKER, &mut bytes).unwrap();
    check(name, &bytes);
    let shown = shown(name);
    assert_eq!(Frame::first(&shown, MARKER).unwrap().decode().as_ref(), Ok(record), "{name}");
}

fn queue() -> Change {
    Change::PutQueue(QueueRecord {
        id: 300,
        vhost: "/".into(),
        name: "q".into(),
        auto_delete: false,
        arguments: vec![1, b'x', b't', 1],
    })
}

#[test]
fn the_page_has_the_records_of_the_journal() {
    let facts = Facts {
        persistent: true,
        priority: 4,
        expiration_ms: Some(10),
        accepted_ms: 129,
        dead_letter: true,
    };
    let (exchange, routing_key) = ("x", "key");
    let message = Parts { exchange, routing_key, properties: &[0x10, 0, 2], body: b"body", facts };
    let places = smallvec![Place { queue: 1, position: 2 }];
    check_record("Enqueue, version 1", &Record::Enqueue { places, message });
    let runs = smallvec![Run { first: 5, count: 2 }, Run { first: 9, count: 1 }];
    check_record("Settle, version 1", &Record::Settle { queue: 300, runs });
    let returned = Record::Returned { queue: 1, position: 2, count: 3 };
    check_record("Returned, version 1", &returned);
    let changes = [queue(), Change::DeleteVhost { name: "v".into() }];
    let topology = Record::Topology(Cow::Borrowed(&changes));
    check_record("Topology, version 2", &topology);
    let first = shown("Topology, version 1");
    assert_eq!(Frame::first(&first, MARKER).unwrap().decode(), Ok(topology));
    let floors = vec![Place { queue: 1, position: 700 }];
    check_record("Floors, version 1", &Record::Floors(floors));
}

#[test]
fn the_page_has_every_kind_of_definition() {
    let text = str::to_owned;
    let binding = BindingRecord {
        vhost: text("v"),
        source: text("x"),
        destination: text("q"),
        destination_kind: DestinationKind::Queue,
        routing_key: text("k"),
        arguments: Vec::new(),
    };
    let exchange = ExchangeRecord {
        vhost: text("v"),
        name: text("x"),
        kind: text("topic"),
        auto_delete: true,
        internal: false,
        arguments: Vec::new(),
    };
    let user = UserRecord { name: text("u"), password_hash: text("h"), tags: vec![text("t")] };
    let permission = PermissionRecord {
        user: text("u"),
        vhost: text("v"),
        configure: text("c"),
        write: text("w"),
        read: text("r"),
    };
    for (name, change) in [
        ("virtual host", Change::PutVhost(VhostRecord { name: text("v") })),
        ("virtual host deleted", Change::DeleteVhost { name: text("v") }),
        ("user", Change::PutUser(user)),
        ("user deleted", Change::DeleteUser { name: text("u") }),
        ("permission", Change::PutPermission(permission)),
        ("permission deleted", Change::DeletePermission { user: text("u"), vhost: text("v") }),
        ("exchange", Change::PutExchange(exchange)),
        ("exchange deleted", Change::DeleteExchange { vhost: text("v"), name: text("x") }),
        ("queue", queue()),
        ("queue deleted", Change::DeleteQueue { vhost: text("v"), name: text("q"), id: 300 }),
        ("binding", Change::PutBinding(binding.clone())),
        ("binding deleted", Change::DeleteBinding(binding)),
    ] {
        let mut bytes = Vec::new();
        encode_change(&change, &mut bytes);
        check(&format!("{name}, version 2"), &bytes);
        assert_eq!(lone_change(&shown(&format!("{name}, version 2"))), Ok(change), "{name}");
    }
    assert_eq!(lone_change(&shown("queue, version 1")), Ok(queue()));
}

#[test]
fn the_page_has_the_records_of_the_index() {
    let mark = Mark {
        position: LogPosition { segment: 3, offset: 300 },
        fingerprint: Some(MARKER),
        queue_id_max: 7,
        entries: 200,
        definitions: 4,
        closed: true,
        updating: false,
    };
    check("mark, version 2", &mark.encode());
    for version in [1, 2] {
        assert_eq!(Mark::decode(&shown(&format!("mark, version {version}"))), Ok(mark));
    }
    let first = LiveMessage {
        low: 0,
        priority: 4,
        location: Location { segment: 3, offset: 24 },
        share: 100,
        returns: 0,
        body_bytes: 50,
        accepted_ms: 129,
        expiration_ms: Some(10),
    };
    let entries = [0_u8, 1, 2].map(|low| {
        let location = Location { segment: 3, offset: 24 + 100 * u32::from(low) };
        LiveMessage { low, location, ..first }
    });
    let mut content = Content::default();
    content.open().extend(entries);
    check("chunk, version 2", &content.to_index().unwrap());
    for version in [1, 2] {
        let bytes = shown(&format!("chunk, version {version}"));
        assert_eq!(indexed_entries(&bytes).unwrap(), entries);
    }
}

#[test]
fn the_page_has_the_heads_and_the_small_files() {
    check("segment head, version 2", &encode_head(5, MARKER));
    for version in [1, 2] {
        assert_eq!(decode_head(5, &shown(&format!("segment head, version {version}"))), Ok(MARKER));
    }
    assert_eq!(encode_last_begun(17), "2 17\n");
    for row in ["| `last-segment`, version 2 | `2 17` |", "| `last-segment`, version 1 | `17` |"] {
        assert!(PAGE.contains(row), "{row}");
    }
    assert_eq!(decode_last_begun(b"17\n"), Ok(17));
    assert!(PAGE.contains(&format!("The format is {FORMAT}.")));
}
