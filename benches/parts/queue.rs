//! The queue's state machine alone: messages in, handed out, acknowledged.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use leveret::message::{Facts, Memory, Message};
use leveret::queue::{
    AckMode, Effects, Entry, Exclusivity, Offer, Options, Position, Queue, Receiver, Subscription,
    Way,
};

static MEMORY: Memory = Memory::new();

const BATCH: u64 = 100;
const NOW_MS: u64 = 1;

/// Takes everything and says nothing.
#[derive(Clone)]
struct Taker;

impl Receiver for Taker {
    type Way<'a> = Self;

    fn open(&self) -> Self {
        Self
    }
}

impl Way for Taker {
    fn offer(&mut self, _: &Entry) -> Offer {
        Offer::Taken
    }
}

/// A batch through an empty queue, and through one with a backlog.
pub fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(BATCH));
    for depth in [0, 100_000] {
        let mut through = Through::new(depth, AckMode::Manual);
        group.bench_function(BenchmarkId::new("acknowledged", depth), |bench| {
            bench.iter(|| through.batch());
        });
    }
    let mut through = Through::new(0, AckMode::Automatic);
    group.bench_function("no-ack", |bench| bench.iter(|| through.batch()));
    group.finish();
}

/// A queue through which messages go in batches.
struct Through {
    queue: Queue<Taker>,
    message: Arc<Message>,
    acks: AckMode,
    next: Position,
    behind: Position,
    fx: Effects<Taker>,
}

impl Through {
    fn new(depth: u64, acks: AckMode) -> Self {
        let mut queue = Queue::new(Options::default(), NOW_MS);
        let message = Message::new(&MEMORY, "", "key", &[0, 0], &[7; 16], Facts::default());
        let mut fx = Effects::default();
        let message = Arc::new(message);
        let entries = (0..depth).map(|position| Entry::new(position, message.clone(), false));
        queue.append(entries, NOW_MS, &mut fx);
        // With a backlog the consumer is always a batch short of it.
        let prefetch = if depth == 0 { 0 } else { BATCH as u32 };
        let exclusive = Exclusivity::Shared;
        let subscription =
            Subscription { id: 1, receiver: Taker, prefetch, acks, exclusive, priority: 0 };
        queue.subscribe(subscription, NOW_MS, &mut fx).unwrap();
        Self { queue, message, acks, next: depth, behind: 0, fx }
    }

    fn batch(&mut self) {
        let positions = self.next..self.next + BATCH;
        self.next += BATCH;
        let entries = positions.map(|at| Entry::new(at, self.message.clone(), false));
        self.queue.append(entries, NOW_MS, &mut self.fx);
        if self.acks == AckMode::Manual {
            let taken: Vec<Position> = (self.behind..self.behind + BATCH).collect();
            self.queue.ack(&taken, NOW_MS, &mut self.fx);
            self.behind += BATCH;
        }
        self.fx.clear();
    }
}
