//! Tests of the ledger against a plain map.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::store::log::Location;

fn entry(segment: SegmentId, share: u32) -> Entry {
    Entry {
        low: 0,
        priority: 3,
        location: Location { segment, offset: 0 },
        share,
        returns: 0,
        body_bytes: 5,
        accepted_ms: 7,
        expiration_ms: None,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Place { queue: QueueId, position: Position, segment: SegmentId },
    Settle { queue: QueueId, first: Position, count: u64 },
    Return { queue: QueueId, position: Position, count: u32 },
    Close { queue: QueueId },
    Open { queue: QueueId },
    Index,
    Pack,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (queue, position) = (|| 1..4_u64, || 0..400_u64);
    let step = prop_oneof![
        20 => (queue(), position(), 1..5_u32)
            .prop_map(|(queue, position, segment)| Step::Place { queue, position, segment }),
        8 => (queue(), position(), 1..300_u64)
            .prop_map(|(queue, first, count)| Step::Settle { queue, first, count }),
        4 => (queue(), position(), 1..9_u32)
            .prop_map(|(queue, position, count)| Step::Return { queue, position, count }),
        1 => queue().prop_map(|queue| Step::Close { queue }),
        2 => queue().prop_map(|queue| Step::Open { queue }),
        3 => Just(Step::Index),
        1 => Just(Step::Pack),
    ];
    prop::collection::vec(step, 1..200)
}

/// An index in memory, packed as on the disk.
#[derive(Default)]
struct MapChunks(Mutex<BTreeMap<ChunkKey, Vec<u8>>>);

impl Chunks for MapChunks {
    fn chunk(&self, key: ChunkKey) -> Result<Option<Content>, IndexError> {
        Ok(self.0.lock().get(&key).map(|bytes| Content::from_index(bytes).unwrap()))
    }

    fn scan(
        &self,
        queue: QueueId,
        numbers: RangeInclusive<u64>,
        visit: &mut dyn FnMut(u64, Content) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let chunks = self.0.lock();
        for (key, bytes) in chunks.range((queue, *numbers.start())..=(queue, *numbers.end())) {
            if visit(key.1, Content::from_index(bytes).unwrap()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Per queue and position: segment and returns. The index holds what it was last given.
#[derive(Default)]
struct Model {
    queues: BTreeMap<QueueId, BTreeMap<Position, (SegmentId, u32)>>,
    index: Arc<MapChunks>,
}

fn apply(ledger: &mut Ledger, model: &mut Model, step: &Step) {
    match *step {
        Step::Place { queue, position, segment } => {
            ledger.place(Place { queue, position }, entry(segment, 10)).unwrap();
            if let Some(messages) = model.queues.get_mut(&queue) {
                messages.entry(position).or_default().0 = segment;
            }
        }
        Step::Settle { queue, first, count } => {
            ledger.settle(queue, Run { first, count }).unwrap();
            if let Some(messages) = model.queues.get_mut(&queue) {
                messages.retain(|position, _| !(first..first + count).contains(position));
            }
        }
        Step::Return { queue, position, count } => {
            ledger.returned(Place { queue, position }, count).unwrap();
            if let Some(message) =
                model.queues.get_mut(&queue).and_then(|messages| messages.get_mut(&position))
            {
                message.1 = count;
            }
        }
        Step::Close { queue } => {
            ledger.close_queue(queue).unwrap();
            model.queues.remove(&queue);
        }
        Step::Open { queue } => {
            ledger.open_queue(queue);
            model.queues.entry(queue).or_default();
        }
        Step::Pack => ledger.pack(),
        Step::Index => index(ledger, &model.index),
    }
}

/// Gives the index what it lacks.
fn index(ledger: &mut Ledger, index: &MapChunks) {
    let mut chunks = index.0.lock();
    for queue in ledger.closed() {
        chunks.retain(|key, _| key.0 != queue);
    }
    let mut after = None;
    loop {
        let changes = ledger.changes(after, 2);
        let Some((last, _)) = changes.last() else { break };
        after = Some(*last);
        for (key, content) in changes {
            match content {
                Some(bytes) => chunks.insert(key, bytes),
                None => chunks.remove(&key),
            };
        }
    }
    ledger.mark_indexed();
    assert!(ledger.changes(None, 1).is_empty() && ledger.closed().is_empty());
    assert_eq!(ledger.changed_bytes, 0);
}

fn all(ledger: &Ledger) -> BTreeMap<Place, (SegmentId, u32)> {
    let mut all = BTreeMap::new();
    let mut from = Some((0, 0));
    while let Some(start) = from {
        let (entries, rest) = ledger.standing(&|_, _| true, start, 100).unwrap();
        all.extend(entries.iter().map(|(p, entry)| (*p, (entry.location.segment, entry.returns))));
        from = rest;
    }
    all
}

/// What every way of asking says, compared with what is expected.
fn check(ledger: &Ledger, model: &Model) {
    let mut expected: BTreeMap<Place, (SegmentId, u32)> = BTreeMap::new();
    for (&queue, messages) in &model.queues {
        expected
            .extend(messages.iter().map(|(p, message)| (Place { queue, position: *p }, *message)));
        let positions: Vec<Position> = (0..500).collect();
        let located = ledger.locate(queue, &positions).unwrap();
        assert!(located.iter().map(|(position, _)| position).eq(messages.keys()));
        let mut surveyed = Vec::new();
        ledger
            .survey(queue, &mut |survivor| surveyed.push((survivor.position, survivor.returns)))
            .unwrap();
        assert!(surveyed.into_iter().eq(messages.iter().map(|(p, message)| (*p, message.1))));
    }
    assert_eq!(all(ledger), expected);
    assert_eq!(ledger.len(), expected.len() as u64);
    for segment in 1..5 {
        let places = expected.values().filter(|message| message.0 == segment).count() as u64;
        assert_eq!(ledger.usage(segment), Usage { places, bytes: places * 10 });
    }
    for floor in ledger.floors().unwrap() {
        let first = model.queues[&floor.queue].keys().next();
        assert!(first.is_none_or(|first| *first == floor.position));
    }
    let bytes: usize = ledger.changed.values().map(Chunk::bytes).sum();
    assert_eq!(ledger.changed_bytes, bytes);
}

proptest! {
    #[test]
    fn the_ledger_holds_what_a_plain_map_holds(steps in steps()) {
        let (mut ledger, mut model) = (Ledger::default(), Model::default());
        ledger.attach(model.index.clone());
        for step in &steps {
            apply(&mut ledger, &mut model, step);
        }
        check(&ledger, &model);
        index(&mut ledger, &model.index);
        check(&ledger, &model);
        let mut loaded = Ledger::default();
        loaded.attach(model.index.clone());
        for queue in model.queues.keys() {
            loaded.open_queue(*queue);
        }
        for (key, bytes) in &*model.index.0.lock() {
            loaded.load(*key, &Content::from_index(bytes).unwrap().entries());
        }
        check(&loaded, &model);
        // Another index, which is given everything.
        ledger.detach().unwrap();
        model.index = Arc::default();
        check(&ledger, &model);
        ledger.attach(model.index.clone());
        index(&mut ledger, &model.index);
        check(&ledger, &model);
    }
}

#[test]
fn what_was_indexed_takes_no_memory() {
    let mut ledger = Ledger::default();
    let chunks = Arc::new(MapChunks::default());
    ledger.attach(chunks.clone());
    ledger.open_queue(1);
    for position in 0..100_000 {
        ledger.place(Place { queue: 1, position }, entry(1, 10)).unwrap();
    }
    assert!(ledger.changed_bytes < 100_000 * 8, "{}", ledger.changed_bytes);
    index(&mut ledger, &chunks);
    assert!(ledger.changed.is_empty());
    ledger.settle(1, Run { first: 0, count: 99_999 }).unwrap();
    assert!(ledger.changed_bytes < 100_000 * 8, "{}", ledger.changed_bytes);
    assert_eq!(ledger.floors().unwrap(), [Place { queue: 1, position: 99_999 }]);
    index(&mut ledger, &chunks);
    assert_eq!(chunks.0.lock().len(), 1);
}

#[test]
fn what_lives_and_dies_between_two_checkpoints_never_reaches_the_index() {
    let mut ledger = Ledger::default();
    ledger.open_queue(1);
    for position in 0..1000 {
        ledger.place(Place { queue: 1, position }, entry(1, 1)).unwrap();
        ledger.settle(1, Run { first: position, count: 1 }).unwrap();
    }
    assert!(ledger.changes(None, 1).is_empty());
    assert_eq!(ledger.floors().unwrap(), [Place { queue: 1, position: 1000 }]);
}
