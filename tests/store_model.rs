//! Random operations with random stops, against a simple model: what the store gives back is what the
//! model holds. The store is stepped, on a disk in memory, and what takes long is done in the smallest slices, so that
//! operations and crashes come between any two of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod memory;
mod store_support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use leveret::store::{
    Change, Events, Operation, Options, QueueRecord, Recovered, Run, Slice, Step as Progress,
    Steps, Store, VhostRecord,
};
use memory::{Dice, Ground};
use proptest::prelude::*;
use store_support::*;

#[derive(Debug, Clone)]
enum Step {
    /// A message to the queues that the bits name, with a body of so many bytes.
    Publish {
        queues: u8,
        bytes: usize,
    },
    /// Settles what stands at these indexes of a queue, modulo its length.
    Settle {
        queue: u64,
        indexes: Vec<usize>,
    },
    Return {
        queue: u64,
        index: usize,
    },
    /// Settles all but the last few.
    Purge {
        queue: u64,
    },
    DeleteQueue {
        queue: u64,
    },
    CreateQueue {
        queue: u64,
    },
    /// Waits for all before.
    Wait,
    /// The committer takes so many steps.
    Work {
        steps: usize,
    },
    /// Stops, after so many steps behind the last operation.
    Reopen {
        stop: Stop,
        steps: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum Stop {
    InGoodOrder,
    Crash,
    CrashAndIndexGone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let queue = || 1..=3_u64;
    let stop =
        prop_oneof![Just(Stop::InGoodOrder), Just(Stop::Crash), Just(Stop::CrashAndIndexGone)];
    let step = prop_oneof![
        20 => (1..8_u8, 0..400_usize).prop_map(|(queues, bytes)| Step::Publish { queues, bytes }),
        12 => (queue(), prop::collection::vec(0..5_usize, 1..8))
            .prop_map(|(queue, indexes)| Step::Settle { queue, indexes }),
        3 => (queue(), any::<usize>()).prop_map(|(queue, index)| Step::Return { queue, index }),
        2 => queue().prop_map(|queue| Step::Purge { queue }),
        3 => queue().prop_map(|queue| Step::DeleteQueue { queue }),
        4 => queue().prop_map(|queue| Step::CreateQueue { queue }),
        6 => Just(Step::Wait),
        12 => (1..20_usize).prop_map(|steps| Step::Work { steps }),
        2 => (stop, 0..60_usize).prop_map(|(stop, steps)| Step::Reopen { stop, steps }),
    ];
    prop::collection::vec(step, 1..300)
}

/// A queue that is declared anew has its name, and another id.
fn declared(id: u64, number: u64) -> Operation {
    let vhost = Change::PutVhost(VhostRecord { name: "/".into() });
    let queue = QueueRecord {
        id,
        vhost: "/".into(),
        name: format!("q{number}"),
        auto_delete: false,
        arguments: Vec::new(),
    };
    Operation::Topology(vec![vhost, Change::PutQueue(queue)])
}

/// What ought to be there. Queues change their id whenever they are created.
#[derive(Debug, Default)]
struct Model {
    queues: BTreeMap<u64, ModelQueue>,
    id_max: u64,
}

#[derive(Debug)]
struct ModelQueue {
    id: u64,
    next: u64,
    messages: BTreeMap<u64, (String, u32)>,
}

impl Model {
    fn operations(&mut self, step: &Step, serial: usize) -> Vec<Operation> {
        match step {
            Step::Publish { queues, bytes } => self.publish(*queues, *bytes, serial),
            Step::Settle { queue, indexes } => self.settle(*queue, indexes),
            Step::Return { queue, index } => self.put_back(*queue, *index),
            Step::Purge { queue } => {
                let Some(queue) = self.queues.get_mut(queue) else { return Vec::new() };
                let keep = queue.messages.len().saturating_sub(2);
                let gone: Vec<u64> = queue.messages.keys().copied().take(keep).collect();
                queue.messages.retain(|position, _| !gone.contains(position));
                let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
                    return Vec::new();
                };
                let run = Run { first: *first, count: last - first + 1 };
                vec![Operation::SettleRuns { queue: queue.id, runs: vec![run] }]
            }
            Step::DeleteQueue { queue } => {
                let Some(ModelQueue { id, .. }) = self.queues.remove(queue) else {
                    return Vec::new();
                };
                let name = format!("q{queue}");
                let delete = Change::DeleteQueue { vhost: "/".into(), name, id };
                vec![Operation::Topology(vec![delete])]
            }
            Step::CreateQueue { queue } => {
                if self.queues.contains_key(queue) {
                    return Vec::new();
                }
                self.id_max += 1;
                let created = ModelQueue { id: self.id_max, next: 0, messages: BTreeMap::new() };
                self.queues.insert(*queue, created);
                vec![declared(self.id_max, *queue)]
            }
            Step::Wait | Step::Work { .. } | Step::Reopen { .. } => Vec::new(),
        }
    }

    fn publish(&mut self, queues: u8, bytes: usize, serial: usize) -> Vec<Operation> {
        let body = format!("{serial:bytes$}");
        let mut places = Vec::new();
        for (number, queue) in &mut self.queues {
            if queues & (1 << (number - 1)) != 0 {
                places.push((queue.id, queue.next));
                queue.messages.insert(queue.next, (body.clone(), 0));
                queue.next += 1;
            }
        }
        if places.is_empty() { Vec::new() } else { vec![enqueue(&body, &places)] }
    }

    fn settle(&mut self, queue: u64, indexes: &[usize]) -> Vec<Operation> {
        let Some(queue) = self.queues.get_mut(&queue) else { return Vec::new() };
        let positions: Vec<u64> = queue.messages.keys().copied().collect();
        let gone: Vec<u64> =
            indexes.iter().filter_map(|index| positions.get(*index).copied()).collect();
        queue.messages.retain(|position, _| !gone.contains(position));
        vec![settle(queue.id, &gone)]
    }

    fn put_back(&mut self, queue: u64, index: usize) -> Vec<Operation> {
        let Some(queue) = self.queues.get_mut(&queue) else { return Vec::new() };
        let count = queue.messages.len();
        let Some((position, (_, returns))) =
            (count > 0).then(|| queue.messages.iter_mut().nth(index % count)).flatten()
        else {
            return Vec::new();
        };
        *returns += 1;
        vec![returned(queue.id, *position, *returns)]
    }

    fn check_topology(&self, recovered: &Recovered) {
        let ids: BTreeSet<u64> = self.queues.values().map(|queue| queue.id).collect();
        assert_eq!(recovered.queues.iter().map(|queue| queue.id).collect::<BTreeSet<_>>(), ids);
        assert_eq!(recovered.queue_id_max, self.id_max);
    }

    fn check(&self, bench: &mut Bench, recovered: &Recovered) {
        self.check_topology(recovered);
        let live: usize = self.queues.values().map(|queue| queue.messages.len()).sum();
        assert_eq!(bench.store.figures().entries, live as u64);
        for queue in self.queues.values() {
            let expected: Vec<(u64, String, u32)> = queue
                .messages
                .iter()
                .map(|(position, (body, returns))| (*position, body.clone(), *returns))
                .collect();
            assert_eq!(bench.contents(queue.id), expected);
        }
    }

    /// The same where the index was lost: what was settled may come back, what was not must be there.
    fn check_loosely(&mut self, bench: &mut Bench) {
        for queue in self.queues.values_mut() {
            let found = bench.contents(queue.id);
            let returned: BTreeMap<u64, (String, u32)> = found
                .into_iter()
                .map(|(position, body, returns)| (position, (body, returns)))
                .collect();
            for (position, (body, _)) in &queue.messages {
                assert_eq!(returned.get(position).map(|(body, _)| body), Some(body));
            }
            queue.messages = returned;
        }
    }
}

/// The store and what it stands on.
struct Bench {
    store: Store,
    steps: Steps,
    ground: Ground,
    dice: Dice,
}

/// Segments and checkpoints come all the time, and slices are as small as they can be.
fn stepped() -> Options {
    Options {
        segment_bytes_max: 2_000,
        checkpoint_bytes: 3_000,
        slice: Slice { chunks: 1, bytes: 1, places: 1, definitions: 1 },
        ..options(&PathBuf::from("/data"))
    }
}

fn open_on(ground: &mut Ground) -> (Store, Recovered, Steps) {
    Store::open_stepped(stepped(), Events::default(), ground.surroundings()).unwrap()
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut ground = Ground::new(seed);
        let (store, _, steps) = open_on(&mut ground);
        Self { store, steps, ground, dice: Dice::new(seed) }
    }

