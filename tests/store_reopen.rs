//! What a store gives back when it is opened again, and when it refuses to open.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::fs;
use std::process::Command;

use leveret::store::{
    BindingRecord, Change, DestinationKind, Events, ExchangeRecord, Operation, Options,
    PermissionRecord, Store, StoreError, UserRecord, VhostRecord,
};
use store_support::*;
use tempfile::tempdir;

#[test]
fn an_empty_directory_gives_nothing_back() {
    let directory = tempdir().unwrap();
    let (store, recovered) = open(options(&directory.path().join("not").join("there")));
    assert!(recovered.new && recovered.clean);
    assert!(recovered.queues.is_empty() && recovered.vhosts.is_empty());
    assert_eq!(store.figures().entries, 0);
    assert_eq!(recovered.notes, Vec::<String>::new());
    store.close();
    store.close();
}

#[test]
fn messages_survive_a_stop_in_good_order() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1, 2])]).unwrap();
    commit(
        &store,
        vec![
            enqueue("a", &[(1, 1), (2, 7)]),
            enqueue("b", &[(1, 2)]),
            enqueue("c", &[(1, 3)]),
            returned(2, 7, 3),
        ],
    )
    .unwrap();
    commit(&store, vec![settle(1, &[2])]).unwrap();
    store.close();
    for _ in 0..3 {
        let (store, recovered) = open(options(directory.path()));
        assert!(recovered.clean && !recovered.new, "{:?}", recovered.notes);
        assert_eq!(contents(&store, 1), [(1, "a".into(), 0), (3, "c".into(), 0)]);
        assert_eq!(contents(&store, 2), [(7, "a".into(), 3)]);
        assert_eq!(recovered.queue_id_max, 2);
    }
}

#[test]
fn messages_survive_a_crash_before_any_checkpoint() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1]), enqueue("a", &[(1, 1)]), enqueue("b", &[(1, 2)])]).unwrap();
    commit(&store, vec![settle(1, &[1])]).unwrap();
    rest(&store);
    let crashed = crashed(directory.path());
    let (store, recovered) = open(options(crashed.path()));
    assert!(!recovered.clean && !recovered.new);
    assert_eq!(recovered.notes, Vec::<String>::new());
    assert_eq!(bodies(&store, 1), ["b"]);
}

#[test]
fn messages_survive_a_crash_after_a_checkpoint() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1]), enqueue("a", &[(1, 1)]), enqueue("b", &[(1, 2)])]).unwrap();
    store.close();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![settle(1, &[1]), returned(1, 2, 4), enqueue("c", &[(1, 3)])]).unwrap();
    rest(&store);
    let crashed = crashed(directory.path());
    let (store, recovered) = open(options(crashed.path()));
    assert!(!recovered.clean);
    assert_eq!(contents(&store, 1), [(2, "b".into(), 4), (3, "c".into(), 0)]);
}

fn binding(source: &str, destination: &str, arguments: Vec<u8>) -> BindingRecord {
    BindingRecord {
        vhost: "/".into(),
        source: source.into(),
        destination: destination.into(),
        destination_kind: DestinationKind::Queue,
        routing_key: "key".into(),
        arguments,
    }
}

fn exchange(name: &str) -> ExchangeRecord {
    ExchangeRecord {
        vhost: "/".into(),
        name: name.into(),
        kind: "topic".into(),
        auto_delete: true,
        internal: false,
        arguments: vec![0; 10],
    }
}

#[test]
fn every_kind_of_definition_survives() {
    let directory = tempdir().unwrap();
    let user = UserRecord {
        name: "me".into(),
        password_hash: "$argon2id$".into(),
        tags: vec!["administrator".into()],
    };
    let permission = PermissionRecord {
        user: "me".into(),
        vhost: "/".into(),
        configure: ".*".into(),
        write: "^w".into(),
        read: "".into(),
    };
    // Longer than a record of the index may be.
    let long = binding("x", "q1", (0..200_000_u32).map(|i| i as u8).collect());
    let short = binding("x", "q1", Vec::new());
    let bindings = [long.clone(), short.clone()];
    let (store, _) = open(options(directory.path()));
    let changes = vec![
        Change::PutUser(user.clone()),
        Change::PutPermission(permission.clone()),
        Change::PutExchange(exchange("x")),
        Change::PutBinding(long),
        Change::PutBinding(short),
    ];
    commit(&store, vec![queues([1]), Operation::Topology(changes)]).unwrap();
    rest(&store);
    let crash = crashed(directory.path());
    store.close();
    for directory in [&crash, &directory] {
        let (_store, recovered) = open(options(directory.path()));
        assert_eq!(recovered.vhosts, [VhostRecord { name: "/".into() }]);
        assert_eq!(recovered.users, std::slice::from_ref(&user));
        assert_eq!(recovered.permissions, std::slice::from_ref(&permission));
        assert_eq!(recovered.exchanges, [exchange("x")]);
        assert_eq!(recovered.bindings, bindings);
        assert_eq!(recovered.queues.len(), 1);
    }
}

