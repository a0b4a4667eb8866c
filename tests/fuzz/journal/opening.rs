//! Opening a directory, and what must be true of what comes out.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use leveret::broker::{Broker, Surroundings};
use leveret::config::Config;
use leveret::message::LoadedMessage;
use leveret::store::{Events, Options, Recovered, Store, StoreError};

/// What an opening found.
pub struct Found {
    contents: Vec<String>,
    notes: Vec<String>,
}

/// Opens the directory twice: what the first opening repaired, the second one finds in order.
pub fn open_twice(directory: &Path) {
    let first = open(directory, |_| {});
    let second = open(directory, |_| {});
    match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(second.contents, first.contents);
            let repaired: Vec<_> = second.notes.iter().filter(|note| !stays_true(note)).collect();
            assert!(repaired.is_empty(), "repaired again: {repaired:?}");
        }
        (Err(first), Err(_)) => {
            let text = first.to_string();
            assert!(!text.is_empty() && !text.contains('\n'), "{text}");
        }
        (Ok(first), Err(error)) => panic!("opened with {:?}, and then {error}", first.notes),
        (Err(error), Ok(_)) => panic!("refused with {error}, and then opened"),
    }
}

/// What opening leaves as it is, and tells again: a segment's head that cannot be read, until nothing is left of the
/// segment.
fn stays_true(note: &str) -> bool {
    note.starts_with("the head of journal segment") || note.starts_with("removed journal segment")
}

/// Opens the store, lets it be used, closes it, and answers what it held.
pub fn open(directory: &Path, work: impl FnOnce(&Store)) -> Result<Found, StoreError> {
    let options = Options {
        directory: directory.to_owned(),
        segment_bytes_max: 2048,
        checkpoint_bytes: 4096,
        index_cache_bytes: 1 << 20,
        ..Options::default()
    };
    let is_lost = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&is_lost);
    let events = Events {
        lost: Box::new(move |why| {
            eprintln!("the store is lost: {why}");
            lost.store(true, Ordering::Release);
        }),
        ..Events::default()
    };
    let (store, recovered) = Store::open(options, events)?;
    is_sound(&recovered);
    let contents = contents(&store, &recovered);
    work(&store);
    store.close();
    assert!(!is_lost.load(Ordering::Acquire), "the store was lost on a disk that works");
    Ok(Found { contents, notes: recovered.notes })
}

fn is_sound(recovered: &Recovered) {
    let names: BTreeSet<_> = recovered.queues.iter().map(|one| (&one.vhost, &one.name)).collect();
    assert_eq!(names.len(), recovered.queues.len(), "two queues with one name");
    assert!(recovered.queues.iter().all(|queue| queue.id <= recovered.queue_id_max));
}

/// All that was recovered, and the messages that can be read, to be compared.
fn contents(store: &Store, recovered: &Recovered) -> Vec<String> {
    let Recovered { vhosts, users, permissions, exchanges, queues, bindings, .. } = recovered;
    let mut lines = vec![
        format!("{vhosts:?} {users:?} {permissions:?}"),
        format!("{exchanges:?} {queues:?} {bindings:?} {}", recovered.queue_id_max),
    ];
    for queue in queues {
        let mut positions = Vec::new();
        store
            .survey(queue.id, &mut |survivor| positions.push(survivor.position))
            .expect("the index is readable");
        assert!(positions.is_sorted_by(|a, b| a < b));
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |rereads| sender.send(rereads).expect("awaited"));
        store.read(queue.id, positions, done);
        for reread in receiver.recv().expect("an answer") {
            let Ok(LoadedMessage { position, message, returns }) = reread else { continue };
            let (properties, body) = (message.properties(), message.body());
            let id = queue.id;
            lines.push(format!("{id} {position} {returns} {message:?} {properties:?} {body:?}"));
        }
    }
    lines
}

/// A broker makes of the directory what it can.
pub fn open_broker(directory: &Path) {
    let config = Config { data_dir: directory.to_owned(), ..Config::default() };
    let events = leveret::broker::Events {
        room: Box::new(|| {}),
        alarm: Box::new(|| {}),
        deadline: Box::new(|| {}),
        errands: Box::new(|| {}),
        lost: Box::new(|why| panic!("the store is lost: {why}")),
    };
    let now_ms = 1_700_000_000_000;
    match Broker::open(config, events, Surroundings::of_the_machine(), now_ms) {
        Ok(broker) => {
            broker.tick(now_ms);
            broker.close();
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}
