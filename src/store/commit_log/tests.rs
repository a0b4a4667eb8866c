//! The committer on a commit log in memory: one that answers late, refuses, or does not know, and outlives the store.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::{TempDir, tempdir};

use super::super::failure::Lost;
use super::super::operation::Position;
use super::super::options::{Events, Options, Surroundings};
use super::super::recovery::Recovered;
use super::super::step::Step;
use super::super::steps::Steps;
use super::super::tests::{enqueue, positions, queue, settle};
use super::super::{Store, operation::Operation};
use super::*;

/// Groups that the log takes at a time.
const GROUPS_MAX: usize = 3;

/// All that is known elsewhere, and stays when the store ends.
#[derive(Default)]
struct Elsewhere {
    /// What is committed and not trimmed, in order.
    committed: VecDeque<(Sequence, Vec<Operation>)>,
    /// The last group of those.
    last: Sequence,
    /// Not yet decided, in order.
    proposed: VecDeque<Proposal>,
    /// Answers that have come and were not yet taken.
    answers: VecDeque<Fate>,
    trimmed: Sequence,
}

struct Proposal {
    sequence: Sequence,
    operations: Vec<Operation>,
    bytes: usize,
}

impl Elsewhere {
    /// The oldest groups are committed; the store is told if somebody is there to take the answer.
    fn commit(&mut self, count: usize) {
        self.answers.extend((0..count).map(|_| Fate::Committed));
    }

    /// The oldest group is committed, and nobody is told.
    fn commit_in_silence(&mut self) {
        let Proposal { sequence, operations, .. } = self.proposed.pop_front().unwrap();
        self.keep(sequence, operations);
    }

    fn keep(&mut self, sequence: Sequence, operations: Vec<Operation>) {
        self.committed.push_back((sequence, operations));
        self.last = sequence;
    }
}

/// A commit log in memory, as the store has it.
struct MemoryCommit {
    elsewhere: Arc<Mutex<Elsewhere>>,
    next: Sequence,
    /// Committed and in the local log, with what is still to be told.
    entered: Option<Sequence>,
}

impl CommitLog for MemoryCommit {
    fn has_room(&self) -> bool {
        self.elsewhere.lock().proposed.len() < GROUPS_MAX
    }

    fn submit(&mut self, mut group: Group) -> Result<Sequence, LogError> {
        let sequence = self.next;
        self.next += 1;
        let mut proposal = Proposal { sequence, operations: Vec::new(), bytes: 0 };
        while let Some((run, bytes)) = group.next_run() {
            proposal.operations.extend(run);
            proposal.bytes += bytes;
        }
        self.elsewhere.lock().proposed.push_back(proposal);
        Ok(sequence)
    }

    fn poll(&mut self, local: &mut Local) -> Result<Polled, LogError> {
        if let Some(sequence) = self.entered.take() {
            return Ok(Polled::Decided(sequence, Fate::Committed));
        }
        let mut elsewhere = self.elsewhere.lock();
        let Some(fate) = elsewhere.answers.pop_front() else { return Ok(Polled::Nothing) };
        let Proposal { sequence, operations, bytes } = elsewhere.proposed.pop_front().unwrap();
        if fate != Fate::Committed {
            return Ok(Polled::Decided(sequence, fate));
        }
        elsewhere.keep(sequence, operations.clone());
        self.entered = Some(sequence);
        local.enter(operations)?;
        Ok(Polled::Entered(bytes))
    }

    fn follow(
        &mut self,
        from: Sequence,
        visit: &mut dyn FnMut(Vec<Operation>) -> Result<(), LogError>,
    ) -> Result<Sequence, LogError> {
        let elsewhere = self.elsewhere.lock();
        let mut committed = elsewhere.committed.iter().filter(|(sequence, _)| *sequence >= from);
        committed.try_for_each(|(_, operations)| visit(operations.clone()))?;
        self.next = elsewhere.last + 1;
        Ok(elsewhere.last)
    }

    fn bounds(&mut self) -> Result<(Sequence, Sequence), LogError> {
        let elsewhere = self.elsewhere.lock();
        Ok((elsewhere.trimmed + 1, elsewhere.last))
    }

    fn trim(&mut self, up_to: Sequence) -> Result<(), LogError> {
        let mut elsewhere = self.elsewhere.lock();
        elsewhere.trimmed = up_to;
        elsewhere.committed.retain(|(sequence, _)| *sequence > up_to);
        Ok(())
    }
}

type Said = Arc<Mutex<Vec<(u64, Result<(), Lost>)>>>;

