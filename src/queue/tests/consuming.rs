//! Who gets what: order, turns, credit, priorities, exclusive and single active consumers, `basic.get`.

use super::*;

#[test]
fn messages_come_out_in_the_order_of_their_positions() {
    fn check(order: &[usize], expected: &[Position]) {
        let mut rig = Rig::new(Options::default());
        let entries: Vec<_> = order.iter().map(|_| rig.entry()).collect();
        for index in order {
            rig.append(vec![entries[*index].clone()]);
        }
        assert_eq!(rig.drain(), expected, "appended as {order:?}");
    }
    check(&[0, 1, 2], &[1, 2, 3]);
    check(&[2, 1, 0], &[1, 2, 3]);
    check(&[0, 3, 1, 2], &[1, 2, 3, 4]);
}

#[test]
fn consumers_take_turns() {
    let mut rig = Rig::new(Options::default());
    for id in 1..=3 {
        rig.consume(id, 0);
    }
    rig.publish(7);
    let expected = [(1, 1), (2, 2), (3, 3), (1, 4), (2, 5), (3, 6), (1, 7)];
    assert_eq!(rig.handed(), expected);
    rig.publish(2);
    assert_eq!(rig.handed(), [(2, 8), (3, 9)], "turns go on from batch to batch");
}

#[test]
fn shares_are_equal_among_consumers_that_acknowledge_at_the_same_pace() {
    let mut rig = Rig::new(Options::default());
    for id in 1..=4 {
        rig.consume(id, 1);
    }
    rig.publish(400);
    let mut shares = [0; 5];
    loop {
        let handed = rig.handed();
        if handed.is_empty() {
            break;
        }
        for (id, position) in handed {
            shares[id as usize] += 1;
            rig.ack(&[position]);
        }
    }
    assert_eq!(shares, [0, 100, 100, 100, 100]);
}

#[test]
fn a_consumer_never_holds_more_than_its_prefetch() {
    fn check(prefetch: u32, acked: &[Position], expected: usize) {
        let mut rig = Rig::new(Options::default());
        rig.consume(1, prefetch);
        rig.publish(10);
        rig.ack(acked);
        assert_eq!(rig.handed().len(), expected, "prefetch {prefetch}, acked {acked:?}");
    }
    check(1, &[], 1);
    check(1, &[1], 2);
    check(3, &[], 3);
    check(3, &[2], 4);
    check(3, &[1, 2, 3], 6);
    check(3, &[1, 1, 1], 4);
    check(3, &[9], 3);
    check(20, &[], 10);
    check(0, &[], 10);
}

#[test]
fn a_higher_consumer_priority_goes_first_and_a_lower_one_gets_the_rest() {
    let mut rig = Rig::new(Options::default());
    rig.consume_with(1, |s| s.priority = -5);
    rig.consume_with(2, |s| (s.priority, s.prefetch) = (10, 2));
    rig.consume_with(3, |s| (s.priority, s.prefetch) = (10, 1));
    rig.publish(5);
    assert_eq!(rig.handed(), [(2, 1), (3, 2), (2, 3), (1, 4), (1, 5)]);
    rig.ack(&[2]);
    rig.publish(2);
    assert_eq!(rig.handed(), [(3, 6), (1, 7)]);
    rig.queue.unsubscribe(2, rig.now_ms, &mut rig.fx);
    rig.queue.unsubscribe(3, rig.now_ms, &mut rig.fx);
    rig.publish(1);
    assert_eq!(rig.handed(), [(1, 8)]);
}

#[test]
fn a_full_consumer_is_left_alone_until_it_resumes() {
    let mut rig = Rig::new(Options::default());
    let slow = rig.consume(1, 0);
    rig.consume(2, 0);
    slow.state.borrow_mut().room = 1;
    rig.publish(4);
    assert_eq!(rig.handed(), [(1, 1), (2, 2), (2, 3), (2, 4)]);
    slow.state.borrow_mut().room = ROOMY;
    rig.publish(1);
    assert_eq!(rig.handed(), [(2, 5)], "room alone does not bring it back");
    rig.queue.resume(1, rig.now_ms, &mut rig.fx);
    rig.publish(2);
    assert_eq!(rig.handed(), [(2, 6), (1, 7)]);
}

