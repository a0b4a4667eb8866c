//! Publishing: where messages may go, and what comes back.

use leveret::wire::{Method, basic};

use super::methods::*;
use super::row::{Step, check, row};

#[test]
fn a_message_is_published_to_an_exchange_that_is_there() {
    check([
        row(
            "a missing exchange: 404",
            [
                publish("x", "k", "x"),
                Step::ChannelClosed(1, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", (60, 40)),
                open(1),
                is_open(1),
            ],
        ),
        row(
            "the default exchange routes to the queue of the key's name",
            [queue("q"), publish("", "q", "x"), fetched(1, 0, "x")],
        ),
        row(
            "immediate: 540",
            [
                send(
                    1,
                    Method::BasicPublish(basic::Publish { immediate: true, ..publishing("", "q") }),
                ),
                header(60, 0),
                Step::Closed(540, "NOT_IMPLEMENTED - immediate=true", (60, 40)),
            ],
        ),
    ]);
}

#[test]
fn a_mandatory_message_comes_back_when_it_has_nowhere_to_go() {
    check([
        row(
            "without confirms",
            [publish_mandatory("", "nowhere", "back"), returned("", "nowhere", "back")],
        ),
        row(
            "before its confirm",
            [
                confirm_select(),
                publish_mandatory("", "nowhere", "back"),
                returned("", "nowhere", "back"),
                confirmed(1),
            ],
        ),
        row("one that is not mandatory is dropped", [publish("", "nowhere", "gone"), is_open(1)]),
        row(
            "one that reaches a queue does not come back",
            [queue("q"), publish_mandatory("", "q", "x"), holds("q", 1, 0)],
        ),
    ]);
}
