//! Looking at what is ready without taking it.

use super::Queue;
use super::entry::Entry;
use super::lane::Lane;
use super::ready::Ready;
use super::receiver::Receiver;

impl<R: Receiver> Queue<R> {
    /// The first ready entries, at most `count`, in the order in which they would be delivered, up to the one with
    /// which their bodies pass `bytes_max`. Nothing changes by it, and an entry whose time has passed is shown until
    /// the queue notices.
    pub fn peek(&self, count: usize, bytes_max: usize) -> Vec<Entry> {
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
    /// The entries in the order in which they would be delivered.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        self.lanes().rev().flat_map(Lane::in_order)
    }
}

impl Lane {
    /// Its entries in order of position: those of the line and those beside it, merged.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let mut line = self.line().peekable();
        let mut aside = self.aside().peekable();
        std::iter::from_fn(move || match (line.peek(), aside.peek()) {
            (Some(one), Some(other)) if other.position < one.position => aside.next(),
            (None, _) => aside.next(),
            (Some(_), _) => line.next(),
        })
    }
}
