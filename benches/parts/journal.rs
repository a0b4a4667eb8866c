//! The journal through the store's own door: messages until they are synced to the disk, some at once, and many.

use std::sync::Arc;
use std::sync::mpsc;

use criterion::{BenchmarkId, Criterion, Throughput};
use leveret::message::{Facts, Memory, Message};
use leveret::store::{Change, Events, Operation, Options, Place, QueueRecord, Store, VhostRecord};

static MEMORY: Memory = Memory::new();

const BODY_BYTES: usize = 1024;
const QUEUE: u64 = 1;

/// Appends a batch and waits for it; the batch is settled with the next, so that the disk does not fill.
pub fn journal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    for batch in [1, 100, 10_000] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = Options { directory: directory.path().to_owned(), ..Options::default() };
        let (store, _) = Store::open(options, Events::default()).unwrap();
        store.append(vec![topology()], None);
        let mut next = 0;
        group.throughput(Throughput::Elements(batch));
        group.bench_function(BenchmarkId::new("synced", batch), |bench| {
            bench.iter(|| {
                append(&store, next, batch);
                next += batch;
            });
        });
        store.close();
    }
    group.finish();
}

fn topology() -> Operation {
    let queue = QueueRecord {
        id: QUEUE,
        vhost: "/".to_owned(),
        name: "q".to_owned(),
        auto_delete: false,
        arguments: Vec::new(),
    };
    let vhost = VhostRecord { name: "/".to_owned() };
    Operation::Topology(vec![Change::PutVhost(vhost), Change::PutQueue(queue)])
}

fn append(store: &Store, first: u64, count: u64) {
    let mut operations: Vec<Operation> = (first..first + count)
        .map(|position| {
            let facts = Facts { persistent: true, ..Facts::default() };
            let body = [7; BODY_BYTES];
            let message = Message::new(&MEMORY, "", "key", &[0x10, 0, 2], &body, facts);
            let places = [Place { queue: QUEUE, position }].into_iter().collect();
            Operation::Enqueue { message: Arc::new(message), places }
        })
        .collect();
    let positions: Vec<u64> = (first.saturating_sub(count)..first).collect();
    operations.push(Operation::Settle { queue: QUEUE, positions });
    let (sender, receiver) = mpsc::channel();
    store.append(operations, Some(Box::new(move |outcome| sender.send(outcome).unwrap())));
    receiver.recv().unwrap().unwrap();
}
