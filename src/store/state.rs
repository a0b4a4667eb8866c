//! What all records of the journal so far have added up to: the topology and the live messages. Replay
//! and the committer apply records through the same function, so a restart cannot see them otherwise
//! than the running store did.

use std::sync::Arc;

use parking_lot::Mutex;

use super::base::IndexError;
use super::chunk::LiveMessage;
use super::ledger::Ledger;
use super::log::{Extent, Location, LogPosition};
use super::operation::{Place, Run};
use super::record::Record;
use super::topology::{Keeper, Topology};

/// The topology and the live messages.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) topology: Topology,
    /// Shared with those who read messages back.
    pub(super) ledger: Arc<Mutex<Ledger>>,
}

/// Whether a record is new or was read back from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It has just been appended: its queues are known.
    Live,
    /// It comes from the journal: a queue's definition may be known otherwise than from the journal's
    /// own records.
    Replay,
    /// The same, at a point that the topology already covers.
    ReplayKnownTopology,
}

impl State {
    /// Applies one record, which stands in the journal at `stand`.
    pub(super) fn apply(
        &mut self,
        record: &Record<'_>,
        extent: Extent,
        reading: Reading,
    ) -> Result<(), IndexError> {
        let mut ledger = self.ledger.lock();
        let Location { segment, offset } = extent.location;
        let by = LogPosition { segment, offset: u64::from(offset) };
        match record {
            Record::Enqueue { places, message } => {
                let share =
                    u32::try_from(extent.bytes / places.len().max(1) as u64).unwrap_or(u32::MAX);
                let facts = &message.facts;
                let entry = LiveMessage {
                    low: 0,
                    priority: facts.priority,
                    location: extent.location,
                    share,
                    returns: 0,
                    body_bytes: u32::try_from(message.body.len()).unwrap_or(u32::MAX),
                    accepted_ms: facts.accepted_ms,
                    expiration_ms: facts.expiration_ms,
                };
                for place in places {
                    if reading != Reading::Live {
                        ledger.open_queue(place.queue)?;
                        self.topology.note_queue_id(place.queue);
                    }
                    ledger.place(*place, entry)?;
                }
            }
            Record::Settle { queue, runs } => {
                ledger.settle(*queue, runs, by)?;
            }
            Record::Returned { queue, position, count } => {
                ledger.returned(Place { queue: *queue, position: *position }, *count)?;
            }
            Record::Topology(_) if reading == Reading::ReplayKnownTopology => {}
            Record::Topology(changes) => {
                for change in changes.iter() {
                    let effect = self.topology.apply(change);
                    for queue in effect.closed {
                        ledger.close_queue(queue, by);
                    }
                    for queue in effect.opened {
                        ledger.open_queue(queue)?;
                    }
                }
            }
            Record::Floors(floors) => {
                for floor in floors.iter().filter(|floor| floor.position > 0) {
                    ledger.settle(floor.queue, &[Run { first: 0, count: floor.position }], by)?;
                }
            }
        }
        if reading != Reading::Live {
            // Nobody waits yet.
            ledger.carry_out(usize::MAX)?;
        }
        Ok(())
    }

    /// Brings ledger and topology together: queues that the topology does not name lose their messages,
    /// and all that it names take messages. Returns how many messages were lost that way.
    pub(super) fn reconcile(&mut self) -> Result<u64, IndexError> {
        let known: rustc_hash::FxHashSet<_> = self.topology.queue_ids().collect();
        let mut ledger = self.ledger.lock();
        let before = ledger.len();
        let unknown: Vec<_> = ledger.queue_ids().filter(|queue| !known.contains(queue)).collect();
        for queue in unknown {
            ledger.close_queue(queue, LogPosition { segment: 0, offset: 0 });
        }
        ledger.carry_out(usize::MAX)?;
        for queue in known {
            ledger.open_queue(queue)?;
        }
        Ok(before - ledger.len())
    }

    /// Whether the definitions on the disk lack something, or the index lacks so much that it should not wait.
    pub(super) fn lacks_anything(&self) -> bool {
        self.topology.is_behind(Keeper::Definitions) || self.ledger.lock().is_heavy()
    }
}
