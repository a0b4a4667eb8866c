//! Steps made up: records that make sense and records that nearly do.

use std::path::Path;
use std::sync::Arc;

use leveret::message::{Facts, Memory, Message};
use leveret::store::{
    BindingRecord, Change, DestinationKind, ExchangeRecord, Operation, PermissionRecord, Place,
    QueueRecord, UserRecord, VhostRecord,
};

use super::opening::open;
use crate::targets::language::{self, pick};
use crate::targets::random::Random;

static MEMORY: Memory = Memory::new();

const NAMES: &[&str] = &["q1", "q2", "e", "/", "guest", ""];

/// Opens the store and writes through it.
pub fn write(directory: &Path, what: u8) {
    let mut random = Random::new(u64::from(what));
    // Refused or not, the next opening decides.
    let _ = open(directory, |store| {
        // A message for a queue of a higher id than there ever was would end the store.
        store.append(vec![Operation::Topology(vec![last_queue()])], None);
        for _ in 0..random.within(1..6) {
            store.append(vec![operation(&mut random)], None);
        }
    });
}

/// Messages come to queues of these ids.
const QUEUE_ID_MAX: u64 = 3;

fn last_queue() -> Change {
    let (vhost, name) = ("/".to_owned(), "last".to_owned());
    let id = QUEUE_ID_MAX;
    Change::PutQueue(QueueRecord { id, vhost, name, auto_delete: false, arguments: Vec::new() })
}

fn operation(random: &mut Random) -> Operation {
    let (queue, position) = (random.within(1..QUEUE_ID_MAX + 1), random.within(1..20));
    match random.within(0..6) {
        0 => Operation::Topology(changes(random)),
        1 => Operation::Settle { queue, positions: vec![position, position + 1] },
        2 => Operation::Returned { queue, position, count: 1 },
        _ => {
            let facts = Facts { persistent: true, ..Facts::default() };
            let body = vec![7; random.within(0..600) as usize];
            let message = Message::new(&MEMORY, "e", "key", &[0, 0], &body, facts);
            let places = [Place { queue, position }].into_iter().collect();
            Operation::Enqueue { message: Arc::new(message), places }
        }
    }
}

fn changes(random: &mut Random) -> Vec<Change> {
    (0..random.within(1..4)).map(|_| change(random)).collect()
}

fn change(random: &mut Random) -> Change {
    let name = |random: &mut Random| pick(random, NAMES).to_owned();
    let id = random.within(1..4);
    let vhost = "/".to_owned();
    let arguments = if random.once_in(3) { language::table(random, 0) } else { Vec::new() };
    match random.within(0..12) {
        0 => Change::PutVhost(VhostRecord { name: vhost }),
        1 => Change::DeleteVhost { name: name(random) },
        2 => Change::PutUser(UserRecord {
            name: name(random),
            password_hash: name(random),
            tags: vec![name(random)],
        }),
        3 => Change::DeleteUser { name: name(random) },
        4 => Change::PutPermission(PermissionRecord {
            user: name(random),
            vhost,
            configure: ".*".to_owned(),
            write: "(".to_owned(),
            read: name(random),
        }),
        5 => Change::PutExchange(ExchangeRecord {
            vhost,
            name: name(random),
            kind: pick(random, &["topic", "headers", "none"]).to_owned(),
            auto_delete: random.once_in(4),
            internal: random.once_in(4),
            arguments,
        }),
        6 => Change::DeleteExchange { vhost, name: name(random) },
        7 => Change::DeleteQueue { vhost, name: format!("q{id}"), id },
        8 | 9 => {
            let binding = BindingRecord {
                vhost,
                source: name(random),
                destination: name(random),
                destination_kind: if random.once_in(2) {
                    DestinationKind::Queue
                } else {
                    DestinationKind::Exchange
                },
                routing_key: pick(random, &["a.*", "#", ""]).to_owned(),
                arguments,
            };
            if random.once_in(4) {
                Change::DeleteBinding(binding)
            } else {
                Change::PutBinding(binding)
            }
        }
        _ => {
            let auto_delete = random.once_in(8);
            let name = format!("q{id}");
            Change::PutQueue(QueueRecord { id, vhost, name, auto_delete, arguments })
        }
    }
}

/// One step, as its bytes in an input.
pub fn item(random: &mut Random) -> Vec<u8> {
    let octet = random.within(0..256) as u8;
    match random.within(0..16) {
        0 => vec![0xb0, if random.once_in(4) { octet } else { 0 }],
        1 => [&[0xb2, 5][..], b"mark\x05"].concat(),
        2 => [&[0xb3][..], &definitions(random)].concat(),
        3 => vec![0xb4, octet],
        4 => vec![0xb5, random.within(0..4) as u8, octet, 1 << (octet & 7)],
        5 => vec![0xb6],
        6 => vec![0xb7, octet],
        7 => vec![0xb8, octet],
        _ => record(random),
    }
}

fn definitions(random: &mut Random) -> Vec<u8> {
    let records = serde_json::to_string(&changes(random)).expect("plain data");
    let (segment, offset) = (random.within(0..4), random.within(0..200));
    let text = format!(
        "{{\"segment\":{segment},\"offset\":{offset},\"queue_id_max\":{},\"records\":{records}}}",
        random.within(0..5)
    );
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn record(random: &mut Random) -> Vec<u8> {
    let mut payload = Vec::new();
    let kind = random.within(1..6) as u8;
    if random.once_in(40) {
        return [&[0xb1, random.within(0..256) as u8, 0, 0][..], &payload].concat();
    }
    match kind {
        1 => enqueue(random, &mut payload),
        2 => {
            number(random, &mut payload);
            let runs = random.within(0..3);
            put(runs, &mut payload);
            for _ in 0..runs {
                number(random, &mut payload);
                number(random, &mut payload);
            }
        }
        3 => (0..3).for_each(|_| number(random, &mut payload)),
        4 => payload = postcard::to_stdvec(&changes(random)).expect("plain data"),
        _ => {
            let floors = random.within(0..3);
            put(floors, &mut payload);
            (0..2 * floors).for_each(|_| number(random, &mut payload));
        }
    }
    let length = (payload.len() as u16).to_be_bytes();
    [&[0xb1, kind][..], &length, &payload].concat()
}

fn enqueue(random: &mut Random, payload: &mut Vec<u8>) {
    let places = random.within(0..3);
    put(places, payload);
    for _ in 0..places {
        put(random.within(0..4), payload);
        number(random, payload);
    }
    payload.extend([1, 0]);
    number(random, payload);
    for text in ["e", "key"] {
        put(text.len() as u64, payload);
        payload.extend(text.as_bytes());
    }
    let properties = language::properties(random);
    put(properties.len() as u64, payload);
    payload.extend(properties);
    payload.extend(vec![9; random.within(0..50) as usize]);
}

/// A number that is mostly small.
fn number(random: &mut Random, payload: &mut Vec<u8>) {
    let number =
        if random.once_in(30) { u64::MAX >> random.within(0..64) } else { random.within(0..20) };
    put(number, payload);
}

fn put(mut number: u64, payload: &mut Vec<u8>) {
    while number >= 0x80 {
        payload.push(number as u8 | 0x80);
        number >>= 7;
    }
    payload.push(number as u8);
}