#[test]
fn a_deleted_queue_stays_deleted_and_its_id_is_remembered() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1, 9]), enqueue("a", &[(1, 1), (9, 1)])]).unwrap();
    store.close();
    let (store, _) = open(options(directory.path()));
    let delete = Change::DeleteQueue { vhost: "/".into(), name: "q9".into(), id: 9 };
    commit(&store, vec![Operation::Topology(vec![delete]), enqueue("late", &[(9, 2)])]).unwrap();
    rest(&store);
    let crash = crashed(directory.path());
    store.close();
    for directory in [&crash, &directory] {
        let (store, recovered) = open(options(directory.path()));
        assert_eq!(recovered.queues.len(), 1);
        assert_eq!(recovered.queue_id_max, 9);
        assert_eq!(store.figures().entries, 1);
        assert_eq!(bodies(&store, 1), ["a"]);
    }
}

#[test]
fn what_makes_no_sense_is_ignored() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    let nothing = vec![settle(5, &[1]), returned(5, 1, 1), enqueue("a", &[(5, 1)])];
    commit(&store, nothing).unwrap();
    commit(&store, vec![queues([1]), settle(1, &[0, u64::MAX]), returned(1, 3, 1)]).unwrap();
    commit(&store, vec![enqueue("b", &[(1, u64::MAX)]), Operation::Topology(Vec::new())]).unwrap();
    commit(&store, Vec::new()).unwrap();
    store.close();
    let (store, _) = open(options(directory.path()));
    assert_eq!(contents(&store, 1), [(u64::MAX, "b".into(), 0)]);
    assert!(positions(&store, 5).is_empty());
}

#[test]
fn a_closed_store_answers_lost() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    store.close();
    assert!(commit(&store, vec![queues([1])]).is_err());
}

/// Opens the directory and expects a failure whose text holds `expected`.
fn refused(options: Options, expected: &str) -> StoreError {
    let error = Store::open(options, Events::default()).expect_err("refused");
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains('\n'), "{text}");
    error
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    let error = refused(options(directory.path()), "in use by another process");
    assert!(matches!(error, StoreError::InUse { .. }));
    store.close();
    open(options(directory.path()));
}

const DIRECTORY: &str = "LEVERET_TEST_DIRECTORY";

#[test]
fn a_directory_in_use_is_refused_in_another_process() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let error = refused(options(directory.as_ref()), "in use by another process");
        assert!(matches!(error, StoreError::InUse { .. }));
        return;
    }
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_directory_in_use_is_refused_in_another_process"])
        .env(DIRECTORY, directory.path())
        .status()
        .unwrap();
    assert!(status.success());
    commit(&store, vec![queues([1])]).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempdir().unwrap();
    open(options(directory.path()));
    fs::write(directory.path().join("format"), "3\n").unwrap();
    let error = refused(options(directory.path()), "written in format 3");
    assert!(matches!(error, StoreError::NewerFormat { found: 3, known: 2, .. }));
}

#[test]
fn a_format_that_is_no_number_is_refused() {
    for text in [&b"noise"[..], b"", b"0", b"-1", &[0xff, 0xfe]] {
        let directory = tempdir().unwrap();
        open(options(directory.path()));
        fs::write(directory.path().join("format"), text).unwrap();
        let error = refused(options(directory.path()), "does not hold a version");
        assert!(matches!(error, StoreError::Corrupt { .. }));
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for path in [directory.path().join("file").join("below"), "/proc/leveret".into()] {
        let error = refused(options(&path), "cannot be written");
        assert!(matches!(error, StoreError::NotWritable { .. }));
    }
}

#[test]
fn a_kill_after_a_start_in_good_order_is_noticed_though_nothing_was_written() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1]), enqueue("a", &[(1, 1)])]).expect("durable");
    drop(store);
    let (_store, recovered) = open(options(directory.path()));
    assert!(recovered.clean);
    let copy = crashed(directory.path());
    let (_store, recovered) = open(options(copy.path()));
    assert!(!recovered.clean, "the message may have been delivered");
}

#[test]
fn doubt_about_what_was_delivered_lasts_as_long_as_the_messages() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1]), enqueue("a", &[(1, 1)])]).expect("durable");
    rest(&store);
    let copy = crashed(directory.path());
    let (store, recovered) = open(options(copy.path()));
    assert!(!recovered.clean);
    drop(store);
    let (store, recovered) = open(options(copy.path()));
    assert!(!recovered.clean, "nobody knows more than before");
    commit(&store, vec![enqueue("b", &[(1, 2)]), settle(1, &[1])]).expect("durable");
    drop(store);
    let (store, recovered) = open(options(copy.path()));
    assert!(recovered.clean && bodies(&store, 1) == ["b"]);
}
