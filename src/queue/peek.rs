//! Looking at what is ready without taking it.

use super::Queue;
use super::effects::Effects;
use super::entry::Entry;
use super::lane::Lane;
use super::ready::Ready;
use super::receiver::Receiver;

impl<R: Receiver> Queue<R> {
    /// The first ready entries, at most `count`, in the order in which they would be delivered, up to the one with
    /// which their bodies pass `bytes_max`. Nothing changes by it, and an entry whose time has passed is shown until
    /// the queue notices. What is not in memory ends it; when that is so at the head, it is asked for.
    pub fn peek(&mut self, count: usize, bytes_max: usize, fx: &mut Effects<R>) -> Vec<Entry> {
        if self.ready.head().is_none() {
            self.ready.call_head();
            self.ready.take_requests(fx);
        }
        let mut bytes = 0;
        let within = |entry: &&Entry| {
            let before = bytes;
            bytes += entry.bytes() as usize;
            before <= bytes_max
        };
        self.ready.in_order().take(count).take_while(within).cloned().collect()
    }
}

impl Ready {
    /// The entries in the order in which they would be delivered, up to one that is not in memory.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let mut whole = true;
        let lanes = self.lanes().rev().take_while(move |lane| {
            let before = whole;
            whole &= lane.is_shallow();
            before
        });
        lanes.flat_map(Lane::in_order)
    }
}

impl Lane {
    /// The entries of its front in order of position: those of the line and those beside it, merged.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let mut line = self.front().line().peekable();
        let mut aside = self.front().aside().peekable();
        std::iter::from_fn(move || match (line.peek(), aside.peek()) {
            (Some(one), Some(other)) if other.position < one.position => aside.next(),
            (None, _) => aside.next(),
            (Some(_), _) => line.next(),
        })
    }
}
