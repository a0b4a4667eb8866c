//! What the threads of a run share: when to begin and to stop, how far each has come, and what went wrong first.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use super::trouble::Trouble;

/// Flags are looked at this often by a thread that has nothing else to do.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// The machine's monotonic clock, in nanoseconds.
pub(super) fn now_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// The processor time that this process has used in all its threads, in nanoseconds.
pub(super) fn processor_ns() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither clock is ever negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The state of one run.
pub(super) struct Course {
    /// Everybody is connected: publishers may publish.
    pub started: AtomicBool,
    /// Publishers are to stop.
    pub no_more_publishing: AtomicBool,
    /// Consumers are to stop.
    pub no_more_consuming: AtomicBool,
    /// What happens now counts; the warm-up is over.
    pub measuring: AtomicBool,
    /// Publishers and consumers that are connected and subscribed.
    pub ready: AtomicUsize,
    /// Publishers that have published all they were to.
    pub published: AtomicUsize,
    trouble: Mutex<Option<Trouble>>,
    /// The counters, one for each publisher and then one for each consumer.
    pub tallies: Vec<Tally>,
}

/// What one publisher or consumer has done. Only its own thread writes; on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Tally {
    /// Messages written to the socket.
    pub published: Meter,
    /// Messages confirmed.
    pub confirmed: Meter,
    /// Messages delivered.
    pub delivered: Meter,
    /// Messages refused with `basic.nack`.
    pub refused: AtomicU64,
    /// Messages returned as unroutable.
    pub returned: AtomicU64,
    /// The broker asked not to publish for the time being.
    pub blocked: AtomicBool,
}

/// A counter that knows when it first and last moved.
#[derive(Default)]
pub(super) struct Meter {
    count: AtomicU64,
    first_count: AtomicU64,
    first_at: AtomicU64,
    last_at: AtomicU64,
}

impl Meter {
    /// Counts, at a time in nanoseconds. Only one thread may do so.
    pub fn add(&self, count: u64, at: u64) {
        if count == 0 {
            return;
        }
        let before = self.count.load(Ordering::Relaxed);
        if before == 0 {
            self.first_count.store(count, Ordering::Relaxed);
            self.first_at.store(at, Ordering::Relaxed);
        }
        self.last_at.store(at, Ordering::Relaxed);
        self.count.store(before + count, Ordering::Relaxed);
    }
}

/// Several meters read together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// How many in all.
    pub count: u64,
    /// How many came at the first moment.
    pub first_count: u64,
    /// When the first came, in nanoseconds; 0 when none did.
    pub first_at: u64,
    /// When the last came.
    pub last_at: u64,
}

impl Reading {
    fn and(self, meter: &Meter) -> Self {
        let first_at = meter.first_at.load(Ordering::Relaxed);
        let earliest = match (self.first_at, first_at) {
            (0, one) | (one, 0) => one,
            (one, other) => one.min(other),
        };
        Self {
            count: self.count + meter.count.load(Ordering::Relaxed),
            first_count: self.first_count + meter.first_count.load(Ordering::Relaxed),
            first_at: earliest,
            last_at: self.last_at.max(meter.last_at.load(Ordering::Relaxed)),
        }
    }
}

/// All tallies together at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Snapshot {
    /// When, in nanoseconds.
    pub at: u64,
    /// Processor time used until then, in nanoseconds.
    pub processor: u64,
    /// Messages written to the sockets.
    pub published: Reading,
    /// Messages confirmed.
    pub confirmed: Reading,
    /// Messages delivered.
    pub delivered: Reading,
    /// Messages refused.
    pub refused: u64,
    /// Messages returned.
    pub returned: u64,
    /// Publishers that are blocked.
    pub blocked: usize,
}

impl Course {
    /// A run of that many publishers and consumers, before its start.
    pub fn new(workers: usize) -> Self {
        Self {
            started: AtomicBool::new(false),
            no_more_publishing: AtomicBool::new(false),
            no_more_consuming: AtomicBool::new(false),
            measuring: AtomicBool::new(false),
            ready: AtomicUsize::new(0),
            published: AtomicUsize::new(0),
            trouble: Mutex::new(None),
            tallies: std::iter::repeat_with(Tally::default).take(workers).collect(),
        }
    }

    /// Notes why the run cannot go on, unless that is known already, and stops everybody.
    pub fn fail(&self, trouble: Trouble) {
        self.trouble.lock().get_or_insert(trouble);
        self.no_more_publishing.store(true, Ordering::Relaxed);
        self.no_more_consuming.store(true, Ordering::Relaxed);
    }

    /// Why the run cannot go on.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    /// How far everybody has come.
    pub fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot { at: now_ns(), processor: processor_ns(), ..Snapshot::default() };
        for tally in &self.tallies {
            all.published = all.published.and(&tally.published);
            all.confirmed = all.confirmed.and(&tally.confirmed);
            all.delivered = all.delivered.and(&tally.delivered);
            all.refused += tally.refused.load(Ordering::Relaxed);
            all.returned += tally.returned.load(Ordering::Relaxed);
            all.blocked += usize::from(tally.blocked.load(Ordering::Relaxed));
        }
        all
    }
}
