//! Tests of the ledger against a plain map.

use std::collections::BTreeMap;

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
    ];
    prop::collection::vec(step, 1..200)
}

/// Per queue and position: segment and returns. The index holds what it was last given.
#[derive(Default)]
struct Model {
    queues: BTreeMap<QueueId, BTreeMap<Position, (SegmentId, u32)>>,
    index: BTreeMap<ChunkKey, Vec<Entry>>,
}

fn apply(ledger: &mut Ledger, model: &mut Model, step: &Step) {
    match *step {
        Step::Place { queue, position, segment } => {
            ledger.place(Place { queue, position }, entry(segment, 10));
            if let Some(messages) = model.queues.get_mut(&queue) {
                messages.entry(position).or_default().0 = segment;
            }
        }
        Step::Settle { queue, first, count } => {
            ledger.settle(queue, Run { first, count });
            if let Some(messages) = model.queues.get_mut(&queue) {
                messages.retain(|position, _| !(first..first + count).contains(position));
            }
        }
        Step::Return { queue, position, count } => {
            ledger.returned(Place { queue, position }, count);
            if let Some(message) =
                model.queues.get_mut(&queue).and_then(|messages| messages.get_mut(&position))
            {
                message.1 = count;
            }
        }
        Step::Close { queue } => {
            ledger.close_queue(queue);
            model.queues.remove(&queue);
        }
        Step::Open { queue } => {
            ledger.open_queue(queue);
            model.queues.entry(queue).or_default();
        }
        Step::Index => index(ledger, model),
    }
}

/// Gives the index what it lacks.
fn index(ledger: &mut Ledger, model: &mut Model) {
    for (key, entries) in ledger.dirty() {
        if entries.is_empty() {
            model.index.remove(&key);
        } else {
            model.index.insert(key, entries.to_vec());
        }
    }
    ledger.mark_indexed();
    assert!(ledger.dirty().is_empty());
}

fn all(ledger: &Ledger) -> BTreeMap<Place, (SegmentId, u32)> {
    ledger.iter().map(|(place, entry)| (place, (entry.location.segment, entry.returns))).collect()
}

proptest! {
    #[test]
    fn the_ledger_holds_what_a_plain_map_holds(steps in steps()) {
        let (mut ledger, mut model) = (Ledger::default(), Model::default());
        for step in &steps {
            apply(&mut ledger, &mut model, step);
        }
        let expected: BTreeMap<Place, (SegmentId, u32)> = model
            .queues
            .iter()
            .flat_map(|(&queue, messages)| {
                messages.iter().map(move |(&position, &message)| (Place { queue, position }, message))
            })
            .collect();
        prop_assert_eq!(all(&ledger), expected.clone());
        prop_assert_eq!(ledger.len(), expected.len() as u64);
        for segment in 1..5 {
            let places = expected.values().filter(|message| message.0 == segment).count() as u64;
            prop_assert_eq!(ledger.usage(segment), Usage { places, bytes: places * 10 });
        }
        for floor in ledger.floors() {
            let messages = &model.queues[&floor.queue];
            prop_assert!(messages.range(..floor.position).next().is_none());
        }
        index(&mut ledger, &mut model);
        let mut loaded = Ledger::default();
        for (key, entries) in model.index {
            loaded.load(key, entries);
        }
        prop_assert_eq!(all(&loaded), expected.clone());
        ledger.mark_unindexed();
        let entries: usize = ledger.dirty().iter().map(|(_, entries)| entries.len()).sum();
        prop_assert_eq!(entries, expected.len());
    }
}

#[test]
fn what_lives_and_dies_between_two_checkpoints_never_reaches_the_index() {
    let mut ledger = Ledger::default();
    ledger.open_queue(1);
    for position in 0..1000 {
        ledger.place(Place { queue: 1, position }, entry(1, 1));
        ledger.settle(1, Run { first: position, count: 1 });
    }
    assert!(ledger.dirty().is_empty());
    assert_eq!(ledger.floors(), [Place { queue: 1, position: 1000 }]);
}
