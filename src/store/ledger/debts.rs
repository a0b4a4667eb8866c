//! What is owed: settlements over many chunks and deleted queues, whose messages are dead and still stand in their
//! chunks. They are taken out a few chunks at a time, in the order in which they came.
//!
//! A settlement that is owed hides its messages from everybody who looks. So it does not matter how far it is paid,
//! save for the counts: of messages, and of what is alive in a segment, which can be deleted once nothing is.

use std::ops::ControlFlow;

use super::super::base::IndexError;
use super::super::chunk::{ChunkKey, Content, Entry};
use super::super::log::LogPosition;
use super::super::operation::{Position, QueueId, Run};
use super::{Ledger, Queue, release};

/// Something to be paid, and the position of the record that says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owed {
    /// The first settlement that its queue owes.
    Settlement(QueueId, LogPosition),
    Closing(QueueId, LogPosition),
}

/// Positions that are to be settled.
#[derive(Debug)]
pub(super) struct Settlement {
    /// In order and apart.
    runs: Vec<Run>,
    /// The first run that is not settled.
    at: usize,
    /// What is left of that run.
    rest: Option<Run>,
}

/// A deleted queue.
#[derive(Debug)]
pub(super) struct Closing {
    /// What is before this chunk counts no more.
    from: u64,
    /// From this chunk on the index holds nothing.
    indexed_end: u64,
}

/// Chunks of one queue.
pub(super) struct Gathered {
    /// Those in memory.
    pub(super) here: Vec<u64>,
    /// Those that only the index has.
    pub(super) indexed: Vec<(u64, Content)>,
    /// How many chunks were looked at.
    pub(super) count: usize,
    /// The chunk to go on from, if there may be more.
    pub(super) next: Option<u64>,
}

impl Settlement {
    fn new(mut runs: Vec<Run>) -> Self {
        if !runs.is_sorted_by(|one, other| one.last() < other.first) {
            runs.sort_unstable_by_key(|run| run.first);
            runs.dedup_by(|run, before| {
                let overlaps = run.first <= before.last();
                if overlaps {
                    before.count = run.last().max(before.last()) - before.first + 1;
                }
                overlaps
            });
        }
        let rest = runs.first().copied();
        Self { runs, at: 0, rest }
    }

    /// Whether a position is still to be settled by this.
    fn covers(&self, position: Position) -> bool {
        let at = self.runs.partition_point(|run| run.last() < position);
        let run = match at.cmp(&self.at) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => self.rest.as_ref(),
            std::cmp::Ordering::Greater => self.runs.get(at),
        };
        run.is_some_and(|run| (run.first..=run.last()).contains(&position))
    }
}

impl Closing {
    pub(super) fn new(indexed_end: u64) -> Self {
        Self { from: 0, indexed_end }
    }
}

impl Queue {
    /// Whether the message at a position is dead though it still stands in its chunk.
    pub(super) fn owes(&self, position: Position) -> bool {
        self.owed.iter().any(|settlement| settlement.covers(position))
    }

    /// Takes out what is dead.
    pub(super) fn strip(&self, number: u64, entries: &mut Vec<Entry>) {
        entries.retain(|entry| !self.owes(entry.position(number)));
    }
}

impl Ledger {
    /// A settlement that spans more chunks than this is owed at first.
    pub(crate) fn owe_above(&mut self, chunks: usize) {
        self.owed_above = chunks as u64;
    }

    /// Whether anything is owed.
    pub(crate) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// The position of the oldest record that is not yet carried out.
    pub(crate) fn owed_since(&self) -> Option<LogPosition> {
        // They came in the order of their records.
        self.owed.front().map(|owed| match owed {
            Owed::Settlement(_, by) | Owed::Closing(_, by) => *by,
        })
    }

    /// Pays by looking at so many chunks, or a few more. Returns at how many it looked.
    pub(crate) fn pay(&mut self, count_max: usize) -> Result<usize, IndexError> {
        let mut count = 0;
        while count < count_max
            && let Some(owed) = self.owed.front().copied()
        {
            let left = count_max - count;
            let is_paid = match owed {
                Owed::Settlement(queue, _) => self.pay_settlement(queue, left, &mut count)?,
                Owed::Closing(queue, _) => self.pay_closing(queue, left, &mut count)?,
            };
            if is_paid {
                self.owed.pop_front();
            }
        }
        Ok(count)
    }

    pub(super) fn owe_settlement(&mut self, queue: QueueId, runs: &[Run], by: LogPosition) {
        let Some(owing) = self.queues.get_mut(&queue) else { return };
        owing.owed.push_back(Settlement::new(runs.to_vec()));
        self.owed.push_back(Owed::Settlement(queue, by));
    }

