//! Random operations with random stops, against a simple model: what the store gives back is what the
//! model holds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use leveret::store::{Change, Operation, Recovered, Run, Store};
use proptest::prelude::*;
use store_support::*;
use tempfile::{TempDir, tempdir};

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
    Reopen(Stop),
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
        1 => queue().prop_map(|queue| Step::DeleteQueue { queue }),
        2 => queue().prop_map(|queue| Step::CreateQueue { queue }),
        6 => Just(Step::Wait),
        1 => stop.prop_map(Step::Reopen),
    ];
    prop::collection::vec(step, 1..300)
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
                let name = format!("q{id}");
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
                vec![queues([self.id_max])]
            }
            Step::Wait | Step::Reopen(_) => Vec::new(),
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

    fn check(&self, store: &Store, recovered: &Recovered) {
        let ids: BTreeSet<u64> = self.queues.values().map(|queue| queue.id).collect();
        assert_eq!(recovered.queues.iter().map(|queue| queue.id).collect::<BTreeSet<_>>(), ids);
        assert_eq!(recovered.queue_id_max, self.id_max);
        let live: usize = self.queues.values().map(|queue| queue.messages.len()).sum();
        assert_eq!(store.figures().entries, live as u64);
        for queue in self.queues.values() {
            let expected: Vec<(u64, String, u32)> = queue
                .messages
                .iter()
                .map(|(position, (body, returns))| (*position, body.clone(), *returns))
                .collect();
            assert_eq!(contents(store, queue.id), expected);
        }
    }

    /// The same where the index was lost: what was settled may come back, what was not must be there.
    fn check_loosely(&mut self, store: &Store) {
        for queue in self.queues.values_mut() {
            let found = contents(store, queue.id);
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

/// The store and the directory that it stands in. A crash leaves a copy and goes on with that.
struct Bench {
    store: Store,
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempdir().unwrap();
        let (store, _) = open(tiny(directory.path()));
        Self { store, directory }
    }

    fn reopen(&mut self, stop: Stop, model: &mut Model) {
        commit(&self.store, Vec::new()).unwrap();
        if !matches!(stop, Stop::InGoodOrder) {
            // Whatever the old store still does is done to the old directory.
            let crash = crashed_quietly(&self.store, &self.directory);
            self.directory = crash;
        }
        self.store.close();
        if matches!(stop, Stop::CrashAndIndexGone) {
            let index: PathBuf = self.directory.path().join("index");
            fs::remove_dir_all(index).unwrap();
        }
        let (store, recovered) = open(tiny(self.directory.path()));
        match stop {
            Stop::CrashAndIndexGone => model.check_loosely(&store),
            Stop::Crash | Stop::InGoodOrder => {
                assert_eq!(recovered.notes, Vec::<String>::new());
                model.check(&store, &recovered);
            }
        }
        self.store = store;
    }
}

/// A copy taken while the committer rests: a second question is answered only after the checkpoint
/// behind the first.
fn crashed_quietly(store: &Store, directory: &TempDir) -> TempDir {
    commit(store, Vec::new()).unwrap();
    crashed(directory.path())
}

fn run(steps: &[Step]) {
    let mut bench = Bench::new();
    let mut model = Model::default();
    for queue in 1..=3 {
        bench.store.append(model.operations(&Step::CreateQueue { queue }, 0), None);
    }
    for (serial, step) in steps.iter().enumerate() {
        match step {
            Step::Wait => commit(&bench.store, Vec::new()).unwrap(),
            Step::Reopen(stop) => bench.reopen(*stop, &mut model),
            step => bench.store.append(model.operations(step, serial), None),
        }
    }
    bench.reopen(Stop::Crash, &mut model);
    bench.reopen(Stop::InGoodOrder, &mut model);
    bench.reopen(Stop::CrashAndIndexGone, &mut model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_gives_back_what_the_model_holds(steps in steps()) {
        run(&steps);
    }
}