#[test]
fn an_entry_that_everybody_declined_stays_ready() {
    let mut rig = Rig::new(Options::default());
    let inbox = rig.consume(1, 0);
    inbox.state.borrow_mut().room = 0;
    rig.publish(2);
    assert_eq!(rig.queue.counts().ready, 2);
    inbox.state.borrow_mut().room = 1;
    rig.queue.resume(1, rig.now_ms, &mut rig.fx);
    assert_eq!(rig.handed(), [(1, 1)]);
    assert_eq!(rig.drain(), [2]);
}

#[test]
fn a_closing_consumer_never_resumes() {
    let mut rig = Rig::new(Options::default());
    let inbox = rig.consume(1, 0);
    inbox.state.borrow_mut().is_gone = true;
    rig.publish(1);
    inbox.state.borrow_mut().is_gone = false;
    rig.queue.resume(1, rig.now_ms, &mut rig.fx);
    assert_eq!(rig.handed(), []);
    assert_eq!(rig.queue.counts().ready, 1);
}

#[test]
fn a_parked_consumer_does_not_come_back_through_credit() {
    let mut rig = Rig::new(Options::default());
    let inbox = rig.consume(1, 5);
    inbox.state.borrow_mut().room = 1;
    rig.publish(3);
    inbox.state.borrow_mut().room = 5;
    rig.ack(&[1]);
    assert_eq!(rig.handed(), [(1, 1)]);
    rig.queue.resume(1, rig.now_ms, &mut rig.fx);
    assert_eq!(rig.handed(), [(1, 2), (1, 3)]);
}

#[test]
fn an_outbox_is_woken_once() {
    let mut rig = Rig::new(Options::default());
    rig.consume(1, 0);
    rig.consume(2, 0);
    rig.publish(6);
    let woken: Vec<_> = rig.fx.wake.iter().map(|inbox| inbox.id).collect();
    assert_eq!(woken, [1, 2]);
}

#[test]
fn exclusive_use_is_granted_to_one_alone() {
    use Exclusivity::{Exclusive, Shared};
    fn check(single_active_consumer: bool, first: &[Exclusivity], last: Exclusivity, ok: bool) {
        let options = Options { single_active_consumer, ..Options::default() };
        let mut rig = Rig::new(options);
        for (id, exclusive) in (1..).zip(first) {
            rig.consume_with(id, |s| s.exclusive = *exclusive);
        }
        let mut wish = subscription(9, Inbox::new(9, ROOMY, &rig.log));
        wish.exclusive = last;
        let answer = rig.queue.subscribe(wish, rig.now_ms, &mut rig.fx);
        let expected = if ok { Ok(()) } else { Err(SubscribeError::ExclusiveInUse) };
        assert_eq!(answer, expected, "{first:?} then {last:?}");
    }
    check(false, &[], Shared, true);
    check(false, &[], Exclusive, true);
    check(false, &[Shared], Shared, true);
    check(false, &[Shared], Exclusive, false);
    check(false, &[Exclusive], Shared, false);
    check(false, &[Exclusive], Exclusive, false);
    check(true, &[], Exclusive, false);
    check(true, &[Shared], Shared, true);
}

#[test]
fn exclusive_use_ends_with_its_consumer() {
    let mut rig = Rig::new(Options::default());
    rig.consume_with(1, |s| s.exclusive = Exclusivity::Exclusive);
    assert!(rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx));
    assert!(!rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx));
    rig.consume(2, 0);
}