/// A store that is stepped, and what it said.
struct Bench {
    directory: TempDir,
    elsewhere: Arc<Mutex<Elsewhere>>,
    store: Store,
    recovered: Recovered,
    steps: Steps,
    now: Duration,
    said: Said,
    lost: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    /// With a queue, whose declaration is the first group.
    fn new() -> Self {
        let mut bench = Self::open(tempdir().unwrap(), Arc::default());
        bench.append(0, vec![Operation::Topology(vec![queue()])]);
        bench.elsewhere.lock().commit(1);
        assert_eq!(bench.rest(), Step::Idle);
        assert_eq!(bench.take_said(), [(0, Ok(()))]);
        bench
    }

    fn open(directory: TempDir, elsewhere: Arc<Mutex<Elsewhere>>) -> Self {
        let lost: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = lost.clone();
        let events = Events {
            lost: Box::new(move |why| told.lock().push(why.to_owned())),
            ..Events::default()
        };
        let (store, recovered, steps) = open(directory.path(), events, elsewhere.clone());
        let (now, said) = (Duration::ZERO, Said::default());
        Self { directory, elsewhere, store, recovered, steps, now, said, lost }
    }

    /// Puts operations into the inbox, and has the committer take them for a group by themselves.
    fn append(&mut self, number: u64, operations: Vec<Operation>) {
        let said = self.said.clone();
        let done = Box::new(move |result| said.lock().push((number, result)));
        self.store.append(operations, Some(done));
        self.rest();
    }

    /// Steps until there is nothing to do.
    fn rest(&mut self) -> Step {
        loop {
            match self.steps.committer(self.now) {
                Step::Worked => {}
                step => return step,
            }
        }
    }

    fn take_said(&self) -> Vec<(u64, Result<(), Lost>)> {
        std::mem::take(&mut *self.said.lock())
    }

    /// The process ends, and another begins.
    fn crash(self) -> Self {
        drop((self.steps, self.store));
        {
            let mut elsewhere = self.elsewhere.lock();
            elsewhere.proposed.clear();
            elsewhere.answers.clear();
        }
        Self::open(self.directory, self.elsewhere)
    }
}

fn open(
    directory: &Path,
    events: Events,
    elsewhere: Arc<Mutex<Elsewhere>>,
) -> (Store, Recovered, Steps) {
    let options = Options { directory: directory.to_owned(), ..Options::default() };
    let surroundings = Surroundings::local(&options);
    let commit = MemoryCommit { elsewhere, next: 1, entered: None };
    Store::open_with(options, events, surroundings, Box::new(commit)).unwrap()
}

fn oks(numbers: impl IntoIterator<Item = u64>) -> Vec<(u64, Result<(), Lost>)> {
    numbers.into_iter().map(|number| (number, Ok(()))).collect()
}

#[test]
fn nothing_is_written_or_confirmed_before_it_is_committed_and_then_in_order() {
    let mut bench = Bench::new();
    let before = bench.store.figures().written;
    for number in 1..=3 {
        bench.append(number, vec![enqueue(number)]);
    }
    assert_eq!(bench.elsewhere.lock().proposed.len(), 3);
    assert_eq!(bench.store.figures().written, before);
    assert!(bench.take_said().is_empty());
    bench.elsewhere.lock().commit(2);
    bench.rest();
    assert_eq!(bench.take_said(), oks(1..=2));
    assert_eq!(positions(&bench.store), [1, 2]);
    bench.elsewhere.lock().commit(1);
    bench.rest();
    assert_eq!(bench.take_said(), oks(3..=3));
    assert_eq!(positions(&bench.store), [1, 2, 3]);
    assert!(bench.lost.lock().is_empty());
}

#[test]
fn what_is_to_be_known_of_writing_is_known_with_the_commit() {
    let mut bench = Bench::new();
    bench.append(1, vec![enqueue(1)]);
    let (written, said) = (Arc::new(Mutex::new(false)), bench.said.clone());
    let note = written.clone();
    bench.store.when_written(Box::new(move || *note.lock() = said.lock().len() == 1));
    bench.rest();
    assert!(!*written.lock());
    bench.elsewhere.lock().commit(2);
    bench.rest();
    assert!(*written.lock());
}

#[test]
fn a_commit_log_without_room_lets_what_comes_gather_in_the_inbox() {
    let mut bench = Bench::new();
    for number in 1..=6 {
        bench.append(number, vec![enqueue(number)]);
    }
    assert_eq!(bench.elsewhere.lock().proposed.len(), GROUPS_MAX);
    assert!(bench.store.inbox_bytes() > 0);
    // The rest is one group.
    bench.elsewhere.lock().commit(1);
    bench.rest();
    bench.elsewhere.lock().commit(3);
    bench.rest();
    assert_eq!(bench.take_said(), oks(1..=6));
    assert_eq!(bench.store.inbox_bytes(), 0);
    assert_eq!(bench.store.figures().groups, 5);
}

