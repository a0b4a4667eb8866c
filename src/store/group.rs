//! A group: all that the committer found in its inbox at once. What a group's own settlements undo is
//! taken out before anything is written.

use std::ops::RangeInclusive;

use rustc_hash::{FxHashMap, FxHashSet};

use super::inbox::Batch;
use super::operation::{Operation, Place, Position, QueueId};

/// Takes out of the group every place whose message is settled in the same group, and every operation
/// that is left with nothing to say. Runs are left as they are: they are rare and mostly of messages long
/// written. Returns how many places that were.
pub(super) fn elide(group: &mut [Batch]) -> u64 {
    let mut settled = settled_places(group);
    let mut elided: FxHashSet<Place> = FxHashSet::default();
    if !settled.is_empty() {
        for operation in operations(group) {
            if let Operation::Enqueue { places, .. } = operation {
                places.retain(|place| {
                    let gone = settled.remove(place);
                    if gone {
                        elided.insert(*place);
                    }
                    !gone
                });
            }
        }
    }
    if !elided.is_empty() {
        for operation in operations(group) {
            if let Operation::Settle { queue, positions } = operation {
                let queue = *queue;
                positions.retain(|&position| !elided.contains(&Place { queue, position }));
            }
        }
    }
    for batch in group {
        batch.operations.retain(|operation| match operation {
            Operation::Enqueue { places, .. } => !places.is_empty(),
            Operation::Settle { positions, .. } => !positions.is_empty(),
            Operation::SettleRuns { runs, .. } => !runs.is_empty(),
            Operation::Returned { queue, position, .. } => {
                !elided.contains(&Place { queue: *queue, position: *position })
            }
            Operation::Topology(changes) => !changes.is_empty(),
        });
    }
    elided.len() as u64
}

/// What the group settles of the positions that enter in it. Those of older messages, of which there may be any number,
/// are only looked at.
fn settled_places(group: &mut [Batch]) -> FxHashSet<Place> {
    let mut entering: FxHashMap<QueueId, RangeInclusive<Position>> = FxHashMap::default();
    let mut settled = FxHashSet::default();
    let settles = operations(group).any(|operation| matches!(operation, Operation::Settle { .. }));
    if !settles {
        return settled;
    }
    for operation in operations(group) {
        let Operation::Enqueue { places, .. } = operation else { continue };
        for Place { queue, position } in places.iter().copied() {
            let range = entering.entry(queue).or_insert(position..=position);
            *range = position.min(*range.start())..=position.max(*range.end());
        }
    }
    for operation in operations(group) {
        if let Operation::Settle { queue, positions } = operation
            && let Some(entering) = entering.get(queue)
        {
            let queue = *queue;
            let near = positions.iter().filter(|position| entering.contains(position));
            settled.extend(near.map(|&position| Place { queue, position }));
        }
    }
    settled
}

fn operations(group: &mut [Batch]) -> impl Iterator<Item = &mut Operation> {
    group.iter_mut().flat_map(|batch| &mut batch.operations)
}

/// Whether an operation has to be on the disk even when nobody waits for it. A settlement that is lost
/// brings its message back, which at-least-once delivery allows.
pub(super) fn must_be_durable(operation: &Operation) -> bool {
    match operation {
        Operation::Enqueue { .. } | Operation::Topology(_) => true,
        Operation::Settle { .. } | Operation::SettleRuns { .. } | Operation::Returned { .. } => {
            false
        }
    }
}

#[cfg(test)]
mod tests;
