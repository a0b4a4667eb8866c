//! What a store gives back when it is opened again, after a stop in good order and after a crash.

mod store_support;

use std::process::{Command, Stdio};
use std::sync::mpsc;

use leveret::store::{
    BindingRecord, Change, DestinationKind, Events, ExchangeRecord, Operation, PermissionRecord,
    Store, StoreError, UserRecord,
};
use store_support::*;
use tempfile::tempdir;

#[test]
fn an_empty_directory_gives_nothing_back() {
    let directory = tempdir().unwrap();
    let (store, recovered) = open(options(&directory.path().join("not").join("there")));
    assert!(recovered.new && recovered.clean);
    assert!(recovered.messages.is_empty() && recovered.vhosts.is_empty());
    assert_eq!(recovered.notes, Vec::<String>::new());
    store.close();
    store.close();
}

#[test]
fn messages_and_topology_survive_a_stop_in_good_order() {
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
        let (_store, recovered) = open(options(directory.path()));
        assert!(recovered.clean && !recovered.new, "{:?}", recovered.notes);
        assert_eq!(contents(&recovered, 1), [(1, "a".into(), 0), (3, "c".into(), 0)]);
        assert_eq!(contents(&recovered, 2), [(7, "a".into(), 3)]);
        assert_eq!(recovered.queue_id_max, 2);
        assert_eq!(recovered.vhosts.len(), 1);
        assert_eq!(recovered.queues.len(), 2);
    }
}

#[test]
fn a_message_in_two_queues_is_shared_again() {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1, 2]), enqueue("a", &[(1, 1), (2, 1)])]).unwrap();
    store.close();
    let (_store, recovered) = open(options(directory.path()));
    let (a, b) = (&recovered.messages[&1][0].message, &recovered.messages[&2][0].message);
    assert!(std::sync::Arc::ptr_eq(a, b));
}
