//! Messages that leave memory and come back: what is asked for and when, and that nothing is lost on the way,
//! however late things happen.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn windowed(messages: usize) -> Options {
    let window = Window { messages, bytes: 1 << 20, recall_ms: 1_000 };
    Options { window: Some(window), ..Options::default() }
}

fn stored(position: Position, expiration_ms: Option<u64>) -> StoredMessage {
    StoredMessage {
        position,
        body_bytes: 1,
        returns: 0,
        priority: 0,
        accepted_ms: 1_000,
        expiration_ms,
    }
}

impl Rig {
    /// The positions of what was asked for since the last call, request by request.
    fn wanted(&mut self) -> Vec<Vec<Position>> {
        self.fx.load_requests.iter().map(|request| request.positions.clone()).collect()
    }

    fn evict_all(&mut self) {
        for id in std::mem::take(&mut self.fx.evictable) {
            drop(self.queue.evicted(id));
        }
    }

    fn load_all(&mut self) {
        for request in std::mem::take(&mut self.fx.load_requests) {
            self.load(request);
        }
    }

    /// As after a start: messages in the journal alone.
    fn restore(&mut self, count: u64, expiration_ms: Option<u64>) {
        for position in 1..=count {
            let facts = Facts { expiration_ms, ..Facts::default() };
            let entry = self.entry_with(facts, 1);
            self.journal.insert(position, (entry.message, 0));
            self.queue.restore(stored(position, expiration_ms));
        }
    }
}

#[test]
fn a_shallow_queue_asks_for_nothing() {
    let mut rig = Rig::new(windowed(8));
    rig.publish(8);
    assert_eq!(rig.drain(), (1..=8).collect::<Vec<_>>());
    assert!(rig.fx.evictable.is_empty() && rig.fx.load_requests.is_empty());
}

#[test]
fn a_deep_queue_holds_a_window_in_memory() {
    let mut rig = Rig::new(windowed(200));
    rig.publish(100_000);
    rig.evict_all();
    assert!(rig.queue.ready.slots() < 3_000, "{} slots", rig.queue.ready.slots());
    assert_eq!(rig.queue.counts().ready, 100_000);
    assert_eq!(rig.queue.counts().ready_bytes, 100_000);
    assert_eq!(rig.drain(), (1..=100_000).collect::<Vec<_>>());
}

#[test]
fn what_is_leaving_is_delivered_without_being_read() {
    let mut rig = Rig::new(windowed(8));
    rig.publish(20);
    assert_eq!(rig.fx.evictable.len(), 3);
    rig.consume(1, 0);
    assert_eq!(rig.handed(), to(1, 1..=20));
    assert!(rig.wanted().is_empty());
    rig.evict_all();
    assert_eq!(rig.queue.counts().unacknowledged, 20);
}

#[test]
fn what_is_next_is_asked_for_before_the_line_has_run_out() {
    let mut rig = Rig::new(windowed(8));
    rig.publish(16);
    rig.evict_all();
    for position in 1..=4 {
        assert_eq!(rig.get(AckMode::Automatic), Some(position));
    }
    assert!(rig.wanted().is_empty(), "half a window is left");
    assert_eq!(rig.get(AckMode::Automatic), Some(5));
    assert_eq!(rig.wanted(), [[9, 10, 11, 12]]);
    rig.load_all();
    assert_eq!(rig.drain(), (6..=16).collect::<Vec<_>>());
}

#[test]
fn consumers_wait_for_what_is_away_and_get_it_when_it_arrives() {
    let mut rig = Rig::new(windowed(4));
    rig.restore(5, None);
    assert!(rig.fx.is_empty(), "nothing is read until somebody needs it");
    rig.consume(1, 3);
    assert_eq!(rig.handed(), []);
    assert_eq!(rig.wanted(), [[1, 2]]);
    rig.publish(1);
    assert_eq!(rig.handed(), [], "what came later waits too");
    rig.load_all();
    assert_eq!(rig.handed(), to(1, [1, 2]));
    rig.load_all();
    assert_eq!(rig.handed(), to(1, [3]));
}

#[test]
fn a_fetch_from_what_is_away_is_tried_again() {
    let mut rig = Rig::new(windowed(4));
    rig.restore(1, None);
    let fetched = rig.queue.get(AckMode::Manual, rig.now_ms, &mut rig.fx);
    assert!(matches!(fetched, GetOutcome::Later));
    rig.load_all();
    assert_eq!(rig.get(AckMode::Manual), Some(1));
    assert_eq!(rig.get(AckMode::Manual), None);
}

