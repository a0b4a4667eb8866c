//! Tests of the ledger against a plain map.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::message::StoredMessage;
use crate::store::chunk::Content;
use crate::store::log::Location;

/// Nothing here asks which record it was.
const BY: LogPosition = LogPosition { segment: 1, offset: 0 };

fn entry(segment: SegmentId, share: u32) -> LiveMessage {
    LiveMessage {
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
    Place {
        queue: QueueId,
        position: Position,
        segment: SegmentId,
    },
    Settle {
        queue: QueueId,
        first: Position,
        count: u64,
    },
    Return {
        queue: QueueId,
        position: Position,
        count: u32,
    },
    Close {
        queue: QueueId,
    },
    Open {
        queue: QueueId,
    },
    /// Gives the index what it lacks, or begins to, or goes on with that.
    Index {
        slices: usize,
    },
    Pack {
        queue: QueueId,
        number: u64,
    },
    /// Settles so much that it is put off at first.
    SettleMany {
        queue: QueueId,
        first: Position,
    },
    CarryOut {
        count: usize,
    },
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
        5 => (1..12_usize).prop_map(|slices| Step::Index { slices }),
        1 => (queue(), 0..7_u64).prop_map(|(queue, number)| Step::Pack { queue, number }),
        3 => (queue(), position()).prop_map(|(queue, first)| Step::SettleMany { queue, first }),
        3 => (0..4_usize).prop_map(|count| Step::CarryOut { count }),
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
    update: Update,
}

/// An update of the index, as far as it has come.
#[derive(Default)]
enum Update {
    #[default]
    None,
    Dropping,
    Writing(Option<ChunkKey>),
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
            ledger.settle(queue, &[Run { first, count }], BY).unwrap();
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
            ledger.close_queue(queue, BY);
            model.queues.remove(&queue);
        }
        Step::Open { queue } => {
            ledger.open_queue(queue).unwrap();
            model.queues.entry(queue).or_default();
        }
        Step::Pack { queue, number } => ledger.pack([(queue, number)].into_iter()),
        Step::Index { slices } => {
            for _ in 0..slices {
                index_slice(ledger, model);
            }
        }
        Step::SettleMany { queue, first } => {
            // A long run behind two short ones.
            let run = |first, count| Run { first, count };
            let runs = [run(first, 3), run(first + 5, 60), run(first + 70, 1 << 20)];
            ledger.settle(queue, &runs, BY).unwrap();
            if let Some(messages) = model.queues.get_mut(&queue) {
                messages.retain(|position, _| {
                    !runs.iter().any(|run| (run.first..=run.last()).contains(position))
                });
            }
        }
        Step::CarryOut { count } => {
            let looked = ledger.carry_out(count).unwrap();
            assert!(looked <= count + SLACK, "{looked} for {count}");
        }
    }
}

/// A slice looks at a few chunks more than it is told, but not at many.
const SLACK: usize = 4;

/// Does a slice of giving the index what it lacks. Returns whether there is more.
fn index_slice(ledger: &mut Ledger, model: &mut Model) -> bool {
    let mut chunks = model.index.0.lock();
    model.update = match model.update {
        Update::None => {
            ledger.freeze();
            Update::Dropping
        }
        Update::Dropping => match ledger.dropping() {
            None => Update::Writing(None),
            Some(queue) => {
                let keys: Vec<ChunkKey> =
                    chunks.range((queue, 0)..=(queue, NUMBER_MAX)).map(|(key, _)| *key).collect();
                for key in keys.iter().take(2) {
                    let content = Content::from_index(&chunks.remove(key).unwrap()).unwrap();
                    let messages = content.entries().len() as u64;
                    ledger.dropped(queue, messages, ControlFlow::Continue(()));
                }
                if keys.len() <= 2 {
                    ledger.dropped(queue, 0, ControlFlow::Break(()));
                }
                Update::Dropping
            }
        },
        Update::Writing(after) => {
            let changes = ledger.changes(after, 2);
            assert!(changes.count <= 2);
            for (key, content) in &changes.chunks {
                match content {
                    Some(bytes) => chunks.insert(*key, bytes.clone()),
                    None => chunks.remove(key),
                };
            }
            ledger.changes_kept(&changes);
            changes.last.map_or(Update::None, |last| Update::Writing(Some(last)))
        }
    };
    if chunks.len() < 100 {
        let held = |bytes: &Vec<u8>| Content::from_index(bytes).unwrap().entries().len() as u64;
        assert_eq!(ledger.indexed(), chunks.values().map(held).sum::<u64>());
    }
    !matches!(model.update, Update::None)
}

