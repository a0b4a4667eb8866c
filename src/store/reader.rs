//! Reading messages back: one thread that takes requests in order, asks the ledger where the messages
//! stand, and reads them from the segments through files of its own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::chunk::Entry;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::log::{Location, SegmentId, Unreadable};
use super::operation::{Operation, Place, Position, QueueId};
use super::record::Record;
use super::segment::{SegmentReader, open_segment};
use crate::message::{Memory, Message};

/// A message whose segment goes while it is read is looked for again, at most so many times. Each time a
/// whole checkpoint has passed.
const ATTEMPTS_MAX: usize = 8;

/// What cannot be opened or looked up now is tried again after this long: there may be no file to spare, or the index
/// may be about to be built anew.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// An index that could not be read so often in a row, over several seconds, will not recover by itself.
const LOOKUPS_MAX: u32 = 25;

/// What the store knows of a live message without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survivor {
    /// Its place in the queue.
    pub position: Position,
    /// Bytes of its body.
    pub body_bytes: u32,
    /// How often it has come back to the queue.
    pub returns: u32,
    /// Its priority, 0 when it has none.
    pub priority: u8,
    /// When the broker accepted it, in milliseconds since the Unix epoch.
    pub accepted_ms: u64,
    /// Its own expiration in milliseconds, when it has one.
    pub expiration_ms: Option<u64>,
}

/// A message read back.
#[derive(Debug, Clone)]
pub struct Reread {
    /// Its place in the queue.
    pub position: Position,
    /// The message, and how often it has come back. When its record is gone or damaged, the store has
    /// logged it and forgets it.
    pub message: Result<(Arc<Message>, u32), Unreadable>,
}

/// Takes what was read. Called on the reader's thread; must be quick.
pub type ReadDone = Box<dyn FnOnce(Vec<Reread>) + Send>;

struct Request {
    queue: QueueId,
    positions: Vec<Position>,
    done: ReadDone,
}

/// Requests that wait for the reader, in order.
#[derive(Default)]
pub(super) struct Requests {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    closed: bool,
}

impl Requests {
    /// Puts a request at the end. Answers it with nothing when the store is closed or lost.
    pub(super) fn put(&self, queue: QueueId, positions: Vec<Position>, done: ReadDone) {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            drop(waiting);
            done(Vec::new());
            return;
        }
        waiting.requests.push_back(Request { queue, positions, done });
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Takes nothing more in. What waits is answered with nothing.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        let rest = std::mem::take(&mut waiting.requests);
        drop(waiting);
        self.arrived.notify_one();
        for request in rest {
            (request.done)(Vec::new());
        }
    }

    /// Waits a while, whatever arrives meanwhile, or until nothing more is taken in. Whether there is still somebody to
    /// answer.
    fn pause(&self, retry: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        self.arrived.wait_while_for(&mut waiting, |waiting| !waiting.closed, retry);
        !waiting.closed
    }

    /// Waits for the next request; nothing when no more will come.
    fn take(&self) -> Option<Request> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(request) = waiting.requests.pop_front() {
                return Some(request);
            }
            if waiting.closed {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
    }
}

/// A message, or why it cannot be read, and how often it has come back.
type Found = (Result<Message, Unreadable>, u32);

/// Positions and what stands there.
type Located = Vec<(Position, Entry)>;

/// The store was closed before it was known what becomes of a message.
struct Closed;

/// The reader and all it owns.
pub(super) struct Reader {
    pub(super) journal: PathBuf,
    pub(super) requests: Arc<Requests>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) inbox: Arc<Inbox>,
    /// What the messages count in.
    pub(super) memory: &'static Memory,
    /// The segment read last, kept open for what follows.
    pub(super) open: Option<(SegmentId, SegmentReader)>,
    /// The exchange of the message read last: the next one mostly has the same, and shares its name.
    pub(super) exchange: Arc<str>,
    /// After how long it tries again what has failed.
    pub(super) retry: Duration,
}

impl Reader {
    /// Works until there are no more requests to come.
    pub(super) fn run(mut self) {
        while let Some(Request { queue, positions, done }) = self.requests.take() {
            done(self.answer(queue, &positions));
        }
    }

