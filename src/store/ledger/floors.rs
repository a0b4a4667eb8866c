//! Floors: of each queue the position below which nothing is alive. They are kept in the journal before a segment goes
//! that may hold settlements of messages in an older segment that stays.
//!
//! Of a queue that lost nothing since its floor was last kept, it need not be kept again, unless the segment goes in
//! which it was kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::super::base::IndexError;
use super::super::chunk::CHUNK_POSITIONS;
use super::super::log::SegmentId;
use super::super::operation::{Place, Position, QueueId};
use super::Ledger;
use super::queue::Queue;

/// Which floors are to be kept, and in which segments others were.
#[derive(Debug, Default)]
pub(super) struct Floors {
    /// Queues that have lost messages since their floor was last kept.
    stale: Vec<QueueId>,
    /// Whose floors were last kept in a segment.
    kept_in: BTreeMap<SegmentId, Vec<QueueId>>,
}

impl Floors {
    /// A queue has lost messages.
    pub(super) fn note_loss(&mut self, id: QueueId, queue: &mut Queue) {
        if !std::mem::replace(&mut queue.is_floor_stale, true) {
            self.stale.push(id);
        }
    }

    /// A segment was deleted.
    pub(super) fn forget(&mut self, segment: SegmentId) {
        self.kept_in.remove(&segment);
    }
}

impl Ledger {
    /// The queues whose floors are to be kept before these segments go. Until [`Ledger::floors_kept`] they are expected to
    /// be kept.
    pub(crate) fn take_unkept(&mut self, going: &[SegmentId]) -> Vec<QueueId> {
        let mut unkept = std::mem::take(&mut self.floors.stale);
        for queue in &unkept {
            if let Some(queue) = self.queues.get_mut(queue) {
                queue.is_floor_stale = false;
            }
        }
        for segment in going {
            let kept = self.floors.kept_in.remove(segment).unwrap_or_default();
            unkept.extend(kept.into_iter().filter(|queue| {
                self.queues.get(queue).is_some_and(|queue| queue.floor_in == *segment)
            }));
        }
        unkept
    }

    /// The floor of a queue, where there is one. Looks at so many chunks; when they do not suffice, returns `Break`, and
    /// the next call goes on.
    pub(crate) fn floor(
        &mut self,
        queue: QueueId,
        count: &mut usize,
        count_max: usize,
    ) -> Result<ControlFlow<(), Option<Position>>, IndexError> {
        *count += 1;
        let Some(known) = self.queues.get(&queue) else { return Ok(ControlFlow::Continue(None)) };
        let mut floor = known.next;
        let mut bottom = known.bottom;
        let mut is_known = true;
        if known.entries > 0 {
            self.each_chunk((queue, bottom), &mut |number, entries| {
                if let Some(first) = entries.first() {
                    bottom = number;
                    floor = first.position(number);
                    return ControlFlow::Break(());
                }
                bottom = number + 1;
                *count += 1;
                if *count < count_max {
                    return ControlFlow::Continue(());
                }
                is_known = false;
                ControlFlow::Break(())
            })?;
        } else {
            bottom = floor / CHUNK_POSITIONS;
        }
        if let Some(known) = self.queues.get_mut(&queue) {
            known.bottom = bottom;
        }
        Ok(if is_known {
            ControlFlow::Continue((floor > 0).then_some(floor))
        } else {
            ControlFlow::Break(())
        })
    }

    /// The floors of these queues are in a segment now.
    pub(crate) fn floors_kept(&mut self, floors: &[Place], segment: SegmentId) {
        for Place { queue, .. } in floors {
            if let Some(known) = self.queues.get_mut(queue) {
                known.floor_in = segment;
                self.floors.kept_in.entry(segment).or_default().push(*queue);
            }
        }
    }
}
