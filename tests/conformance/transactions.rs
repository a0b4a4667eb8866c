//! Transactions.

use leveret::wire::{Method, tx};

use super::methods::*;
use super::row::{Step, check, row};

#[test]
fn what_a_transaction_did_counts_when_it_is_committed() {
    check([
        row(
            "messages",
            [
                queue("q"),
                tx_select(),
                publish("", "q", "1"),
                publish("", "q", "2"),
                holds("q", 0, 0),
                commit(),
                holds("q", 2, 0),
            ],
        ),
        row(
            "or forgotten when it is rolled back",
            [
                queue("q"),
                tx_select(),
                publish("", "q", "1"),
                rollback(),
                commit(),
                holds("q", 0, 0),
            ],
        ),
    ]);
}

#[test]
fn acknowledgements_count_when_they_are_committed() {
    check([
        row(
            "acknowledgements",
            [
                queue("q"),
                publish("", "q", "1"),
                tx_select(),
                fetched(1, 0, "1"),
                send(1, ack(1)),
                commit(),
                close_channel(1),
                open(1),
                empty("q"),
            ],
        ),
        row(
            "an acknowledgement that is rolled back can be given again",
            [
                queue("q"),
                publish("", "q", "1"),
                tx_select(),
                fetched(1, 0, "1"),
                send(1, ack(1)),
                rollback(),
                send(1, ack(1)),
                commit(),
                close_channel(1),
                open(1),
                empty("q"),
            ],
        ),
        row(
            "an acknowledgement that was not committed is none",
            [
                queue("q"),
                publish("", "q", "1"),
                tx_select(),
                fetched(1, 0, "1"),
                send(1, ack(1)),
                close_channel(1),
                open(1),
                fetched_again(1, 0, "1"),
            ],
        ),
    ]);
}

#[test]
fn what_a_transaction_returns_comes_with_its_commit() {
    check([
        row(
            "a rejection that is committed returns the message",
            [
                queue("q"),
                publish("", "q", "1"),
                tx_select(),
                fetched(1, 0, "1"),
                send(1, requeue(1)),
                empty("q"),
                commit(),
                fetched_again(2, 0, "1"),
            ],
        ),
        row(
            "returns come with the commit, before its reply",
            [
                tx_select(),
                publish_mandatory("", "nowhere", "back"),
                is_open(1),
                send(1, Method::TxCommit(tx::Commit)),
                returned("", "nowhere", "back"),
                get(1, Method::TxCommitOk(tx::CommitOk)),
            ],
        ),
        row(
            "an exchange is checked when the message comes: 404",
            [
                tx_select(),
                publish("x", "k", "x"),
                Step::ChannelClosed(1, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", (60, 40)),
            ],
        ),
    ]);
}

#[test]
fn a_transaction_is_asked_for_first() {
    const NOT_TRANSACTIONAL: &str = "PRECONDITION_FAILED - channel is not transactional";
    check([
        row("tx.select may be repeated", [tx_select(), tx_select(), commit()]),
        row(
            "commit without it: 406",
            [refused(Method::TxCommit(tx::Commit), 406, NOT_TRANSACTIONAL)],
        ),
        row(
            "rollback without it: 406",
            [refused(Method::TxRollback(tx::Rollback), 406, NOT_TRANSACTIONAL)],
        ),
        row(
            "not after confirm.select: 406",
            [
                confirm_select(),
                refused(
                    Method::TxSelect(tx::Select),
                    406,
                    "PRECONDITION_FAILED - cannot switch from confirm to tx mode",
                ),
            ],
        ),
    ]);
}
