//! The end of deliveries: acknowledged, returned, rejected; and the end of the queue itself.

use super::*;

#[test]
fn an_acknowledgement_settles_durable_entries_once() {
    let mut rig = Rig::new(Options::default());
    rig.consume(1, 0);
    rig.publish(3);
    let transient = Entry { durable: false, ..rig.entry() };
    rig.append(vec![transient]);
    rig.ack(&[3, 1, 4, 99]);
    rig.ack(&[1]);
    assert_eq!(rig.settled(), [3, 1]);
    assert_eq!(rig.queue.totals().acknowledged, 3);
    assert_eq!(rig.queue.counts().unacknowledged, 1);
}

#[test]
fn returned_messages_go_back_to_their_places() {
    fn check(returned: &[Position], expected: &[Position]) {
        let mut rig = Rig::new(Options::default());
        rig.publish(6);
        for _ in 0..4 {
            rig.get(AckMode::Manual);
        }
        rig.requeue(returned);
        assert_eq!(rig.drain(), expected, "{returned:?} came back");
    }
    check(&[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6]);
    check(&[4, 2], &[2, 4, 5, 6]);
    check(&[3], &[3, 5, 6]);
    check(&[5, 77], &[5, 6]);
}

#[test]
fn many_messages_return_one_by_one_to_far_places_in_the_line() {
    let mut rig = Rig::new(Options::default());
    rig.publish(2_000);
    let held: Vec<_> = (0..1_500).filter_map(|_| rig.get(AckMode::Manual)).collect();
    let (odd, even): (Vec<_>, Vec<_>) = held.into_iter().partition(|position| position % 2 == 1);
    rig.requeue(&odd);
    for position in even {
        rig.requeue(&[position]);
    }
    assert_eq!(rig.drain(), (1..=2_000).collect::<Vec<_>>());
}

#[test]
fn a_returned_message_is_marked_counted_and_journaled() {
    let mut rig = Rig::new(Options::default());
    rig.publish(1);
    let transient = Entry { durable: false, ..rig.entry() };
    rig.append(vec![transient]);
    for expected in 1..=3 {
        rig.get(AckMode::Manual);
        rig.get(AckMode::Manual);
        rig.requeue(&[1, 2]);
        assert_eq!(std::mem::take(&mut rig.fx.returned), [(1, expected)]);
    }
    let got = rig.fetch();
    assert!(got.entry.redelivered);
    assert_eq!(got.entry.returns, 3);
    assert_eq!((rig.queue.totals().returned, rig.queue.totals().redelivered), (6, 5));
}

#[test]
fn a_message_that_came_back_too_often_is_dead() {
    fn check(delivery_limit: Option<u32>, attempts: u32, expected: &[(Position, Reason)]) {
        let mut rig = Rig::new(Options { delivery_limit, ..Options::default() });
        rig.publish(1);
        for _ in 0..attempts {
            rig.get(AckMode::Manual);
            rig.requeue(&[1]);
        }
        assert_eq!(rig.dead(), expected, "{attempts} attempts of {delivery_limit:?}");
    }
    check(None, 50, &[]);
    check(Some(0), 1, &[(1, Reason::DeliveryLimit)]);
    check(Some(2), 2, &[]);
    check(Some(2), 3, &[(1, Reason::DeliveryLimit)]);
}

#[test]
fn a_returned_message_is_offered_once_in_a_call() {
    let mut rig = Rig::new(Options::default());
    rig.consume(1, 1);
    rig.publish(1);
    rig.handed();
    rig.requeue(&[1]);
    assert_eq!(*rig.log.borrow(), [(1, 1, true)]);
    assert_eq!(rig.queue.counts().unacknowledged, 1);
}

#[test]
fn a_rejected_message_is_dead_and_frees_credit() {
    let mut rig = Rig::new(Options::default());
    rig.consume(1, 1);
    rig.publish(2);
    rig.queue.reject(&[1, 2], rig.now_ms, &mut rig.fx);
    assert_eq!(rig.dead(), [(1, Reason::Rejected)]);
    assert_eq!(rig.handed(), to(1, 1..=2));
    assert!(rig.settled().is_empty(), "the broker settles the dead");
}