    /// Takes so many steps, or as many as there are.
    fn work(&mut self, count: usize) {
        for _ in 0..count {
            if self.steps.committer(Duration::ZERO) != Progress::Worked {
                return;
            }
        }
    }

    /// Works until all before is durable.
    fn wait(&mut self) {
        let (sender, receiver) = mpsc::channel();
        self.store.append(Vec::new(), Some(Box::new(move |result| sender.send(result).unwrap())));
        loop {
            match receiver.try_recv() {
                Ok(result) => return result.unwrap(),
                Err(_) => assert_eq!(self.steps.committer(Duration::ZERO), Progress::Worked),
            }
        }
    }

    fn contents(&mut self, queue: u64) -> Vec<(u64, String, u32)> {
        let Self { store, steps, .. } = self;
        contents_by(store, queue, &mut |positions| {
            let (sender, receiver) = mpsc::channel();
            store.read(queue, positions, Box::new(move |reads| sender.send(reads).unwrap()));
            while steps.reader() == Progress::Worked {}
            receiver.try_recv().unwrap()
        })
    }

    fn reopen(&mut self, stop: Stop, steps: usize, model: &mut Model) {
        self.wait();
        self.work(steps);
        if matches!(stop, Stop::InGoodOrder) {
            self.store.close();
            while self.steps.committer(Duration::ZERO) != Progress::Ended {}
        }
        let other = open_on(&mut Ground::new(0));
        drop(std::mem::replace(&mut self.steps, other.2));
        drop(std::mem::replace(&mut self.store, other.0));
        if !matches!(stop, Stop::InGoodOrder) {
            self.ground.crash(&mut self.dice);
        }
        if matches!(stop, Stop::CrashAndIndexGone) {
            self.ground.index.destroy();
        }
        let (store, recovered, steps) = open_on(&mut self.ground);
        (self.store, self.steps) = (store, steps);
        match stop {
            Stop::CrashAndIndexGone => {
                model.check_topology(&recovered);
                model.check_loosely(self);
            }
            Stop::Crash | Stop::InGoodOrder => {
                let is_told = |note: &String| !note.contains("torn tail");
                assert!(!recovered.notes.iter().any(is_told), "{:?}", recovered.notes);
                model.check(self, &recovered);
            }
        }
    }
}

