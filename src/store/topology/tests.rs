//! Tests of the topology: what replaces what, and what goes with what.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::operation::{
    ExchangeRecord, PermissionRecord, QueueRecord, UserRecord, VhostRecord,
};

fn vhost(name: &str) -> Change {
    Change::PutVhost(VhostRecord { name: name.into() })
}

fn queue(vhost: &str, name: &str, id: QueueId) -> Change {
    let (vhost, name) = (vhost.into(), name.into());
    Change::PutQueue(QueueRecord { id, vhost, name, auto_delete: false, arguments: Vec::new() })
}

fn exchange(vhost: &str, name: &str) -> Change {
    Change::PutExchange(ExchangeRecord {
        vhost: vhost.into(),
        name: name.into(),
        kind: "topic".into(),
        auto_delete: false,
        internal: false,
        arguments: Vec::new(),
    })
}

fn user(name: &str, password_hash: &str) -> Change {
    let (name, password_hash) = (name.into(), password_hash.into());
    Change::PutUser(UserRecord { name, password_hash, tags: Vec::new() })
}

fn permission(user: &str, vhost: &str) -> Change {
    let all = || ".*".to_owned();
    Change::PutPermission(PermissionRecord {
        user: user.into(),
        vhost: vhost.into(),
        configure: all(),
        write: all(),
        read: all(),
    })
}

fn binding(source: &str, kind: DestinationKind, destination: &str) -> Change {
    Change::PutBinding(BindingRecord {
        vhost: "/".into(),
        source: source.into(),
        destination: destination.into(),
        destination_kind: kind,
        routing_key: "#".into(),
        arguments: Vec::new(),
    })
}

/// A virtual host with two exchanges `a` and `b`, queues `a` and `c`, bindings a→b, b→queue a, b→queue
/// c, and a user.
fn sample() -> Vec<Change> {
    vec![
        vhost("/"),
        user("u", "h"),
        permission("u", "/"),
        exchange("/", "a"),
        exchange("/", "b"),
        queue("/", "a", 1),
        queue("/", "c", 2),
        binding("a", DestinationKind::Exchange, "b"),
        binding("b", DestinationKind::Queue, "a"),
        binding("b", DestinationKind::Queue, "c"),
    ]
}

/// Applies a change to the sample. The records at `gone` must be what it takes away, `added` what it adds.
fn check(change: Change, gone: &[usize], added: &[Change], closed: &[QueueId]) {
    let mut topology = Topology::default();
    let mut expected = sample();
    for change in &expected {
        topology.apply(change);
    }
    let effect = topology.apply(&change);
    let mut number = 0;
    expected.retain(|_| {
        number += 1;
        !gone.contains(&(number - 1))
    });
    expected.extend_from_slice(added);
    assert_eq!(topology.records().cloned().collect::<Vec<_>>(), expected, "{change:?}");
    assert_eq!(effect.closed, closed, "{change:?}");
}

#[test]
fn deletions_take_along_what_cannot_be_without() {
    let (slash, name) = (|| "/".to_owned(), |name: &str| name.to_owned());
    check(Change::DeleteVhost { name: slash() }, &[0, 2, 3, 4, 5, 6, 7, 8, 9], &[], &[1, 2]);
    check(Change::DeleteUser { name: name("u") }, &[1, 2], &[], &[]);
    check(Change::DeletePermission { user: name("u"), vhost: slash() }, &[2], &[], &[]);
    check(Change::DeleteExchange { vhost: slash(), name: name("a") }, &[3, 7], &[], &[]);
    check(Change::DeleteExchange { vhost: slash(), name: name("b") }, &[4, 7, 8, 9], &[], &[]);
    check(Change::DeleteQueue { vhost: slash(), name: name("a"), id: 1 }, &[5, 8], &[], &[1]);
}

#[test]
fn deletions_of_what_is_not_there_change_nothing() {
    let (slash, name) = (|| "/".to_owned(), |name: &str| name.to_owned());
    check(Change::DeleteVhost { name: name("x") }, &[], &[], &[]);
    check(Change::DeleteUser { name: name("x") }, &[], &[], &[]);
    check(Change::DeleteExchange { vhost: name("x"), name: name("a") }, &[], &[], &[]);
    check(Change::DeleteQueue { vhost: slash(), name: name("a"), id: 9 }, &[], &[], &[]);
    let Change::PutBinding(other) = binding("a", DestinationKind::Queue, "b") else { return };
    check(Change::DeleteBinding(other), &[], &[], &[]);
}

#[test]
fn a_record_replaces_the_one_of_its_name() {
    check(user("u", "h2"), &[1], &[user("u", "h2")], &[]);
    check(user("u", "h"), &[], &[], &[]);
    check(queue("/", "a", 7), &[5], &[queue("/", "a", 7)], &[1]);
    check(queue("other", "a", 7), &[], &[queue("other", "a", 7)], &[]);
}

#[test]
fn a_queue_that_keeps_its_id_keeps_its_messages() {
    let mut topology = Topology::default();
    topology.apply(&queue("/", "a", 1));
    let Change::PutQueue(mut record) = queue("/", "a", 1) else { return };
    record.auto_delete = true;
    let effect = topology.apply(&Change::PutQueue(record));
    assert_eq!(effect, Effect { opened: vec![1], closed: vec![] });
}

