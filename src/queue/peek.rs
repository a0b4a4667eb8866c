//! Looking at what is ready without taking it.

use super::Queue;
use super::entry::Entry;
use super::lane::Lane;
use super::ready::Ready;
use super::receiver::Receiver;

impl<R: Receiver> Queue<R> {
    /// The first ready entries, at most `count`, in the order in which they would be delivered. Nothing changes by
    /// it, and an entry whose time has passed is shown until the queue notices.
    pub fn peek(&self, count: usize) -> Vec<Entry> {
        self.ready.first(count)
    }
}

impl Ready {
    fn first(&self, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for lane in self.lanes().rev() {
            lane.first(count - entries.len(), &mut entries);
            if entries.len() == count {
                break;
            }
        }
        entries
    }
}

impl Lane {
    /// Appends its first entries, at most `count`.
    fn first(&self, count: usize, into: &mut Vec<Entry>) {
        let mut line = self.line().peekable();
        let mut aside = self.aside().peekable();
        for _ in 0..count {
            let next = match (line.peek(), aside.peek()) {
                (Some(one), Some(other)) if other.position < one.position => aside.next(),
                (None, _) => aside.next(),
                (Some(_), _) => line.next(),
            };
            let Some(entry) = next else { return };
            into.push(entry.clone());
        }
    }
}