/// Gives the index all that it lacks.
fn index(ledger: &mut Ledger, model: &mut Model) {
    while index_slice(ledger, model) {}
    settle_up(ledger);
    while index_slice(ledger, model) {}
    assert!(
        ledger.changed.last_key().is_none()
            && ledger.closed.is_empty()
            && ledger.dropping.is_empty()
    );
    assert_eq!(ledger.changed_bytes(), 0);
}

/// Carries out all that was put off.
fn settle_up(ledger: &mut Ledger) {
    while ledger.has_deferred() {
        ledger.carry_out(1).unwrap();
    }
}

fn all(ledger: &Ledger) -> BTreeMap<Place, (SegmentId, u32)> {
    let mut all = BTreeMap::new();
    let mut from = Some((0, 0));
    while let Some(start) = from {
        let walk = ledger.walk(&|_, _| true, start, 2).unwrap();
        assert!(walk.count <= 2);
        all.extend(
            walk.found.iter().map(|(p, entry)| (*p, (entry.location.segment, entry.returns))),
        );
        from = walk.next;
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
        let mut visit = |stored: StoredMessage| surveyed.push((stored.position, stored.returns));
        let mut from = Some(0);
        while let Some(start) = from {
            from = ledger.survey(queue, start, 2, &mut visit).unwrap();
        }
        assert_eq!(ledger.first(queue).unwrap(), messages.keys().next().copied());
        assert!(surveyed.into_iter().eq(messages.iter().map(|(p, message)| (*p, message.1))));
    }
    assert_eq!(all(ledger), expected);
    let bytes: usize = ledger.changed.recounted();
    assert_eq!(ledger.changed_bytes(), bytes);
    if ledger.has_deferred() {
        // The counts lag behind.
        return;
    }
    assert_eq!(ledger.len(), expected.len() as u64);
    for segment in 1..5 {
        let places = expected.values().filter(|message| message.0 == segment).count() as u64;
        assert_eq!(ledger.usage(segment), Usage { places, bytes: places * 10 });
    }
}

