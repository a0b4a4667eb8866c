//! What was put off: settlements over many chunks and deleted queues, whose messages are dead and still stand in their
//! chunks. They are taken out a few chunks at a time, in the order in which they came.
//!
//! A settlement that was put off hides its messages from everybody who looks. So it does not matter how far it is carried
//! out, save for the counts: of messages, and of what is alive in a segment, which can be deleted once nothing is.

use std::ops::ControlFlow;

use super::super::base::IndexError;
use super::super::chunk::{ChunkKey, Content};
use super::super::log::LogPosition;
use super::super::operation::{QueueId, Run};
use super::Ledger;
use super::settlement::Settlement;

/// Something that was put off, and the position of the record that says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deferred {
    /// The first settlement of its queue that was put off.
    Settlement(QueueId, LogPosition),
    Closing(QueueId, LogPosition),
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

impl Closing {
    pub(super) fn new(indexed_end: u64) -> Self {
        Self { from: 0, indexed_end }
    }
}

impl Ledger {
    /// A settlement that spans more chunks than this is put off at first.
    pub(crate) fn defer_above(&mut self, chunks: usize) {
        self.deferred_above = chunks as u64;
    }

    /// Whether anything is deferred.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// The position of the oldest record that is not yet carried out.
    pub(crate) fn deferred_since(&self) -> Option<LogPosition> {
        // They came in the order of their records.
        self.deferred.front().map(|deferred| match deferred {
            Deferred::Settlement(_, by) | Deferred::Closing(_, by) => *by,
        })
    }

    /// Carries out some of what was put off, looking at so many chunks or a few more. Returns the number looked at.
    pub(crate) fn carry_out(&mut self, count_max: usize) -> Result<usize, IndexError> {
        let mut count = 0;
        while count < count_max
            && let Some(deferred) = self.deferred.front().copied()
        {
            let left = count_max - count;
            let is_done = match deferred {
                Deferred::Settlement(queue, _) => {
                    self.carry_out_settlement(queue, left, &mut count)?
                }
                Deferred::Closing(queue, _) => self.carry_out_closing(queue, left, &mut count)?,
            };
            if is_done {
                self.deferred.pop_front();
            }
        }
        Ok(count)
    }

    pub(super) fn defer_settlement(&mut self, queue: QueueId, runs: &[Run], by: LogPosition) {
        let Some(known) = self.queues.get_mut(&queue) else { return };
        known.deferred.push_back(Settlement::new(runs.to_vec()));
        self.deferred.push_back(Deferred::Settlement(queue, by));
    }

    /// Carries out all settlements of a queue.
    pub(super) fn carry_out_settlements(&mut self, queue: QueueId) -> Result<(), IndexError> {
        while self.queues.get(&queue).is_some_and(|queue| !queue.deferred.is_empty()) {
            self.carry_out_settlement(queue, usize::MAX, &mut 0)?;
        }
        self.deferred.retain(
            |deferred| !matches!(deferred, Deferred::Settlement(known, _) if *known == queue),
        );
        Ok(())
    }

    /// Carries out some of a queue's first settlement. Returns whether that is all of it.
    fn carry_out_settlement(
        &mut self,
        queue: QueueId,
        count_max: usize,
        count: &mut usize,
    ) -> Result<bool, IndexError> {
        let mut looked_at = 0;
        // A queue that has gone meanwhile has none: all its messages went.
        while let Some(known) = self.queues.get_mut(&queue)
            && let Some(settlement) = known.deferred.front_mut()
        {
            let Some(run) = settlement.rest() else {
                known.deferred.pop_front();
                break;
            };
            if looked_at >= count_max {
                *count += looked_at;
                return Ok(false);
            }
            let (looked, rest) = self.settle_some(queue, run, count_max - looked_at)?;
            looked_at += looked;
            if let Some(known) = self.queues.get_mut(&queue)
                && let Some(settlement) = known.deferred.front_mut()
            {
                settlement.go_on(rest);
            }
        }
        *count += looked_at.max(1);
        Ok(true)
    }

    /// Takes a deleted queue out for good.
    pub(super) fn finish_closing(&mut self, queue: QueueId) -> Result<(), IndexError> {
        if self.closing.contains_key(&queue) {
            while !self.carry_out_closing(queue, usize::MAX, &mut 0)? {}
            self.deferred.retain(
                |deferred| !matches!(deferred, Deferred::Closing(gone, _) if *gone == queue),
            );
        }
        Ok(())
    }

    /// Takes some chunks of a deleted queue out. Returns whether they were the last.
    fn carry_out_closing(
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
            if let Some(chunk) = self.changed.remove((queue, number)) {
                chunk.content.entries().iter().for_each(|entry| self.usage.remove(entry));
            }
        }
        for (_, content) in found.indexed {
            content.entries().iter().for_each(|entry| self.usage.remove(entry));
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
                if !self.changed.contains((queue, number)) {
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
