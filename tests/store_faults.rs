//! A stepped store on a disk that cannot be read, is full, or lost what it had: what can be kept is kept, and what is
//! lost is told.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod memory;
mod store_support;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret::store::{
    Events, Operation, Options, Recovered, Reread, Step, Steps, Store, Unreadable,
};
use memory::{Access, Dice, Ground};
use store_support::{enqueue, queues, settle};

/// A store with its steps, and what became of it.
struct Desk {
    ground: Ground,
    options: Options,
    store: Store,
    steps: Steps,
    recovered: Recovered,
    lost: Arc<Mutex<Option<String>>>,
    now: Duration,
}

fn options() -> Options {
    Options { directory: PathBuf::from("/data"), ..Options::default() }
}

fn tiny() -> Options {
    Options { segment_bytes_max: 2_000, checkpoint_bytes: 3_000, ..options() }
}

impl Desk {
    fn new(options: Options) -> Self {
        let desk = Self::open(Ground::new(1), options);
        let mut desk = desk;
        assert!(desk.commit(vec![queues([1, 2])]));
        desk
    }

    fn open(mut ground: Ground, options: Options) -> Self {
        let lost = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&lost);
        let tell = move |reason: &str| *tell.lock().unwrap() = Some(reason.to_owned());
        let events = Events { lost: Box::new(tell), ..Events::default() };
        let opened = Store::open_stepped(options.clone(), events, ground.surroundings());
        let (store, recovered, steps) = opened.expect("the store opens");
        Self { ground, options, store, steps, recovered, lost, now: Duration::ZERO }
    }

    fn run(&mut self) -> Step {
        loop {
            self.now += Duration::from_millis(1);
            let step = self.steps.committer(self.now);
            if step != Step::Worked {
                return step;
            }
        }
    }

    /// Appends and runs. Whether it was confirmed.
    fn commit(&mut self, operations: Vec<Operation>) -> bool {
        let confirmed = Arc::new(Mutex::new(false));
        let answer = Arc::clone(&confirmed);
        let done = move |result: Result<(), _>| *answer.lock().unwrap() = result.is_ok();
        self.store.append(operations, Some(Box::new(done)));
        self.run();
        *confirmed.lock().unwrap()
    }

    /// Puts messages into queue 1, each a group of its own.
    fn fill(&mut self, positions: std::ops::Range<u64>) {
        for position in positions {
            assert!(self.commit(vec![enqueue(&format!("body {position}"), &[(1, position)])]));
        }
    }

    fn ask(&self, positions: Vec<u64>) -> Arc<Mutex<Option<Vec<Reread>>>> {
        let found = Arc::new(Mutex::new(None));
        let give = Arc::clone(&found);
        let done = Box::new(move |reads| *give.lock().unwrap() = Some(reads));
        self.store.read(1, positions, done);
        found
    }

    fn positions(&self, queue: u64) -> Vec<u64> {
        store_support::positions(&self.store, queue)
    }

    fn lost(&self) -> Option<String> {
        self.lost.lock().unwrap().clone()
    }

    fn stop(self) -> (Ground, Options) {
        let Self { ground, options, store, mut steps, mut now, .. } = self;
        store.close();
        while steps.committer(now) != Step::Ended {
            now += Duration::from_millis(1);
        }
        (ground, options)
    }

    fn stop_and_open(self) -> Self {
        let (ground, options) = self.stop();
        Self::open(ground, options)
    }

    /// The power goes, and all that was not synced with it.
    fn crash(self) -> (Ground, Options) {
        let Self { mut ground, options, store, steps, .. } = self;
        drop((store, steps));
        ground.disk.leave_alone();
        ground.crash(&mut Dice::new(1));
        (ground, options)
    }

    fn segments(ground: &Ground) -> Vec<PathBuf> {
        let in_journal = |path: &PathBuf| path.parent() == Some(Path::new("/data/journal"));
        ground.disk.files().into_iter().filter(in_journal).collect()
    }
}

