//! When a transaction's messages are accepted: at its commit.

use super::*;
use crate::wire::tx;

const LIFE_MS: u64 = 1_000;

/// Declares a queue whose messages live that long.
fn declare_short_lived() -> Vec<u8> {
    let life = wire::Value::I32(LIFE_MS as i32);
    let declare = queue::Declare {
        queue: "q",
        passive: false,
        durable: false,
        exclusive: true,
        auto_delete: false,
        no_wait: false,
        arguments: [("x-message-ttl".to_owned(), life)].into_iter().collect(),
    };
    frame(1, &Method::QueueDeclare(declare))
}

#[test]
fn the_time_to_live_of_a_transactions_messages_begins_at_its_commit() {
    let place = Place::new();
    let mut talk = place.open();
    talk.say(&declare_short_lived());
    talk.say(&frame(1, &Method::TxSelect(tx::Select)));
    talk.say(&[publish("q", b"one"), publish("q", b"two")].concat());
    let committed_ms = NOW_MS + 10 * LIFE_MS;
    talk.say_at(&frame(1, &Method::TxCommit(tx::Commit)), committed_ms);
    talk.hear();
    for (at_ms, answer) in [
        (committed_ms + LIFE_MS - 1, "1 basic.get-ok"),
        (committed_ms + LIFE_MS, "1 basic.get-empty"),
    ] {
        talk.say_at(&get("q"), at_ms);
        assert_eq!(talk.hear(), [answer], "{at_ms}");
    }
}
