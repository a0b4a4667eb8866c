//! Tests of the index: what a crash in the middle of an update leaves, and records of any size.

use smallvec::smallvec;
use tempfile::tempdir;

use super::*;
use crate::message::{Facts, Memory, Message};
use crate::store::chunk::Entry;
use crate::store::log::{Location, Stand};
use crate::store::operation::{Change, Place, QueueRecord, Run};
use crate::store::record::{Parts, Record};
use crate::store::sled_base::SledPlace;
use crate::store::state::Reading;

static MEMORY: Memory = Memory::new();

const CACHE_BYTES: u64 = 1 << 20;

fn position(offset: u64) -> LogPosition {
    LogPosition { segment: 1, offset }
}

fn stand(offset: u64) -> MarkStand {
    MarkStand { position: position(offset), fingerprint: Some([1, 2, 3, 4]) }
}

/// What can be compared of a state.
fn describe(state: &State) -> (Vec<Change>, Vec<(Place, Entry)>) {
    let (mut entries, _) = state.ledger.lock().standing(&|_, _| true, (0, 0), 1 << 20).unwrap();
    entries.sort_unstable_by_key(|(place, _)| *place);
    let mut records: Vec<Change> = state.topology.records().cloned().collect();
    records.sort_by_key(|record| format!("{record:?}"));
    (records, entries)
}

fn queue(name: &str, id: QueueId, arguments: Vec<u8>) -> Change {
    Change::PutQueue(QueueRecord {
        id,
        vhost: "/".into(),
        name: name.into(),
        auto_delete: false,
        arguments,
    })
}

/// Applies a record as if it stood at `offset`.
fn apply(state: &mut State, record: &Record<'_>, offset: u32, reading: Reading) {
    let location = Location { segment: 1, offset };
    state.apply(record, Stand { location, bytes: 40 }, reading).unwrap();
}

fn first_half(state: &mut State, reading: Reading) {
    let changes = [queue("a", 1, Vec::new()), queue("b", 2, vec![7; 10_000])];
    apply(state, &Record::Topology(changes[..].into()), 0, reading);
    let message = Message::new(&MEMORY, "".into(), "", &[], &[], Facts::default());
    for position in 0..500_u32 {
        let place = Place { queue: u64::from(position % 2 + 1), position: u64::from(position) };
        let message = Parts::from(&message);
        let record = Record::Enqueue { places: smallvec![place], message };
        apply(state, &record, position, reading);
    }
}

fn second_half(state: &mut State, reading: Reading) {
    let settle = Record::Settle { queue: 1, runs: smallvec![Run { first: 100, count: 250 }] };
    apply(state, &settle, 1000, reading);
    let returned = Record::Returned { queue: 1, position: 0, count: 3 };
    apply(state, &returned, 1001, reading);
    let changes = [
        Change::DeleteQueue { vhost: "/".into(), name: "b".into(), id: 2 },
        queue("b", 3, vec![8; 20_000]),
        queue("a", 1, vec![1]),
    ];
    apply(state, &Record::Topology(changes[..].into()), 1002, reading);
    let message = Message::new(&MEMORY, "".into(), "", &[], &[], Facts::default());
    for offset in 0..300_u32 {
        let place = Place { queue: 3, position: u64::from(offset) };
        let record = Record::Enqueue { places: smallvec![place], message: Parts::from(&message) };
        apply(state, &record, 2000 + offset, reading);
    }
}

/// Does the first `steps` writes of an update. Returns whether there were as many.
fn begin_update(index: &mut Index, state: &State, steps: usize) -> bool {
    let mark = Mark { updating: true, ..index.mark.unwrap() };
    index.base.insert(MARK, &postcard::to_stdvec(&mark).unwrap()).unwrap();
    let mut left = steps;
    for (serial, record) in state.topology.dirty() {
        if left == 0 {
            return true;
        }
        left -= 1;
        index.update_definition(serial, record).unwrap();
    }
    for queue in state.ledger.lock().closed() {
        if left == 0 {
            return true;
        }
        left -= 1;
        index.drop_chunks(queue).unwrap();
    }
    for ((queue, number), content) in state.ledger.lock().changes(None, 1000) {
        if left == 0 {
            return true;
        }
        left -= 1;
        let key = chunk_key(queue, number);
        match content {
            Some(bytes) => index.base.insert(&key, &bytes).unwrap(),
            None => index.base.remove(&key).unwrap(),
        };
    }
    left == 0
}

#[test]
fn what_was_given_is_read_back() {
    let directory = tempdir().unwrap();
    let mut state = State::default();
    first_half(&mut state, Reading::Live);
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    assert!(index.load().unwrap().is_none());
    index.update(&state, stand(700), Occasion::Running).unwrap();
    drop(index);
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    let Loaded { mark, state: loaded, .. } = index.load().unwrap().unwrap();
    assert_eq!(mark.fingerprint, Some([1, 2, 3, 4]));
    assert_eq!(mark.position, position(700));
    assert_eq!(mark.queue_id_max, 2);
    assert_eq!(describe(&loaded), describe(&state));
}

#[test]
fn wherever_an_update_is_interrupted_replay_leads_to_the_same() {
    let mut expected = State::default();
    first_half(&mut expected, Reading::Live);
    second_half(&mut expected, Reading::Live);
    for steps in 0.. {
        let directory = tempdir().unwrap();
        let mut state = State::default();
        first_half(&mut state, Reading::Live);
        let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
        index.update(&state, stand(700), Occasion::Running).unwrap();
        state.mark_indexed();
        second_half(&mut state, Reading::Live);
        let more = begin_update(&mut index, &state, steps);
        let Loaded { mark, state: mut loaded, .. } = index.load().unwrap().unwrap();
        assert_eq!(mark.position, position(700));
        second_half(&mut loaded, Reading::Replay);
        loaded.reconcile().unwrap();
        assert_eq!(describe(&loaded), describe(&expected), "after {steps} steps");
        index.update(&loaded, stand(3000), Occasion::Running).unwrap();
        let again = index.load().unwrap().unwrap().state;
        assert_eq!(describe(&again), describe(&expected), "after {steps} steps");
        if !more {
            break;
        }
    }
}

#[test]
fn counts_that_do_not_agree_are_an_error() {
    let directory = tempdir().unwrap();
    let mut state = State::default();
    first_half(&mut state, Reading::Live);
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    index.update(&state, stand(700), Occasion::Running).unwrap();
    index.base.remove(&chunk_key(1, 0)).unwrap();
    let error = index.load().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("its mark says"), "{error}");
}
