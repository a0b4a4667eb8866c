//! One run: its threads, when they begin and stop, and what was measured between.

use std::sync::atomic::Ordering;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use super::consumer::Consumer;
use super::course::{Course, Reading, Snapshot, now_ns};
use super::interrupt::Interrupt;
use super::load::{Histogram, Load};
use super::progress::Progress;
use super::publisher::Publisher;
use super::trouble::Trouble;
use super::uri::Uri;

/// How often the threads are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// When publishing is over, or there was none, and nothing was delivered for this long, all has been delivered.
const QUIET_NS: u64 = 2_000_000_000;

/// Nothing of a thread's stack is used but a few calls.
const STACK_BYTES: usize = 256 * 1024;

/// What came of a run.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// Seconds that were measured.
    pub seconds: f64,
    /// Messages a second.
    pub published: f64,
    /// Messages a second.
    pub confirmed: f64,
    /// Messages a second, at all consumers together.
    pub delivered: f64,
    /// Everything from the first message to the last, warm-up included.
    pub totals: Snapshot,
    /// Processors that this program kept busy.
    pub cores: f64,
    /// From publish to delivery, in nanoseconds.
    pub latency: Option<Histogram>,
    /// From publish to confirm, in nanoseconds.
    pub confirm_latency: Option<Histogram>,
}

/// What a run needs besides its load.
pub(super) struct Surroundings<'a> {
    /// The broker.
    pub uri: &'a Uri,
    /// Whether the user wants it to end.
    pub interrupt: &'a Interrupt,
    /// Tells how far it is.
    pub progress: &'a mut Progress,
}

type Handle<'s> = ScopedJoinHandle<'s, Result<Option<Histogram>, Trouble>>;

/// Runs a load whose exchange and queues are declared.
///
/// # Errors
///
/// The first thing that went wrong on any connection.
pub(super) fn run(load: &Load, surroundings: Surroundings<'_>) -> Result<Measured, Trouble> {
    let course = Course::new(load.publishers + load.consumers);
    let uri = surroundings.uri;
    // Times in messages that another run left behind are not to be believed.
    let run = now_ns() ^ (u64::from(std::process::id()) << 40);
    thread::scope(|scope| {
        let (course, load) = (&course, load);
        let mut consumers: Vec<Handle<'_>> = Vec::new();
        let mut publishers: Vec<Handle<'_>> = Vec::new();
        for number in 0..load.consumers {
            let work = move || {
                let outcome =
                    Consumer::open(uri, load, number, run, course).and_then(Consumer::run);
                noted(outcome, course)
            };
            let worker = thread::Builder::new().stack_size(STACK_BYTES);
            match worker.spawn_scoped(scope, work) {
                Ok(handle) => consumers.push(handle),
                Err(error) => course.fail(no_thread(&error)),
            }
        }
        for number in 0..load.publishers {
            let work = move || {
                let outcome =
                    Publisher::open(uri, load, number, run, course).and_then(Publisher::run);
                noted(outcome, course)
            };
            let worker = thread::Builder::new().stack_size(STACK_BYTES);
            match worker.spawn_scoped(scope, work) {
                Ok(handle) => publishers.push(handle),
                Err(error) => course.fail(no_thread(&error)),
            }
        }
        let window = watch(course, load, surroundings);
        course.no_more_publishing.store(true, Ordering::Relaxed);
        let confirm_latency = gather(publishers);
        course.no_more_consuming.store(true, Ordering::Relaxed);
        let latency = gather(consumers);
        match course.trouble() {
            Some(trouble) => Err(trouble),
            None => Ok(window.measured(course.snapshot(), latency, confirm_latency)),
        }
    })
}

fn noted<T>(outcome: Result<T, Trouble>, course: &Course) -> Result<T, Trouble> {
    if let Err(trouble) = &outcome {
        course.fail(trouble.clone());
    }
    outcome
}

fn no_thread(error: &std::io::Error) -> Trouble {
    Trouble::new(format!("cannot start a thread: {error}; lower --publishers or --consumers"))
}