/// Fails so many accesses of a kind to segments, after so many that go well.
fn fail(ground: &Ground, access: Access, mut after: u32, times: u32) {
    let mut left = times;
    ground.disk.watch(move |what, path| {
        let is_segment = path.extension().is_some_and(|extension| extension == "log");
        if what != access || !is_segment {
            return Ok(());
        }
        if after > 0 {
            after -= 1;
        } else if left > 0 {
            left -= 1;
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    });
}

#[test]
fn a_read_that_failed_once_is_no_message_that_is_gone() {
    let accesses = [(Access::Open, 0), (Access::Open, 1), (Access::Read, 0), (Access::Read, 1)];
    for (access, after) in accesses {
        let mut desk = Desk::new(options());
        desk.fill(0..10);
        fail(&desk.ground, access, after, 2);
        let found = desk.ask(vec![3, 4]);
        while desk.steps.reader() != Step::Idle {}
        let reads = found.lock().unwrap().take().unwrap();
        assert!(reads.iter().all(|read| read.is_ok()), "{access:?}: {reads:?}");
        desk.run();
        assert_eq!(desk.positions(1), Vec::from_iter(0..10), "{access:?}");
        assert_eq!(desk.lost(), None);
    }
}

#[test]
fn a_disk_that_cannot_be_read_for_long_ends_the_store_and_settles_nothing() {
    for (access, after) in [(Access::Open, 0), (Access::Read, 0), (Access::Read, 1)] {
        let mut desk = Desk::new(options());
        desk.fill(0..10);
        fail(&desk.ground, access, after, u32::MAX);
        let found = desk.ask(vec![3]);
        for _ in 0..100 {
            assert_eq!(desk.steps.reader(), Step::Waiting);
        }
        assert!(found.lock().unwrap().is_none());
        assert_eq!(desk.run(), Step::Ended);
        let lost = desk.lost().unwrap();
        assert!(lost.contains("journal segment 1 cannot be read"), "{lost}");
        assert_eq!(desk.steps.reader(), Step::Worked);
        assert_eq!(desk.steps.reader(), Step::Ended);
        let (ground, options) = desk.crash();
        assert_eq!(Desk::open(ground, options).positions(1), Vec::from_iter(0..10));
    }
}

#[test]
fn a_want_of_open_files_is_waited_for() {
    let mut desk = Desk::new(options());
    desk.fill(0..10);
    desk.ground.disk.watch(|what, _| match what {
        Access::Open => Err(io::Error::from_raw_os_error(24)),
        _ => Ok(()),
    });
    let found = desk.ask(vec![3]);
    for _ in 0..100 {
        assert_eq!(desk.steps.reader(), Step::Waiting);
    }
    assert_eq!(desk.run(), Step::Idle);
    desk.ground.disk.leave_alone();
    assert_eq!(desk.steps.reader(), Step::Worked);
    assert!(found.lock().unwrap().take().unwrap()[0].is_ok());
}

#[test]
fn only_a_wrong_sum_is_damage() {
    let mut desk = Desk::new(options());
    desk.fill(0..10);
    let segment = Desk::segments(&desk.ground).remove(0);
    desk.ground.disk.spoil(&segment, |bytes| {
        let at = bytes.windows(6).position(|part| part == b"body 3").unwrap();
        bytes[at] ^= 1;
    });
    let found = desk.ask(vec![2, 3, 4]);
    while desk.steps.reader() != Step::Idle {}
    let reads = found.lock().unwrap().take().unwrap();
    let whys: Vec<_> = reads.into_iter().map(|read| read.err().map(|unread| unread.why)).collect();
    assert_eq!(whys, [None, Some(Unreadable::Damaged), None]);
}

#[test]
fn survivors_that_cannot_be_read_just_now_are_copied_later() {
    let mut desk = Desk::new(tiny());
    desk.fill(0..100);
    let doomed: Vec<u64> = (0..100).filter(|position| position % 10 > 0).collect();
    fail(&desk.ground, Access::Read, 0, 3);
    assert!(desk.commit(vec![settle(1, &doomed)]));
    desk.now += Duration::from_secs(10);
    desk.fill(100..160);
    for _ in 0..10 {
        desk.now += Duration::from_secs(10);
        desk.run();
    }
    assert_eq!(desk.lost(), None);
    assert_eq!(desk.positions(1).len(), 70);
    let found = desk.ask(desk.positions(1));
    while desk.steps.reader() != Step::Idle {}
    assert!(found.lock().unwrap().take().unwrap().iter().all(|read| read.is_ok()));
    assert!(desk.segments_alive() <= 3, "{} segments", desk.segments_alive());
}

impl Desk {
    fn segments_alive(&self) -> usize {
        Self::segments(&self.ground).len()
    }
}

/// The last segment as somebody found it, and what is said of that.
fn check_told(spoil: impl Fn(&Ground, &Path), expected: &str) {
    let mut desk = Desk::new(tiny());
    desk.fill(0..60);
    // A mark, and messages behind it in a segment of their own.
    let (ground, options) = desk.stop();
    let mut desk = Desk::open(ground, Options { checkpoint_bytes: 1 << 30, ..options });
    desk.fill(60..100);
    let (ground, options) = desk.crash();
    let segments = Desk::segments(&ground);
    spoil(&ground, segments.last().unwrap());
    let desk = Desk::open(ground, options);
    let told = desk.recovered.notes.join("\n");
    assert!(told.contains(expected), "{told:?}");
    assert!(desk.positions(1).len() < 100 && !desk.recovered.clean);
    // It is said once, and nothing is written where the lost segment was.
    let mut desk = desk.stop_and_open();
    assert_eq!(desk.recovered.notes, Vec::<String>::new());
    desk.fill(200..203);
    assert!(desk.stop_and_open().positions(1).ends_with(&[200, 201, 202]));
}

#[test]
fn a_last_segment_that_is_missing_is_told() {
    check_told(|ground, last| ground.disk.lose(last), "is missing: what was written to it");
}

#[test]
fn a_last_segment_that_is_empty_is_told() {
    check_told(
        |ground, last| ground.disk.spoil(last, Vec::clear),
        "is empty: its records are lost",
    );
    let zeros = |ground: &Ground, last: &Path| ground.disk.spoil(last, |bytes| bytes.fill(0));
    check_told(zeros, "is empty: its records are lost");
}

#[test]
fn a_journal_that_is_gone_is_told_with_and_without_an_index() {
    for without_index in [false, true] {
        let lose = |ground: &Ground, _: &Path| {
            Desk::segments(ground).iter().for_each(|segment| ground.disk.lose(segment));
            if without_index {
                ground.index.destroy();
            }
        };
        check_told(lose, "is missing: what was written to it");
    }
}

#[test]
fn lost_messages_are_counted_for_each_queue() {
    let mut desk = Desk::new(options());
    desk.fill(0..10);
    assert!(desk.commit(vec![enqueue("x", &[(2, 0)]), enqueue("y", &[(2, 1)])]));
    let (ground, options) = desk.stop();
    let last = Desk::segments(&ground).pop().unwrap();
    ground.disk.lose(&last);
    let desk = Desk::open(ground, options);
    let told = desk.recovered.notes.join("\n");
    assert!(told.contains("10 messages are lost of queue `q1` in virtual host `/`"), "{told}");
    assert!(told.contains("2 messages are lost of queue `q2` in virtual host `/`"), "{told}");
}

#[test]
fn zeros_that_were_reserved_in_a_closed_segment_are_no_damage() {
    let mut desk = Desk::new(Options { checkpoint_bytes: 1 << 30, ..tiny() });
    desk.fill(0..100);
    let (ground, options) = desk.crash();
    let segments = Desk::segments(&ground);
    assert!(segments.len() > 2);
    ground.disk.spoil(&segments[0], |bytes| bytes.resize(bytes.len() + 4_000, 0));
    let desk = Desk::open(ground, options);
    assert_eq!(desk.recovered.notes, Vec::<String>::new());
    assert_eq!(desk.positions(1).len(), 100);
}

/// A store that has written until the disk was full: how many messages were confirmed.
fn full() -> (Desk, u64) {
    let ground = Ground::new(1);
    ground.disk.limit(Some(12 << 20));
    let mut desk = Desk::open(ground, Options { segment_bytes_max: 200_000, ..options() });
    assert!(desk.commit(vec![queues([1, 2])]));
    let mut position = 0;
    while desk.commit(vec![enqueue(&"x".repeat(10_000), &[(1, position)])]) {
        position += 1;
    }
    assert!(desk.store.is_short_of_space());
    (desk, position)
}

#[test]
fn what_is_settled_on_a_full_disk_makes_room() {
    let (mut desk, count) = full();
    let before = desk.ground.disk.used();
    desk.store.append(vec![settle(1, &Vec::from_iter(0..count))], None);
    // Publishers are held back before what was set aside is given up.
    assert_eq!(desk.run(), Step::Waiting);
    for _ in 0..10 {
        desk.now += Duration::from_secs(1);
        desk.run();
    }
    assert!(desk.ground.disk.used() < before / 2, "{} of {before}", desk.ground.disk.used());
    assert!(!desk.store.is_short_of_space() && desk.lost().is_none());
    assert!(desk.commit(vec![enqueue("more", &[(1, count + 1)])]));
    assert_eq!(desk.stop_and_open().positions(1), [count, count + 1]);
}

#[test]
fn a_store_killed_on_a_full_disk_opens_while_it_is_full() {
    let (desk, count) = full();
    let (ground, options) = desk.crash();
    let mut desk = Desk::open(ground, options);
    assert!(desk.store.is_short_of_space(), "publishers are held back from the start");
    let there = desk.positions(1);
    assert!(there.len() as u64 >= count);
    assert!(desk.commit(vec![settle(1, &there)]));
    for _ in 0..10 {
        desk.now += Duration::from_secs(1);
        desk.run();
    }
    assert!(!desk.store.is_short_of_space());
    assert!(desk.commit(vec![enqueue("more", &[(1, 5_000)])]));
    assert_eq!(desk.stop_and_open().positions(1), [5_000]);
}

/// Of a broker that set nothing aside, or had used it up.
#[test]
fn a_store_without_a_reserve_opens_on_a_full_disk_and_drains() {
    let (desk, count) = full();
    let (ground, options) = desk.crash();
    ground.disk.lose(&options.directory.join("reserve"));
    // As much as the last write that failed would have needed more than.
    ground.disk.limit(Some(ground.disk.used() + (3 << 20) / 2));
    let mut desk = Desk::open(ground, options);
    assert!(desk.store.is_short_of_space(), "publishers are held back from the start");
    let there = desk.positions(1);
    assert!(there.len() as u64 >= count);
    desk.store.append(vec![settle(1, &there)], None);
    for _ in 0..10 {
        desk.now += Duration::from_secs(1);
        desk.run();
    }
    assert!(desk.lost().is_none());
    assert!(!desk.store.is_short_of_space());
    assert!(desk.commit(vec![enqueue("more", &[(1, 5_000)])]));
    assert_eq!(desk.stop_and_open().positions(1), [5_000]);
}
