//! Tests of the index: what a crash in the middle of an update leaves, and records of any size.

use smallvec::smallvec;
use tempfile::tempdir;

use super::*;
use crate::message::{Facts, Memory, Message};
use crate::store::chunk::LiveMessage;
use crate::store::log::LogPosition;
use crate::store::log::{Extent, Location};
use crate::store::operation::{Change, Place, QueueRecord, Run};
use crate::store::record::{Parts, Record};
use crate::store::sled_base::SledPlace;
use crate::store::state::Reading;
use crate::store::topology::Keeper;

static MEMORY: Memory = Memory::new();

const CACHE_BYTES: u64 = 1 << 20;

fn position(offset: u64) -> LogPosition {
    LogPosition { segment: 1, offset }
}

/// What can be compared of a state.
fn describe(state: &State) -> (Vec<Change>, Vec<(Place, LiveMessage)>) {
    let mut entries = state.ledger.lock().walk(&|_, _| true, (0, 0), 1 << 20).unwrap().found;
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
    state.apply(record, Extent { location, bytes: 40 }, reading).unwrap();
}

fn first_half(state: &mut State, reading: Reading) {
    let changes = [queue("a", 1, Vec::new()), queue("b", 2, vec![7; 10_000])];
    apply(state, &Record::Topology(changes[..].into()), 0, reading);
    let message = Message::new(&MEMORY, "", "", &[], &[], Facts::default());
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
    let message = Message::new(&MEMORY, "", "", &[], &[], Facts::default());
    for offset in 0..300_u32 {
        let place = Place { queue: 3, position: u64::from(offset) };
        let record = Record::Enqueue { places: smallvec![place], message: Parts::from(&message) };
        apply(state, &record, 2000 + offset, reading);
    }
}

/// Does the first slices of an update, which are as small as they can be, with what comes between any two of them. Returns
/// whether there were as many.
fn begin_update(
    index: &mut Index,
    state: &mut State,
    slices: usize,
    between: &mut dyn FnMut(&mut State, usize),
) -> bool {
    index.begin(None).unwrap();
    state.ledger.lock().attach(index.chunks());
    state.ledger.lock().freeze();
    state.topology.freeze(Keeper::Index);
    let mut left = slices;
    let mut turn = |state: &mut State| {
        between(state, slices - left);
        left = left.saturating_sub(1);
        left == 0
    };
    if slices == 0 {
        return true;
    }
    loop {
        let lacking = state.topology.take_lacking(Keeper::Index, 1);
        let Some((serial, record)) = lacking.first() else { break };
        index.write_definition(*serial, *record).unwrap();
        if turn(state) {
            return true;
        }
    }
    loop {
        let Some(queue) = state.ledger.lock().dropping() else { break };
        let (count, messages, progress) = index.drop_chunks(queue, 1).unwrap();
        assert!(count <= 1);
        state.ledger.lock().dropped(queue, messages, progress);
        if turn(state) {
            return true;
        }
    }
    let mut after = None;
    loop {
        let changes = state.ledger.lock().changes(after, 1);
        index.write_chunks(&changes).unwrap();
        state.ledger.lock().changes_kept(&changes);
        after = changes.last;
        if after.is_none() {
            return false;
        }
        if turn(state) {
            return true;
        }
    }
}

/// The mark for a state of which the index has everything.
fn mark(state: &State, offset: u64) -> Mark {
    Mark {
        position: position(offset),
        fingerprint: Some([1, 2, 3, 4]),
        queue_id_max: state.topology.queue_id_max(),
        entries: state.ledger.lock().indexed(),
        definitions: state.topology.held_by(Keeper::Index),
        closed: false,
        updating: false,
    }
}

/// Brings the index up to date.
fn update(index: &mut Index, state: &mut State, offset: u64) {
    begin_update(index, state, usize::MAX, &mut |_, _| {});
    index.finish(mark(state, offset)).unwrap();
    index.base().flush().unwrap();
}

#[test]
fn what_was_given_is_read_back() {
    let directory = tempdir().unwrap();
    let mut state = State::default();
    first_half(&mut state, Reading::Live);
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    assert!(index.load().unwrap().is_none());
    update(&mut index, &mut state, 700);
    let expected = describe(&state);
    drop((index, state));
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    let Loaded { mark, state: loaded, .. } = index.load().unwrap().unwrap();
    assert_eq!(mark.fingerprint, Some([1, 2, 3, 4]));
    assert_eq!(mark.position, position(700));
    assert_eq!(mark.queue_id_max, 2);
    assert_eq!(describe(&loaded), expected);
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
        update(&mut index, &mut state, 700);
        second_half(&mut state, Reading::Live);
        let more = begin_update(&mut index, &mut state, steps, &mut |_, _| {});
        let Loaded { mark, state: mut loaded, .. } = index.load().unwrap().unwrap();
        assert_eq!(mark.position, position(700));
        second_half(&mut loaded, Reading::Replay);
        loaded.reconcile().unwrap();
        assert_eq!(describe(&loaded), describe(&expected), "after {steps} steps");
        update(&mut index, &mut loaded, 3000);
        let again = index.load().unwrap().unwrap().state;
        assert_eq!(describe(&again), describe(&expected), "after {steps} steps");
        if !more {
            break;
        }
    }
}

