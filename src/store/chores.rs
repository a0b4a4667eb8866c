//! Chores: what blocks for as long as the disk takes and need not keep the committer from its next group. In production
//! a thread of its own does them; a store that is stepped does each in a step.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::base::IndexError;
use super::inbox::Inbox;

/// Something that blocks.
pub(super) type Chore = Box<dyn FnOnce() -> Outcome + Send>;

/// How a chore ended.
pub(super) struct Outcome {
    /// The definitions are on the disk.
    pub(super) definitions: io::Result<()>,
    /// The index is.
    pub(super) index: Result<(), IndexError>,
}

/// Whoever does the chores, one at a time.
pub(super) enum Chores {
    /// Whoever asks for the outcome.
    Asker(Option<Chore>),
    /// A thread.
    Worker(Worker),
}

/// A thread, and how it is talked to.
pub(super) struct Worker {
    chores: Option<Sender<Chore>>,
    outcomes: Receiver<Outcome>,
    /// One that was waited for.
    ready: Option<Outcome>,
    thread: Option<JoinHandle<()>>,
}

impl Chores {
    /// Chores for a thread that wakes the owner of the inbox when one is done.
    pub(super) fn on_a_thread(inbox: Arc<Inbox>) -> io::Result<Self> {
        let (chores, waiting) = mpsc::channel::<Chore>();
        let (ended, outcomes) = mpsc::channel();
        let work = move || {
            for chore in waiting {
                if ended.send(chore()).is_err() {
                    return;
                }
                inbox.wake();
            }
        };
        let thread = thread::Builder::new().name("store chores".to_owned()).spawn(work)?;
        Ok(Self::Worker(Worker {
            chores: Some(chores),
            outcomes,
            ready: None,
            thread: Some(thread),
        }))
    }

    /// Begins a chore.
    pub(super) fn begin(&mut self, chore: Chore) {
        match self {
            Self::Asker(waiting) => *waiting = Some(chore),
            Self::Worker(worker) => {
                // A thread that has ended is noticed by whoever asks for the outcome.
                let _ = worker.chores.as_ref().map(|chores| chores.send(chore));
            }
        }
    }

    /// How the chore has ended, if it has.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        match self {
            Self::Asker(waiting) => waiting.take().map(|chore| chore()),
            Self::Worker(worker) => {
                worker.ready.take().or_else(|| match worker.outcomes.try_recv() {
                    Ok(outcome) => Some(outcome),
                    Err(mpsc::TryRecvError::Empty) => None,
                    Err(mpsc::TryRecvError::Disconnected) => Some(Outcome::ended()),
                })
            }
        }
    }

    /// Waits until the chore has ended.
    pub(super) fn wait(&mut self) {
        if let Self::Worker(worker) = self
            && worker.ready.is_none()
        {
            worker.ready = Some(worker.outcomes.recv().unwrap_or_else(|_| Outcome::ended()));
        }
    }
}

impl Outcome {
    /// There is nobody to do it.
    fn ended() -> Self {
        let error = || io::Error::other("the thread for chores has ended");
        Self { definitions: Err(error()), index: Err(error().into()) }
    }
}

impl Drop for Worker {
    /// What it has begun holds files of the data directory.
    fn drop(&mut self) {
        self.chores = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