    /// Reads a queue's messages; those that are settled meanwhile are left out. Nothing when the store is closed before
    /// all could be looked for.
    fn answer(&mut self, queue: QueueId, positions: &[Position]) -> Vec<Reread> {
        let mut rereads = Vec::with_capacity(positions.len());
        let mut lost = Vec::new();
        let Ok(located) = self.locate(queue, positions) else { return Vec::new() };
        for (position, entry) in located {
            let Ok(found) = self.find(Place { queue, position }, entry) else { return Vec::new() };
            let Some((message, returns)) = found else { continue };
            if message.is_err() {
                lost.push(position);
            }
            let message = message.map(|message| (Arc::new(message), returns));
            rereads.push(Reread { position, message });
        }
        // A file that nobody reads would keep its segment's space after the segment is deleted.
        self.open = None;
        if !lost.is_empty() {
            log::error!(
                "{} messages of queue {queue} cannot be read and are lost: their part of the journal is damaged or missing",
                lost.len()
            );
            // From the journal on nobody will look for them again.
            self.inbox.put(vec![Operation::Settle { queue, positions: lost }], None);
        }
        rereads
    }

    /// Where messages stand. An index that cannot be read says nothing about them, so that is tried again: a checkpoint
    /// may build it anew. When that takes too long the store is given up; the next start builds it out of the journal.
    fn locate(&self, queue: QueueId, positions: &[Position]) -> Result<Located, Closed> {
        self.until_done(
            || self.ledger.lock().locate(queue, positions),
            |failures, error| match failures {
                1 => log::error!(
                    "the index cannot be read ({error}): messages of queue {queue} wait until it can"
                ),
                LOOKUPS_MAX => self.inbox.give_up(format!("the index cannot be read: {error}")),
                _ => {}
            },
        )
    }

    /// Does what may fail for now, again and again. Tells of each failure, with its number.
    fn until_done<T, E>(
        &self,
        attempt: impl Fn() -> Result<T, E>,
        tell: impl Fn(u32, E),
    ) -> Result<T, Closed> {
        for failures in 1.. {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => tell(failures, error),
            }
            if !self.requests.pause(self.retry) {
                break;
            }
        }
        Err(Closed)
    }

    /// Reads one message, where it stands by now. Nothing when it was settled meanwhile.
    fn find(&mut self, place: Place, mut entry: Entry) -> Result<Option<Found>, Closed> {
        for _ in 0..ATTEMPTS_MAX {
            self.open(entry.location.segment)?;
            match self.read(place, entry.location) {
                Ok(message) => return Ok(Some((Ok(message), entry.returns))),
                Err(why) => {
                    let Some((_, now)) = self.locate(place.queue, &[place.position])?.pop() else {
                        return Ok(None);
                    };
                    if now.location == entry.location {
                        return Ok(Some((Err(why), entry.returns)));
                    }
                    entry = now;
                }
            }
        }
        Ok(Some((Err(Unreadable::Missing), entry.returns)))
    }

    /// Opens a segment, unless it is open or not there. Failing to open one that is there says nothing about what it
    /// holds, so that is tried again until it succeeds.
    fn open(&mut self, segment: SegmentId) -> Result<(), Closed> {
        if self.open.as_ref().is_some_and(|(id, _)| *id == segment) {
            return Ok(());
        }
        let opened = self.until_done(
            || open_segment(&self.journal, segment),
            |failures, error| {
                if failures == 1 {
                    log::error!(
                        "journal segment {segment} cannot be opened ({error}): its messages wait until it can"
                    );
                }
            },
        )?;
        self.open = opened.map(|reader| (segment, reader));
        Ok(())
    }

    /// Reads a message from the segment that [`Reader::open`] has opened.
    fn read(&mut self, place: Place, location: Location) -> Result<Message, Unreadable> {
        let Some((_, reader)) = &mut self.open else { return Err(Unreadable::Missing) };
        match reader.find(location.offset)? {
            Record::Enqueue { places, message } if places.contains(&place) => {
                if *self.exchange != *message.exchange {
                    self.exchange = Arc::from(message.exchange);
                }
                Ok(message.to_message(self.memory, self.exchange.clone()))
            }
            _ => Err(Unreadable::Damaged),
        }
    }
}

#[cfg(test)]
mod tests;
