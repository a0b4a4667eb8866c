//! Looking at what is ready without taking it.

use super::effects::Effects;
use super::entry::Entry;
use super::receiver::Receiver;
use super::state::Queue;

impl<R: Receiver> Queue<R> {
    /// The first ready entries, at most `count`, in the order in which they would be delivered, up to the one with
    /// which their bodies pass `bytes_max`. Nothing changes by it, and an entry whose time has passed is shown until
    /// the queue notices. What is not in memory ends it; when that is so at the head, it is asked for.
    pub fn peek(&mut self, count: usize, bytes_max: usize, fx: &mut Effects<R>) -> Vec<Entry> {
        if self.ready.head().is_none() {
            self.ready.request_head();
            self.hand_over_requests(fx);
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