#[test]
fn the_highest_queue_id_outlives_its_queue() {
    let mut topology = Topology::default();
    topology.apply(&queue("/", "a", 12));
    topology.apply(&Change::DeleteQueue { vhost: "/".into(), name: "a".into(), id: 12 });
    assert_eq!(topology.queue_id_max(), 12);
    assert_eq!(topology.records().count(), 0);
}

#[test]
fn loading_what_an_interrupted_replacement_left_keeps_the_newer_record() {
    let mut topology = Topology::default();
    topology.load(Keeper::Index, 3, user("u", "old"));
    topology.load(Keeper::Index, 8, user("u", "new"));
    assert_eq!(topology.records().cloned().collect::<Vec<_>>(), [user("u", "new")]);
    topology.freeze(Keeper::Index);
    assert_eq!(topology.take_lacking(Keeper::Index, 9), [(3, None)]);
    assert_eq!(topology.held_by(Keeper::Index), 1);
}

#[test]
fn a_queue_that_a_keeper_lost_before_its_bindings_takes_them_along() {
    let mut topology = Topology::default();
    topology.load(Keeper::Index, 1, binding("a", DestinationKind::Queue, "q"));
    topology.apply(&Change::DeleteQueue { vhost: "/".into(), name: "q".into(), id: 4 });
    assert_eq!(topology.records().count(), 0);
}

/// What a keeper has, after it was given so many records of what it lacks.
fn give(topology: &mut Topology, kept: &mut BTreeMap<Serial, Change>, count_max: usize) -> usize {
    let lacking = topology.take_lacking(Keeper::Index, count_max);
    let count = lacking.len();
    assert!(count <= count_max);
    for (serial, record) in lacking {
        match record {
            Some(record) => kept.insert(serial, record.clone()),
            None => kept.remove(&serial),
        };
    }
    assert_eq!(topology.held_by(Keeper::Index), kept.len() as u64);
    count
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let name = || prop_oneof![Just("a"), Just("b"), Just("c")];
    let change = prop_oneof![
        (name(), 1..9_u64).prop_map(|(name, id)| queue("/", name, id)),
        name().prop_map(|name| exchange("/", name)),
        (name(), name()).prop_map(|(one, other)| binding(one, DestinationKind::Queue, other)),
        (name(), name()).prop_map(|(one, other)| binding(one, DestinationKind::Exchange, other)),
        (name(), 0..3_u8).prop_map(|(name, hash)| user(name, &hash.to_string())),
        name().prop_map(|name| permission(name, "/")),
        (name(), 1..9_u64).prop_map(|(name, id)| Change::DeleteQueue {
            vhost: "/".into(),
            name: name.into(),
            id
        }),
        name().prop_map(|name| Change::DeleteExchange { vhost: "/".into(), name: name.into() }),
        name().prop_map(|name| Change::DeleteUser { name: name.into() }),
        Just(Change::DeleteVhost { name: "/".into() }),
    ];
    prop::collection::vec(change, 0..30)
}

/// What of these changes a broker would say: a queue that is declared anew under its name has the id that it has, or a
/// higher one than all before, and the one that is there is deleted.
fn sayable(
    changes: &[Change],
    there: &mut BTreeMap<String, u64>,
    last_id: &mut u64,
) -> Vec<Change> {
    let mut said = Vec::new();
    for change in changes {
        match change {
            Change::PutQueue(record) => {
                let id = *there.entry(record.name.clone()).or_insert_with(|| {
                    *last_id += 1;
                    *last_id
                });
                said.push(queue("/", &record.name, id));
            }
            Change::DeleteQueue { vhost, name, .. } => {
                if let Some(id) = there.remove(name) {
                    said.push(Change::DeleteQueue { vhost: vhost.clone(), name: name.clone(), id });
                }
            }
            Change::DeleteVhost { .. } => {
                there.clear();
                said.push(change.clone());
            }
            other => said.push(other.clone()),
        }
    }
    said
}

proptest! {
    /// A keeper takes in slices what it lacks, while changes come. Whenever that stops, what it has leads to the same
    /// topology by the changes since the last time that it was finished, or since the beginning of this time.
    #[test]
    fn a_keeper_in_the_making_leads_to_what_is_now(
        before in changes(),
        during in prop::collection::vec((changes(), 1..4_usize), 0..6),
        is_finished in any::<bool>(),
    ) {
        let (mut there, mut last_id) = (BTreeMap::new(), 0);
        let mut sayable = |changes: &[Change]| sayable(changes, &mut there, &mut last_id);
        let before = sayable(&before);
        let mut topology = Topology::default();
        let mut kept = BTreeMap::new();
        for change in &before {
            topology.apply(change);
        }
        let mut since = before.clone();
        topology.freeze(Keeper::Index);
        let mut after = Vec::new();
        for (changes, count_max) in &during {
            give(&mut topology, &mut kept, *count_max);
            let changes = sayable(changes);
            for change in &changes {
                topology.apply(change);
            }
            after.extend(changes);
        }
        if is_finished {
            while give(&mut topology, &mut kept, 2) > 0 {}
            since.clear();
        }
        since.extend(after);
        let mut loaded = Topology::default();
        for (serial, record) in kept {
            loaded.load(Keeper::Index, serial, record);
        }
        for change in &since {
            loaded.apply(change);
        }
        let sorted = |topology: &Topology| {
            let mut records: Vec<String> =
                topology.records().map(|record| format!("{record:?}")).collect();
            records.sort();
            records
        };
        prop_assert_eq!(sorted(&loaded), sorted(&topology));
    }
}
