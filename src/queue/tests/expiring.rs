//! Time: messages that expire, and queues that do.

use super::*;

#[test]
fn a_message_lives_as_long_as_the_shorter_of_two_times() {
    fn check(queue_ms: Option<u64>, own_ms: Option<u64>, expected: Option<u64>) {
        let mut rig = Rig::new(Options { message_ttl_ms: queue_ms, ..Options::default() });
        let accepted_ms = rig.now_ms;
        rig.publish_expirations(&[own_ms]);
        let life_ms = rig.queue.next_deadline_ms().map(|at_ms| at_ms - accepted_ms);
        assert_eq!(life_ms, expected, "queue {queue_ms:?}, message {own_ms:?}");
    }
    check(None, None, None);
    check(Some(50), None, Some(50));
    check(None, Some(70), Some(70));
    check(Some(50), Some(70), Some(50));
    check(Some(50), Some(10), Some(10));
    check(None, Some(u64::MAX), None);
}

#[test]
fn messages_expire_wherever_they_stand() {
    let mut rig = Rig::new(Options { priority_max: Some(5), ..Options::default() });
    rig.publish_expirations(&[None, Some(30), Some(10), None, Some(20)]);
    rig.pass(9);
    assert_eq!(rig.dead(), []);
    rig.pass(11);
    assert_eq!(rig.dead(), [(3, Reason::Expired), (5, Reason::Expired)]);
    assert_eq!(rig.queue.next_deadline_ms(), Some(1_030));
    rig.pass(10);
    assert_eq!(rig.dead(), [(2, Reason::Expired)]);
    assert_eq!(rig.queue.next_deadline_ms(), None);
    assert_eq!(rig.drain(), [1, 4]);
    assert_eq!(rig.queue.totals().expired, 3);
}

#[test]
fn an_expired_message_is_never_handed_out() {
    let mut rig = Rig::new(Options { message_ttl_ms: Some(10), ..Options::default() });
    rig.publish(2);
    rig.now_ms += 10;
    rig.consume(1, 0);
    assert_eq!(rig.handed(), []);
    assert_eq!(rig.dead(), [(1, Reason::Expired), (2, Reason::Expired)]);
    rig.publish(1);
    assert_eq!(rig.handed(), [(1, 3)]);
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    rig.publish(1);
    rig.now_ms += 10;
    assert_eq!(rig.get(AckMode::Manual), None);
    assert_eq!(rig.dead(), [(4, Reason::Expired)]);
}

#[test]
fn an_unacknowledged_message_expires_only_when_it_comes_back() {
    let mut rig = Rig::new(Options { message_ttl_ms: Some(10), ..Options::default() });
    rig.publish(2);
    rig.get(AckMode::Manual);
    rig.get(AckMode::Manual);
    rig.pass(5);
    rig.requeue(&[1]);
    assert_eq!(rig.get(AckMode::Manual), Some(1), "its time goes on from where it was");
    rig.pass(5);
    assert_eq!(rig.dead(), []);
    rig.requeue(&[1, 2]);
    assert_eq!(rig.dead(), [(1, Reason::Expired), (2, Reason::Expired)]);
}

#[test]
fn a_life_of_zero_means_now_or_never() {
    let mut rig = Rig::new(Options::default());
    rig.publish_expirations(&[Some(0)]);
    assert_eq!(rig.dead(), [(1, Reason::Expired)]);
    rig.consume(1, 1);
    rig.publish_expirations(&[Some(0), Some(0), None]);
    assert_eq!(rig.handed(), [(1, 2)]);
    assert_eq!(rig.dead(), [(3, Reason::Expired)]);
    rig.requeue(&[2]);
    assert_eq!(rig.dead(), [(2, Reason::Expired)], "coming back is not a second chance");
    assert_eq!(rig.handed(), [(1, 4)]);
}

#[test]
fn a_deadline_is_never_late_and_exact_after_expire() {
    let mut rig = Rig::new(Options::default());
    rig.publish_expirations(&[Some(10), Some(50)]);
    rig.get(AckMode::Automatic);
    assert!(rig.queue.next_deadline_ms().unwrap() <= 1_050);
    rig.pass(0);
    assert_eq!(rig.queue.next_deadline_ms(), Some(1_050));
}

#[test]
fn a_queue_expires_when_nothing_used_it_for_long_enough() {
    let mut rig = Rig::new(Options { expires_ms: Some(100), ..Options::default() });
    let is_expired = |rig: &Rig| rig.queue.is_expired(rig.now_ms);
    assert_eq!(rig.queue.next_deadline_ms(), Some(1_100));
    rig.pass(99);
    assert!(!is_expired(&rig));
    rig.queue.touch(rig.now_ms);
    rig.pass(1);
    assert!(!is_expired(&rig), "a declare counts");
    rig.get(AckMode::Manual);
    rig.pass(99);
    rig.publish(1);
    assert!(!is_expired(&rig), "a get counts, an empty one too");
    rig.pass(1);
    assert!(is_expired(&rig), "a publish does not");
}

#[test]
fn a_queue_with_a_consumer_does_not_expire() {
    let mut rig = Rig::new(Options { expires_ms: Some(100), ..Options::default() });
    rig.consume(1, 0);
    rig.pass(1_000);
    assert!(!rig.queue.is_expired(rig.now_ms));
    assert_eq!(rig.queue.next_deadline_ms(), None);
    rig.queue.unsubscribe(1, rig.now_ms, &mut rig.fx);
    assert_eq!(
        rig.queue.next_deadline_ms(),
        Some(2_100),
        "the time starts when the last one leaves"
    );
    rig.pass(100);
    assert!(rig.queue.is_expired(rig.now_ms));
    rig.queue.close(&mut rig.fx);
    assert!(!rig.queue.is_expired(rig.now_ms));
}

#[test]
fn the_earlier_of_message_and_queue_expiry_is_the_deadline() {
    let options = Options { expires_ms: Some(100), message_ttl_ms: Some(30), ..Options::default() };
    let mut rig = Rig::new(options);
    rig.publish(1);
    assert_eq!(rig.queue.next_deadline_ms(), Some(1_030));
    rig.pass(30);
    assert_eq!(rig.queue.next_deadline_ms(), Some(1_100));
}

#[test]
fn the_oldest_message_is_found_among_all_priorities() {
    let mut rig = Rig::new(Options { priority_max: Some(1), ..Options::default() });
    assert_eq!(rig.queue.oldest_accepted_ms(), None);
    rig.publish_priorities(&[0]);
    rig.pass(5);
    rig.publish_priorities(&[1]);
    assert_eq!(rig.queue.oldest_accepted_ms(), Some(1_000));
    rig.get(AckMode::Manual);
    rig.get(AckMode::Manual);
    rig.requeue(&[2]);
    assert_eq!(rig.queue.oldest_accepted_ms(), Some(1_005));
}
