//! Consumers, prefetch, and fetching one by one.

use leveret::wire::{Method, basic};

use super::methods::*;
use super::row::{Step, check, row};

fn no_ack(queue: &'static str, tag: &'static str) -> basic::Consume<'static> {
    basic::Consume { no_ack: true, ..consumer(queue, tag) }
}

fn exclusive(queue: &'static str, tag: &'static str) -> basic::Consume<'static> {
    basic::Consume { exclusive: true, ..consumer(queue, tag) }
}

fn qos_with(qos: basic::Qos) -> Method<'static> {
    Method::BasicQos(qos)
}

fn qos_ok() -> Method<'static> {
    Method::BasicQosOk(basic::QosOk)
}

#[test]
fn a_consumer_gets_messages() {
    check([
        row(
            "those that were there, then those that come",
            [
                queue("q"),
                publish("", "q", "1"),
                consume_from("q", "c"),
                delivery("c", 1, "1"),
                publish("", "q", "2"),
                delivery("c", 2, "2"),
            ],
        ),
        row(
            "a tag is made up when there is none",
            [
                queue("q"),
                send(1, consume(consumer("q", ""))),
                Step::Like(1, |method| match method {
                    Method::BasicConsumeOk(ok) => {
                        ok.consumer_tag.starts_with("amq.ctag-") && ok.consumer_tag.len() == 31
                    }
                    _ => false,
                }),
            ],
        ),
        row(
            "without a reply when none is wanted",
            [
                queue("q"),
                send(1, consume(basic::Consume { no_wait: true, ..consumer("q", "c") })),
                publish("", "q", "1"),
                delivery("c", 1, "1"),
            ],
        ),
        row(
            "a queue that is missing: 404",
            [refused(consume(consumer("q", "c")), 404, "NOT_FOUND - no queue 'q' in vhost '/'")],
        ),
    ]);
}

#[test]
fn a_consumer_has_its_own_tag_and_sometimes_its_own_queue() {
    check([
        row(
            "a tag is used once: 530",
            [
                queue("q"),
                consume_from("q", "c"),
                fatal(
                    consume(consumer("q", "c")),
                    530,
                    "NOT_ALLOWED - attempt to reuse consumer tag 'c'",
                ),
            ],
        ),
        row(
            "another channel may use the tag",
            [
                queue("q"),
                consume_from("q", "c"),
                open(2),
                send(2, consume(consumer("q", "c"))),
                get(2, consuming("c")),
            ],
        ),
        row(
            "an exclusive consumer is the only one: 403",
            [
                queue("q"),
                call(consume(exclusive("q", "c")), consuming("c")),
                refused(
                    consume(consumer("q", "d")),
                    403,
                    "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
                ),
            ],
        ),
        row(
            "nobody is exclusive beside another: 403",
            [
                queue("q"),
                consume_from("q", "c"),
                refused(
                    consume(exclusive("q", "d")),
                    403,
                    "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
                ),
            ],
        ),
        row(
            "no-local has no effect",
            [
                queue("q"),
                call(
                    consume(basic::Consume { no_local: true, ..consumer("q", "c") }),
                    consuming("c"),
                ),
                publish("", "q", "1"),
                delivery("c", 1, "1"),
            ],
        ),
    ]);
}

#[test]
fn a_consumer_is_cancelled() {
    check([
        row(
            "and gets nothing more",
            [
                queue("q"),
                consume_from("q", "c"),
                call(cancel("c"), cancelled("c")),
                publish("", "q", "1"),
                holds("q", 1, 0),
            ],
        ),
        row(
            "what it had is still unacknowledged",
            [
                queue("q"),
                publish("", "q", "1"),
                consume_from("q", "c"),
                delivery("c", 1, "1"),
                call(cancel("c"), cancelled("c")),
                holds("q", 0, 0),
                send(1, requeue(1)),
                holds("q", 1, 0),
            ],
        ),
        row("one that is not there", [call(cancel("c"), cancelled("c"))]),
        row(
            "its tag is free again",
            [
                queue("q"),
                consume_from("q", "c"),
                call(cancel("c"), cancelled("c")),
                consume_from("q", "c"),
            ],
        ),
        row(
            "by the server, when its queue goes",
            [
                queue("q"),
                consume_from("q", "c"),
                send(1, delete("q")),
                get(1, Method::BasicCancel(basic::Cancel { consumer_tag: "c", no_wait: true })),
                get(1, deleted(0)),
                queue("q"),
                consume_from("q", "c"),
            ],
        )
        .ours("it may answer the deletion first"),
        row(
            "the client does not answer that: 503",
            [fatal(
                Method::BasicCancelOk(basic::CancelOk { consumer_tag: "c" }),
                503,
                "COMMAND_INVALID - unimplemented method",
            )],
        )
        .ours("4.3 fails with 541"),
    ]);
}

#[test]
fn prefetch_limits_what_is_unacknowledged() {
    let global = |prefetch_count| basic::Qos { prefetch_size: 0, prefetch_count, global: true };
    check([
        row(
            "of each consumer",
            [
                queue("q"),
                qos(1),
                consume_from("q", "c"),
                consume_from("q", "d"),
                publish("", "q", "1"),
                publish("", "q", "2"),
                publish("", "q", "3"),
                delivery("c", 1, "1"),
                delivery("d", 2, "2"),
                holds("q", 1, 2),
                send(1, ack(2)),
                delivery("d", 3, "3"),
            ],
        ),
        row(
            "of the channel, with global",
            [
                queue("q"),
                call(qos_with(global(1)), qos_ok()),
                consume_from("q", "c"),
                consume_from("q", "d"),
                publish("", "q", "1"),
                publish("", "q", "2"),
                Step::Like(1, |method| matches!(method, Method::BasicDeliver(_))),
                body("1"),
                holds("q", 1, 2),
            ],
        ),
        row(
            "consumers that are there keep theirs",
            [
                queue("q"),
                consume_from("q", "c"),
                qos(1),
                publish("", "q", "1"),
                publish("", "q", "2"),
                delivery("c", 1, "1"),
                delivery("c", 2, "2"),
            ],
        ),
        row(
            "deliveries without acknowledgement do not count",
            [
                queue("q"),
                qos(1),
                call(consume(no_ack("q", "c")), consuming("c")),
                publish("", "q", "1"),
                publish("", "q", "2"),
                delivery("c", 1, "1"),
                delivery("c", 2, "2"),
                holds("q", 0, 1),
            ],
        ),
        row(
            "a limit in bytes: 540",
            [fatal(
                qos_with(basic::Qos { prefetch_size: 1, prefetch_count: 0, global: false }),
                540,
                "NOT_IMPLEMENTED - prefetch_size!=0 (1)",
            )],
        ),
    ]);
}

#[test]
fn messages_are_fetched_one_by_one() {
    check([
        row(
            "with the count of those that remain",
            [
                queue("q"),
                publish("", "q", "1"),
                publish("", "q", "2"),
                fetched(1, 1, "1"),
                fetched(2, 0, "2"),
                empty("q"),
            ],
        ),
        row(
            "a queue that is missing: 404",
            [refused(fetch("q"), 404, "NOT_FOUND - no queue 'q' in vhost '/'")],
        ),
    ]);
}
