//! Random operations on the queue and on its model, compared after every step; and the parts underneath.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::model::{Model, ModelConsumer, Outcome};
use super::*;

#[derive(Debug, Clone)]
struct Draft {
    priority: u8,
    body_bytes: usize,
    expiration_ms: Option<u64>,
    durable: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Publish(Vec<Draft>),
    /// Takes positions, and appends later: another publisher comes first.
    Hold(Vec<Draft>),
    Land(usize),
    Subscribe(Wish),
    Unsubscribe(usize),
    Resume(usize, usize),
    Leave(usize),
    Ack(u64),
    Requeue(u64),
    Reject(u64),
    Get(AckMode),
    Purge,
    Pass(u64),
    Expire,
    Reconfigure(Options),
}

#[derive(Debug, Clone)]
struct Wish {
    prefetch: u32,
    acks: AckMode,
    exclusive: Exclusivity,
    priority: i32,
    room: usize,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let expiration_ms = prop_oneof![5 => Just(None), 1 => (0u64..40).prop_map(Some)];
    let draft = (0u8..5, 0usize..4, expiration_ms, any::<bool>()).prop_map(
        |(priority, body_bytes, expiration_ms, durable)| Draft {
            priority,
            body_bytes,
            expiration_ms,
            durable,
        },
    );
    prop::collection::vec(draft, 1..8)
}

fn acks() -> impl Strategy<Value = AckMode> {
    prop_oneof![3 => Just(AckMode::Manual), 1 => Just(AckMode::Automatic)]
}

