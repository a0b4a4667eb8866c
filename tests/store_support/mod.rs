//! What the store's tests share: short ways to write operations, and to wait for them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};

use leveret::message::{Facts, LoadedMessage, Memory, Message, StoredMessage};
use leveret::store::{
    Change, Events, Lost, Operation, Options, Place, Position, QueueId, QueueRecord, Recovered,
    Reread, Store, VhostRecord,
};

static MEMORY: Memory = Memory::new();

/// Options for a test's directory.
pub fn options(directory: &Path) -> Options {
    Options { directory: directory.to_owned(), ..Options::default() }
}

/// Options that make segments and checkpoints come all the time.
pub fn tiny(directory: &Path) -> Options {
    Options { segment_bytes_max: 2_000, checkpoint_bytes: 3_000, ..options(directory) }
}

/// Opens a store that nobody listens to.
pub fn open(options: Options) -> (Store, Recovered) {
    Store::open(options, Events::default()).expect("the store opens")
}

/// Appends, and waits until it is durable.
pub fn commit(store: &Store, operations: Vec<Operation>) -> Result<(), Lost> {
    let (sender, receiver) = mpsc::channel();
    store.append(operations, Some(Box::new(move |result| sender.send(result).expect("awaited"))));
    receiver.recv().expect("the store answers")
}

/// A virtual host and queues `q1`, `q2`, … with these ids.
pub fn queues(ids: impl IntoIterator<Item = QueueId>) -> Operation {
    let vhost = Change::PutVhost(VhostRecord { name: "/".into() });
    Operation::Topology([vhost].into_iter().chain(ids.into_iter().map(queue)).collect())
}

/// The queue `q` + id.
pub fn queue(id: QueueId) -> Change {
    Change::PutQueue(QueueRecord {
        id,
        vhost: "/".into(),
        name: format!("q{id}"),
        auto_delete: false,
        arguments: vec![1, 2, 3],
    })
}

/// A message whose every part depends on `text`.
pub fn message(text: &str) -> Arc<Message> {
    let facts = Facts {
        persistent: true,
        priority: text.len() as u8,
        expiration_ms: text.len().is_multiple_of(2).then_some(text.len() as u64),
        accepted_ms: 1_700_000_000_000 + text.len() as u64,
        dead_letter: text.len().is_multiple_of(3),
    };
    let key = format!("key.{text}");
    Arc::new(Message::new(&MEMORY, "exchange", &key, text.as_bytes(), text.as_bytes(), facts))
}

/// One message in the places given.
pub fn enqueue(text: &str, places: &[(QueueId, u64)]) -> Operation {
    let places = places.iter().map(|&(queue, position)| Place { queue, position }).collect();
    Operation::Enqueue { message: message(text), places }
}

/// Settles positions of a queue.
pub fn settle(queue: QueueId, positions: &[u64]) -> Operation {
    Operation::Settle { queue, positions: positions.to_vec() }
}

/// A message came back.
pub fn returned(queue: QueueId, position: u64, count: u32) -> Operation {
    Operation::Returned { queue, position, count }
}

/// The positions at which a queue holds a message, in order.
pub fn positions(store: &Store, queue: QueueId) -> Vec<Position> {
    let mut positions = Vec::new();
    store
        .survey(queue, &mut |survivor| positions.push(survivor.position))
        .expect("the index is readable");
    positions
}

/// Reads messages of a queue back.
pub fn reread(store: &Store, queue: QueueId, positions: Vec<Position>) -> Vec<Reread> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |rereads| sender.send(rereads).expect("awaited"));
    store.read(queue, positions, done);
    receiver.recv().expect("the store answers")
}

/// What a queue holds and can be read, as position, body, and returns. Also checks that nothing of a message was
/// lost, and that the survey said what is true of it.
pub fn contents(store: &Store, queue: QueueId) -> Vec<(u64, String, u32)> {
    contents_by(store, queue, &mut |positions| reread(store, queue, positions))
}

/// The same, with a way to read messages.
pub fn contents_by(
    store: &Store,
    queue: QueueId,
    read: &mut dyn FnMut(Vec<Position>) -> Vec<Reread>,
) -> Vec<(u64, String, u32)> {
    let mut survivors = BTreeMap::new();
    store
        .survey(queue, &mut |survivor| {
            survivors.insert(survivor.position, survivor);
        })
        .expect("the index is readable");
    let rereads = read(survivors.keys().copied().collect());
    let readable = rereads.into_iter().filter_map(Result::ok);
    readable
        .map(|LoadedMessage { position, message: found, returns }| {
            let body = std::str::from_utf8(found.body()).expect("text");
            let expected = message(body);
            assert_eq!(found.exchange(), expected.exchange());
            assert_eq!(found.routing_key(), expected.routing_key());
            assert_eq!(found.properties(), expected.properties());
            assert_eq!(found.facts(), expected.facts());
            let facts = expected.facts();
            let stored = StoredMessage {
                position,
                body_bytes: body.len() as u32,
                returns,
                priority: facts.priority,
                accepted_ms: facts.accepted_ms,
                expiration_ms: facts.expiration_ms,
            };
            assert_eq!(survivors[&position], stored);
            (position, body.to_owned(), returns)
        })
        .collect()
}

/// The bodies of a queue.
pub fn bodies(store: &Store, queue: QueueId) -> Vec<String> {
    contents(store, queue).into_iter().map(|(_, body, _)| body).collect()
}

/// Waits until the committer rests: all before is durable, and no checkpoint is due or under way.
pub fn rest(store: &Store) {
    // A checkpoint that is due is begun before the second question is answered.
    for _ in 0..2 {
        commit(store, Vec::new()).expect("answered");
    }
    while store.figures().checkpoints_under_way > 0 {
        std::thread::yield_now();
    }
}

/// A copy of the directory as it is now: what a crash at this moment would leave.
pub fn crashed(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    copy_into(directory, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            std::fs::create_dir(&target).expect("created");
            copy_into(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The journal's segments in order.
pub fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(directory.join("journal"))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
}