#[test]
fn after_a_crash_messages_say_that_they_may_have_been_delivered() {
    let mut rig = Rig::new(windowed(8));
    rig.restore(2, None);
    rig.queue.doubt_through(1);
    rig.publish(1);
    rig.consume(1, 0);
    rig.page();
    assert_eq!(*rig.log.borrow(), [(1, 1, true), (1, 2, false), (1, 3, false)]);
    assert_eq!(rig.queue.totals().published, 1, "restored messages are not counted again");
}

#[test]
fn the_count_of_returns_comes_back_from_the_journal() {
    let mut rig = Rig::new(windowed(4));
    rig.restore(1, None);
    if let Some(kept) = rig.journal.get_mut(&1) {
        kept.1 = 4;
    }
    rig.consume(1, 1);
    rig.page();
    rig.requeue(&[1]);
    assert_eq!(rig.fx.returned, [(1, 5)]);
}

#[test]
fn transient_messages_stay_in_memory_in_their_places() {
    let mut rig = Rig::new(windowed(4));
    let entries = (0..30).map(|index| Entry { durable: index % 3 > 0, ..rig.entry() }).collect();
    rig.append(entries);
    rig.evict_all();
    rig.consume_with(1, |s| s.acks = AckMode::Automatic);
    assert!(rig.wanted().iter().flatten().all(|position| (position - 1) % 3 > 0));
    rig.page();
    assert_eq!(rig.handed(), to(1, 1..=30));
}

