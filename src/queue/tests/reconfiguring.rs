//! Other options for a queue that has messages, consumers, and publishers on their way.

use super::*;

impl Rig {
    fn reconfigure(&mut self, change: impl FnOnce(&mut Options)) {
        let mut options = self.queue.options().clone();
        change(&mut options);
        self.queue.reconfigure(options, self.now_ms, &mut self.fx);
    }
}

#[test]
fn a_lower_limit_drops_what_is_too_much_in_slices() {
    let mut rig = Rig::new(Options::default());
    rig.publish(3 * DEATHS_PER_CALL);
    rig.reconfigure(|options| options.length_max = Some(1));
    assert_eq!(rig.queue.counts().ready, 2 * DEATHS_PER_CALL as u64);
    assert_eq!(rig.queue.next_deadline_ms(), Some(0), "the rest is to go on");
    while rig.queue.next_deadline_ms() == Some(0) {
        rig.queue.tend(rig.now_ms, &mut rig.fx);
    }
    assert_eq!(rig.drain(), [3 * DEATHS_PER_CALL as u64]);
}

#[test]
fn a_limit_that_is_lifted_ends_what_was_going_on() {
    let mut rig = Rig::new(Options::default());
    rig.publish(2 * DEATHS_PER_CALL);
    rig.reconfigure(|options| options.length_max = Some(1));
    rig.reconfigure(|options| options.length_max = None);
    assert_eq!(rig.queue.next_deadline_ms(), None);
    assert_eq!(rig.queue.counts().ready, DEATHS_PER_CALL as u64);
}

#[test]
fn a_queue_that_comes_to_refuse_keeps_what_it_has() {
    let mut rig = Rig::new(Options::default());
    rig.publish(3);
    rig.reconfigure(|options| {
        options.length_max = Some(2);
        options.overflow = Overflow::RejectPublish;
    });
    assert_eq!(rig.dead(), []);
    let message = message(Facts::default(), 1);
    assert_eq!(rig.queue.reserve(&message), Err(QueueFull::Refuse));
    assert_eq!(rig.drain(), [1, 2, 3]);
    assert_eq!(rig.queue.reserve(&message), Ok(Reservation::Place));
}

#[test]
fn a_place_is_given_back_by_its_message_whatever_is_in_force_by_then() {
    let refusing =
        Options { overflow: Overflow::RejectPublish, length_max: Some(1), ..Options::default() };
    let mut rig = Rig::new(refusing.clone());
    let mut reserved = rig.entry();
    reserved.reservation = rig.queue.reserve(&reserved.message).unwrap();
    rig.reconfigure(|options| options.overflow = Overflow::DropHead);
    let mut free = rig.entry();
    free.reservation = rig.queue.reserve(&free.message).unwrap();
    rig.queue.reconfigure(refusing, rig.now_ms, &mut rig.fx);
    // One that holds no place gives none back.
    rig.append(vec![free]);
    assert_eq!(rig.drain(), [2]);
    let next = rig.entry();
    assert_eq!(rig.queue.reserve(&next.message), Err(QueueFull::Refuse), "a place is taken still");
    rig.append(vec![reserved]);
    assert_eq!(rig.drain(), [1]);
    assert_eq!(rig.queue.reserve(&next.message), Ok(Reservation::Place));
}

#[test]
fn a_time_to_live_counts_for_what_comes_from_then_on() {
    let mut rig = Rig::new(Options::default());
    rig.publish(1);
    rig.reconfigure(|options| options.message_ttl_ms = Some(10));
    rig.publish(1);
    rig.pass(10);
    assert_eq!(rig.dead(), [(2, Reason::Expired)]);
    rig.reconfigure(|options| options.message_ttl_ms = None);
    rig.publish(1);
    rig.pass(1_000);
    assert_eq!(rig.drain(), [1, 3]);
}

#[test]
fn a_lower_delivery_limit_is_met_at_the_next_return() {
    let mut rig = Rig::new(Options::default());
    rig.publish(1);
    for _ in 0..3 {
        rig.get(AckMode::Manual);
        rig.requeue(&[1]);
    }
    rig.reconfigure(|options| options.delivery_limit = Some(2));
    assert_eq!(rig.dead(), []);
    rig.get(AckMode::Manual);
    rig.requeue(&[1]);
    assert_eq!(rig.dead(), [(1, Reason::DeliveryLimit)]);
}

#[test]
fn an_expiry_of_the_queue_counts_from_its_last_use() {
    let mut rig = Rig::new(Options::default());
    rig.now_ms += 500;
    rig.reconfigure(|options| options.expires_ms = Some(400));
    assert!(rig.queue.is_expired(rig.now_ms));
    rig.queue.touch(rig.now_ms);
    assert_eq!(rig.queue.next_deadline_ms(), Some(rig.now_ms + 400));
}

#[test]
fn what_was_settled_at_birth_stays() {
    let born =
        Options { priority_max: Some(3), single_active_consumer: true, ..Options::default() };
    let mut rig = Rig::new(born.clone());
    let other = Options { length_max: Some(7), ..Options::default() };
    rig.queue.reconfigure(other, rig.now_ms, &mut rig.fx);
    assert_eq!(rig.queue.options(), &Options { length_max: Some(7), ..born });
}
