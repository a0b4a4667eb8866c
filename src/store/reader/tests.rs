//! Tests of a reader whose index fails.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use std::path::PathBuf;

use super::*;
use crate::message::Memory;
use crate::store::base::IndexError;
use crate::store::chunk::{ChunkKey, Content};
use crate::store::disk::LocalDisk;
use crate::store::inbox::Next;
use crate::store::ledger::Chunks;
use crate::store::lookup::Lookup;

const QUEUE: QueueId = 1;

/// The queue's message, in a segment that is not there.
const ENTRY: LiveMessage = LiveMessage {
    low: 0,
    priority: 0,
    location: Location { segment: 9, offset: 16 },
    share: 100,
    returns: 0,
    body_bytes: 5,
    accepted_ms: 0,
    expiration_ms: None,
};

/// An index of one chunk, which cannot be read until it is there, and says when somebody tries.
struct Index {
    content: Mutex<Option<Content>>,
    tried: Mutex<mpsc::Sender<()>>,
}

impl Chunks for Index {
    fn chunk(&self, _: ChunkKey) -> Result<Option<Content>, IndexError> {
        let _ = self.tried.lock().send(());
        self.content.lock().clone().map(Some).ok_or_else(IndexError::missing)
    }

    fn scan(
        &self,
        _: QueueId,
        _: RangeInclusive<u64>,
        _: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        Err(IndexError::missing())
    }
}

/// A reader of a queue with one message, of which only the index knows where it stands, and the index fails.
fn reader(journal: PathBuf) -> (Reader, Arc<Index>, mpsc::Receiver<()>) {
    let (tried, tries) = mpsc::channel();
    let mut ledger = Ledger::default();
    ledger.load((QUEUE, 0), &[ENTRY]);
    let index = Arc::new(Index { content: Mutex::default(), tried: Mutex::new(tried) });
    ledger.attach(index.clone());
    let mut reader = Reader::new(
        Box::new(Lookup::new(journal, Arc::new(LocalDisk::new(1000)))),
        Arc::default(),
        Arc::new(Mutex::new(ledger)),
        Arc::new(Inbox::new(1000)),
        Memory::leaked(),
    );
    reader.retry = Duration::from_millis(1);
    (reader, index, tries)
}

#[test]
fn messages_wait_while_the_index_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, index, tries) = reader(directory.path().to_owned());
    let requests = reader.requests.clone();
    let (sender, receiver) = mpsc::channel();
    requests.put(QUEUE, vec![0], Box::new(move |rereads| sender.send(rereads).unwrap()));
    let reading = thread::spawn(move || reader.run());
    tries.recv().unwrap();
    tries.recv().unwrap();
    assert!(receiver.try_recv().is_err(), "nobody knows where they are");
    let mut content = Content::default();
    content.open().push(ENTRY);
    *index.content.lock() = Some(content);
    let rereads = receiver.recv().unwrap();
    // The index has it, so that the segment is looked for.
    let unread = rereads[0].as_ref().unwrap_err();
    assert_eq!(unread.position, 0);
    assert_eq!(unread.why, Unreadable::Missing);
    requests.close();
    reading.join().unwrap();
}

#[test]
fn a_store_whose_index_cannot_be_read_can_be_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, _, tries) = reader(directory.path().to_owned());
    let requests = reader.requests.clone();
    let (sender, receiver) = mpsc::channel();
    requests.put(QUEUE, vec![0], Box::new(move |rereads| sender.send(rereads.len()).unwrap()));
    let reading = thread::spawn(move || reader.run());
    tries.recv().unwrap();
    requests.close();
    assert_eq!(receiver.recv(), Ok(0), "nothing is said of messages that could not be looked for");
    reading.join().unwrap();
}

#[test]
fn an_index_that_stays_unreadable_ends_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, _, _tries) = reader(directory.path().to_owned());
    let (requests, inbox) = (reader.requests.clone(), reader.inbox.clone());
    requests.put(QUEUE, vec![0], Box::new(drop));
    let reading = thread::spawn(move || reader.run());
    inbox.wait(None);
    let Next::GiveUp(reason) = inbox.take() else { panic!("there is nothing to commit") };
    assert_eq!(reason, "the index cannot be read: there is no index");
    requests.close();
    reading.join().unwrap();
}

#[test]
fn what_arrives_does_not_shorten_a_pause() {
    const PAUSE: Duration = Duration::from_millis(50);
    let requests = Arc::new(Requests::default());
    let asking = thread::spawn({
        let requests = requests.clone();
        move || {
            while !requests.waiting.lock().closed {
                requests.put(QUEUE, Vec::new(), Box::new(drop));
            }
        }
    });
    let begun = Instant::now();
    requests.pause(PAUSE);
    assert!(begun.elapsed() >= PAUSE);
    requests.close();
    asking.join().unwrap();
}