/// The first of two groups came to this: neither is confirmed, and the store ends.
fn check_ends(fate: Fate, reason: &str) {
    let mut bench = Bench::new();
    bench.append(1, vec![enqueue(1)]);
    bench.elsewhere.lock().commit(1);
    bench.rest();
    bench.append(2, vec![enqueue(2)]);
    bench.append(3, vec![enqueue(3)]);
    bench.elsewhere.lock().answers.push_back(fate);
    assert_eq!(bench.rest(), Step::Ended);
    assert_eq!(bench.take_said(), [(1, Ok(())), (2, Err(Lost)), (3, Err(Lost))]);
    bench.append(4, vec![enqueue(4)]);
    assert_eq!(bench.take_said(), [(4, Err(Lost))]);
    let told = bench.lost.lock().clone();
    assert!(told.len() == 1 && told[0].contains(reason), "{told:?}");
    let bench = bench.crash();
    assert_eq!(positions(&bench.store), [1]);
    assert!(!bench.recovered.clean);
}

#[test]
fn a_group_that_is_lost_ends_the_store() {
    check_ends(Fate::Lost("epoch 7".to_owned()), "another has taken over: epoch 7");
}

#[test]
fn a_group_of_unknown_fate_confirms_nothing_and_ends_the_store() {
    check_ends(
        Fate::Unknown("no answer".to_owned()),
        "cannot be known what was committed: no answer",
    );
}

#[test]
fn what_was_committed_unseen_is_there_after_the_next_start() {
    let mut bench = Bench::new();
    bench.append(1, vec![enqueue(1), enqueue(2)]);
    bench.elsewhere.lock().commit(1);
    bench.rest();
    bench.append(2, vec![enqueue(3), settle(&[1])]);
    bench.append(3, vec![enqueue(4)]);
    bench.elsewhere.lock().commit_in_silence();
    let bench = bench.crash();
    assert_eq!(positions(&bench.store), [2, 3]);
    assert_eq!(bench.recovered.queues.len(), 1);
    assert_eq!(bench.recovered.queue_id_max, 1);
    assert!(!bench.recovered.clean);
    // And once more, without harm.
    let mut bench = bench.crash();
    assert_eq!(positions(&bench.store), [2, 3]);
    bench.append(4, vec![enqueue(5)]);
    assert_eq!(bench.elsewhere.lock().proposed[0].sequence, 4);
    bench.elsewhere.lock().commit(1);
    bench.rest();
    assert_eq!(bench.take_said(), oks([4]));
}

#[test]
fn a_store_does_not_leave_before_it_knows_what_became_of_its_groups() {
    let mut bench = Bench::new();
    bench.append(1, vec![enqueue(1)]);
    bench.store.close();
    assert_eq!(bench.rest(), Step::Idle);
    bench.elsewhere.lock().commit(1);
    assert_eq!(bench.rest(), Step::Ended);
    assert_eq!(bench.take_said(), oks([1]));
    assert_eq!(bench.elsewhere.lock().trimmed, 2);
    let bench = bench.crash();
    assert!(bench.recovered.clean);
    assert_eq!(positions(&bench.store), [1]);
}

#[test]
fn a_checkpoint_trims_what_is_in_the_local_log_and_no_more() {
    let mut bench = Bench::new();
    bench.append(1, vec![enqueue(1)]);
    bench.append(2, vec![enqueue(2)]);
    bench.elsewhere.lock().commit(1);
    bench.rest();
    assert_eq!(bench.elsewhere.lock().trimmed, 0);
    bench.now += Duration::from_millis(Options::default().checkpoint_ms + 1);
    bench.rest();
    assert_eq!(bench.store.figures().checkpoints, 1);
    assert_eq!(bench.elsewhere.lock().trimmed, 2);
    bench.elsewhere.lock().commit_in_silence();
    let bench = bench.crash();
    assert_eq!(positions(&bench.store), Vec::<Position>::from([1, 2]));
}

#[test]
fn an_answer_wakes_a_committer_that_waits() {
    let directory = tempdir().unwrap();
    let elsewhere: Arc<Mutex<Elsewhere>> = Arc::default();
    let (store, _, steps) = open(directory.path(), Events::default(), elsewhere.clone());
    store.run(steps).unwrap();
    let (say, said) = std::sync::mpsc::channel();
    for number in 1..=9 {
        let say = say.clone();
        let done = Box::new(move |result: Result<(), Lost>| say.send((number, result)).unwrap());
        let operation = match number {
            1 => Operation::Topology(vec![queue()]),
            _ => enqueue(number),
        };
        store.append(vec![operation], Some(done));
    }
    let mut answers = Vec::new();
    while answers.len() < 9 {
        {
            let mut elsewhere = elsewhere.lock();
            let count = elsewhere.proposed.len() - elsewhere.answers.len();
            elsewhere.commit(count);
        }
        store.inbox.wake();
        answers.extend(said.try_iter());
        std::thread::yield_now();
    }
    assert_eq!(answers, oks(1..=9));
    store.close();
}
