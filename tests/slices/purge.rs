//! Purging and deleting what is deep.

use super::desk::Desk;
use leveret::broker::{DeleteQueue, Publishes};
use leveret::message::Facts;

const MANY: u64 = 50_000;

fn fill(desk: &Desk, facts: Facts) {
    for _ in 0..MANY / 1_000 {
        let batch = (0..1_000).map(|_| desk.message("", "deep", b"", facts));
        desk.client.publish(&mut batch.collect(), desk.now_ms);
    }
}

#[test]
fn a_purge_answers_at_once_and_lets_go_in_slices() {
    let desk = Desk::new(|_| {});
    desk.queue("deep", false, &[]);
    fill(&desk, Facts::default());
    let held = desk.broker.memory().held_bytes();
    assert_eq!(desk.client.purge_queue("deep", desk.now_ms).unwrap(), MANY as u32);
    assert_eq!(desk.ready("deep"), 0);
    let mut before = desk.broker.memory().held_bytes();
    let slice_max = held / 20;
    assert!(before > held - slice_max, "all at once");
    let slices = desk.run_errands(|| {
        let after = desk.broker.memory().held_bytes();
        assert!(before - after <= slice_max, "{} of {held} bytes in one slice", before - after);
        before = after;
    });
    assert!(slices > 20, "{slices} slices");
    assert_eq!(before, 0);
}

#[test]
fn a_deletion_answers_at_once_and_lets_go_in_slices() {
    let desk = Desk::new(|_| {});
    desk.queue("deep", false, &[]);
    fill(&desk, Facts::default());
    let held = desk.broker.memory().held_bytes();
    let conditions = DeleteQueue { if_unused: false, if_empty: false };
    let (count, _) = desk.client.delete_queue("deep", conditions, desk.now_ms).unwrap();
    assert_eq!(count, MANY as u32);
    assert!(desk.broker.memory().held_bytes() > held - held / 20, "all at once");
    desk.run_errands(|| {});
    assert_eq!(desk.broker.memory().held_bytes(), 0);
}

#[test]
fn what_was_purged_does_not_come_back_however_early_the_broker_stops() {
    let desk = Desk::stepped(|_| {});
    desk.queue("deep", true, &[]);
    let persistent = Facts { persistent: true, ..Facts::default() };
    let mut batch =
        (0..10_000).map(|_| desk.message("", "deep", b"", persistent)).collect::<Publishes>();
    desk.client.publish(&mut batch, desk.now_ms);
    assert_eq!(desk.client.purge_queue("deep", desk.now_ms).unwrap(), 10_000);
    let mut rest = desk.message("", "deep", b"kept", persistent).into();
    desk.client.publish(&mut rest, desk.now_ms);
    let desk = desk.reopened(|_| {});
    assert_eq!(desk.ready("deep"), 1);
}

#[test]
fn settlements_of_a_purge_come_in_pieces() {
    let desk = Desk::stepped(|config| {
        config.store.queue_window_messages = 1_000_000;
        config.store.queue_window_bytes = 1 << 30;
    });
    desk.queue("deep", true, &[]);
    fill(&desk, Facts { persistent: true, ..Facts::default() });
    desk.write();
    assert_eq!(desk.client.purge_queue("deep", desk.now_ms).unwrap(), MANY as u32);
    let mut before = 0;
    desk.run_errands(|| {
        let after = desk.broker.store_waiting_bytes();
        assert!(after - before <= 32_768, "{} bytes in one slice", after - before);
        before = after;
    });
    desk.write();
    let desk = desk.reopened(|_| {});
    assert_eq!(desk.ready("deep"), 0);
}