#[test]
fn what_came_late_finds_its_place_among_what_is_away() {
    let mut rig = Rig::new(windowed(4));
    let mut entries: Vec<_> = (0..20).map(|_| rig.entry()).collect();
    let late = entries.remove(10);
    rig.append(entries);
    rig.evict_all();
    rig.append(vec![late]);
    assert_eq!(rig.drain(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_purge_takes_what_is_away_without_reading_it() {
    let mut rig = Rig::new(windowed(4));
    rig.publish(20);
    rig.evict_all();
    rig.get(AckMode::Manual);
    assert_eq!(rig.purge(), 19);
    assert_eq!(rig.queue.counts().ready, 0);
    assert_eq!(rig.queue.counts().ready_bytes, 0);
    let runs = rig.fx.settled_runs.iter().flat_map(|run| run.first..run.first + run.count);
    let gone: BTreeSet<_> = rig.fx.settled.iter().copied().chain(runs).collect();
    assert_eq!(gone, (2..=20).collect());
    assert!(rig.fx.settled_runs.len() <= 8);
    rig.page();
    rig.publish(1);
    assert_eq!(rig.drain(), [21], "what arrives after a purge is gone");
}

#[test]
fn what_cannot_be_read_is_given_up() {
    let mut rig = Rig::new(windowed(8));
    rig.restore(6, None);
    rig.journal.retain(|position, _| position % 3 == 0);
    rig.consume(1, 0);
    let lost: u64 = std::mem::take(&mut rig.fx.load_requests)
        .into_iter()
        .map(|request| rig.load(request))
        .sum();
    rig.page();
    assert_eq!(lost, 3);
    assert_eq!(rig.handed(), to(1, [3, 6]));
    assert_eq!(rig.queue.totals().lost, 4);
    assert_eq!(rig.queue.counts().ready_bytes, 0);
    rig.publish(1);
    assert_eq!(rig.handed(), to(1, [7]));
}

#[test]
fn a_priority_whose_messages_are_all_lost_does_not_hide_those_below_it() {
    let mut rig = Rig::new(Options { priority_max: Some(1), ..windowed(8) });
    rig.queue.restore(StoredMessage { priority: 1, ..stored(1, None) });
    rig.last = 1;
    rig.consume(1, 0);
    rig.publish(1);
    assert_eq!(rig.handed(), []);
    rig.load_all();
    assert_eq!(rig.handed(), to(1, [2]));
    assert_eq!(rig.queue.totals().lost, 1);
}

#[test]
fn what_was_missed_is_asked_for_again() {
    let mut rig = Rig::new(windowed(8));
    rig.restore(1, None);
    rig.consume(1, 0);
    for request in std::mem::take(&mut rig.fx.load_requests) {
        rig.queue.load_failed(request.span, rig.now_ms);
    }
    assert_eq!(rig.queue.counts().ready, 1);
    rig.queue.resume(1, rig.now_ms, &mut rig.fx);
    rig.page();
    assert_eq!(rig.handed(), to(1, [1]));
}

#[test]
fn expired_messages_are_called_back_a_few_spans_at_a_time() {
    let mut rig = Rig::new(windowed(8));
    rig.restore(40, Some(10));
    assert_eq!(rig.queue.next_deadline_ms(), Some(1_010));
    rig.pass(10);
    assert_eq!(rig.wanted().len(), 4);
    assert_eq!(rig.queue.next_deadline_ms(), None, "the next look is upon arrival");
    rig.page();
    assert_eq!(rig.dead().len(), 40);
    assert_eq!(rig.queue.counts().ready, 0);
    assert_eq!(rig.queue.next_deadline_ms(), None);
}

#[test]
fn a_span_is_looked_at_once_in_an_interval() {
    let mut rig = Rig::new(windowed(4));
    rig.publish(4);
    rig.publish_expirations(&[Some(10), Some(20)]);
    rig.publish(2);
    rig.evict_all();
    rig.pass(10);
    rig.page();
    assert_eq!(rig.dead(), [(5, Reason::Expired)]);
    assert_eq!(rig.queue.next_deadline_ms(), Some(2_010));
    rig.pass(1_000);
    rig.page();
    assert_eq!(rig.dead(), [(6, Reason::Expired)]);
    assert_eq!(rig.drain(), [1, 2, 3, 4, 7, 8]);
}

#[test]
fn an_expired_message_is_never_handed_out_late() {
    let mut rig = Rig::new(windowed(4));
    rig.restore(2, Some(10));
    rig.now_ms += 10;
    rig.consume(1, 0);
    rig.page();
    assert_eq!(rig.handed(), []);
    assert_eq!(rig.dead().len(), 2);
}

#[test]
fn what_a_start_brings_back_beyond_the_limit_is_dropped_without_anybody_s_doing() {
    let mut rig = Rig::new(Options { length_max: Some(4), ..windowed(8) });
    rig.restore(6, None);
    assert_eq!(rig.queue.next_deadline_ms(), Some(0));
    rig.queue.tend(rig.now_ms, &mut rig.fx);
    rig.page();
    assert_eq!(rig.dead(), [(1, Reason::MaxLength), (2, Reason::MaxLength)]);
    assert_eq!(rig.queue.counts().ready, 4);
    assert_eq!(rig.queue.next_deadline_ms(), None);
}

#[test]
fn a_full_queue_goes_on_dropping_when_its_head_arrives() {
    let mut rig = Rig::new(Options { length_max: Some(10), ..windowed(4) });
    rig.restore(10, None);
    rig.publish(3);
    assert_eq!(rig.queue.counts().ready, 13);
    rig.page();
    assert_eq!(rig.queue.counts().ready, 10);
    assert_eq!(rig.dead(), [1, 2, 3].map(|position| (position, Reason::MaxLength)));
}

#[test]
fn the_age_of_a_queue_is_known_without_reading_it() {
    let mut rig = Rig::new(windowed(4));
    rig.restore(3, None);
    assert_eq!(rig.queue.oldest_accepted_ms(), Some(1_000));
}

/// What happens to a queue whose paging takes its time.
#[derive(Debug, Clone)]
enum Step {
    Publish(usize, bool),
    Get,
    Hold,
    Ack(usize),
    Requeue(usize),
    Evict(usize),
    Load(usize),
    FailLoad(usize),
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..12, any::<bool>()).prop_map(|(count, durable)| Step::Publish(count, durable)),
        4 => Just(Step::Get),
        4 => Just(Step::Hold),
        2 => any::<usize>().prop_map(Step::Ack),
        2 => any::<usize>().prop_map(Step::Requeue),
        4 => any::<usize>().prop_map(Step::Evict),
        4 => any::<usize>().prop_map(Step::Load),
        1 => any::<usize>().prop_map(Step::FailLoad),
        1 => Just(Step::Purge),
    ]
}

/// A queue whose paging happens when it likes, and what must be in it.
struct Late {
    rig: Rig,
    leaving: Vec<SpanId>,
    wanted: Vec<LoadRequest>,
    ready: BTreeSet<Position>,
    held: Vec<Position>,
}

impl Late {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Publish(count, durable) => {
                let entries: Vec<_> =
                    (0..*count).map(|_| Entry { durable: *durable, ..self.rig.entry() }).collect();
                self.ready.extend(entries.iter().map(|entry| entry.position));
                self.rig.append(entries);
            }
            Step::Get => self.get(AckMode::Automatic),
            Step::Hold => self.get(AckMode::Manual),
            Step::Ack(index) => {
                if let Some(position) = take(&mut self.held, *index) {
                    self.rig.ack(&[position]);
                }
            }
            Step::Requeue(index) => {
                if let Some(position) = take(&mut self.held, *index) {
                    self.rig.requeue(&[position]);
                    self.ready.insert(position);
                }
            }
            Step::Evict(index) => {
                if let Some(id) = take(&mut self.leaving, *index) {
                    self.rig.queue.evicted(id);
                }
            }
            Step::Load(index) => {
                if let Some(request) = take(&mut self.wanted, *index) {
                    self.rig.load(request);
                }
            }
            Step::FailLoad(index) => {
                if let Some(request) = take(&mut self.wanted, *index) {
                    self.rig.queue.load_failed(request.span, self.rig.now_ms);
                }
            }
            Step::Purge => {
                assert_eq!(self.rig.purge(), self.ready.len() as u64);
                self.ready.clear();
            }
        }
        self.leaving.append(&mut self.rig.fx.evictable);
        self.wanted.append(&mut self.rig.fx.load_requests);
        self.rig.queue.check();
        let counts = self.rig.queue.counts();
        assert_eq!(counts.ready, self.ready.len() as u64);
        assert_eq!(counts.ready_bytes, self.ready.len() as u64);
        assert_eq!(counts.unacknowledged, self.held.len() as u64);
    }

    /// Whatever is fetched is the first of all, or it is on its way.
    fn get(&mut self, acks: AckMode) {
        match self.rig.queue.get(acks, self.rig.now_ms, &mut self.rig.fx) {
            GetOutcome::Got(got) => {
                assert_eq!(Some(got.entry.position), self.ready.pop_first());
                if acks == AckMode::Manual {
                    self.held.push(got.entry.position);
                }
            }
            GetOutcome::Empty | GetOutcome::Gone => assert!(self.ready.is_empty()),
            GetOutcome::Later => {
                self.wanted.append(&mut self.rig.fx.load_requests);
                assert!(!self.wanted.is_empty() && !self.ready.is_empty());
            }
        }
    }
}

