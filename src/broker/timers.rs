//! When which queue has to be looked at: messages and queues that expire.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Broker;
use super::queue_handle::{QueueHandle, QueueRef};
use crate::queue::Condition;

/// So many alarms are kept without a look at whether anybody wants them.
const UNSWEPT_MAX: usize = 64;

/// Queues by the time at which they want to be looked at. Alarms of queues that are gone, and those that are no
/// longer a queue's own time, are passed over when they come up, and swept out before they outnumber the others.
pub(super) struct Timers {
    heap: Mutex<Heap>,
    sooner: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Heap {
    alarms: BinaryHeap<Reverse<Alarm>>,
    /// How many alarms there were when those were swept out that nobody wants.
    swept: usize,
}

impl Heap {
    fn push(&mut self, alarm: Alarm) {
        if self.alarms.len() > 2 * self.swept + UNSWEPT_MAX {
            self.sweep();
        }
        self.alarms.push(Reverse(alarm));
    }

    /// Keeps one alarm for each queue that wants one.
    fn sweep(&mut self) {
        let mut alarms = std::mem::take(&mut self.alarms).into_vec();
        alarms.retain(|Reverse(alarm)| alarm.is_wanted());
        alarms.sort_unstable_by_key(|Reverse(alarm)| (alarm.at_ms, alarm.queue.as_ptr()));
        alarms.dedup_by(|Reverse(one), Reverse(other)| one.queue.ptr_eq(&other.queue));
        alarms.shrink_to(2 * alarms.len());
        self.swept = alarms.len();
        self.alarms = alarms.into();
    }
}

struct Alarm {
    at_ms: u64,
    queue: Weak<QueueHandle>,
}

impl Alarm {
    fn is_wanted(&self) -> bool {
        let current = |queue: QueueRef| queue.timer_ms.load(Ordering::Acquire) == self.at_ms;
        self.queue.upgrade().is_some_and(current)
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}

impl Timers {
    /// `sooner` is called when a queue wants to be looked at before everything that was known.
    pub(super) fn new(sooner: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { heap: Mutex::default(), sooner }
    }

    /// Takes note that a queue wants to be looked at. It will be, at that time or before.
    pub(super) fn watch(&self, queue: &QueueRef, at_ms: u64) {
        if queue.timer_ms.fetch_min(at_ms, Ordering::AcqRel) <= at_ms {
            return;
        }
        let mut heap = self.heap.lock();
        let first = heap.alarms.peek().is_none_or(|Reverse(alarm)| at_ms < alarm.at_ms);
        heap.push(Alarm { at_ms, queue: Arc::downgrade(queue) });
        drop(heap);
        if first {
            (self.sooner)();
        }
    }

    /// The next queue whose time has come.
    fn next_due(&self, now_ms: u64) -> Option<QueueRef> {
        let mut heap = self.heap.lock();
        while heap.alarms.peek().is_some_and(|Reverse(alarm)| alarm.at_ms <= now_ms) {
            let Reverse(alarm) = heap.alarms.pop()?;
            let Some(queue) = alarm.queue.upgrade() else { continue };
            let current = queue.timer_ms.compare_exchange(
                alarm.at_ms,
                u64::MAX,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if current.is_ok() {
                return Some(queue);
            }
        }
        None
    }

    fn next_ms(&self) -> Option<u64> {
        self.heap.lock().alarms.peek().map(|Reverse(alarm)| alarm.at_ms)
    }
}

impl Broker {
    /// Looks at every queue whose time has come, and answers when to do so again; `None` when only a call of
    /// the `deadline` hook will tell.
    pub fn tick(&self, now_ms: u64) -> Option<u64> {
        while let Some(queue) = self.timers.next_due(now_ms) {
            self.expire(&queue, now_ms);
        }
        self.timers.next_ms()
    }

    fn expire(&self, queue: &QueueRef, now_ms: u64) {
        let is_expired = self.with_queue(queue, now_ms, |state, fx| {
            state.expire(now_ms, fx);
            state.is_expired(now_ms)
        });
        // Nobody waits for this deletion to be on the disk. Whoever uses the queue meanwhile keeps it.
        if is_expired && self.remove_queue(queue, &[Condition::Expired], now_ms).is_ok() {
            log::info!("queue '{}' in vhost '{}' expired", queue.name, queue.vhost.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(at_ms: u64) -> Alarm {
        Alarm { at_ms, queue: Weak::new() }
    }

    #[test]
    fn alarms_of_queues_that_are_gone_do_not_gather() {
        let mut heap = Heap::default();
        for at_ms in 0..10_000 {
            heap.push(alarm(u64::MAX - at_ms));
            assert!(heap.alarms.len() <= UNSWEPT_MAX + 1);
        }
    }
}