#[test]
fn a_purge_takes_what_is_ready_and_nothing_else() {
    let mut rig = Rig::new(Options { priority_max: Some(3), ..Options::default() });
    rig.publish_priorities(&[0, 3, 1]);
    rig.get(AckMode::Manual);
    assert_eq!(rig.purge(), 2);
    assert_eq!(rig.settled(), [3, 1]);
    let counts = rig.queue.counts();
    assert_eq!((counts.ready, counts.ready_bytes, counts.unacknowledged), (0, 0, 1));
    rig.requeue(&[2]);
    assert_eq!(rig.drain(), [2]);
}

#[test]
fn a_deleted_queue_gives_its_consumers_back_and_takes_nothing_more() {
    let mut rig = Rig::new(Options::default());
    rig.consume(8, 1);
    rig.consume(2, 1);
    rig.publish(5);
    let closed = rig.queue.close(&mut rig.fx);
    rig.drop_removed();
    let receivers: Vec<_> = closed.receivers.map(|(id, _)| id).collect();
    assert_eq!((receivers.as_slice(), closed.ready, closed.unacknowledged), (&[8, 2][..], 3, 2));
    let mut settled = rig.settled();
    settled.sort_unstable();
    assert_eq!(settled, [1, 2, 3, 4, 5]);
    assert_eq!(rig.queue.counts(), Counts::default());

    rig.handed();
    rig.publish(1);
    rig.ack(&[1]);
    assert_eq!(rig.settled(), [6], "a late publisher's message is done with");
    let late = subscription(3, Inbox::new(3, ROOMY, &rig.log));
    let answer = rig.queue.subscribe(late, rig.now_ms, &mut rig.fx);
    assert_eq!(answer, Err(SubscribeError::Closed));
    assert_eq!(rig.get(AckMode::Manual), None);
    assert!(rig.queue.is_closed() && rig.fx.dead.is_empty());
}

#[test]
fn a_queue_is_deleted_on_conditions_that_are_met() {
    let mut rig = Rig::new(Options { expires_ms: Some(100), ..Options::default() });
    let all = [DeleteCondition::Unused, DeleteCondition::Empty, DeleteCondition::Expired];
    let check = |rig: &Rig, expected: [Option<DeleteRefusal>; 3]| {
        let kept = all.map(|condition| rig.queue.may_close(&[condition], rig.now_ms).err());
        assert_eq!(kept, expected);
        assert_eq!(
            rig.queue.may_close(&all, rig.now_ms).err(),
            expected.into_iter().flatten().next()
        );
    };
    check(&rig, [None, None, Some(DeleteRefusal::NotExpired)]);
    rig.publish(1);
    check(&rig, [None, Some(DeleteRefusal::NotEmpty), Some(DeleteRefusal::NotExpired)]);
    rig.consume(1, 0);
    rig.pass(200);
    check(&rig, [Some(DeleteRefusal::InUse), None, Some(DeleteRefusal::NotExpired)]);
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    rig.pass(100);
    check(&rig, [None; 3]);
    rig.queue.shut();
    check(&rig, [Some(DeleteRefusal::Gone); 3]);
}

#[test]
fn nothing_dies_in_a_queue_that_is_being_deleted() {
    let mut rig = Rig::new(Options { message_ttl_ms: Some(10), ..Options::default() });
    rig.publish(2);
    rig.queue.shut();
    rig.pass(10);
    assert_eq!(rig.queue.close(&mut rig.fx).ready, 2);
    rig.drop_removed();
    assert_eq!((rig.settled(), rig.dead()), (vec![1, 2], vec![]));
}

#[test]
fn effects_are_reused_and_lose_extraordinary_room() {
    let mut rig = Rig::new(Options::default());
    assert!(rig.fx.is_empty());
    rig.consume_with(1, |s| s.acks = AckMode::Automatic);
    rig.publish(10_000);
    assert!(!rig.fx.is_empty());
    rig.fx.clear();
    assert!(rig.fx.is_empty());
    rig.publish(1);
    rig.fx.clear();
    assert!(rig.fx.settled.capacity() < 1_000);
}

/// What can be seen of a queue to which these positions came back, in one call or in parts.
type Seen = (Vec<Pair>, Vec<(Position, Reason)>, Vec<(Position, u32)>, Vec<Position>, Counts);