/// What comes between the slices of an update, in order.
fn third_part(state: &mut State, number: usize, reading: Reading) {
    let message = Message::new(&MEMORY, "", "", &[], &[], Facts::default());
    let n = number as u64;
    let records = [
        Record::Settle { queue: 1, runs: smallvec![Run { first: n * 20, count: 30 }] },
        Record::Enqueue {
            places: smallvec![Place { queue: 3, position: 300 + n }],
            message: Parts::from(&message),
        },
        Record::Returned { queue: 3, position: n, count: 1 },
        Record::Topology(
            vec![match number % 4 {
                0 => queue("c", 100 + n, vec![1; 5000]),
                1 => Change::DeleteQueue { vhost: "/".into(), name: "c".into(), id: 99 + n },
                2 => queue("a", 1, vec![number as u8]),
                _ => queue("d", 100 + n, Vec::new()),
            }]
            .into(),
        ),
    ];
    for (at, record) in records.iter().enumerate() {
        apply(state, record, 3000 + (number * 10 + at) as u32, reading);
    }
}

#[test]
fn whatever_comes_between_the_slices_and_wherever_they_end_replay_leads_to_the_same() {
    for slices in 0.. {
        let directory = tempdir().unwrap();
        let mut state = State::default();
        first_half(&mut state, Reading::Live);
        let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
        update(&mut index, &mut state, 700);
        second_half(&mut state, Reading::Live);
        let mut between = 0;
        let more = begin_update(&mut index, &mut state, slices, &mut |state, number| {
            third_part(state, number, Reading::Live);
            between = number + 1;
        });
        if !more {
            index.finish(mark(&state, 2500)).unwrap();
        }
        let Loaded { mark, state: mut loaded, .. } = index.load().unwrap().unwrap();
        assert_eq!(mark.position, position(if more { 700 } else { 2500 }));
        if more {
            second_half(&mut loaded, Reading::Replay);
        }
        for number in 0..between {
            third_part(&mut loaded, number, Reading::Replay);
        }
        loaded.reconcile().unwrap();
        state.ledger.lock().carry_out(usize::MAX).unwrap();
        assert_eq!(describe(&loaded), describe(&state), "after {slices} slices");
        if !more {
            assert!(slices > 10);
            break;
        }
    }
}

#[test]
fn a_definition_in_parts_that_was_not_finished_is_as_if_it_had_not_been_begun() {
    let directory = tempdir().unwrap();
    let mut state = State::default();
    first_half(&mut state, Reading::Live);
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    update(&mut index, &mut state, 700);
    let expected = describe(&state);
    index.begin(None).unwrap();
    let long = queue("long", 9, vec![7; 10_000]);
    index.write_definition(50, Some(&long)).unwrap();
    index.base.remove(&definition_key(50, 0)).unwrap();
    let loaded = index.load().unwrap().unwrap();
    assert_eq!(describe(&loaded.state), expected);
    // And nothing of it is left.
    index.finish(Mark { updating: false, ..loaded.mark }).unwrap();
    assert_eq!(describe(&index.load().unwrap().unwrap().state), expected);
}

#[test]
fn counts_that_do_not_agree_are_an_error() {
    let directory = tempdir().unwrap();
    let mut state = State::default();
    first_half(&mut state, Reading::Live);
    let mut index = Index::open(&SledPlace::new(directory.path(), CACHE_BYTES)).unwrap();
    update(&mut index, &mut state, 700);
    index.base.remove(&chunk_key(1, 0)).unwrap();
    let error = index.load().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("its mark says"), "{error}");
}

#[test]
fn what_a_later_version_wrote_is_said_to_be_that() {
    let directory = tempdir().unwrap();
    let place = SledPlace::new(directory.path(), CACHE_BYTES);
    let mut state = State::default();
    first_half(&mut state, Reading::Live);
    let mut index = Index::open(&place).unwrap();
    update(&mut index, &mut state, 700);
    assert!(index.load().unwrap().is_some());
    for (family, version_at) in [(CHUNKS, 0), (TOPOLOGY, 1), (MARK[0], 1)] {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        index
            .each(family, |found, content| {
                if key.is_empty() {
                    (key, value) = (found.to_vec(), content.to_vec());
                }
                Ok(())
            })
            .unwrap();
        let mut newer = value.clone();
        newer[version_at] += 1;
        index.base.insert(&key, &newer).unwrap();
        let error = index.load().map(|_| ()).unwrap_err();
        assert!(error.newer().is_some(), "{family}: {error}");
        index.base.insert(&key, &value).unwrap();
    }
    assert!(index.load().unwrap().is_some());
}
