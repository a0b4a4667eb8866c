//! Reading messages back: the reader takes requests in order, asks the ledger where the messages
//! stand, and reads them from the log. Like the committer it is a value that is stepped.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;

use super::chunk::LiveMessage;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::log::{Location, LogReader, SegmentId, Unreadable};
use super::newer::Newer;
use super::operation::{Operation, Place, Position, QueueId, Runs};
use super::record::Record;
use super::step::Step;
use crate::message::{LoadedMessage, Memory, Message};

/// A message whose segment goes while it is read is looked for again, at most so many times. Each time a
/// whole checkpoint has passed.
const ATTEMPTS_MAX: usize = 8;

/// What cannot be opened, read or looked up now is tried again after this long: there may be no file to spare, or the
/// index may be about to be built anew.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// An index or a segment that could not be read so often in a row, over several seconds, will not recover by itself.
const FAILURES_MAX: u32 = 25;

/// A message read back. When its record is gone or damaged, the store has logged it and forgets it.
pub type Reread = Result<LoadedMessage, Unread>;

/// A message that cannot be read.
#[derive(Debug, Clone)]
pub struct Unread {
    /// Its position in the queue.
    pub position: Position,
    /// Why.
    pub why: Unreadable,
}

/// Takes what was read. Called by the reader; must be quick.
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

    /// Waits a while, whatever arrives meanwhile, or until nothing more is taken in.
    fn pause(&self, retry: Duration) {
        let mut waiting = self.waiting.lock();
        self.arrived.wait_while_for(&mut waiting, |waiting| !waiting.closed, retry);
    }

    /// Waits until there is a request, or no more will come.
    fn wait(&self) {
        let mut waiting = self.waiting.lock();
        self.arrived
            .wait_while(&mut waiting, |waiting| waiting.requests.is_empty() && !waiting.closed);
    }

    /// The next request, if there is one.
    fn take(&self) -> Option<Request> {
        self.waiting.lock().requests.pop_front()
    }

    fn is_closed(&self) -> bool {
        self.waiting.lock().closed
    }
}

/// A message, or why it cannot be read, and how often it has come back.
type Found = (Result<Message, Unreadable>, u32);

/// What cannot be had now may be had later.
struct NotNow;

/// A request that is being answered.
struct Answer {
    queue: QueueId,
    /// Not yet looked up.
    positions: Vec<Position>,
    /// Looked up, and not yet read.
    located: vec::IntoIter<(Position, LiveMessage)>,
    rereads: Vec<Reread>,
    /// Cannot be read and never will.
    lost: Vec<Position>,
    done: ReadDone,
}

/// The reader and all it owns.
pub(super) struct Reader {
    pub(super) log: Box<dyn LogReader>,
    pub(super) requests: Arc<Requests>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) inbox: Arc<Inbox>,
    /// What the messages count in.
    pub(super) memory: &'static Memory,
    /// What is under way.
    answer: Option<Answer>,
    /// How often in a row something failed that may not fail the next time.
    failures: u32,
    /// After how long it tries again what has failed.
    pub(super) retry: Duration,
}

impl Reader {
    /// A reader of what is in a log.
    pub(super) fn new(
        log: Box<dyn LogReader>,
        requests: Arc<Requests>,
        ledger: Arc<Mutex<Ledger>>,
        inbox: Arc<Inbox>,
        memory: &'static Memory,
    ) -> Self {
        let answer = None;
        let (failures, retry) = (0, RETRY);
        Self { log, requests, ledger, inbox, memory, answer, failures, retry }
    }

    /// Takes steps until there are no more, and waits between them.
    pub(super) fn run(mut self) {
        loop {
            match self.step() {
                Step::Worked => {}
                Step::Idle => self.requests.wait(),
                Step::Waiting => self.requests.pause(self.retry),
                Step::Ended => return,
            }
        }
    }

    /// Answers the next request, or goes on with one that could not be answered before. When the store is closed, what is
    /// under way is answered with nothing.
    pub(super) fn step(&mut self) -> Step {
        let Some(mut answer) = self.answer.take().or_else(|| self.next_answer()) else {
            return if self.requests.is_closed() { Step::Ended } else { Step::Idle };
        };
        match self.fill(&mut answer) {
            Ok(()) => {
                self.failures = 0;
                self.give(answer);
                Step::Worked
            }
            Err(NotNow) if self.requests.is_closed() => {
                (answer.done)(Vec::new());
                Step::Worked
            }
            Err(NotNow) => {
                self.answer = Some(answer);
                Step::Waiting
            }
        }
    }