fn take<T>(list: &mut Vec<T>, index: usize) -> Option<T> {
    (!list.is_empty()).then(|| list.swap_remove(index % list.len()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_come_in_order_however_late_they_leave_and_arrive(
        messages in 2usize..10,
        restored in 0u64..20,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut late = Late {
            rig: Rig::new(windowed(messages)),
            leaving: Vec::new(),
            wanted: Vec::new(),
            ready: (1..=restored).collect(),
            held: Vec::new(),
        };
        late.rig.restore(restored, None);
        for step in &steps {
            late.apply(step);
        }
        while !late.ready.is_empty() {
            late.apply(&Step::Get);
            late.apply(&Step::Load(0));
        }
    }
}

#[test]
fn what_came_back_leaves_memory_again() {
    let mut rig = Rig::new(windowed(20));
    rig.publish(5_000);
    rig.evict_all();
    rig.consume(1, 0);
    rig.page();
    assert_eq!(rig.handed(), to(1, 1..=5_000));
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    rig.requeue(&(1..=5_000).collect::<Vec<_>>());
    // The journal hears of it later.
    let returned = std::mem::take(&mut rig.fx.returned);
    assert_eq!(returned.len(), 5_000);
    rig.evict_all();
    assert!(rig.queue.ready.slots() < 1_000, "{} slots", rig.queue.ready.slots());
    assert_eq!(rig.queue.counts().ready, 5_000);
    for position in 1..=5_000 {
        let got = loop {
            match rig.queue.get(AckMode::Automatic, rig.now_ms, &mut rig.fx) {
                GetOutcome::Got(got) => break got.entry,
                _ => assert!(rig.page(), "nothing is on its way"),
            }
        };
        assert_eq!((got.position, got.returns, got.redelivered), (position, 1, true));
    }
}

#[test]
fn what_comes_back_one_by_one_leaves_memory_again() {
    let mut rig = Rig::new(windowed(20));
    rig.consume(1, 0);
    rig.publish(1_000);
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    for position in (1..=1_000).rev() {
        rig.requeue(&[position]);
    }
    rig.evict_all();
    assert!(rig.queue.ready.slots() < 500, "{} slots", rig.queue.ready.slots());
    assert_eq!(rig.drain(), (1..=1_000).collect::<Vec<_>>());
}