/// Waits for threads, and puts their distributions together. What went wrong is known to the course.
fn gather(handles: Vec<Handle<'_>>) -> Option<Histogram> {
    let mut all: Option<Histogram> = None;
    for handle in handles {
        let Ok(Ok(Some(one))) = handle.join() else { continue };
        match &mut all {
            None => all = Some(one),
            // Both have the same bounds, without which this could fail.
            Some(all) => all.add(&one).unwrap_or_default(),
        }
    }
    all
}

/// The time that is measured.
struct Window {
    begin: Snapshot,
    end: Snapshot,
    /// It begins with the first message, not with the end of a warm-up.
    from_first: bool,
    /// It ends with the last message, not with a time.
    to_last: bool,
}

/// Watches the threads from their start until it is time to stop.
fn watch(course: &Course, load: &Load, surroundings: Surroundings<'_>) -> Window {
    let Surroundings { interrupt, progress, .. } = surroundings;
    let stops = || interrupt.came() || course.trouble().is_some();
    while course.ready.load(Ordering::Relaxed) < load.publishers + load.consumers && !stops() {
        thread::sleep(LOOK_EVERY);
    }
    let from_first = load.warm_up.is_zero();
    course.measuring.store(from_first, Ordering::Relaxed);
    let mut begin = course.snapshot();
    course.started.store(true, Ordering::Relaxed);
    progress.begin(&begin);
    let steady_at = begin.at + load.warm_up.as_nanos() as u64;
    while !from_first && !stops() && !is_finished(course, load) {
        let left = steady_at.saturating_sub(now_ns());
        if left == 0 {
            break;
        }
        thread::sleep(LOOK_EVERY.min(Duration::from_nanos(left)));
        progress.look(course);
    }
    if !from_first {
        begin = course.snapshot();
        course.measuring.store(true, Ordering::Relaxed);
    }
    let end_at = load.end.after.map(|after| begin.at + after.as_nanos() as u64);
    loop {
        let now = now_ns();
        let to_last = is_finished(course, load);
        let left = end_at.map_or(u64::MAX, |end| end.saturating_sub(now));
        if left == 0 || to_last || stops() {
            let end = course.snapshot();
            course.measuring.store(false, Ordering::Relaxed);
            progress.end();
            return Window { begin, end, from_first, to_last };
        }
        thread::sleep(LOOK_EVERY.min(Duration::from_nanos(left)));
        progress.look(course);
    }
}

/// Whether everything was published, and everything delivered as far as one can tell.
fn is_finished(course: &Course, load: &Load) -> bool {
    if course.published.load(Ordering::Relaxed) < load.publishers {
        return false;
    }
    let now = course.snapshot();
    if load.publishers > 0 && load.consumers == 0 {
        let settled = now.confirmed.count + now.refused;
        return load.window.is_none() || settled >= now.published.count;
    }
    if load.publishers == 0 && load.end.messages.is_some_and(|most| now.delivered.count >= most) {
        return true;
    }
    let last = now.delivered.last_at.max(now.published.last_at);
    last > 0 && now.at.saturating_sub(last) > QUIET_NS
}

impl Window {
    fn measured(
        &self,
        totals: Snapshot,
        latency: Option<Histogram>,
        confirm_latency: Option<Histogram>,
    ) -> Measured {
        let seconds = (self.end.at - self.begin.at) as f64 / 1e9;
        let busy = self.end.processor - self.begin.processor;
        Measured {
            seconds,
            published: self.rate(|snapshot| snapshot.published),
            confirmed: self.rate(|snapshot| snapshot.confirmed),
            delivered: self.rate(|snapshot| snapshot.delivered),
            totals,
            cores: if seconds > 0.0 { busy as f64 / 1e9 / seconds } else { 0.0 },
            latency,
            confirm_latency,
        }
    }

    /// Messages a second between the two ends of the window.
    fn rate(&self, of: impl Fn(&Snapshot) -> Reading) -> f64 {
        let (first, last) = (of(&self.begin), of(&self.end));
        // What came with the first message came in no time, and does not count.
        let (begin, before) = match self.from_first {
            true => (last.first_at, last.first_count),
            false => (self.begin.at, first.count),
        };
        let end = if self.to_last { last.last_at } else { self.end.at };
        let time = end.saturating_sub(begin) as f64 / 1e9;
        let count = last.count.saturating_sub(before) as f64;
        if begin > 0 && time > 0.0 { count / time } else { 0.0 }
    }
}