fn run(steps: &[Step], seed: u64) {
    let mut bench = Bench::new(seed);
    let mut model = Model::default();
    for queue in 1..=3 {
        bench.store.append(model.operations(&Step::CreateQueue { queue }, 0), None);
    }
    for (serial, step) in steps.iter().enumerate() {
        match step {
            Step::Wait => bench.wait(),
            Step::Work { steps } => bench.work(*steps),
            Step::Reopen { stop, steps } => bench.reopen(*stop, *steps, &mut model),
            step => bench.store.append(model.operations(step, serial), None),
        }
    }
    let figures = bench.store.figures();
    assert!(figures.slice_chunks_max <= 5 && figures.slice_definitions_max <= 1, "{figures:?}");
    bench.reopen(Stop::Crash, 30, &mut model);
    bench.reopen(Stop::InGoodOrder, 0, &mut model);
    bench.reopen(Stop::CrashAndIndexGone, 0, &mut model);
}

/// The index may be left with the messages of a queue of which it has no definition any more. Its deletion is in the
/// journal, so nothing is lost and nothing is to be told, whether or not a torn tail stands behind it.
#[test]
fn a_deleted_queue_that_is_half_out_of_the_index_is_not_told_as_lost() {
    let publish = |queues, bytes| Step::Publish { queues, bytes };
    let before = [(4, 338), (4, 17), (4, 214), (7, 261), (2, 242)].map(|(to, of)| publish(to, of));
    let marked = [Step::Wait, Step::Work { steps: 6 }];
    let more = [(4, 337), (2, 39), (1, 181)].map(|(to, of)| publish(to, of));
    let deleted = [Step::Wait, publish(3, 375), Step::DeleteQueue { queue: 2 }];
    let settled = [Step::Settle { queue: 3, indexes: vec![4, 0] }];
    let all = [&before[..], &marked, &more, &deleted, &settled].concat();
    for steps in 0..40 {
        let stop = [Step::Reopen { stop: Stop::Crash, steps }];
        run(&[&all[..], &stop].concat(), 973_344_926_946_774_197);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_store_gives_back_what_the_model_holds(steps in steps(), seed in any::<u64>()) {
        run(&steps, seed);
    }
}
