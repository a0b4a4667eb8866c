//! Acknowledging, rejecting, recovering.

use leveret::wire::{Method, basic};

use super::methods::*;
use super::row::{Step, check, row};

fn three() -> Step {
    Step::All(vec![
        queue("q"),
        publish("", "q", "1"),
        publish("", "q", "2"),
        publish("", "q", "3"),
        consume_from("q", "c"),
        delivery("c", 1, "1"),
        delivery("c", 2, "2"),
        delivery("c", 3, "3"),
    ])
}

/// Closes the channel, so that what is unacknowledged returns.
fn left(messages: u32) -> Step {
    Step::All(vec![close_channel(1), open(1), holds("q", messages, 0)])
}

fn unknown(method: Method<'static>, text: &'static str) -> Step {
    refused(method, 406, text)
}

#[test]
fn deliveries_are_acknowledged() {
    check([
        row("one by one, in any order", [three(), send(1, ack(2)), send(1, ack(1)), left(1)]),
        row("up to one of them", [three(), send(1, ack_through(2)), left(1)]),
        row("all that there are", [three(), send(1, ack_through(0)), left(0)]),
        row("all, when there are none", [queue("q"), send(1, ack_through(0)), is_open(1)]),
    ]);
}

#[test]
fn deliveries_are_rejected() {
    check([
        row("and thrown away", [three(), send(1, discard(2)), left(2)]),
        row(
            "and returned to where they were",
            [
                three(),
                call(cancel("c"), cancelled("c")),
                send(1, requeue(2)),
                send(1, requeue(1)),
                fetched_again(4, 1, "1"),
                fetched_again(5, 0, "2"),
            ],
        ),
        row(
            "and returned up to one of them",
            [
                three(),
                call(cancel("c"), cancelled("c")),
                send(1, nack_through(2)),
                holds("q", 2, 0),
                fetched_again(4, 1, "1"),
            ],
        ),
        row(
            "and delivered again",
            [
                queue("q"),
                publish("", "q", "1"),
                consume_from("q", "c"),
                delivery("c", 1, "1"),
                send(1, requeue(1)),
                redelivery("c", 2, "1"),
            ],
        ),
    ]);
}

#[test]
fn a_delivery_that_is_not_there_is_not_settled() {
    check([
        row(
            "never delivered: 406",
            [
                queue("q"),
                unknown(ack(1), "PRECONDITION_FAILED - unknown delivery tag 1"),
                open(1),
                is_open(1),
            ],
        ),
        row(
            "acknowledged before: 406",
            [
                three(),
                send(1, ack(1)),
                unknown(ack(1), "PRECONDITION_FAILED - unknown delivery tag 1"),
            ],
        ),
        row(
            "delivered without acknowledgement: 406",
            [
                queue("q"),
                call(
                    consume(basic::Consume { no_ack: true, ..consumer("q", "c") }),
                    consuming("c"),
                ),
                publish("", "q", "1"),
                delivery("c", 1, "1"),
                unknown(ack(1), "PRECONDITION_FAILED - unknown delivery tag 1"),
            ],
        ),
        row(
            "number 0, alone: 406",
            [three(), unknown(ack(0), "PRECONDITION_FAILED - unknown delivery tag 0")],
        ),
        row(
            "up to one that is not there: 406",
            [three(), unknown(ack_through(4), "PRECONDITION_FAILED - unknown delivery tag 4")],
        ),
        row("rejected: 406", [unknown(requeue(7), "PRECONDITION_FAILED - unknown delivery tag 7")]),
        row(
            "of another channel: 406",
            [
                three(),
                open(2),
                send(2, ack(1)),
                Step::ChannelClosed(
                    2,
                    406,
                    "PRECONDITION_FAILED - unknown delivery tag 1",
                    (60, 80),
                ),
            ],
        ),
    ]);
}

#[test]
fn deliveries_are_recovered() {
    let recover = |requeue| Method::BasicRecover(basic::Recover { requeue });
    check([
        row(
            "to the queue, after the reply",
            [
                queue("q"),
                publish("", "q", "1"),
                consume_from("q", "c"),
                delivery("c", 1, "1"),
                call(recover(true), Method::BasicRecoverOk(basic::RecoverOk)),
                redelivery("c", 2, "1"),
            ],
        ),
        row(
            "without a reply",
            [
                queue("q"),
                publish("", "q", "1"),
                consume_from("q", "c"),
                delivery("c", 1, "1"),
                send(1, Method::BasicRecoverAsync(basic::RecoverAsync { requeue: true })),
                redelivery("c", 2, "1"),
            ],
        ),
        row(
            "not to the same consumer: 540",
            [fatal(recover(false), 540, "NOT_IMPLEMENTED - requeue=false")],
        ),
        row(
            "nor without a reply: 540",
            [fatal(
                Method::BasicRecoverAsync(basic::RecoverAsync { requeue: false }),
                540,
                "NOT_IMPLEMENTED - requeue=false",
            )],
        ),
    ]);
}

#[test]
fn what_is_unacknowledged_returns_when_its_channel_goes() {
    check([
        row(
            "in the order it had",
            [
                three(),
                close_channel(1),
                open(1),
                fetched_again(1, 2, "1"),
                fetched_again(2, 1, "2"),
                fetched_again(3, 0, "3"),
            ],
        ),
        row(
            "also by an error",
            [
                three(),
                unknown(ack(9), "PRECONDITION_FAILED - unknown delivery tag 9"),
                open(1),
                holds("q", 3, 0),
            ],
        ),
    ]);
}