fn wish() -> impl Strategy<Value = Wish> {
    let exclusive = prop_oneof![9 => Just(Exclusivity::Shared), 1 => Just(Exclusivity::Exclusive)];
    let room = prop_oneof![Just(ROOMY), 0usize..6];
    (0u32..4, acks(), exclusive, -1i32..2, room).prop_map(
        |(prefetch, acks, exclusive, priority, room)| Wish {
            prefetch,
            acks,
            exclusive,
            priority,
            room,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => drafts().prop_map(Step::Publish),
        2 => drafts().prop_map(Step::Hold),
        2 => (0usize..4).prop_map(Step::Land),
        3 => wish().prop_map(Step::Subscribe),
        1 => (0usize..4).prop_map(Step::Unsubscribe),
        3 => (0usize..4, 1usize..6).prop_map(|(index, room)| Step::Resume(index, room)),
        1 => (0usize..8).prop_map(Step::Leave),
        4 => any::<u64>().prop_map(Step::Ack),
        3 => any::<u64>().prop_map(Step::Requeue),
        2 => any::<u64>().prop_map(Step::Reject),
        2 => acks().prop_map(Step::Get),
        1 => Just(Step::Purge),
        2 => (0u64..30).prop_map(Step::Pass),
        1 => Just(Step::Expire),
        1 => options().prop_map(Step::Reconfigure),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let overflow = prop_oneof![
        3 => Just(Overflow::DropHead),
        1 => Just(Overflow::RejectPublish),
        1 => Just(Overflow::RejectPublishDlx),
    ];
    let rare =
        |values: std::ops::Range<u64>| prop_oneof![3 => Just(None), 1 => values.prop_map(Some)];
    let delivery_limit = prop_oneof![Just(None), (0u32..4).prop_map(Some)];
    let priority_max = prop_oneof![Just(None), (0u8..6).prop_map(Some)];
    let single = prop::bool::weighted(0.2);
    (rare(0..60), rare(0..12), rare(0..20), overflow, priority_max, single, delivery_limit)
        .prop_map(
            |(
                ttl,
                length,
                bytes,
                overflow,
                priority_max,
                single_active_consumer,
                delivery_limit,
            )| {
                Options {
                    message_ttl_ms: ttl,
                    expires_ms: None,
                    length_max: length,
                    length_bytes_max: bytes,
                    overflow,
                    priority_max,
                    single_active_consumer,
                    delivery_limit,
                    window: None,
                }
            },
        )
}

/// The queue and its model side by side.
struct Pair {
    rig: Rig,
    model: Model,
    inboxes: HashMap<ConsumerId, Inbox>,
    /// Appends that are still under way.
    under_way: Vec<Vec<Entry>>,
    consumers: ConsumerId,
    /// How often each durable entry was settled or died.
    ends: BTreeMap<Position, u32>,
}

impl Pair {
    fn new(options: Options) -> Self {
        Self {
            rig: Rig::new(options.clone()),
            model: Model::new(options),
            inboxes: HashMap::new(),
            under_way: Vec::new(),
            consumers: 0,
            ends: BTreeMap::new(),
        }
    }

    fn apply(&mut self, step: &Step) {
        let now_ms = self.rig.now_ms;
        match step {
            Step::Publish(drafts) => {
                let entries = self.reserve(drafts);
                self.append(entries);
            }
            Step::Hold(drafts) => {
                let entries = self.reserve(drafts);
                self.under_way.push(entries);
            }
            Step::Land(index) if *index < self.under_way.len() => {
                let entries = self.under_way.remove(*index);
                self.append(entries);
            }
            Step::Subscribe(wish) => self.subscribe(wish),
            Step::Unsubscribe(index) => {
                if let Some(id) = self.pick(*index) {
                    assert!(self.rig.queue.unsubscribe(id, now_ms, &mut self.rig.fx));
                    self.model.unsubscribe(id, now_ms);
                }
            }
            Step::Resume(index, room) => self.resume(*index, *room),
            Step::Leave(index) => {
                if let Some(id) = self.pick(*index) {
                    self.inboxes[&id].state.borrow_mut().is_gone = true;
                    self.model.consumers[*index].is_gone = true;
                }
            }
            Step::Ack(mask) => {
                let positions = self.choose(*mask);
                self.rig.ack(&positions);
                self.model.ack(&positions, now_ms);
            }
            Step::Requeue(mask) => {
                let positions = self.choose(*mask);
                self.rig.requeue(&positions);
                self.model.requeue(&positions, now_ms);
            }
            Step::Reject(mask) => {
                let positions = self.choose(*mask);
                self.rig.queue.reject(&positions, now_ms, &mut self.rig.fx);
                self.model.reject(&positions, now_ms);
            }
            Step::Get(acks) => assert_eq!(self.rig.get(*acks), self.model.get(*acks, now_ms)),
            Step::Purge => {
                self.rig.purge();
                self.model.purge();
            }
            Step::Pass(ms) => self.rig.now_ms += ms,
            Step::Expire => {
                self.rig.pass(0);
                self.model.expire(now_ms);
            }
            Step::Reconfigure(options) => self.reconfigure(options.clone()),
            Step::Land(_) => {}
        }
        self.compare();
    }

    fn reserve(&mut self, drafts: &[Draft]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for draft in drafts {
            let Draft { priority, expiration_ms, .. } = *draft;
            let facts = Facts { priority, expiration_ms, ..Facts::default() };
            let entry = self.rig.entry_with(facts, draft.body_bytes);
            let answer = self.rig.queue.reserve(&entry.message).ok();
            assert_eq!(answer.is_some(), self.model.reserve(entry.bytes()));
            if let Some(reservation) = answer {
                entries.push(Entry { durable: draft.durable, reservation, ..entry });
            }
        }
        entries
    }

    /// What is not in memory takes another time to live only when it is read back, so that stays as it is there.
    fn reconfigure(&mut self, options: Options) {
        let current = &self.model.options;
        let message_ttl_ms = match current.window {
            Some(_) => current.message_ttl_ms,
            None => options.message_ttl_ms,
        };
        let options = Options { message_ttl_ms, ..options };
        self.rig.queue.reconfigure(options.clone(), self.rig.now_ms, &mut self.rig.fx);
        self.model.reconfigure(options, self.rig.now_ms);
    }

    fn append(&mut self, entries: Vec<Entry>) {
        for entry in entries.iter().filter(|entry| entry.durable) {
            self.ends.insert(entry.position, 0);
        }
        self.model.append(entries.clone(), self.rig.now_ms);
        self.rig.append(entries);
    }

    fn subscribe(&mut self, wish: &Wish) {
        self.consumers += 1;
        let id = self.consumers;
        let Wish { prefetch, acks, exclusive, priority, room } = *wish;
        let receiver = Inbox::new(id, room, &self.rig.log);
        self.inboxes.insert(id, receiver.clone());
        let subscription = Subscription { id, receiver, prefetch, acks, exclusive, priority };
        let answer = self.rig.queue.subscribe(subscription, self.rig.now_ms, &mut self.rig.fx);
        let consumer = ModelConsumer {
            id,
            prefetch,
            acks,
            exclusive,
            priority,
            room,
            is_gone: false,
            is_woken: false,
            is_parked: false,
            is_retired: false,
        };
        assert_eq!(answer.is_ok(), self.model.subscribe(consumer, self.rig.now_ms));
    }

    /// Its outbox is written: there is room, and the next delivery wakes again.
    fn resume(&mut self, index: usize, room: usize) {
        let Some(id) = self.pick(index) else { return };
        let mut state = self.inboxes[&id].state.borrow_mut();
        (state.room, state.is_woken) = (room, false);
        drop(state);
        let consumer = &mut self.model.consumers[index];
        (consumer.room, consumer.is_woken) = (room, false);
        self.rig.queue.resume(id, self.rig.now_ms, &mut self.rig.fx);
        self.model.resume(id, self.rig.now_ms);
    }

    fn pick(&self, index: usize) -> Option<ConsumerId> {
        self.model.consumers.get(index).map(|consumer| consumer.id)
    }

    /// Some of what is unacknowledged, and a position that is not.
    fn choose(&self, mask: u64) -> Vec<Position> {
        let mut positions: Vec<_> = self.model.held.iter().map(|(e, _)| e.position).collect();
        positions.sort_unstable();
        let mut bit = 0;
        positions.retain(|_| {
            bit += 1;
            mask >> (bit % 64) & 1 == 1
        });
        positions.push(self.rig.last + 1);
        if mask & 1 == 1 {
            positions.reverse();
        }
        positions
    }

    fn compare(&mut self) {
        self.rig.page();
        if std::mem::take(&mut self.rig.was_loaded) {
            // Whatever arrives is looked through for what has expired.
            self.model.expire(self.rig.now_ms);
        }
        let fx = &mut self.rig.fx;
        let runs = fx.settled_runs.drain(..).flat_map(|run| run.first..run.first + run.count);
        fx.settled.extend(runs);
        for position in fx.settled.iter().chain(fx.dead.iter().map(|dead| &dead.entry.position)) {
            if let Some(ends) = self.ends.get_mut(position) {
                *ends += 1;
            }
        }
        let outcome = Outcome {
            handed: self.rig.log.borrow_mut().drain(..).collect(),
            woken: fx.wake.iter().map(|inbox| inbox.id).collect(),
            settled: fx.settled.clone(),
            dead: fx.dead.iter().map(|dead| (dead.entry.position, dead.reason)).collect(),
            returned: fx.returned.clone(),
        };
        fx.clear();
        let expected = std::mem::take(&mut self.model.outcome);
        assert_eq!(sorted(outcome), sorted(expected));
        self.compare_contents();
        self.compare_consumers();
    }

    fn compare_contents(&self) {
        let (queue, model) = (&self.rig.queue, &self.model);
        let held_bytes: u64 = model.held.iter().map(|(entry, _)| entry.bytes()).sum();
        let expected = Counts {
            ready: model.ready.len() as u64,
            unacknowledged: model.held.len() as u64,
            consumers: model.consumers.len() as u64,
            ready_bytes: model.ready_bytes(),
            unacknowledged_bytes: held_bytes,
        };
        assert_eq!(queue.counts(), expected);
        queue.check();
        let head = queue.ready.head().map(|entry| entry.position);
        if model.options.window.is_none() || head.is_some() {
            assert_eq!(head, model.ready.first().map(|entry| entry.position));
        }
        let due_ms = model.ready.iter().map(|entry| entry.expires_at_ms).min();
        let due_ms = due_ms.filter(|at_ms| *at_ms != NEVER_MS);
        let deadline_ms = queue.next_deadline_ms();
        assert_eq!(deadline_ms.is_some(), due_ms.is_some());
        assert!(deadline_ms <= due_ms, "a deadline is never late");
        let t = queue.totals();
        let left = t.acknowledged + t.delivered_automatic + t.got_automatic + t.purged;
        let dead = t.expired + t.dropped + t.rejected + t.over_delivered;
        assert_eq!(t.published, left + dead + expected.ready + expected.unacknowledged);
    }

    fn compare_consumers(&self) {
        let mut states = self.rig.queue.consumers();
        for consumer in &self.model.consumers {
            let state = states.next().unwrap();
            assert_eq!(state.id, consumer.id);
            assert_eq!(state.unacknowledged as usize, self.model.unacknowledged_by(consumer.id));
            assert!(consumer.prefetch == 0 || state.unacknowledged <= consumer.prefetch);
            let single = self.model.options.single_active_consumer;
            assert_eq!(state.active, !single || self.model.active == Some(consumer.id));
        }
        assert!(states.next().is_none());
    }

    /// Consumes everything that is left, and looks whether each entry came to exactly one end.
    fn finish(&mut self) {
        while !self.model.ready.is_empty() {
            self.apply(&Step::Get(AckMode::Automatic));
        }
        self.apply(&Step::Ack(u64::MAX));
        while !self.model.held.is_empty() || !self.model.ready.is_empty() {
            self.apply(&Step::Get(AckMode::Automatic));
            self.apply(&Step::Ack(u64::MAX));
        }
        let under_way: Vec<_> = self.under_way.iter().flatten().map(|e| e.position).collect();
        for (position, ends) in &self.ends {
            assert!(*ends == 1 || under_way.contains(position), "{position} ended {ends} times");
        }
    }
}

fn sorted(mut outcome: Outcome) -> Outcome {
    outcome.settled.sort_unstable();
    outcome.dead.sort_unstable_by_key(|(position, _)| *position);
    outcome.returned.sort_unstable();
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_its_model_does(
        options in options(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut pair = Pair::new(options);
        for step in &steps {
            pair.apply(step);
        }
        pair.finish();
    }
}

/// Small windows, so that most of a queue is not in memory.
fn windows() -> impl Strategy<Value = Window> {
    (2usize..9, 2usize..2_000).prop_map(|(messages, bytes)| Window {
        messages,
        bytes,
        recall_ms: 0,
    })
}

/// A message that must be delivered at once or not at all, dies when messages in front of it are not in memory.
fn with_lives(step: Step) -> Step {
    let live = |drafts: Vec<Draft>| {
        let lasting =
            |draft: Draft| Draft { expiration_ms: draft.expiration_ms.map(|ms| ms + 1), ..draft };
        drafts.into_iter().map(lasting).collect()
    };
    match step {
        Step::Publish(drafts) => Step::Publish(live(drafts)),
        Step::Hold(drafts) => Step::Hold(live(drafts)),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_that_is_not_in_memory_does_the_same(
        options in options(),
        window in windows(),
        steps in prop::collection::vec(step().prop_map(with_lives), 1..80),
    ) {
        let message_ttl_ms = options.message_ttl_ms.map(|ms| ms + 1);
        let options = Options { message_ttl_ms, window: Some(window), ..options };
        let mut pair = Pair::new(options);
        for step in &steps {
            pair.apply(step);
        }
        pair.finish();
    }
}

#[test]
fn memory_comes_back_after_a_burst() {
    let mut rig = Rig::new(Options { message_ttl_ms: Some(60_000), ..Options::default() });
    rig.publish(50_000);
    let held: Vec<_> = (0..49_900).filter_map(|_| rig.get(AckMode::Manual)).collect();
    rig.ack(&held);
    rig.pass(0);
    let slots = rig.queue.ready.slots() + rig.queue.unacknowledged.slots();
    assert!(slots < 5_000, "{slots} slots for 100 messages");
    assert_eq!(rig.drain().len(), 100);
}

#[test]
fn memory_comes_back_when_the_middle_of_the_line_expires() {
    let mut rig = Rig::new(Options::default());
    for round in 1..=3 {
        rig.publish_expirations(&[None]);
        rig.publish_expirations(&[Some(10); 5_000]);
        rig.publish_expirations(&[None]);
        rig.pass(10);
        while rig.queue.next_deadline_ms().is_some() {
            rig.pass(0);
        }
        assert_eq!(rig.dead().len(), 5_000);
        assert_eq!(rig.queue.counts().ready, 2 * round);
        assert!(rig.queue.ready.slots() < 1_000);
    }
    assert_eq!(rig.drain(), [1, 5_002, 5_003, 10_004, 10_005, 15_006]);
}

#[test]
fn marks_of_consumed_messages_do_not_pile_up() {
    let mut rig = Rig::new(Options { priority_max: Some(1), ..Options::default() });
    rig.publish_expirations(&[Some(10)]);
    let facts = Facts { priority: 1, expiration_ms: Some(60_000), ..Facts::default() };
    for _ in 0..10_000 {
        let entry = rig.entry_with(facts, 1);
        rig.append(vec![entry]);
        assert_eq!(rig.get(AckMode::Automatic), Some(rig.last));
    }
    assert!(rig.queue.ready.slots() < 1_000);
    rig.pass(10);
    assert_eq!(rig.dead(), [(1, Reason::Expired)]);
}
