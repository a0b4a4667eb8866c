//! Looking into the ledger, without changing it. What is settled is not seen, even where that was put off.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::super::base::IndexError;
use super::super::chunk::{CHUNK_POSITIONS, ChunkKey, LiveMessage};
use super::super::log::Location;
use super::super::operation::{Place, Position, QueueId};
use super::{Ledger, NUMBER_MAX};
use crate::message::StoredMessage;

/// A live message, and where it stands.
pub(crate) type Located = (Place, LiveMessage);

/// One stretch of a walk through all chunks.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// What was found.
    pub(crate) found: Vec<Located>,
    /// The chunk to go on from; nothing at the end.
    pub(crate) next: Option<ChunkKey>,
    /// How many chunks and queues were looked at.
    pub(crate) count: usize,
}

impl Ledger {
    /// The live messages of a queue in order of position, from a chunk on. Looks at so many chunks at most; returns the
    /// one to go on from.
    pub(crate) fn survey(
        &self,
        queue: QueueId,
        from: u64,
        count_max: usize,
        visit: &mut dyn FnMut(StoredMessage),
    ) -> Result<Option<u64>, IndexError> {
        let mut count = 0;
        let mut next = None;
        self.each_chunk((queue, from), &mut |number, entries| {
            if count == count_max {
                next = Some(number);
                return ControlFlow::Break(());
            }
            count += 1;
            entries.iter().for_each(|entry| visit(entry.stored(number)));
            ControlFlow::Continue(())
        })?;
        Ok(next)
    }

    /// What stands at a queue's positions; those that hold nothing are left out.
    pub(crate) fn locate(
        &self,
        queue: QueueId,
        positions: &[Position],
    ) -> Result<Vec<(Position, LiveMessage)>, IndexError> {
        let Some(known) = self.queues.get(&queue) else { return Ok(Vec::new()) };
        let mut found = Vec::with_capacity(positions.len());
        let mut open: Option<(u64, Vec<LiveMessage>)> = None;
        for position in positions {
            let number = position / CHUNK_POSITIONS;
            if open.as_ref().is_none_or(|(open, _)| *open != number) {
                let entries = match self.changed.get((queue, number)) {
                    Some(chunk) => chunk.content.entries().into_owned(),
                    None if number < known.indexed_end => {
                        let content = self.index.chunk((queue, number))?;
                        content.map(|content| content.entries().into_owned()).unwrap_or_default()
                    }
                    None => Vec::new(),
                };
                open = Some((number, entries));
            }
            let low = (position % CHUNK_POSITIONS) as u8;
            let entries = open.as_ref().map_or(&[][..], |(_, entries)| entries);
            if let Ok(at) = entries.binary_search_by_key(&low, |entry| entry.low)
                && !known.has_settled(*position)
            {
                found.push((*position, entries[at]));
            }
        }
        Ok(found)
    }

    /// The lowest position of a queue that holds a message.
    pub(crate) fn first(&self, queue: QueueId) -> Result<Option<Position>, IndexError> {
        let bottom = self.queues.get(&queue).map_or(0, |queue| queue.bottom);
        let mut first = None;
        self.each_chunk((queue, bottom), &mut |number, entries| {
            first = entries.first().map(|entry| entry.position(number));
            if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(first)
    }

    /// For each queue that has messages a position that is not below any of them.
    pub(crate) fn ceilings(&self) -> impl Iterator<Item = Place> {
        let queues = self.queues.iter().filter(|(_, queue)| queue.entries > 0);
        queues.map(|(id, queue)| {
            debug_assert!(queue.next > 0, "a queue has messages and never gave a position");
            Place { queue: *id, position: queue.next.saturating_sub(1) }
        })
    }

    /// Messages that stand where `is_wanted` says, from the chunk `from` on. Looks at so many chunks and queues at most.
    pub(crate) fn walk(
        &self,
        is_wanted: &dyn Fn(Location, u32) -> bool,
        from: ChunkKey,
        count_max: usize,
    ) -> Result<Walk, IndexError> {
        let mut walk = Walk::default();
        for queue in self.ids.range(from.0..).copied() {
            let start = if queue == from.0 { from.1 } else { 0 };
            if walk.count >= count_max {
                walk.next = Some((queue, start));
                return Ok(walk);
            }
            let before = walk.count;
            if self.queues.get(&queue).is_none_or(|queue| queue.entries == 0) {
                walk.count += 1;
                continue;
            }
            self.each_chunk((queue, start), &mut |number, entries| {
                if walk.count >= count_max {
                    walk.next = Some((queue, number));
                    return ControlFlow::Break(());
                }
                walk.count += 1;
                for entry in entries {
                    if is_wanted(entry.location, entry.share) {
                        let position = entry.position(number);
                        walk.found.push((Place { queue, position }, *entry));
                    }
                }
                ControlFlow::Continue(())
            })?;
            if walk.next.is_some() {
                return Ok(walk);
            }
            // On the way to a chunk a queue costs nothing more.
            walk.count = walk.count.max(before + 1);
        }
        Ok(walk)
    }

    /// Visits a queue's chunks from one on, as they are by now: those that changed, and the others from the index.
    pub(super) fn each_chunk(
        &self,
        (queue, from): ChunkKey,
        visit: &mut dyn FnMut(u64, &[LiveMessage]) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let Some(known) = self.queues.get(&queue) else { return Ok(()) };
        let mut show = |number: u64, mut entries: Cow<'_, [LiveMessage]>| {
            if !known.deferred.is_empty() {
                known.strip(number, entries.to_mut());
            }
            visit(number, &entries)
        };
        let mut here = self.changed.range((queue, from)..=(queue, NUMBER_MAX)).peekable();
        let mut is_over = false;
        if from < known.indexed_end {
            self.index.scan(queue, from..=known.indexed_end - 1, &mut |number, content| {
                while let Some((key, chunk)) = here.next_if(|(key, _)| key.1 < number) {
                    if show(key.1, chunk.content.entries()).is_break() {
                        is_over = true;
                        return ControlFlow::Break(());
                    }
                }
                let step = match here.next_if(|(key, _)| key.1 == number) {
                    Some((_, chunk)) => show(number, chunk.content.entries()),
                    None => show(number, content.entries()),
                };
                is_over = step.is_break();
                step
            })?;
        }
        while !is_over && let Some((key, chunk)) = here.next() {
            is_over = show(key.1, chunk.content.entries()).is_break();
        }
        Ok(())
    }
}