    fn next_answer(&self) -> Option<Answer> {
        let Request { queue, positions, done } = self.requests.take()?;
        let rereads = Vec::with_capacity(positions.len());
        let (located, lost) = (Vec::new().into_iter(), Vec::new());
        Some(Answer { queue, positions, located, rereads, lost, done })
    }

    /// Reads a queue's messages; those that are settled meanwhile are left out.
    fn fill(&mut self, answer: &mut Answer) -> Result<(), NotNow> {
        let queue = answer.queue;
        if !answer.positions.is_empty() {
            answer.located = self.locate(queue, &answer.positions)?.into_iter();
            answer.positions = Vec::new();
        }
        while let Some((position, entry)) = answer.located.as_slice().first().copied() {
            let found = self.find(Place { queue, position }, entry)?;
            self.failures = 0;
            answer.located.next();
            let Some((message, returns)) = found else { continue };
            if message.is_err() {
                answer.lost.push(position);
            }
            answer.rereads.push(match message {
                Ok(message) => Ok(LoadedMessage { position, message: Arc::new(message), returns }),
                Err(why) => Err(Unread { position, why }),
            });
        }
        Ok(())
    }

    fn give(&mut self, answer: Answer) {
        self.log.rest();
        let Answer { queue, rereads, lost, done, .. } = answer;
        if !lost.is_empty() {
            log::error!(
                "{} messages of queue {queue} cannot be read and are lost, at {}: their part of the journal is damaged or missing",
                lost.len(),
                Runs(&lost)
            );
            // From the journal on nobody will look for them again.
            self.inbox.put(vec![Operation::Settle { queue, positions: lost }], None);
        }
        done(rereads);
    }

    /// Where messages stand. An index that cannot be read says nothing about them, so that is tried again: a checkpoint
    /// may build it anew. When that takes too long the store is given up; the next start builds it out of the journal.
    fn locate(
        &mut self,
        queue: QueueId,
        positions: &[Position],
    ) -> Result<Vec<(Position, LiveMessage)>, NotNow> {
        let located = self.ledger.lock().locate(queue, positions);
        located.map_err(|error| {
            self.failures += 1;
            match self.failures {
                1 => log::error!(
                    "the index cannot be read ({error}): messages of queue {queue} wait until it can"
                ),
                FAILURES_MAX => self.inbox.give_up(format!("the index cannot be read: {error}")),
                _ => {}
            }
            NotNow
        })
    }

    /// Reads one message, where it stands by now. Nothing when it was settled meanwhile.
    fn find(&mut self, place: Place, mut entry: LiveMessage) -> Result<Option<Found>, NotNow> {
        for _ in 0..ATTEMPTS_MAX {
            let read = self.read(place, entry.location);
            match read.map_err(|error| self.later(entry.location.segment, &error))? {
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

    /// A segment that is there and cannot be opened or read says nothing about what it holds, so that is tried again.
    /// There may be no file to spare; whatever else goes on for long is a disk that fails.
    fn later(&mut self, segment: SegmentId, error: &io::Error) -> NotNow {
        self.log.rest();
        self.failures += 1;
        if let Some(newer) = Newer::of(error) {
            self.inbox.give_up(newer.to_string());
            return NotNow;
        }
        match self.failures {
            1 => log::error!(
                "journal segment {segment} cannot be read ({error}): its messages wait until it can"
            ),
            FAILURES_MAX.. if !wants_files(error) => {
                self.inbox.give_up(format!("journal segment {segment} cannot be read: {error}"))
            }
            _ => {}
        }
        NotNow
    }

    /// Reads a message from where it stands.
    fn read(
        &mut self,
        place: Place,
        location: Location,
    ) -> io::Result<Result<Message, Unreadable>> {
        Ok(match self.log.find(location)? {
            Ok(Record::Enqueue { places, message }) if places.contains(&place) => {
                Ok(message.to_message(self.memory))
            }
            Ok(_) => Err(Unreadable::Damaged),
            Err(why) => Err(why),
        })
    }
}

/// Whether the process or the system has no file, or no memory, to spare.
fn wants_files(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

#[cfg(test)]
mod tests;
