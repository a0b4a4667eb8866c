//! The committer's inbox: operations that wait for the disk, in the order in which they came. Putting
//! something in never waits; it counts its bytes and says when it is full.

use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::failure::Lost;
use super::operation::{Change, Operation, Place, Position, Run};

/// Called once the operations are durable, or with `Lost` when they may not be.
pub type Done = Box<dyn FnOnce(Result<(), Lost>) + Send>;

/// Called once everything that came before is in the journal, synced or not.
pub type Written = Box<dyn FnOnce() + Send>;

/// What one call of `append` brought.
pub(super) struct Batch {
    pub(super) operations: Vec<Operation>,
    pub(super) done: Option<Done>,
    /// Called once the operations are in the journal, synced or not.
    pub(super) written: Option<Written>,
    pub(super) bytes: usize,
}

/// What the committer is to do next.
pub(super) enum Next {
    /// Commit these. Never empty.
    Commit(Vec<Batch>),
    /// Nothing waits.
    Nothing,
    /// Nothing waits and nothing more will come.
    Stop,
    /// The store cannot go on, for this reason.
    GiveUp(String),
}

/// The inbox.
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bytes_max: usize,
    bytes: AtomicUsize,
    full: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    batches: Vec<Batch>,
    /// The committer sleeps.
    asleep: bool,
    /// The committer has something else to do.
    woken: bool,
    /// Nothing more is taken in.
    closed: bool,
    /// The store is poisoned.
    lost: bool,
    /// Why the committer is to give the store up.
    reason: Option<String>,
}

impl Inbox {
    /// An empty inbox that is full above `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            bytes_max,
            bytes: AtomicUsize::new(0),
            full: AtomicBool::new(false),
        }
    }

    /// Puts a batch at the end. When the store is lost or closed, says so to `done` at once.
    pub(super) fn put(&self, operations: Vec<Operation>, done: Option<Done>) {
        let bytes = operations.iter().map(held).sum::<usize>() + size_of::<Batch>();
        self.put_batch(Batch { operations, done, written: None, bytes });
    }

    /// Has `written` called once all before is in the journal. Drops it when the store is lost or closed.
    pub(super) fn put_written(&self, written: Written) {
        let (operations, bytes) = (Vec::new(), size_of::<Batch>());
        self.put_batch(Batch { operations, done: None, written: Some(written), bytes });
    }

    fn put_batch(&self, batch: Batch) {
        let bytes = batch.bytes;
        let mut waiting = self.waiting.lock();
        if waiting.closed || waiting.lost {
            drop(waiting);
            if let Some(done) = batch.done {
                done(Err(Lost));
            }
            return;
        }
        waiting.batches.push(batch);
        // Counted under the lock, so that becoming full and having room again take turns.
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.bytes_max {
            self.full.store(true, Ordering::Relaxed);
        }
        let wake = std::mem::take(&mut waiting.asleep);
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
    }

    /// Takes all that is there to commit.
    pub(super) fn take(&self) -> Next {
        let mut waiting = self.waiting.lock();
        if let Some(reason) = waiting.reason.take() {
            Next::GiveUp(reason)
        } else if !waiting.batches.is_empty() {
            Next::Commit(std::mem::take(&mut waiting.batches))
        } else if waiting.closed {
            Next::Stop
        } else {
            Next::Nothing
        }
    }

    /// Waits until [`Inbox::take`] has something to give, until [`Inbox::wake`], or until a time.
    pub(super) fn wait(&self, until: Option<Instant>) {
        let mut waiting = self.waiting.lock();
        while waiting.batches.is_empty() && waiting.reason.is_none() && !waiting.closed {
            if std::mem::take(&mut waiting.woken) {
                return;
            }
            waiting.asleep = true;
            match until {
                Some(until) => {
                    if self.arrived.wait_until(&mut waiting, until).timed_out() {
                        waiting.asleep = false;
                        return;
                    }
                }
                None => self.arrived.wait(&mut waiting),
            }
        }
    }

    /// Waits until [`Inbox::wake`], until the store is to be given up, or until a time, whatever comes in meanwhile.
    pub(super) fn wait_for_wake(&self, until: Option<Instant>) {
        let mut waiting = self.waiting.lock();
        while !std::mem::take(&mut waiting.woken) && waiting.reason.is_none() {
            match until {
                Some(until) if self.arrived.wait_until(&mut waiting, until).timed_out() => return,
                Some(_) => {}
                None => self.arrived.wait(&mut waiting),
            }
        }
    }

    /// Ends the wait of the one who waits, or the next one's.
    pub(super) fn wake(&self) {
        let mut waiting = self.waiting.lock();
        waiting.woken = true;
        waiting.asleep = false;
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Why the store is to be given up, if it is.
    pub(super) fn reason(&self) -> Option<String> {
        self.waiting.lock().reason.take()
    }

    /// Operations of so many bytes have left. Returns whether there is room again after the inbox was full.
    pub(super) fn release(&self, bytes: usize) -> bool {
        let _turn = self.waiting.lock();
        let left = self.bytes.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        left < self.bytes_max / 2 && self.full.swap(false, Ordering::Relaxed)
    }

    /// Takes nothing more in. What is in it is still committed.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        waiting.asleep = false;
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Takes nothing more in.
    pub(super) fn is_closed(&self) -> bool {
        self.waiting.lock().closed
    }

    /// Has the committer give the store up.
    pub(super) fn give_up(&self, reason: String) {
        let mut waiting = self.waiting.lock();
        waiting.reason = Some(reason);
        waiting.asleep = false;
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Takes nothing more in, and gives back what nobody will commit. Returns whether there is room
    /// again after the inbox was full.
    pub(super) fn lose(&self) -> (Vec<Batch>, bool) {
        let mut waiting = self.waiting.lock();
        waiting.lost = true;
        let batches = std::mem::take(&mut waiting.batches);
        self.bytes.store(0, Ordering::Relaxed);
        (batches, self.full.swap(false, Ordering::Relaxed))
    }

    /// The limit was passed, and what waits has not yet fallen below half of it.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Bytes of operations that are not yet written.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Memory that an operation holds while it waits.
fn held(operation: &Operation) -> usize {
    let more = match operation {
        Operation::Enqueue { message, places } => {
            message.held() + places.len() * size_of::<Place>()
        }
        Operation::Settle { positions, .. } => positions.len() * size_of::<Position>(),
        Operation::SettleRuns { runs, .. } => runs.len() * size_of::<Run>(),
        Operation::Returned { .. } => 0,
        Operation::Topology(changes) => changes.iter().map(held_by_change).sum(),
    };
    size_of::<Operation>() + more
}

/// Names are at most 255 bytes; only a field table can be large.
fn held_by_change(change: &Change) -> usize {
    let arguments = match change {
        Change::PutExchange(exchange) => exchange.arguments.len(),
        Change::PutQueue(queue) => queue.arguments.len(),
        Change::PutBinding(binding) | Change::DeleteBinding(binding) => binding.arguments.len(),
        _ => 0,
    };
    size_of::<Change>() + 256 + arguments
}

#[cfg(test)]
mod tests;