fn seen_after_return(rig: &mut Rig) -> Seen {
    let handed = rig.handed();
    let mut dead = rig.dead();
    // What is too old or too much goes on in later calls.
    while rig.queue.next_deadline_ms() == Some(0) {
        rig.queue.tend(rig.now_ms, &mut rig.fx);
        dead.extend(rig.dead());
    }
    let mut returned = std::mem::take(&mut rig.fx.returned);
    returned.sort_unstable();
    let counts = rig.queue.counts();
    (handed, dead, returned, rig.drain(), counts)
}

#[test]
fn nobody_can_tell_a_return_in_parts_from_one_in_a_whole() {
    fn check(name: &str, options: &Options, parts: usize, later: usize) {
        let prepare = || {
            let mut rig = Rig::new(options.clone());
            let priority = |n: usize| if options.priority_max.is_some() { n % 4 } else { 0 };
            for n in 0..400 {
                let ttl = (n % 7 == 0).then_some(50);
                let facts =
                    Facts { priority: priority(n) as u8, expiration_ms: ttl, ..Facts::default() };
                let entry = rig.entry_with(facts, 1);
                rig.append(vec![entry]);
            }
            let holder = rig.consume_with(1, |s| s.prefetch = 300);
            // Some of them have come back before.
            let second: Vec<_> = (1..=400).filter(|n| n % 5 == 0).collect();
            rig.requeue(&second);
            holder.state.borrow_mut().is_gone = true;
            rig.publish(later);
            rig.consume(2, 7);
            rig.page();
            rig.handed();
            rig.fx.clear();
            rig.now_ms += 100;
            rig
        };
        let all: Vec<Position> = (1..=400).collect();
        let mut whole = prepare();
        whole.requeue(&all);
        let mut rig = prepare();
        rig.queue.hold();
        let size = all.len().div_ceil(parts);
        for part in all.chunks(size) {
            rig.queue.dead_letter_over_limit(part, &mut rig.fx);
        }
        for part in all.chunks(size).rev() {
            rig.queue.requeue_part(part, &mut rig.fx);
            // Others come in between, and find nothing.
            rig.queue.resume(2, rig.now_ms, &mut rig.fx);
            rig.queue.tend(rig.now_ms, &mut rig.fx);
            let got = rig.queue.get(AckMode::Automatic, rig.now_ms, &mut rig.fx);
            assert!(matches!(got, GetOutcome::Later), "{name}: {got:?}");
            assert!(rig.handed().is_empty(), "{name}: something was handed out in between");
            assert_eq!(rig.queue.next_deadline_ms(), None, "{name}: nobody has to look");
        }
        rig.queue.let_go(rig.now_ms, &mut rig.fx);
        let (seen, expected) = (seen_after_return(&mut rig), seen_after_return(&mut whole));
        assert_eq!(seen, expected, "{name}, {parts} parts, {later} published since");
    }
    let plain = Options::default();
    let window = Window { messages: 16, bytes: 1 << 20, recall_ms: 1_000 };
    let cases = [
        ("plain", plain.clone()),
        ("priorities", Options { priority_max: Some(3), ..plain.clone() }),
        ("delivery limit", Options { delivery_limit: Some(1), ..plain.clone() }),
        ("length", Options { length_max: Some(90), ..plain.clone() }),
        ("single", Options { single_active_consumer: true, ..plain.clone() }),
        ("window", Options { window: Some(window), ..plain }),
    ];
    for (name, options) in &cases {
        for parts in [1, 2, 7] {
            check(name, options, parts, 0);
            check(name, options, parts, 40);
        }
    }
}

#[test]
fn a_queue_that_two_hold_goes_on_when_both_have_let_go() {
    let mut rig = Rig::new(Options::default());
    rig.publish(2);
    rig.get(AckMode::Manual);
    rig.queue.hold();
    rig.queue.hold();
    rig.consume(1, 0);
    rig.publish(1);
    rig.queue.requeue_part(&[1], &mut rig.fx);
    rig.queue.let_go(rig.now_ms, &mut rig.fx);
    assert!(rig.handed().is_empty());
    rig.queue.release_hold();
    assert!(rig.handed().is_empty(), "nobody was told that it goes on");
    rig.publish(1);
    assert_eq!(rig.handed(), to(1, 1..=4));
}
