//! Tests of the store on a disk that fails or waits on command.

mod golden;

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, Receiver};

use parking_lot::Condvar;
use tempfile::tempdir;

use super::*;
use crate::message::{Facts, Memory, Message};

static MEMORY: Memory = Memory::new();

/// What the disk is to do.
#[derive(Default)]
struct Control {
    orders: Mutex<Orders>,
    changed: Condvar,
    written: AtomicUsize,
}

#[derive(Default)]
struct Orders {
    fail_write: bool,
    full: bool,
    /// A write found the disk full.
    found_full: bool,
    fail_sync: bool,
    fail_create: bool,
    hold_sync: bool,
    /// A sync is being held.
    holding: bool,
}

impl Control {
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.lock());
        self.changed.notify_all();
    }

    fn await_full(&self) {
        let mut orders = self.orders.lock();
        while !orders.found_full {
            self.changed.wait(&mut orders);
        }
    }

    fn await_holding(&self) {
        let mut orders = self.orders.lock();
        while !orders.holding {
            self.changed.wait(&mut orders);
        }
    }
}

/// The least that is reserved for a segment.
const SEGMENT_BYTES: u64 = 1 << 16;

struct FaultyDisk(Arc<Control>, LocalDisk);

struct FaultyFile {
    file: Box<dyn SegmentFile>,
    control: Arc<Control>,
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        if self.0.orders.lock().fail_create {
            return Err(io::Error::other("no space"));
        }
        let file = self.1.create(path)?;
        Ok(Box::new(FaultyFile { file, control: self.0.clone() }))
    }

    fn resume(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = self.1.resume(path)?;
        Ok(Box::new(FaultyFile { file, control: self.0.clone() }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.1.create_directory(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        self.1.lock(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.1.list(directory)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.1.open(path)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.1.write(path, content)
    }

    fn reserve(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.1.reserve(path, bytes)
    }

    fn cut(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.1.cut(path, bytes)
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        self.1.settle(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.1.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.1.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.1.sync_directory(path)
    }

    fn free_bytes(&self, directory: &Path) -> Option<u64> {
        self.1.free_bytes(directory)
    }
}

impl SegmentFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.control.orders.lock().fail_write {
            // Half of it arrives.
            self.file.write(&bytes[..bytes.len() / 2])?;
            return Err(io::Error::other("no space"));
        }
        if self.control.orders.lock().full {
            self.file.write(&bytes[..bytes.len() / 2])?;
            self.control.order(|orders| orders.found_full = true);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.control.written.fetch_add(bytes.len(), std::sync::atomic::Ordering::Relaxed);
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut orders = self.control.orders.lock();
        while orders.hold_sync {
            orders.holding = true;
            self.control.changed.notify_all();
            self.control.changed.wait(&mut orders);
        }
        orders.holding = false;
        if orders.fail_sync {
            return Err(io::Error::other("medium error"));
        }
        drop(orders);
        self.file.sync()
    }

    fn end(&self) -> u64 {
        self.file.end()
    }
}

/// A store on a faulty disk, with what it tells.
struct Bench {
    directory: tempfile::TempDir,
    control: Arc<Control>,
    store: Store,
    events: Receiver<String>,
    said: Receiver<(u64, Result<(), Lost>)>,
    say: mpsc::Sender<(u64, Result<(), Lost>)>,
}

impl Bench {
    fn new(inbox_bytes_max: usize) -> Self {
        let directory = tempdir().unwrap();
        let control = Arc::new(Control::default());
        let (sender, events) = mpsc::channel();
        let rooms = sender.clone();
        let listeners = Events {
            room: Box::new(move || rooms.send("room".to_owned()).unwrap()),
            lost: Box::new(move |reason| sender.send(reason.to_owned()).unwrap()),
        };
        let options = Options {
            directory: directory.path().to_owned(),
            inbox_bytes_max,
            segment_bytes_max: 4000,
            ..Options::default()
        };
        let disk = Arc::new(FaultyDisk(control.clone(), LocalDisk::new(SEGMENT_BYTES)));
        let surroundings = Surroundings { disk, ..Surroundings::local(&options) };
        let (store, _) = Store::open_in(options, listeners, surroundings).unwrap();
        let (say, said) = mpsc::channel();
        let bench = Self { directory, control, store, events, said, say };
        bench.append(0, vec![Operation::Topology(vec![queue()])]);
        assert_eq!(bench.said.recv(), Ok((0, Ok(()))));
        bench
    }

    fn append(&self, number: u64, operations: Vec<Operation>) {
        let say = self.say.clone();
        let done = Box::new(move |result| say.send((number, result)).unwrap());
        self.store.append(operations, Some(done));
    }

    /// Begins a group that stays under way until the hold ends.
    fn hold(&self) {
        self.control.order(|orders| orders.hold_sync = true);
        self.append(1, vec![enqueue(1)]);
        self.control.await_holding();
    }

    fn answers(&self, count: usize) -> Vec<(u64, Result<(), Lost>)> {
        (0..count).map(|_| self.said.recv().unwrap()).collect()
    }

    fn positions_after_reopening(self) -> Vec<Position> {
        self.control.order(|orders| *orders = Orders::default());
        self.store.close();
        let options = Options { directory: self.directory.path().to_owned(), ..Options::default() };
        let (store, _) = Store::open(options, Events::default()).unwrap();
        positions(&store)
    }
}

pub(super) fn positions(store: &Store) -> Vec<Position> {
    let mut positions = Vec::new();
    store.survey(1, &mut |survivor| positions.push(survivor.position)).unwrap();
    positions
}

pub(super) fn queue() -> Change {
    queue_called("q", 1)
}

fn queue_called(name: &str, id: QueueId) -> Change {
    let (vhost, name) = ("/".to_owned(), name.to_owned());
    Change::PutQueue(QueueRecord { id, vhost, name, auto_delete: false, arguments: Vec::new() })
}

pub(super) fn enqueue(position: Position) -> Operation {
    enqueue_to(1, position)
}

fn enqueue_to(queue: QueueId, position: Position) -> Operation {
    let message = Arc::new(Message::new(&MEMORY, "", "k", &[], &[9; 100], Facts::default()));
    Operation::Enqueue { message, places: [Place { queue, position }].into_iter().collect() }
}

pub(super) fn settle(positions: &[Position]) -> Operation {
    Operation::Settle { queue: 1, positions: positions.to_vec() }
}

#[test]
fn nothing_is_confirmed_before_its_sync_returned() {
    let bench = Bench::new(1 << 20);
    bench.hold();
    assert!(bench.said.try_recv().is_err());
    bench.control.order(|orders| orders.hold_sync = false);
    assert_eq!(bench.answers(1), [(1, Ok(()))]);
}

#[test]
fn what_gathers_during_a_sync_is_one_group_confirmed_in_order() {
    let bench = Bench::new(1 << 20);
    bench.hold();
    for number in 2..50 {
        bench.append(number, vec![enqueue(number)]);
    }
    let before = bench.store.figures().syncs;
    bench.control.order(|orders| orders.hold_sync = false);
    let expected: Vec<_> = (1..50).map(|number| (number, Ok(()))).collect();
    assert_eq!(bench.answers(49), expected);
    assert_eq!(bench.store.figures().syncs - before, 2);
    assert_eq!(bench.positions_after_reopening(), Vec::from_iter(1..50));
}

#[test]
fn a_message_settled_before_its_turn_is_confirmed_and_never_written() {
    let bench = Bench::new(1 << 20);
    bench.hold();
    let written = || bench.control.written.load(std::sync::atomic::Ordering::Relaxed);
    let before = written();
    for number in 2..20 {
        bench.append(number, vec![enqueue(number)]);
        bench.append(number + 100, vec![settle(&[number])]);
    }
    bench.control.order(|orders| orders.hold_sync = false);
    assert!(bench.answers(37).iter().all(|(_, result)| result.is_ok()));
    assert_eq!(written(), before);
    assert_eq!(bench.store.figures().elided, 18);
    assert_eq!(bench.positions_after_reopening(), [1]);
}

#[test]
fn settlements_that_nobody_waits_for_are_written_and_not_synced() {
    let bench = Bench::new(1 << 20);
    bench.append(1, vec![enqueue(1), enqueue(2)]);
    bench.answers(1);
    bench.control.order(|orders| orders.fail_sync = true);
    bench.store.append(vec![settle(&[1])], None);
    while bench.store.figures().written < 4 {
        std::thread::yield_now();
    }
    assert!(bench.events.try_recv().is_err());
    bench.control.order(|orders| orders.fail_sync = false);
    assert_eq!(bench.positions_after_reopening(), [2]);
}

/// After the fault nothing may be confirmed, nothing more written, and the loss told once.
fn check_poisoned(fault: impl FnOnce(&mut Orders), reason: &str) {
    let bench = Bench::new(1 << 20);
    bench.hold();
    for number in 2..60 {
        bench.append(number, vec![enqueue(number)]);
    }
    bench.control.order(|orders| {
        fault(orders);
        orders.hold_sync = false;
    });
    let answers = bench.answers(59);
    let numbers: Vec<u64> = answers.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, Vec::from_iter(1..60));
    assert!(answers[1..].iter().all(|(_, result)| *result == Err(Lost)), "{answers:?}");
    let told = bench.events.recv().unwrap();
    assert!(told.contains(reason), "{told}");
    bench.control.order(|orders| *orders = Orders::default());
    bench.append(100, vec![enqueue(100)]);
    assert_eq!(bench.answers(1), [(100, Err(Lost))]);
    bench.store.append(vec![enqueue(101)], None);
    assert!(bench.events.try_recv().is_err());
    let positions = bench.positions_after_reopening();
    assert!(positions.contains(&1) && !positions.contains(&100) && !positions.contains(&101));
}

#[test]
fn a_failed_sync_poisons_the_store() {
    check_poisoned(|orders| orders.fail_sync = true, "medium error");
}

#[test]
fn a_failed_write_poisons_the_store() {
    check_poisoned(|orders| orders.fail_write = true, "no space");
}

#[test]
fn a_place_in_a_queue_that_was_never_declared_loses_the_store() {
    let bench = Bench::new(1 << 20);
    bench.append(1, vec![enqueue(1), enqueue_to(2, 1)]);
    bench.append(2, vec![enqueue(2)]);
    let mut answers = bench.answers(2);
    // The second is refused at once if it comes late enough.
    answers.sort_by_key(|(number, _)| *number);
    assert_eq!(answers, [(1, Err(Lost)), (2, Err(Lost))]);
    let told = bench.events.recv().unwrap();
    assert!(told.contains("queue 2, which was never declared"), "{told}");
}

#[test]
fn a_queue_counts_as_declared_from_its_record_on() {
    let bench = Bench::new(1 << 20);
    bench.append(1, vec![Operation::Topology(vec![queue_called("r", 2)]), enqueue_to(2, 1)]);
    let delete = Change::DeleteQueue { vhost: "/".to_owned(), name: "r".to_owned(), id: 2 };
    bench.append(2, vec![Operation::Topology(vec![delete]), enqueue_to(2, 2)]);
    bench.append(3, vec![enqueue_to(2, 3), enqueue(1)]);
    assert_eq!(bench.answers(3), [(1, Ok(())), (2, Ok(())), (3, Ok(()))]);
    assert_eq!(bench.positions_after_reopening(), [1]);
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_written_twice() {
    let bench = Bench::new(1 << 20);
    bench.control.order(|orders| orders.full = true);
    bench.append(1, vec![enqueue(1), enqueue(2)]);
    bench.control.await_full();
    bench.append(2, vec![enqueue(3), settle(&[1])]);
    assert!(bench.said.try_recv().is_err(), "confirmed on a full disk");
    bench.control.order(|orders| orders.full = false);
    assert_eq!(bench.answers(2), [(1, Ok(())), (2, Ok(()))]);
    assert!(!bench.store.is_short_of_space());
    assert!(bench.events.try_recv().is_err(), "the store is not lost");
    assert_eq!(bench.positions_after_reopening(), [2, 3]);
}

#[test]
fn a_store_can_be_closed_while_the_disk_is_full() {
    let bench = Bench::new(1 << 20);
    bench.control.order(|orders| orders.full = true);
    bench.append(1, vec![enqueue(1)]);
    bench.control.await_full();
    bench.store.close();
    assert_eq!(bench.answers(1), [(1, Err(Lost))]);
}

#[test]
fn a_segment_that_cannot_be_created_poisons_the_store() {
    check_poisoned(|orders| orders.fail_create = true, "no space");
}

#[test]
fn a_callback_that_panics_poisons_the_store() {
    let bench = Bench::new(1 << 20);
    bench.store.append(vec![enqueue(1)], Some(Box::new(|_| panic!("on purpose"))));
    assert!(bench.events.recv().unwrap().contains("panicked"));
    bench.append(2, vec![enqueue(2)]);
    assert_eq!(bench.answers(1), [(2, Err(Lost))]);
}

#[test]
fn a_full_inbox_says_when_there_is_room_again() {
    let bench = Bench::new(10_000);
    bench.hold();
    assert!(!bench.store.is_full());
    let mut number = 1;
    while !bench.store.is_full() {
        number += 1;
        bench.append(number, vec![enqueue(number)]);
    }
    assert!(bench.store.inbox_bytes() > 10_000);
    assert!(bench.events.try_recv().is_err());
    bench.control.order(|orders| orders.hold_sync = false);
    assert_eq!(bench.events.recv().unwrap(), "room");
    assert!(!bench.store.is_full());
    bench.answers(number as usize);
    assert!(bench.events.try_recv().is_err());
}

#[test]
fn a_lost_store_lets_those_go_on_who_wait_for_room() {
    let bench = Bench::new(10_000);
    bench.hold();
    while !bench.store.is_full() {
        bench.append(2, vec![enqueue(2)]);
    }
    bench.control.order(|orders| {
        orders.fail_sync = true;
        orders.hold_sync = false;
    });
    assert!(bench.events.recv().unwrap().contains("medium error"));
    assert_eq!(bench.events.recv().unwrap(), "room");
    assert!(!bench.store.is_full());
}

#[test]
fn an_index_that_fails_while_running_is_built_anew() {
    let directory = tempdir().unwrap();
    let options = Options { directory: directory.path().to_owned(), ..Options::default() };
    let (store, _) = Store::open(options.clone(), Events::default()).unwrap();
    store.append(vec![Operation::Topology(vec![queue()]), enqueue(4)], None);
    store.close();
    let prepared = prepare(
        options.clone(),
        Events::default(),
        Surroundings::local(&options),
        Box::new(LocalCommit::default()),
    )
    .unwrap();
    let (mut committer, lock, _) = prepared;
    committer.local.enter(vec![enqueue(5)]).unwrap();
    // Without its index the committer meets an error at the checkpoint.
    committer.index = None;
    committer.checkpoint().unwrap();
    assert!(directory.path().join("index.broken-1").exists());
    committer.inbox.close();
    while committer.step(Duration::ZERO) != Step::Ended {}
    drop((committer, lock));
    let (store, recovered) = Store::open(options, Events::default()).unwrap();
    assert_eq!(positions(&store), [4, 5]);
    assert!(recovered.clean && recovered.notes.is_empty(), "{:?}", recovered.notes);
}
