//! Messages: sizes, properties, and what comes out as it went in.

use leveret::wire::{Method, Properties, Table, Value, basic};

use super::methods::*;
use super::row::{Step, check, row};

fn announce() -> Step {
    send(1, Method::BasicPublish(publishing("", "q")))
}

fn refused_content(text: &'static str) -> Step {
    Step::ChannelClosed(1, 406, text, (60, 40))
}

fn with_headers<const N: usize>(entries: [(&str, Value); N]) -> Properties {
    Properties { headers: Some(table(entries)), ..Properties::default() }
}

fn keys(keys: &[&str]) -> Value {
    Value::Array(keys.iter().map(|key| (*key).into()).collect())
}

/// Sorted by name, as 4.3 gives headers back.
fn every_type() -> Table {
    let nested = table([("inner", Value::Array(vec![Value::Void, Value::from("deep")]))]);
    table([
        ("A", Value::Array(vec![Value::I32(1), Value::from("two")])),
        ("B", Value::U8(255)),
        ("D", Value::Decimal { scale: 2, value: 314 }),
        ("F", Value::Table(nested)),
        ("I", Value::I32(-3)),
        ("S", Value::from("text")),
        ("T", Value::Timestamp(1_700_000_000)),
        ("V", Value::Void),
        ("b", Value::I8(-1)),
        ("d", Value::F64(-2.25)),
        ("f", Value::F32(1.5)),
        ("i", Value::U32(4_000_000_000)),
        ("l", Value::I64(-4)),
        ("s", Value::I16(-2)),
        ("t", Value::Bool(true)),
        ("u", Value::U16(65_535)),
        ("x", Value::Bytes(vec![0, 1, 255])),
    ])
}

fn every_property() -> Properties {
    Properties {
        content_type: Some("text/plain".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        headers: Some(every_type()),
        delivery_mode: Some(2),
        priority: Some(3),
        correlation_id: Some("correlation".to_owned()),
        reply_to: Some("somewhere".to_owned()),
        expiration: Some("600000".to_owned()),
        message_id: Some("message".to_owned()),
        timestamp: Some(1_700_000_000),
        message_type: Some("kind".to_owned()),
        user_id: Some("guest".to_owned()),
        app_id: Some("application".to_owned()),
        cluster_id: Some("cluster".to_owned()),
    }
}

fn get_ok(delivery_tag: u64, message_count: u32) -> Method<'static> {
    Method::BasicGetOk(basic::GetOk {
        delivery_tag,
        redelivered: false,
        exchange: "",
        routing_key: "q",
        message_count,
    })
}

#[test]
fn a_message_comes_out_as_it_went_in() {
    let large = "0123456789abcdef".repeat(20_000);
    check([
        row(
            "all properties and all types of values",
            [
                queue("q"),
                publish_with("", "q", every_property(), "x"),
                call(fetch("q"), get_ok(1, 0)),
                Step::Content(1, every_property(), b"x".to_vec()),
            ],
        ),
        row(
            "a body of many frames",
            [
                queue("q"),
                publish("", "q", &large),
                call(fetch("q"), get_ok(1, 0)),
                Step::Content(1, Properties::default(), large.clone().into_bytes()),
            ],
        ),
        row(
            "an empty body has no frame",
            [queue("q"), publish("", "q", ""), fetched(1, 0, ""), is_open(1)],
        ),
        row(
            "a body in odd pieces",
            [
                queue("q"),
                announce(),
                header(60, 5),
                part("ab"),
                part(""),
                part("c"),
                part("de"),
                fetched(1, 0, "abcde"),
            ],
        ),
    ]);
}

#[test]
fn a_body_has_the_size_that_its_header_says() {
    check([
        row("a longer one: 501", [
            announce(),
            header(60, 3),
            part("four"),
            Step::Closed(
                501,
                "FRAME_ERROR - content body frame exceeds remaining content size",
                (60, 40),
            ),
        ])
        .ours("3.10 just waits"),
        row("more than may be: 406", [
            announce(),
            header(60, 16_777_217),
            refused_content(
                "PRECONDITION_FAILED - message size 16777217 is larger than configured max size \
                 16777216",
            ),
            open(1),
            is_open(1),
        ])
        .ours("it waits for the whole body first"),
    ]);
}

#[test]
fn properties_that_mean_something_are_checked() {
    let expiration = |text: &str| {
        publish_with(
            "",
            "q",
            Properties { expiration: Some(text.to_owned()), ..Properties::default() },
            "x",
        )
    };
    let user = |name: &str| {
        publish_with(
            "",
            "q",
            Properties { user_id: Some(name.to_owned()), ..Properties::default() },
            "x",
        )
    };
    check([
        row(
            "an expiration is a number",
            [
                expiration("abc"),
                refused_content("PRECONDITION_FAILED - invalid expiration 'abc': no_integer"),
            ],
        ),
        row(
            "an expiration is nothing but a number",
            [
                expiration("10s"),
                refused_content(
                    "PRECONDITION_FAILED - invalid expiration '10s': {leftover_string,\"s\"}",
                ),
            ],
        ),
        row(
            "an expiration is not negative",
            [
                expiration("-1"),
                refused_content(
                    "PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}",
                ),
            ],
        ),
        row(
            "an expiration is not too far away",
            [
                expiration("4294967296000"),
                refused_content("PRECONDITION_FAILED - invalid expiration '4294967296000': *"),
            ],
        ),
        row(
            "a user id is the user's",
            [
                user("other"),
                refused_content(
                    "PRECONDITION_FAILED - user_id property set to 'other' but authenticated user was \
                 'guest'",
                ),
                open(1),
                user("guest"),
                is_open(1),
            ],
        ),
    ]);
}

#[test]
fn copies_go_to_further_routing_keys() {
    check([
        row(
            "CC stays and BCC goes",
            [
                queue("q"),
                queue("q2"),
                queue("q3"),
                publish_with(
                    "",
                    "q",
                    with_headers([("CC", keys(&["q2"])), ("BCC", keys(&["q3"]))]),
                    "x",
                ),
                holds("q2", 1, 0),
                holds("q3", 1, 0),
                call(fetch("q"), get_ok(1, 0)),
                Step::Content(1, with_headers([("CC", keys(&["q2"]))]), b"x".to_vec()),
            ],
        ),
        row(
            "a queue that two keys name gets it once",
            [
                queue("q"),
                publish_with("", "q", with_headers([("CC", keys(&["q", "q"]))]), "x"),
                holds("q", 1, 0),
            ],
        ),
        row(
            "CC is an array: 406",
            [
                publish_with("", "q", with_headers([("CC", Value::from("q2"))]), "x"),
                refused_content(
                    "PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"CC\",longstr}",
                ),
            ],
        ),
    ]);
}
