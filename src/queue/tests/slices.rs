//! However much has expired, is too much or is purged: a call does a part of it, and says that there is more.

use super::*;

/// Many times what one call does.
const MANY: usize = 10_000;

fn mortal() -> Rig {
    let mut rig = Rig::new(Options { message_ttl_ms: Some(10), ..Options::default() });
    rig.publish(MANY);
    rig.now_ms += 10;
    rig
}

/// How many calls it takes until nothing is left to do, none of which lets more than a few die.
fn tend(rig: &mut Rig) -> usize {
    let mut calls = 0;
    while rig.queue.next_deadline_ms().is_some_and(|at_ms| at_ms <= rig.now_ms) {
        rig.queue.tend(rig.now_ms, &mut rig.fx);
        let dead = rig.dead().len();
        assert!(dead <= 3 * DEATHS_PER_CALL, "{dead} at once");
        calls += 1;
        assert!(calls < MANY, "there is no end to it");
    }
    calls
}

#[test]
fn what_expires_at_once_dies_in_slices() {
    let mut rig = mortal();
    let calls = tend(&mut rig);
    assert!(calls > 10, "{calls} calls");
    assert_eq!(rig.queue.counts().ready, 0);
    assert_eq!(rig.queue.totals().expired, MANY as u64);
}

#[test]
fn a_get_that_meets_many_expired_messages_is_tried_again() {
    let mut rig = mortal();
    rig.publish(1);
    let mut tries = 0;
    let got = loop {
        tries += 1;
        let fetched = rig.queue.get(AckMode::Automatic, rig.now_ms, &mut rig.fx);
        let dead = rig.dead().len();
        assert!(dead <= 2 * DEATHS_PER_CALL, "{dead} at once");
        match fetched {
            GetOutcome::Got(got) => break got.entry.position,
            GetOutcome::Later => {}
            GetOutcome::Empty | GetOutcome::Gone => panic!("it is not empty"),
        }
    };
    assert_eq!(got, MANY as Position + 1);
    assert!(tries > 10, "{tries} tries");
}

#[test]
fn a_consumer_gets_what_stands_behind_many_expired_messages() {
    let mut rig = mortal();
    rig.publish(1);
    rig.dead();
    rig.consume(1, 0);
    assert!(rig.dead().len() <= 2 * DEATHS_PER_CALL);
    assert_eq!(rig.handed(), []);
    tend(&mut rig);
    assert_eq!(rig.handed(), to(1, [MANY as Position + 1]));
}

#[test]
fn many_small_messages_make_room_for_a_large_one_in_slices() {
    let max = MANY as u64;
    let mut rig = Rig::new(Options { length_bytes_max: Some(max), ..Options::default() });
    rig.publish(MANY);
    let large = rig.entry_with(Facts::default(), MANY - 1);
    rig.append(vec![large]);
    let dead = rig.dead().len();
    assert!(dead <= DEATHS_PER_CALL, "{dead} at once");
    assert_eq!(rig.queue.next_deadline_ms(), Some(0), "there is more to do");
    tend(&mut rig);
    assert_eq!(rig.queue.counts().ready_bytes, max);
    assert_eq!(rig.queue.next_deadline_ms(), None);
}

#[test]
fn what_was_purged_is_let_go_piece_by_piece() {
    let mut rig = Rig::new(Options::default());
    rig.publish(MANY);
    assert_eq!(rig.queue.purge(&mut rig.fx), MANY as u64);
    assert_eq!(rig.queue.counts().ready, 0);
    assert!(rig.settled().is_empty());
    let mut removed = rig.fx.removed.take().unwrap();
    removed.clear(100, &mut rig.fx.settled, &mut rig.fx.settled_runs);
    assert_eq!(rig.settled(), (1..=100).collect::<Vec<_>>());
    assert!(!removed.is_empty());
    rig.fx.removed = Some(removed);
    rig.drop_removed();
    assert_eq!(rig.settled(), (101..=MANY as Position).collect::<Vec<_>>());
}
