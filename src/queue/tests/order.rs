//! The order in which messages expire: of two that wait in one priority, the one that stands in front goes first unless it
//! lives longer, however deep the queue is, and however late what is not in memory arrives.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const TTL_MS: u64 = 50;
const RECALL_MS: u64 = 20;

/// Where so much waits at most, what the queue counts by hand is counted anew after each step.
const RECOUNTED_MAX: usize = 50;

#[derive(Debug, Clone)]
enum Step {
    /// So many, durable or not, of a priority, that live so long at most.
    Publish(usize, bool, u8, Option<u64>),
    Get,
    Pass(u64),
    Evict(usize),
    Load(usize),
    FailLoad(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let life_ms = prop_oneof![2 => Just(None), 1 => (0u64..100).prop_map(Some)];
    prop_oneof![
        6 => (1usize..12, prop::bool::weighted(0.8), 0u8..2, life_ms)
            .prop_map(|(count, durable, priority, ms)| Step::Publish(count, durable, priority, ms)),
        1 => Just(Step::Get),
        3 => (0u64..30).prop_map(Step::Pass),
        4 => any::<usize>().prop_map(Step::Evict),
        4 => any::<usize>().prop_map(Step::Load),
        1 => any::<usize>().prop_map(Step::FailLoad),
    ]
}

/// A queue whose paging happens when it likes, and what waits in it.
struct Waiting {
    rig: Rig,
    leaving: Vec<SpanId>,
    wanted: Vec<LoadRequest>,
    /// When each expires, by priority and position.
    ready: BTreeMap<(u8, Position), u64>,
}

impl Waiting {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Publish(count, durable, priority, life_ms) => {
                self.publish(*count, *durable, *priority, *life_ms);
            }
            Step::Get => {
                let fetched =
                    self.rig.queue.get(AckMode::Automatic, self.rig.now_ms, &mut self.rig.fx);
                self.dead_letter();
                if let GetOutcome::Got(got) = fetched {
                    let priority = got.entry.message.facts().priority.min(self.priority_max());
                    self.ready.remove(&(priority, got.entry.position)).unwrap();
                }
            }
            Step::Pass(ms) => self.rig.pass(*ms),
            Step::Evict(index) => {
                if !self.leaving.is_empty() {
                    let id = self.leaving.swap_remove(index % self.leaving.len());
                    self.rig.queue.evicted(id);
                }
            }
            Step::Load(index) => {
                if !self.wanted.is_empty() {
                    let request = self.wanted.swap_remove(index % self.wanted.len());
                    self.rig.load(request);
                }
            }
            Step::FailLoad(index) => {
                if !self.wanted.is_empty() {
                    let request = self.wanted.swap_remove(index % self.wanted.len());
                    self.rig.queue.load_failed(request.span, self.rig.now_ms);
                }
            }
        }
        self.dead_letter();
        self.leaving.append(&mut self.rig.fx.evictable);
        self.wanted.append(&mut self.rig.fx.load_requests);
        if self.ready.len() <= RECOUNTED_MAX {
            self.rig.queue.check();
        }
        assert_eq!(self.rig.queue.counts().ready, self.ready.len() as u64);
    }

    fn publish(&mut self, count: usize, durable: bool, priority: u8, life_ms: Option<u64>) {
        let facts = Facts { priority, expiration_ms: life_ms, ..Facts::default() };
        let entries: Vec<_> =
            (0..count).map(|_| Entry { durable, ..self.rig.entry_with(facts, 1) }).collect();
        let life_ms = life_ms.into_iter().chain(self.rig.queue.options().message_ttl_ms).min();
        let at_ms = life_ms.map_or(NEVER_MS, |ms| self.rig.now_ms + ms);
        let priority = priority.min(self.priority_max());
        self.ready.extend(entries.iter().map(|entry| ((priority, entry.position), at_ms)));
        self.rig.append(entries);
    }

    /// Whoever dies next has nobody in front of him who should have died by then.
    fn dead_letter(&mut self) {
        for Dead { entry, .. } in std::mem::take(&mut self.rig.fx.dead) {
            let priority = entry.message.facts().priority.min(self.priority_max());
            let key = (priority, entry.position);
            let at_ms = self.ready.remove(&key).unwrap();
            assert!(at_ms <= self.rig.now_ms);
            let before = self.ready.range((priority, 0)..key).find(|(_, ms)| **ms <= at_ms);
            assert_eq!(before, None, "has to go before {key:?}, which expired at {at_ms}");
        }
    }

    /// Lets everything come and go, and time pass for as long as somebody wants to be looked at.
    fn finish(&mut self) {
        loop {
            while !(self.leaving.is_empty() && self.wanted.is_empty()) {
                self.apply(&Step::Evict(0));
                self.apply(&Step::Load(0));
            }
            let Some(deadline_ms) = self.rig.queue.next_deadline_ms() else { break };
            self.apply(&Step::Pass(deadline_ms.saturating_sub(self.rig.now_ms)));
        }
        assert!(self.ready.values().all(|at_ms| *at_ms == NEVER_MS), "{:?}", self.ready);
    }

    fn priority_max(&self) -> u8 {
        self.rig.queue.options().priority_max.unwrap_or(0)
    }
}

fn waiting(messages: usize, ttl_ms: Option<u64>, priority_max: Option<u8>) -> Waiting {
    let window = Window { messages, bytes: 1 << 20, recall_ms: RECALL_MS };
    let options = Options {
        window: Some(window),
        message_ttl_ms: ttl_ms,
        priority_max,
        ..Options::default()
    };
    Waiting {
        rig: Rig::new(options),
        leaving: Vec::new(),
        wanted: Vec::new(),
        ready: BTreeMap::new(),
    }
}

#[test]
fn a_deep_queue_whose_messages_expire_together_lets_them_go_in_order() {
    let mut waiting = waiting(20, Some(TTL_MS), None);
    waiting.apply(&Step::Publish(995, true, 0, None));
    waiting.rig.pass(TTL_MS - 1);
    waiting.finish();
}

#[test]
fn a_deep_queue_whose_messages_expire_one_after_the_other_lets_them_go_in_order() {
    let mut waiting = waiting(20, Some(TTL_MS), None);
    for _ in 0..300 {
        waiting.apply(&Step::Publish(3, true, 0, None));
        waiting.apply(&Step::Pass(1));
        waiting.apply(&Step::Evict(0));
        waiting.apply(&Step::Load(0));
    }
    waiting.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_front_and_does_not_live_longer_expires_first(
        messages in 2usize..10,
        ttl_ms in prop::option::of(Just(TTL_MS)),
        priority_max in prop::option::of(Just(1u8)),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut waiting = waiting(messages, ttl_ms, priority_max);
        for step in &steps {
            waiting.apply(step);
        }
        waiting.finish();
    }
}