    /// Pays all that a queue owes.
    pub(super) fn pay_settlements(&mut self, queue: QueueId) -> Result<(), IndexError> {
        while self.queues.get(&queue).is_some_and(|queue| !queue.owed.is_empty()) {
            self.pay_settlement(queue, usize::MAX, &mut 0)?;
        }
        self.owed.retain(|owed| !matches!(owed, Owed::Settlement(owing, _) if *owing == queue));
        Ok(())
    }

    /// Pays some of the first settlement that a queue owes. Returns whether that is all of it.
    fn pay_settlement(
        &mut self,
        queue: QueueId,
        count_max: usize,
        count: &mut usize,
    ) -> Result<bool, IndexError> {
        let mut paid = 0;
        // A queue that has gone meanwhile owes nothing: all its messages went.
        while let Some(owing) = self.queues.get_mut(&queue)
            && let Some(settlement) = owing.owed.front_mut()
        {
            let Some(run) = settlement.rest else {
                owing.owed.pop_front();
                break;
            };
            if paid >= count_max {
                *count += paid;
                return Ok(false);
            }
            let (looked, rest) = self.settle_some(queue, run, count_max - paid)?;
            paid += looked;
            if let Some(owing) = self.queues.get_mut(&queue)
                && let Some(settlement) = owing.owed.front_mut()
            {
                settlement.rest = rest;
                if rest.is_none() {
                    settlement.at += 1;
                    settlement.rest = settlement.runs.get(settlement.at).copied();
                }
            }
        }
        *count += paid.max(1);
        Ok(true)
    }

    /// Takes a deleted queue out for good.
    pub(super) fn finish_closing(&mut self, queue: QueueId) -> Result<(), IndexError> {
        if self.closing.contains_key(&queue) {
            while !self.pay_closing(queue, usize::MAX, &mut 0)? {}
            self.owed.retain(|owed| !matches!(owed, Owed::Closing(gone, _) if *gone == queue));
        }
        Ok(())
    }

    /// Takes some chunks of a deleted queue out. Returns whether they were the last.
    fn pay_closing(
        &mut self,
        queue: QueueId,
        count_max: usize,
        count: &mut usize,
    ) -> Result<bool, IndexError> {
        let Some(&Closing { from, indexed_end }) = self.closing.get(&queue) else {
            return Ok(true);
        };
        let found = self.gather((queue, from), super::NUMBER_MAX, indexed_end, count_max)?;
        for number in found.here {
            if let Some(chunk) = self.changed.remove(&(queue, number)) {
                self.changed_bytes -= chunk.bytes();
                chunk.content.entries().iter().for_each(|entry| release(&mut self.usage, entry));
            }
        }
        for (_, content) in found.indexed {
            content.entries().iter().for_each(|entry| release(&mut self.usage, entry));
        }
        *count += found.count.max(1);
        match (found.next, self.closing.get_mut(&queue)) {
            (Some(next), Some(closing)) => {
                closing.from = next;
                Ok(false)
            }
            _ => {
                self.closing.remove(&queue);
                if indexed_end > 0 {
                    self.closed.insert(queue);
                }
                Ok(true)
            }
        }
    }

    /// The chunks of a queue from one on up to `last`, but not many more than so many.
    pub(super) fn gather(
        &self,
        (queue, first): ChunkKey,
        last: u64,
        indexed_end: u64,
        count_max: usize,
    ) -> Result<Gathered, IndexError> {
        let count_max = count_max.max(1);
        let range = (queue, first)..=(queue, last);
        let mut here: Vec<u64> =
            self.changed.range(range).take(count_max).map(|(key, _)| key.1).collect();
        // How far all chunks are known.
        let mut bound = last;
        if here.len() == count_max {
            bound = here.last().copied().unwrap_or(last);
        }
        let mut indexed = Vec::new();
        let mut looked = 0;
        if first < indexed_end {
            let end = bound.min(indexed_end - 1);
            self.index.scan(queue, first..=end, &mut |number, content| {
                looked += 1;
                // What is here was changed since, or was found to be gone.
                if !self.changed.contains_key(&(queue, number)) {
                    indexed.push((number, content));
                }
                if looked < count_max {
                    return ControlFlow::Continue(());
                }
                bound = bound.min(number);
                ControlFlow::Break(())
            })?;
        }
        here.retain(|number| *number <= bound);
        let count = here.len() + looked;
        let next = (bound < last).then_some(bound + 1);
        Ok(Gathered { here, indexed, count, next })
    }
}
