//! Publisher confirms.

use leveret::wire::{Method, Properties, Value, basic, confirm};

use super::methods::*;
use super::row::{Step, check, row};

#[test]
fn messages_are_confirmed_by_number() {
    let persistent = Properties { delivery_mode: Some(2), ..Properties::default() };
    check([
        row(
            "from 1",
            [
                queue("q"),
                confirm_select(),
                publish("", "q", "1"),
                confirmed(1),
                publish_with("", "q", persistent, "2"),
                confirmed(2),
            ],
        ),
        row(
            "counting what was published after confirm.select",
            [
                queue("q"),
                publish("", "q", "not counted"),
                confirm_select(),
                publish("", "q", "1"),
                confirmed(1),
            ],
        ),
        row(
            "also what has nowhere to go",
            [confirm_select(), publish("", "nowhere", "1"), confirmed(1)],
        ),
    ]);
}

#[test]
fn confirms_are_asked_for_on_each_channel() {
    check([
        row(
            "confirm.select may be repeated",
            [
                confirm_select(),
                publish("", "nowhere", "1"),
                confirmed(1),
                confirm_select(),
                publish("", "nowhere", "2"),
                confirmed(2),
            ],
        ),
        row(
            "confirm.select without a reply",
            [
                send(1, Method::ConfirmSelect(confirm::Select { no_wait: true })),
                publish("", "nowhere", "1"),
                confirmed(1),
            ],
        ),
        row(
            "each channel counts for itself",
            [
                open(2),
                confirm_select(),
                publish("", "nowhere", "1"),
                confirmed(1),
                send(2, Method::ConfirmSelect(confirm::Select { no_wait: false })),
                get(2, Method::ConfirmSelectOk(confirm::SelectOk)),
                Step::Publish(2, publishing("", "nowhere"), Properties::default(), b"1".to_vec()),
                get(2, Method::BasicAck(basic::Ack { delivery_tag: 1, multiple: false })),
            ],
        ),
        row(
            "a full queue refuses when it was declared so",
            [
                call(
                    declare(with(
                        "q",
                        [
                            ("x-max-length", Value::I32(1)),
                            ("x-overflow", Value::from("reject-publish")),
                        ],
                    )),
                    declared("q", 0, 0),
                ),
                confirm_select(),
                publish("", "q", "1"),
                confirmed(1),
                publish("", "q", "2"),
                Step::Like(1, |method| match method {
                    Method::BasicNack(nack) => nack.delivery_tag == 2,
                    _ => false,
                }),
            ],
        ),
        row(
            "not after tx.select: 406",
            [
                tx_select(),
                refused(
                    Method::ConfirmSelect(confirm::Select { no_wait: false }),
                    406,
                    "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
                ),
            ],
        ),
    ]);
}
