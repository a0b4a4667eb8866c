//! Many messages whose time ends at once.

use super::desk::Desk;
use leveret::message::Facts;
use leveret::wire::Value;

const MANY: u64 = 20_000;

/// Two queues: what expires in one goes to the other.
fn declare(desk: &Desk, durable: bool) {
    let arguments = [
        ("x-message-ttl", Value::I32(1_000)),
        ("x-dead-letter-exchange", Value::LongStr(Vec::new())),
        ("x-dead-letter-routing-key", Value::LongStr(b"grave".to_vec())),
    ];
    desk.queue("mortal", durable, &arguments);
    desk.queue("grave", durable, &[]);
}

fn fill(desk: &Desk, count: u64, facts: Facts) {
    for _ in 0..count / 1_000 {
        let batch = (0..1_000).map(|_| desk.message("", "mortal", &[7; 100], facts));
        desk.client.publish(&mut batch.collect(), desk.now_ms);
        desk.write();
    }
}

#[test]
fn what_expires_at_once_is_buried_in_slices() {
    let mut desk = Desk::new(|_| {});
    declare(&desk, false);
    fill(&desk, MANY, Facts::default());
    desk.now_ms += 1_000;
    let mut before = 0;
    desk.run_errands(|| {
        let after = desk.totals("mortal").expired;
        assert!(after - before <= 1_000, "{} in one slice", after - before);
        before = after;
        assert!(desk.broker.dead_waiting() <= 2_000);
    });
    assert_eq!((desk.ready("mortal"), desk.ready("grave")), (0, MANY));
}

#[test]
fn what_expires_at_once_does_not_overrun_the_inbox() {
    const INBOX_BYTES: usize = 65_536;
    let mut desk = Desk::stepped(|config| {
        config.store.inbox_bytes_max = INBOX_BYTES;
        config.store.queue_window_messages = 1_000_000;
        config.store.queue_window_bytes = 1 << 30;
    });
    declare(&desk, true);
    let persistent = Facts { persistent: true, ..Facts::default() };
    fill(&desk, MANY, persistent);
    desk.now_ms += 1_000;
    let mut most = 0;
    while desk.ready("grave") < MANY {
        desk.run_errands_until_held(|| most = most.max(desk.broker.store_waiting_bytes()));
        desk.write();
    }
    assert_eq!((desk.ready("mortal"), desk.ready("grave")), (0, MANY));
    assert!(most < 6 * INBOX_BYTES, "{most} bytes waited");
    let (peeked, _) = desk.client.peek("grave", 1, usize::MAX, desk.now_ms).unwrap();
    assert_eq!(peeked.len(), 1);
}

#[test]
fn many_queues_that_expire_at_once_are_looked_at_in_turns() {
    let mut desk = Desk::new(|_| {});
    for number in 0..2_000 {
        desk.queue(&format!("q{number}"), false, &[("x-expires", Value::I32(1_000))]);
    }
    desk.now_ms += 1_000;
    let mut before = desk.broker.queue_count();
    desk.run_errands(|| {
        let after = desk.broker.queue_count();
        assert!(before - after <= 300, "{} in one turn", before - after);
        before = after;
    });
    assert_eq!(before, 0);
}
