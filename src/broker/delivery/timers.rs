//! When which queue has to be looked at: messages and queues that expire.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::broker::Broker;
use crate::broker::delivery::dead_lettering::Budget;
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::queue_handle::{QueueHandle, QueueRef};
use crate::queue::DeleteCondition;

/// So many alarms are kept without a look at whether anybody wants them.
const UNSWEPT_MAX: usize = 64;

/// So many queues are looked at in one tick.
const QUEUES_PER_TICK: usize = 256;

/// Queues by the time at which they want to be looked at. Alarms of queues that are gone, and those that are no
/// longer a queue's own time, are passed over when they come up, and swept out before they outnumber the others.
pub(in crate::broker) struct Timers {
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
    pub(in crate::broker) fn new(sooner: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { heap: Mutex::default(), sooner }
    }

    /// Takes note that a queue wants to be looked at. It will be, at that time or before.
    pub(in crate::broker) fn watch(&self, queue: &QueueRef, at_ms: u64) {
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
    /// Looks at queues whose time has come, and answers when to do so again, which may be at once; `None` when only a
    /// call of the `deadline` hook will tell.
    pub fn tick(&self, now_ms: u64) -> Option<u64> {
        let mut budget = Budget::of_a_turn();
        for _ in 0..QUEUES_PER_TICK {
            let Some(queue) = self.timers.next_due(now_ms) else { break };
            // One that is being tended is looked at by whoever does.
            if !queue.tended.swap(true, Ordering::AcqRel) {
                let mut tending = Tending { queue };
                if tending.go_on(self, &mut budget, now_ms) != Progress::Over {
                    self.errands.add(Box::new(tending));
                }
            }
        }
        self.timers.next_ms()
    }
}

/// A queue in which more has passed its time, or is too much, than is done in a turn.
struct Tending {
    queue: QueueRef,
}

impl Tending {
    fn go_on(&mut self, broker: &Broker, budget: &mut Budget, now_ms: u64) -> Progress {
        let queue = &self.queue;
        if queue.is_stored() && broker.store.is_full() {
            return Progress::Waits;
        }
        // What died is buried first, so that it does not gather here.
        if budget.is_spent() || queue.grave.is_occupied() {
            return if broker.store.is_full() { Progress::Waits } else { Progress::More };
        }
        let ((is_expired, deadline_ms), deaths) =
            broker.work_on(queue, None, now_ms, |state, fx| {
                state.tend(now_ms, fx);
                (state.is_expired(now_ms), state.next_deadline_ms())
            });
        broker.attend(deaths, budget, now_ms);
        queue.tell_getters(Ok(()));
        // Nobody waits for this deletion to be on the disk. Whoever uses the queue meanwhile keeps it.
        if is_expired && broker.remove_queue(queue, &[DeleteCondition::Expired], now_ms).is_ok() {
            log::info!("queue '{}' in vhost '{}' expired", queue.name, queue.vhost.name);
        } else if deadline_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            return Progress::More;
        }
        queue.tended.store(false, Ordering::SeqCst);
        // Whoever found it tended until now has left it to this.
        let deadline_ms = queue.read(|state| state.next_deadline_ms());
        if let Some(at_ms) = deadline_ms {
            broker.timers.watch(queue, at_ms);
        }
        Progress::Over
    }
}

impl Errand for Tending {
    /// What a stop leaves here is still in its queue.
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        self.go_on(broker, &mut Budget::of_a_turn(), now_ms)
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