#[test]
fn a_single_active_consumer_gets_everything_until_it_leaves() {
    let mut rig = Rig::new(Options { single_active_consumer: true, ..Options::default() });
    rig.consume(1, 2);
    rig.consume(2, 0);
    rig.consume_with(3, |s| s.priority = 7);
    rig.consume_with(4, |s| s.priority = 7);
    rig.publish(3);
    assert_eq!(rig.handed(), to(1, 1..=2), "a higher priority does not displace it");
    let active = |rig: &Rig| -> Vec<_> {
        rig.queue.consumers().filter(|c| c.active).map(|c| c.id).collect()
    };
    assert_eq!(active(&rig), [1]);
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    assert_eq!(active(&rig), [3], "the first of the highest priority follows");
    assert_eq!(rig.handed(), to(3, 3..=3));
    rig.requeue(&[1, 2]);
    assert_eq!(rig.handed(), to(3, 1..=2));
    rig.queue.unsubscribe(4, rig.now_ms, &mut rig.fx);
    rig.queue.unsubscribe(3, rig.now_ms, &mut rig.fx);
    assert_eq!(active(&rig), [2]);
}

#[test]
fn a_cancelled_consumer_keeps_what_it_holds() {
    let mut rig = Rig::new(Options::default());
    rig.consume(1, 0);
    rig.publish(2);
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    rig.publish(1);
    let counts = rig.queue.counts();
    assert_eq!((counts.unacknowledged, counts.ready, counts.consumers), (2, 1, 0));
    rig.ack(&[1, 2]);
    assert_eq!(rig.settled(), [1, 2]);
}

#[test]
fn automatic_acknowledgement_settles_at_once_and_knows_no_prefetch() {
    let mut rig = Rig::new(Options::default());
    rig.consume_with(1, |s| (s.acks, s.prefetch) = (AckMode::Automatic, 1));
    let transient = Entry { durable: false, ..rig.entry() };
    rig.append(vec![transient]);
    rig.publish(2);
    assert_eq!(rig.handed(), to(1, 1..=3));
    assert_eq!(rig.settled(), [2, 3], "the journal does not know a transient message");
    assert_eq!(rig.queue.counts().unacknowledged, 0);
    assert_eq!(rig.queue.totals().delivered_automatic, 3);
}

#[test]
fn higher_message_priorities_come_first_and_keep_their_order() {
    fn check(priority_max: Option<u8>, priorities: &[u8], expected: &[Position]) {
        let mut rig = Rig::new(Options { priority_max, ..Options::default() });
        rig.publish_priorities(priorities);
        assert_eq!(rig.drain(), expected, "{priorities:?} up to {priority_max:?}");
    }
    check(None, &[0, 9, 5], &[1, 2, 3]);
    check(Some(9), &[0, 9, 5, 9], &[2, 4, 3, 1]);
    check(Some(5), &[4, 9, 5, 7], &[2, 3, 4, 1]);
    check(Some(255), &[63, 64, 255, 128, 0], &[3, 4, 2, 1, 5]);
}

#[test]
fn get_fetches_the_head_and_says_what_remains() {
    let mut rig = Rig::new(Options::default());
    assert_eq!(rig.get(AckMode::Manual), None);
    rig.publish(3);
    let got = rig.fetch();
    assert_eq!((got.entry.position, got.remaining), (1, 2));
    assert!(rig.settled().is_empty());
    assert_eq!(rig.queue.counts().unacknowledged, 1);
    assert_eq!(rig.get(AckMode::Automatic), Some(2));
    assert_eq!(rig.settled(), [2]);
    rig.requeue(&[1]);
    let got = rig.fetch();
    assert_eq!((got.entry.position, got.entry.redelivered, got.remaining), (1, true, 1));
    let totals = rig.queue.totals();
    assert_eq!((totals.got, totals.got_automatic, totals.got_empty), (2, 1, 1));
}

#[test]
fn consumers_are_listed_in_the_order_they_came() {
    let mut rig = Rig::new(Options::default());
    for id in [7, 3, 5] {
        rig.consume(id, 10);
    }
    rig.publish(4);
    let listed: Vec<_> = rig.queue.consumers().map(|c| (c.id, c.unacknowledged)).collect();
    assert_eq!(listed, [(7, 2), (3, 1), (5, 1)]);
}
