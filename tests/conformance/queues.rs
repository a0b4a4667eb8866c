//! Class queue.

use leveret::wire::{Method, Value, queue as class};

use super::methods::*;
use super::row::{Row, Step, check, row};

const NONE_DECLARED: &str = "NOT_FOUND - no previously declared queue";
const MISSING: &str = "NOT_FOUND - no queue 'q' in vhost '/'";
const LOCKED: &str = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It \
                      could be originally declared on another connection or the exclusive property value \
                      does not match that of the original declaration.";

fn passive(name: &'static str) -> Method<'static> {
    declare(class::Declare { passive: true, ..plain(name) })
}

fn exclusive(name: &'static str) -> class::Declare<'static> {
    class::Declare { exclusive: true, ..plain(name) }
}

fn named_by_server() -> Step {
    Step::All(vec![
        send(1, declare(exclusive(""))),
        Step::Like(1, |method| match method {
            Method::QueueDeclareOk(ok) => {
                ok.queue.len() == "amq.gen-".len() + 22 && ok.queue.starts_with("amq.gen-")
            }
            _ => false,
        }),
    ])
}

#[test]
fn line_ends_leave_a_name_where_it_is_declared_bound_or_deleted() {
    check([
        row(
            "declared and bound",
            [
                call(declare(plain("a\nque\r\nue\n")), declared("aqueue", 0, 0)),
                call(declare_exchange(an_exchange("an\nex\r\n", "direct")), exchange_declared()),
                call(bind("aqu\neue", "an\nex", "k"), bound()),
                publish("anex", "k", "through"),
                holds("aqueue", 1, 0),
                call(unbind("aqueue\r", "\nanex", "k"), unbound()),
            ],
        ),
        row("deleted", [queue("gone"), call(delete("go\r\nne"), deleted(0))]),
        row(
            "no other method does so",
            [queue("q"), refused(purge("q\n"), 404, "NOT_FOUND - no queue 'q\n' in vhost '/'")],
        ),
    ]);
}

#[test]
fn a_queue_is_declared_and_found() {
    check([
        row(
            "again and again, with its counts",
            [
                queue("q"),
                publish("", "q", "1"),
                publish("", "q", "2"),
                consume_from("q", "c"),
                delivery("c", 1, "1"),
                delivery("c", 2, "2"),
                publish("", "other", "x"),
                holds("q", 0, 1),
                call(declare(durable("q")), declared("q", 0, 1)),
            ],
        ),
        row("a server names it when the client does not", [named_by_server()]),
        row("one that is missing is not found: 404", [refused(passive("q"), 404, MISSING)]),
        row(
            "no name is nobody's name: 404",
            [named_by_server(), refused(passive(""), 404, "NOT_FOUND - no queue '' in vhost '/'")],
        ),
        row(
            "a new name that begins with amq.: 403",
            [refused(
                declare(durable("amq.conformance")),
                403,
                "ACCESS_REFUSED - queue name 'amq.conformance' contains reserved prefix 'amq.*'",
            )],
        ),
        row(
            "without a reply when none is wanted",
            [send(1, declare(class::Declare { no_wait: true, ..durable("q") })), holds("q", 0, 0)],
        ),
    ]);
}

#[test]
fn an_empty_name_means_the_queue_declared_last() {
    check([
        row(
            "in bind, purge, get, consume and delete",
            [
                queue("q2"),
                queue("q"),
                call(bind("", "amq.direct", ""), bound()),
                publish("amq.direct", "q", "x"),
                call(purge(""), purged(1)),
                empty(""),
                call(consume(consumer("", "c")), consuming("c")),
                holds("q", 0, 1),
                call(cancel("c"), cancelled("c")),
                call(delete(""), deleted(0)),
                holds("q2", 0, 0),
            ],
        ),
        row(
            "an empty key stays empty when the queue is named",
            [
                queue("q"),
                call(bind("q", "amq.direct", ""), bound()),
                publish("amq.direct", "q", "x"),
                holds("q", 0, 0),
            ],
        ),
        row(
            "none declared, in bind: 404",
            [refused(bind("", "amq.direct", "k"), 404, NONE_DECLARED)],
        ),
        row("in unbind: 404", [refused(unbind("", "amq.direct", "k"), 404, NONE_DECLARED)]),
        row("in purge: 404", [refused(purge(""), 404, NONE_DECLARED)]),
        row("in get: 404", [refused(fetch(""), 404, NONE_DECLARED)]),
        row("in consume: 404", [refused(consume(consumer("", "c")), 404, NONE_DECLARED)]),
        row("in delete: 404", [refused(delete(""), 404, NONE_DECLARED)]),
        row(
            "each channel has its own",
            [
                queue("q"),
                open(2),
                send(2, purge("")),
                Step::ChannelClosed(2, 404, NONE_DECLARED, (50, 30)),
                call(purge(""), purged(0)),
            ],
        ),
    ]);
}

#[test]
fn a_second_declaration_says_the_same() {
    let differs = |declaration: class::Declare<'static>, text| {
        [queue("q"), refused(declare(declaration), 406, text)]
    };
    check([
        row(
            "durable",
            differs(
                plain("q"),
                "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received \
             'false' but current is 'true'",
            ),
        ),
        row(
            "auto-delete",
            differs(
                class::Declare { auto_delete: true, ..durable("q") },
                "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received \
             'true' but current is 'false'",
            ),
        ),
        row(
            "an argument that was not there",
            differs(
                with("q", [("x-max-length", Value::I32(5))]),
                "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received \
             the value '5' of type 'signedint' but current is none",
            ),
        ),
        row(
            "an argument with another value",
            [
                call(
                    declare(with("q", [("x-message-ttl", Value::I32(2000))])),
                    declared("q", 0, 0),
                ),
                refused(
                    declare(with("q", [("x-message-ttl", Value::I32(1000))])),
                    406,
                    "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': \
                 received '1000' but current is '2000'",
                ),
            ],
        ),
    ]);
}

#[test]
fn what_a_second_declaration_may_say_otherwise() {
    check([
        row(
            "an integer of another width is the same",
            [
                call(
                    declare(with("q", [("x-message-ttl", Value::I32(1000))])),
                    declared("q", 0, 0),
                ),
                call(
                    declare(with("q", [("x-message-ttl", Value::I64(1000))])),
                    declared("q", 0, 0),
                ),
            ],
        ),
        row(
            "an unknown argument is not compared",
            [
                queue("q"),
                call(declare(with("q", [("x-colour", Value::from("blue"))])), declared("q", 0, 0)),
            ],
        ),
        row(
            "exclusive",
            [
                queue("q"),
                refused(declare(class::Declare { exclusive: true, ..durable("q") }), 405, LOCKED),
            ],
        ),
    ]);
}

/// A queue that cannot be declared with this argument.
fn invalid(argument: &'static str, value: Value, text: &'static str) -> Row {
    row(argument, [refused(declare(with("q", [(argument, value)])), 406, text)])
}

#[test]
fn an_argument_that_makes_no_sense_is_refused() {
    check([
        invalid(
            "x-message-ttl",
            Value::I32(-1),
            "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': \
             {value_negative,-1}",
        ),
        invalid(
            "x-message-ttl",
            Value::from("soon"),
            "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': \
             \"expected integer, got longstr\"",
        ),
        invalid(
            "x-expires",
            Value::I32(0),
            "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}",
        ),
        invalid(
            "x-max-priority",
            Value::I32(256),
            "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': \
             {max_value_exceeded,256}",
        ),
        invalid(
            "x-overflow",
            Value::from("drop-tail"),
            "PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q' in vhost '/': \
             invalid_overflow",
        ),
        invalid(
            "x-overflow",
            Value::I32(1),
            "PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q' in vhost '/': \
             {unacceptable_type,signedint}",
        ),
        invalid(
            "x-dead-letter-routing-key",
            Value::from("k"),
            "PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': \
             routing_key_but_no_dlx_defined",
        ),
        invalid(
            "x-dead-letter-exchange",
            Value::I32(1),
            "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue \
             'q' in vhost '/'",
        ),
    ]);
}

#[test]
fn a_queue_is_bound_and_unbound() {
    check([
        row(
            "and again",
            [
                queue("q"),
                call(bind("q", "amq.topic", "a.*"), bound()),
                call(bind("q", "amq.topic", "a.*"), bound()),
                publish("amq.topic", "a.b", "x"),
                call(purge("q"), purged(1)),
                call(unbind("q", "amq.topic", "a.*"), unbound()),
                call(unbind("q", "amq.topic", "a.*"), unbound()),
                publish("amq.topic", "a.b", "x"),
                call(purge("q"), purged(0)),
            ],
        ),
        row(
            "the exchange is missing: 404",
            [
                queue("q"),
                refused(bind("q", "x", "k"), 404, "NOT_FOUND - no exchange 'x' in vhost '/'"),
            ],
        ),
        row("the queue is missing: 404", [refused(bind("q", "amq.topic", "k"), 404, MISSING)]),
        row(
            "an unknown x-match: 406",
            [
                queue("q"),
                refused(
                    Method::QueueBind(class::Bind {
                        queue: "q",
                        exchange: "amq.headers",
                        routing_key: "",
                        no_wait: false,
                        arguments: table([("x-match", Value::from("some"))]),
                    }),
                    406,
                    "PRECONDITION_FAILED - Invalid x-match field value <<\"some\">>; expected all, any, \
                     all-with-x, or any-with-x",
                ),
            ],
        ),
    ]);
}

#[test]
fn a_queue_is_emptied_and_deleted() {
    let delete_if = |if_unused, if_empty| {
        Method::QueueDelete(class::Delete { queue: "q", if_unused, if_empty, no_wait: false })
    };
    check([
        row(
            "purging counts what was ready",
            [
                queue("q"),
                publish("", "q", "1"),
                publish("", "q", "2"),
                fetched(1, 1, "1"),
                call(purge("q"), purged(1)),
                send(1, requeue(1)),
                holds("q", 1, 0),
            ],
        ),
        row("purging one that is missing: 404", [refused(purge("q"), 404, MISSING)]),
        row(
            "deleting counts what was ready",
            [queue("q"), publish("", "q", "1"), call(delete("q"), deleted(1))],
        ),
        row("deleting one that is missing is fine", [call(delete("q"), deleted(0))]),
        row(
            "only if unused: 406 while it has a consumer",
            [
                queue("q"),
                consume_from("q", "c"),
                refused(
                    delete_if(true, false),
                    406,
                    "PRECONDITION_FAILED - queue 'q' in vhost '/' in use",
                ),
                open(1),
                call(delete_if(true, false), deleted(0)),
            ],
        ),
        row(
            "only if empty: 406 while it holds a message",
            [
                queue("q"),
                publish("", "q", "1"),
                refused(
                    delete_if(false, true),
                    406,
                    "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty",
                ),
                open(1),
                call(purge("q"), purged(1)),
                call(delete_if(false, true), deleted(0)),
            ],
        ),
        row(
            "with its last consumer, if it was declared so",
            [
                call(
                    declare(class::Declare { auto_delete: true, ..durable("q") }),
                    declared("q", 0, 0),
                ),
                holds("q", 0, 0),
                consume_from("q", "c"),
                call(cancel("c"), cancelled("c")),
                refused(passive("q"), 404, MISSING),
            ],
        ),
    ]);
}

#[test]
fn an_exclusive_queue_is_its_connections_alone() {
    let locked = |method: Method<'static>| {
        let at = (method.class_id(), method.method_id());
        Step::All(vec![send(1, method), Step::ChannelClosed(1, 405, LOCKED, at), open(1)])
    };
    check([
        row(
            "whatever another connection wants",
            [
                call(declare(exclusive("q")), declared("q", 0, 0)),
                Step::Client(1),
                locked(passive("q")),
                locked(declare(exclusive("q"))),
                locked(fetch("q")),
                locked(purge("q")),
                locked(delete("q")),
                locked(bind("q", "amq.direct", "k")),
                locked(consume(consumer("q", "c"))),
                Step::Client(0),
                holds("q", 0, 0),
            ],
        ),
        row(
            "another connection may publish to it",
            [
                call(declare(exclusive("q")), declared("q", 0, 0)),
                Step::Client(1),
                confirm_select(),
                publish("", "q", "x"),
                confirmed(1),
                Step::Client(0),
                holds("q", 1, 0),
            ],
        ),
        row(
            "it goes with its connection",
            [
                call(declare(exclusive("q")), declared("q", 0, 0)),
                fatal(
                    Method::ChannelFlow(leveret::wire::channel::Flow { active: false }),
                    540,
                    "NOT_IMPLEMENTED - active=false",
                ),
                Step::Client(1),
                refused(passive("q"), 404, MISSING),
            ],
        ),
    ]);
}