/// What is kept of floors: each must be the first message, or above all that there ever was.
fn check_floors(ledger: &mut Ledger, model: &Model) {
    let mut unkept = ledger.take_unkept(&[]);
    let mut floors = Vec::new();
    while let Some(queue) = unkept.last().copied() {
        let mut count = 0;
        if let ControlFlow::Continue(floor) = ledger.floor(queue, &mut count, 2).unwrap() {
            unkept.pop();
            floors.extend(floor.map(|position| Place { queue, position }));
        }
        assert!(count <= 2);
    }
    for floor in &floors {
        let first = model.queues[&floor.queue].keys().next();
        assert!(first.is_none_or(|first| *first == floor.position), "{floor:?}, {first:?}");
    }
    ledger.floors_kept(&floors, 7);
    assert!(ledger.take_unkept(&[]).is_empty());
    let mut kept = ledger.take_unkept(&[7]);
    kept.sort_unstable();
    kept.dedup();
    let mut queues: Vec<QueueId> = floors.iter().map(|floor| floor.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    assert_eq!(kept, queues);
}

proptest! {
    #[test]
    fn the_ledger_holds_what_a_plain_map_holds(steps in steps()) {
        let (mut ledger, mut model) = (Ledger::default(), Model::default());
        ledger.attach(model.index.clone());
        for step in &steps {
            apply(&mut ledger, &mut model, step);
            check(&ledger, &model);
        }
        check_floors(&mut ledger, &model);
        index(&mut ledger, &mut model);
        check(&ledger, &model);
        let mut loaded = Ledger::default();
        loaded.attach(model.index.clone());
        for queue in model.queues.keys() {
            loaded.open_queue(*queue).unwrap();
        }
        for (key, bytes) in &*model.index.0.lock() {
            loaded.load(*key, &Content::from_index(bytes).unwrap().entries());
        }
        check(&loaded, &model);
        // Another index, which is given everything.
        let mut from = Some((0, 0));
        while let Some(start) = from {
            from = ledger.fetch_some(start, 2).unwrap();
        }
        ledger.detach().unwrap();
        model.index = Arc::default();
        model.update = Update::None;
        check(&ledger, &model);
        ledger.attach(model.index.clone());
        index(&mut ledger, &mut model);
        check(&ledger, &model);
    }
}

fn place_all(ledger: &mut Ledger, queue: QueueId, positions: std::ops::Range<Position>) {
    ledger.open_queue(queue).unwrap();
    for position in positions {
        ledger.place(Place { queue, position }, entry(1, 10)).unwrap();
    }
}

fn floor(ledger: &mut Ledger, queue: QueueId) -> Option<Position> {
    let floor = ledger.floor(queue, &mut 0, usize::MAX).unwrap();
    if let ControlFlow::Continue(floor) = floor { floor } else { None }
}

#[test]
fn what_was_indexed_takes_no_memory() {
    let (mut ledger, mut model) = (Ledger::default(), Model::default());
    ledger.attach(model.index.clone());
    place_all(&mut ledger, 1, 0..100_000);
    assert!(ledger.changed_bytes() < 100_000 * 8, "{}", ledger.changed_bytes());
    index(&mut ledger, &mut model);
    assert!(ledger.changed.last_key().is_none());
    ledger.settle(1, &[Run { first: 0, count: 99_999 }], BY).unwrap();
    settle_up(&mut ledger);
    assert!(ledger.changed_bytes() < 100_000 * 8, "{}", ledger.changed_bytes());
    assert_eq!(floor(&mut ledger, 1), Some(99_999));
    index(&mut ledger, &mut model);
    assert_eq!(model.index.0.lock().len(), 1);
}

#[test]
fn what_lives_and_dies_between_two_checkpoints_never_reaches_the_index() {
    let mut ledger = Ledger::default();
    ledger.open_queue(1).unwrap();
    for position in 0..1000 {
        ledger.place(Place { queue: 1, position }, entry(1, 1)).unwrap();
        ledger.settle(1, &[Run { first: position, count: 1 }], BY).unwrap();
    }
    ledger.freeze();
    assert!(ledger.changes(None, 1).chunks.is_empty());
    assert_eq!(floor(&mut ledger, 1), Some(1000));
}

/// However many messages a queue has, in memory or in the index, what ends them looks at few chunks at a time.
fn check_slices(is_indexed: bool, end: impl Fn(&mut Ledger)) {
    let (mut ledger, mut model) = (Ledger::default(), Model::default());
    ledger.attach(model.index.clone());
    place_all(&mut ledger, 1, 0..200_000);
    if is_indexed {
        index(&mut ledger, &mut model);
    }
    end(&mut ledger);
    assert!(ledger.first(1).unwrap().is_none_or(|first| first % 2 == 1));
    assert_eq!(ledger.usage(1).places, 200_000, "nothing is done at once");
    let mut looked = Vec::new();
    while ledger.has_deferred() {
        looked.push(ledger.carry_out(256).unwrap());
    }
    let most = looked.iter().max().unwrap();
    assert!(looked.len() >= 3125 / 256 && *most <= 256 + SLACK, "{looked:?}");
    assert_eq!(ledger.len(), ledger.usage(1).places);
    index(&mut ledger, &mut model);
    assert_eq!(ledger.indexed(), ledger.len());
}

#[test]
fn a_purged_queue_is_emptied_in_slices() {
    for is_indexed in [false, true] {
        check_slices(is_indexed, |ledger| {
            ledger.settle(1, &[Run { first: 0, count: 200_000 }], BY).unwrap();
        });
    }
}

#[test]
fn each_second_message_is_settled_in_slices() {
    let runs: Vec<Run> = (0..100_000).map(|at| Run { first: at * 2, count: 1 }).collect();
    for is_indexed in [false, true] {
        check_slices(is_indexed, |ledger| ledger.settle(1, &runs, BY).unwrap());
    }
}

#[test]
fn a_deleted_queue_goes_in_slices() {
    for is_indexed in [false, true] {
        check_slices(is_indexed, |ledger| {
            ledger.close_queue(1, BY);
            assert_eq!(ledger.len(), 0);
        });
    }
}

#[test]
fn an_update_does_not_wait_for_what_changes_behind_it() {
    let mut ledger = Ledger::default();
    place_all(&mut ledger, 1, 0..6400);
    ledger.freeze();
    let mut after = None;
    let mut slices = 0;
    loop {
        let changes = ledger.changes(after, 10);
        ledger.changes_kept(&changes);
        slices += 1;
        let Some(last) = changes.last else { break };
        after = Some(last);
        // More than the update takes, in front of it.
        place_all(&mut ledger, 1, 6400 * slices..6400 * (slices + 1));
        assert!(slices < 1000);
    }
    assert_eq!(ledger.indexed(), 6400);
}

#[test]
#[should_panic(expected = "more goes from segment 1 than is in it")]
#[cfg(debug_assertions)]
fn more_than_there_is_cannot_go() {
    let mut ledger = Ledger::default();
    place_all(&mut ledger, 1, 0..2);
    ledger.usage.remove(&entry(1, 10));
    ledger.settle(1, &[Run { first: 0, count: 2 }], BY).unwrap();
}
