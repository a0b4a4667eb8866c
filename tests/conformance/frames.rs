//! Frames that are wrong: the connection closes with the right code, and nothing else is disturbed.

use leveret::wire::{Method, basic, channel};

use super::methods::*;
use super::row::{Row, Step, check, row};

const DROPPED: &str = "it drops the socket without a word";
const OWN_TEXT: &str = "it closes with the same code and other words";
const WAITS: &str = "it waits for the whole frame first";

/// `basic.publish` on channel 1, which content has to follow.
fn announce() -> Step {
    send(1, Method::BasicPublish(publishing("", "q")))
}

fn fatal_bytes(rule: &'static str, bytes: Vec<u8>, code: u16, text: &'static str) -> Row {
    row(rule, [Step::Bytes(bytes), Step::Closed(code, text, (0, 0))])
}

#[test]
fn a_frame_that_cannot_be_read_closes_the_connection_with_501() {
    let mut bad_end = frame(8, 0, b"");
    bad_end[7] = 0xcd;
    let large = [1, 0, 1, 0x00, 0x02, 0x00, 0x01];
    check([
        fatal_bytes("a wrong end octet", bad_end, 501, "FRAME_ERROR - frame ends with 205*")
            .ours(OWN_TEXT),
        fatal_bytes("an unknown type", frame(9, 0, b""), 501, "FRAME_ERROR - unknown frame type 9")
            .ours(OWN_TEXT),
        fatal_bytes(
            "a payload of one byte more than negotiated, before any of it came",
            large.to_vec(),
            501,
            "FRAME_ERROR - frame of 131081 bytes is larger than the limit of 131072",
        )
        .ours(WAITS),
        row(
            "truncated arguments",
            [
                Step::Bytes(frame(1, 1, &[0, 60, 0, 80, 0, 0])),
                Step::Closed(501, "FRAME_ERROR - truncated arguments", (60, 80)),
            ],
        )
        .ours(OWN_TEXT),
        row(
            "bytes after the last argument",
            [
                Step::Bytes(frame(1, 1, &[0, 20, 0, 41, 7])),
                Step::Closed(501, "FRAME_ERROR - bytes after the last argument", (20, 41)),
            ],
        )
        .ours(OWN_TEXT),
    ]);
}

#[test]
fn a_table_or_text_that_cannot_be_read_closes_the_connection_with_501() {
    check([
        row(
            "a table that lies about its length",
            [
                Step::Bytes(frame(
                    1,
                    1,
                    b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x09\x01kt\x01",
                )),
                Step::Closed(501, "FRAME_ERROR - truncated arguments", (50, 10)),
            ],
        )
        .ours(OWN_TEXT),
        row(
            "a table value of a type that nobody defined",
            [
                Step::Bytes(frame(
                    1,
                    1,
                    b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x03\x01k?",
                )),
                Step::Closed(501, "FRAME_ERROR - unknown table value type '?'", (50, 10)),
            ],
        )
        .ours(DROPPED),
        row(
            "malformed UTF-8 in a short string",
            [
                Step::Bytes(frame(1, 1, b"\x00\x3c\x00\x1e\x01\xff\x00")),
                Step::Closed(501, "FRAME_ERROR - malformed UTF-8 in a short string", (60, 30)),
            ],
        )
        .ours(OWN_TEXT),
        row(
            "an empty method frame",
            [
                Step::Bytes(frame(1, 1, b"")),
                Step::Closed(501, "FRAME_ERROR - truncated arguments", (0, 0)),
            ],
        )
        .ours(OWN_TEXT),
    ]);
}

#[test]
fn a_method_that_nobody_knows_closes_the_connection_with_503() {
    const UNIMPLEMENTED: &str = "COMMAND_INVALID - unimplemented method";
    check([
        row(
            "an unknown class",
            [Step::Bytes(frame(1, 1, &[0, 99, 0, 10])), Step::Closed(503, UNIMPLEMENTED, (99, 10))],
        )
        .ours(DROPPED),
        row(
            "an unknown method of a known class",
            [Step::Bytes(frame(1, 1, &[0, 60, 0, 99])), Step::Closed(503, UNIMPLEMENTED, (60, 99))],
        )
        .ours(DROPPED),
        row(
            "a method of the server's on a channel",
            [fatal(Method::BasicQosOk(basic::QosOk), 503, UNIMPLEMENTED)],
        ),
        row(
            "a method of class connection on a channel",
            [fatal(connection_open("/"), 503, UNIMPLEMENTED)],
        ),
    ]);
}

#[test]
fn frames_come_in_order() {
    const NO_METHOD: &str =
        "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    const NO_HEADER: &str = "UNEXPECTED_FRAME - expected content header for class 60, got non content \
                             header frame instead";
    const NO_BODY: &str =
        "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
    let flow = || send(1, Method::ChannelFlow(channel::Flow { active: true }));
    check([
        row("a header without a method", [header(60, 1), Step::Closed(505, NO_METHOD, (0, 0))]),
        row(
            "a header without a method, of a weight that no header has",
            [
                Step::Bytes(frame(2, 1, &[0, 60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])),
                Step::Closed(505, NO_METHOD, (0, 0)),
            ],
        ),
        row(
            "a header without a method, with properties that are none",
            [
                Step::Bytes(frame(2, 1, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0, 9])),
                Step::Closed(505, NO_METHOD, (0, 0)),
            ],
        ),
        row("a body without a method", [part("x"), Step::Closed(505, NO_METHOD, (0, 0))]),
        row(
            "a method instead of a header",
            [announce(), flow(), Step::Closed(505, NO_HEADER, (60, 40))],
        ),
        row(
            "a body instead of a header",
            [announce(), part("x"), Step::Closed(505, NO_HEADER, (60, 40))],
        ),
        row(
            "a header of another class",
            [
                announce(),
                header(50, 1),
                Step::Closed(
                    505,
                    "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 \
                 instead",
                    (60, 40),
                ),
            ],
        ),
        row(
            "a method instead of a body",
            [announce(), header(60, 1), flow(), Step::Closed(505, NO_BODY, (60, 40))],
        ),
        row(
            "a header instead of a body",
            [announce(), header(60, 1), header(60, 1), Step::Closed(505, NO_BODY, (60, 40))],
        ),
    ]);
}

#[test]
fn frames_of_channels_and_heartbeats_may_alternate() {
    check([
        row(
            "a heartbeat on a channel",
            [
                Step::Bytes(frame(8, 1, b"")),
                Step::Closed(505, "UNEXPECTED_FRAME - heartbeat on a channel", (0, 0)),
            ],
        )
        .ours(OWN_TEXT),
        row(
            "content on channel 0",
            [
                Step::Bytes(frame(3, 0, b"x")),
                Step::Closed(505, "UNEXPECTED_FRAME - content on channel 0", (0, 0)),
            ],
        )
        .ours(OWN_TEXT),
        row(
            "frames of two channels may alternate",
            [
                queue("q"),
                queue("q2"),
                open(2),
                announce(),
                send(2, Method::BasicPublish(publishing("", "q2"))),
                header(60, 2),
                Step::Bytes(frame(2, 2, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])),
                part("a"),
                Step::Bytes(frame(3, 2, b"z")),
                part("b"),
                holds("q2", 1, 0),
                fetched(1, 0, "ab"),
            ],
        ),
        row(
            "a heartbeat may come at any time",
            [
                Step::Bytes(frame(8, 0, b"")),
                announce(),
                Step::Bytes(frame(8, 0, b"")),
                header(60, 1),
                Step::Bytes(frame(8, 0, b"")),
                part("x"),
                is_open(1),
            ],
        ),
    ]);
}
