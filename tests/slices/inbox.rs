//! A full inbox holds back those who publish to it, and nobody else.

use super::desk::Desk;
use leveret::message::Facts;

fn full() -> Desk {
    let desk = Desk::stepped(|config| config.store.inbox_bytes_max = 65_536);
    desk.queue("durable", true, &[]);
    desk.queue("transient", false, &[]);
    let persistent = Facts { persistent: true, ..Facts::default() };
    let batch = (0..1_000).map(|_| desk.message("", "durable", &[7; 100], persistent));
    desk.client.publish(&mut batch.collect(), desk.now_ms);
    assert!(desk.broker.store_is_full());
    desk
}

#[test]
fn who_publishes_to_the_journal_waits_for_it() {
    let desk = full();
    assert!(desk.client.writes());
    desk.write();
    assert!(!desk.broker.store_is_full());
}

#[test]
fn who_publishes_to_memory_does_not_wait_for_the_journal() {
    let desk = full();
    let persistent = Facts { persistent: true, ..Facts::default() };
    for facts in [Facts::default(), persistent] {
        // In a transient queue a persistent message is in memory alone.
        let message = desk.message("", "transient", b"", facts);
        desk.client.publish(&mut message.into(), desk.now_ms);
        assert!(!desk.client.writes());
    }
    assert_eq!(desk.ready("transient"), 2);
    assert!(desk.broker.store_is_full());
}

#[test]
fn what_comes_back_again_and_again_does_not_fill_a_full_inbox() {
    let desk = full();
    let before = desk.broker.store_waiting_bytes();
    for _ in 0..1_000 {
        let then = leveret::broker::Settlement::Requeue;
        let fetched = desk.client.fetch("durable", 10, usize::MAX, then, desk.now_ms).unwrap();
        assert_eq!(fetched.len(), 10);
    }
    assert!(desk.broker.store_waiting_bytes() - before < 4_096);
}
