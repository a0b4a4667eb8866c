//! How often messages came back, while the store's inbox is full. Whoever gives messages back again and again would fill
//! memory, and may not be held back, because others wait for its acknowledgements: so each message has one place here,
//! for its latest count, and is written down when there is room.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::broker::Broker;
use crate::broker::errands::{Errand, Progress};
use crate::queue::Position;
use crate::store::Operation;

/// So many counts are written in a slice.
const COUNTS_PER_SLICE: usize = 1_024;

/// Counts that are still to be written.
#[derive(Default)]
pub(in crate::broker) struct Returns(Mutex<Later>);

#[derive(Default)]
struct Later {
    /// By queue and position.
    counts: FxHashMap<(u64, Position), u32>,
    /// Somebody is to write them, and every other until then, so that an older count never follows a newer one.
    expected: bool,
}

/// Writes counts when there is room.
struct Returning;

impl Broker {
    /// Writes down how often messages of a queue came back, or leaves that for later.
    pub(in crate::broker) fn note_returned(
        &self,
        queue: u64,
        returned: &mut Vec<(Position, u32)>,
        operations: &mut Vec<Operation>,
    ) {
        let mut later = self.returns.0.lock();
        let returned = returned.drain(..);
        if !self.store.is_full() && !later.expected {
            let written =
                returned.map(|(position, count)| Operation::Returned { queue, position, count });
            operations.extend(written);
            return;
        }
        later.counts.extend(returned.map(|(position, count)| ((queue, position), count)));
        let is_expected = std::mem::replace(&mut later.expected, true);
        drop(later);
        if !is_expected {
            self.errands.add(Box::new(Returning));
        }
    }

    fn write_returned(&self) -> Progress {
        let mut later = self.returns.0.lock();
        if later.counts.is_empty() {
            *later = Later::default();
            return Progress::Over;
        }
        let some: Vec<_> = later.counts.keys().take(COUNTS_PER_SLICE).copied().collect();
        let mut operations = Vec::with_capacity(some.len());
        for (queue, position) in some {
            if let Some(count) = later.counts.remove(&(queue, position)) {
                operations.push(Operation::Returned { queue, position, count });
            }
        }
        drop(later);
        self.store.append(operations, None);
        Progress::More
    }
}

impl Errand for Returning {
    fn step(&mut self, broker: &Broker, _now_ms: u64) -> Progress {
        if broker.store.is_full() { Progress::Waits } else { broker.write_returned() }
    }

    /// A message that came back says so after a stop.
    fn finish(&mut self, broker: &Broker) {
        while broker.write_returned() != Progress::Over {}
    }
}
