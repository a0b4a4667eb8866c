//! Length limits: what is dropped, and who is refused.

use super::*;

#[test]
fn the_oldest_of_the_lowest_priority_makes_room() {
    fn check(length_max: u64, priorities: &[u8], dropped: &[Position]) {
        let options =
            Options { length_max: Some(length_max), priority_max: Some(9), ..Options::default() };
        let mut rig = Rig::new(options);
        for priority in priorities {
            rig.publish_priorities(&[*priority]);
        }
        let expected: Vec<_> = dropped.iter().map(|p| (*p, Reason::MaxLength)).collect();
        assert_eq!(rig.dead(), expected, "{priorities:?} into {length_max}");
        assert_eq!(rig.queue.totals().dropped, dropped.len() as u64);
    }
    check(3, &[0, 0, 0], &[]);
    check(2, &[0, 0, 0, 0], &[1, 2]);
    check(2, &[5, 0, 5, 0], &[2, 4]);
    check(1, &[1, 2, 3], &[1, 2]);
    check(0, &[0], &[1]);
}

#[test]
fn bytes_of_body_are_limited() {
    fn check(length_bytes_max: u64, bodies: &[usize], ready: &[Position]) {
        let options = Options { length_bytes_max: Some(length_bytes_max), ..Options::default() };
        let mut rig = Rig::new(options);
        for bytes in bodies {
            let entry = rig.entry_with(Facts::default(), *bytes);
            rig.append(vec![entry]);
        }
        assert_eq!(rig.drain(), ready, "{bodies:?} into {length_bytes_max}");
        assert_eq!(rig.queue.counts().ready_bytes, 0);
    }
    check(10, &[5, 5], &[1, 2]);
    check(10, &[5, 5, 1], &[2, 3]);
    check(10, &[5, 5, 10], &[3]);
    check(10, &[5, 11], &[]);
    check(0, &[0, 0], &[1, 2]);
}

#[test]
fn what_a_consumer_takes_at_once_was_never_too_much() {
    let mut rig = Rig::new(Options { length_max: Some(0), ..Options::default() });
    rig.consume(1, 2);
    rig.publish(3);
    assert_eq!(rig.handed(), to(1, 1..=2));
    assert_eq!(rig.dead(), [(3, Reason::MaxLength)]);
}

#[test]
fn only_ready_messages_count() {
    let mut rig = Rig::new(Options { length_max: Some(2), ..Options::default() });
    rig.publish(2);
    rig.get(AckMode::Manual);
    rig.publish(1);
    assert_eq!(rig.dead(), []);
    rig.requeue(&[1]);
    assert_eq!(rig.dead(), [(1, Reason::MaxLength)], "what comes back counts again");
}

#[test]
fn a_full_queue_refuses_publishers_and_counts_those_on_their_way() {
    fn check(overflow: Overflow, expected: [Result<Reservation, QueueFull>; 3]) {
        let mut rig = Rig::new(Options { overflow, length_max: Some(2), ..Options::default() });
        rig.publish(1);
        let message = message(Facts::default(), 1);
        let answers = [(); 3].map(|()| rig.queue.reserve(&message));
        assert_eq!(answers, expected, "{overflow:?}");
    }
    use QueueFull::{DeadLetter, Refuse};
    use Reservation::{Nothing, Place};
    check(Overflow::DropHead, [Ok(Nothing), Ok(Nothing), Ok(Nothing)]);
    check(Overflow::RejectPublish, [Ok(Place), Err(Refuse), Err(Refuse)]);
    check(Overflow::RejectPublishDlx, [Ok(Place), Err(DeadLetter), Err(DeadLetter)]);
}

#[test]
fn a_reserved_place_becomes_a_message_or_is_given_back() {
    let overflow = Overflow::RejectPublish;
    let mut rig = Rig::new(Options { overflow, length_max: Some(1), ..Options::default() });
    let entry = Entry { reservation: Reservation::Place, ..rig.entry() };
    assert_eq!(rig.queue.reserve(&entry.message), Ok(Reservation::Place));
    rig.queue.release(Reservation::Place, &entry.message);
    assert_eq!(rig.queue.reserve(&entry.message), Ok(Reservation::Place));
    rig.append(vec![entry.clone()]);
    assert_eq!(rig.queue.reserve(&entry.message), Err(QueueFull::Refuse));
    assert_eq!(rig.drain(), [1]);
    assert_eq!(rig.queue.reserve(&entry.message), Ok(Reservation::Place));
    assert_eq!(rig.queue.totals().refused, 1);
}

#[test]
fn a_publisher_is_refused_by_bytes_too() {
    let overflow = Overflow::RejectPublish;
    let mut rig = Rig::new(Options { overflow, length_bytes_max: Some(10), ..Options::default() });
    let reserve = |rig: &mut Rig, bytes| rig.queue.reserve(&message(Facts::default(), bytes));
    assert_eq!(reserve(&mut rig, 11), Err(QueueFull::Refuse));
    assert_eq!(reserve(&mut rig, 6), Ok(Reservation::Place));
    assert_eq!(reserve(&mut rig, 5), Err(QueueFull::Refuse));
    assert_eq!(reserve(&mut rig, 4), Ok(Reservation::Place));
}

#[test]
fn a_refusing_queue_never_drops() {
    let overflow = Overflow::RejectPublish;
    let mut rig = Rig::new(Options { overflow, length_max: Some(1), ..Options::default() });
    rig.publish(1);
    rig.get(AckMode::Manual);
    rig.publish(1);
    rig.requeue(&[1]);
    assert_eq!(rig.dead(), []);
    assert_eq!(rig.drain(), [1, 2]);
}
