//! Direct replies: consuming from the pseudo-queue `amq.rabbitmq.reply-to`.

use leveret::wire::{Method, Properties, basic};

use super::methods::*;
use super::row::{Step, check, row};

const PSEUDO: &str = "amq.rabbitmq.reply-to";

fn replies(tag: &'static str) -> Method<'static> {
    consume(basic::Consume { no_ack: true, ..consumer(PSEUDO, tag) })
}

fn request() -> Step {
    let properties = Properties { reply_to: Some(PSEUDO.to_owned()), ..Properties::default() };
    publish_with("", "q", properties, "question")
}

#[test]
fn a_requester_consumes_its_replies_first() {
    check([
        row(
            "a request before that: 406",
            [
                request(),
                Step::ChannelClosed(
                    1,
                    406,
                    "PRECONDITION_FAILED - fast reply consumer does not exist",
                    (60, 40),
                ),
            ],
        ),
        row(
            "a request after that",
            [queue("q"), call(replies("r"), consuming("r")), request(), holds("q", 1, 0)],
        ),
        row(
            "with acknowledgement: 406",
            [refused(
                consume(consumer(PSEUDO, "r")),
                406,
                "PRECONDITION_FAILED - reply consumer cannot acknowledge",
            )],
        ),
        row(
            "twice: 406",
            [
                call(replies("r"), consuming("r")),
                refused(replies("s"), 406, "PRECONDITION_FAILED - reply consumer already set"),
            ],
        ),
        row(
            "again after it was cancelled",
            [
                call(replies("r"), consuming("r")),
                call(cancel("r"), cancelled("r")),
                call(replies("r"), consuming("r")),
            ],
        ),
        row(
            "not after it was cancelled: 406",
            [
                call(replies("r"), consuming("r")),
                call(cancel("r"), cancelled("r")),
                request(),
                Step::ChannelClosed(
                    1,
                    406,
                    "PRECONDITION_FAILED - fast reply consumer does not exist",
                    (60, 40),
                ),
            ],
        ),
    ]);
}
