//! Background jobs: what blocks for as long as the disk takes and need not keep the committer from its next group. In production
//! a thread of its own does them; a store that is stepped does each in a step.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::base::IndexError;
use super::inbox::Inbox;

/// Something that blocks.
pub(super) type Job = Box<dyn FnOnce() -> JobOutcome + Send>;

/// How a job ended.
pub(super) struct JobOutcome {
    /// The definitions are on the disk.
    pub(super) definitions: io::Result<()>,
    /// The index is.
    pub(super) index: Result<(), IndexError>,
}

/// Whoever does the jobs, one at a time.
pub(super) enum Background {
    /// Whoever asks for the outcome.
    Inline(Option<Job>),
    /// A thread.
    Worker(Worker),
}

/// A thread, and how it is talked to.
pub(super) struct Worker {
    jobs: Option<Sender<Job>>,
    outcomes: Receiver<JobOutcome>,
    /// One that was waited for.
    ready: Option<JobOutcome>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Jobs for a thread that wakes the owner of the inbox when one is done.
    pub(super) fn on_a_thread(inbox: Arc<Inbox>) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let (ended, outcomes) = mpsc::channel();
        let work = move || {
            for job in waiting {
                if ended.send(job()).is_err() {
                    return;
                }
                inbox.wake();
            }
        };
        let thread = thread::Builder::new().name("store jobs".to_owned()).spawn(work)?;
        Ok(Self::Worker(Worker { jobs: Some(jobs), outcomes, ready: None, thread: Some(thread) }))
    }

    /// Begins a job.
    pub(super) fn begin(&mut self, job: Job) {
        match self {
            Self::Inline(waiting) => *waiting = Some(job),
            Self::Worker(worker) => {
                // A thread that has ended is noticed by whoever asks for the outcome.
                let _ = worker.jobs.as_ref().map(|jobs| jobs.send(job));
            }
        }
    }

    /// How the job has ended, if it has.
    pub(super) fn outcome(&mut self) -> Option<JobOutcome> {
        match self {
            Self::Inline(waiting) => waiting.take().map(|job| job()),
            Self::Worker(worker) => {
                worker.ready.take().or_else(|| match worker.outcomes.try_recv() {
                    Ok(outcome) => Some(outcome),
                    Err(mpsc::TryRecvError::Empty) => None,
                    Err(mpsc::TryRecvError::Disconnected) => Some(JobOutcome::ended()),
                })
            }
        }
    }

    /// Waits until the job has ended.
    pub(super) fn wait(&mut self) {
        if let Self::Worker(worker) = self
            && worker.ready.is_none()
        {
            worker.ready = Some(worker.outcomes.recv().unwrap_or_else(|_| JobOutcome::ended()));
        }
    }
}

impl JobOutcome {
    /// There is nobody to do it.
    fn ended() -> Self {
        let error = || io::Error::other("the thread for jobs has ended");
        Self { definitions: Err(error()), index: Err(error().into()) }
    }
}

impl Drop for Worker {
    /// What it has begun holds files of the data directory.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
