//! Class exchange.

use leveret::wire::{Method, Value, exchange};

use super::methods::*;
use super::row::{Step, check, row};

fn passive(name: &'static str) -> Method<'static> {
    declare_exchange(exchange::Declare { passive: true, ..an_exchange(name, "") })
}

fn delete_if_unused(exchange: &'static str) -> Method<'static> {
    Method::ExchangeDelete(exchange::Delete { exchange, if_unused: true, no_wait: false })
}

fn unbind_exchange(destination: &'static str, source: &'static str) -> Method<'static> {
    Method::ExchangeUnbind(exchange::Unbind {
        destination,
        source,
        routing_key: "k",
        no_wait: false,
        arguments: none(),
    })
}

const DEFAULT: &str = "ACCESS_REFUSED - operation not permitted on the default exchange";

#[test]
fn an_exchange_is_declared_and_found() {
    check([
        row(
            "all types, and again",
            [
                exchange("x", "direct"),
                exchange("x", "direct"),
                exchange("x2", "fanout"),
                exchange("x3", "topic"),
                exchange("x4", "headers"),
                call(passive("x"), exchange_declared()),
            ],
        ),
        row(
            "a predeclared one may be declared as it is",
            [
                exchange("amq.direct", "direct"),
                exchange("amq.fanout", "fanout"),
                exchange("amq.topic", "topic"),
                exchange("amq.headers", "headers"),
                exchange("amq.match", "headers"),
                call(passive("amq.rabbitmq.trace"), exchange_declared()),
            ],
        ),
        row(
            "one that is missing is not found: 404",
            [refused(passive("x"), 404, "NOT_FOUND - no exchange 'x' in vhost '/'")],
        ),
        row(
            "an unknown type: 406",
            [refused(
                declare_exchange(an_exchange("x", "strange")),
                406,
                "PRECONDITION_FAILED - unknown exchange type 'strange'",
            )],
        )
        .ours("3.10 closes the connection with 503"),
        row(
            "without a reply when none is wanted",
            [
                send(
                    1,
                    declare_exchange(exchange::Declare {
                        no_wait: true,
                        ..an_exchange("x", "topic")
                    }),
                ),
                exchange("x", "topic"),
            ],
        ),
    ]);
}

#[test]
fn a_second_declaration_says_the_same() {
    let differs = |declare: exchange::Declare<'static>, text| {
        [exchange("x", "direct"), refused(declare_exchange(declare), 406, text)]
    };
    let x = || an_exchange("x", "direct");
    check([
        row(
            "type",
            differs(
                an_exchange("x", "fanout"),
                "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received \
             'fanout' but current is 'direct'",
            ),
        ),
        row(
            "durable",
            differs(
                exchange::Declare { durable: false, ..x() },
                "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'x' in vhost '/': received \
             'false' but current is 'true'",
            ),
        ),
        row(
            "auto-delete",
            differs(
                exchange::Declare { auto_delete: true, ..x() },
                "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': \
             received 'true' but current is 'false'",
            ),
        ),
        row(
            "internal",
            differs(
                exchange::Declare { internal: true, ..x() },
                "PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'x' in vhost '/': received \
             'true' but current is 'false'",
            ),
        ),
        row(
            "alternate exchange",
            differs(
                exchange::Declare {
                    arguments: table([("alternate-exchange", Value::from("x2"))]),
                    ..x()
                },
                "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost \
             '/': received the value 'x2' of type 'longstr' but current is none",
            ),
        ),
        row(
            "other arguments are not compared",
            [
                exchange("x", "direct"),
                call(
                    declare_exchange(exchange::Declare {
                        arguments: table([("colour", Value::from("blue"))]),
                        ..x()
                    }),
                    exchange_declared(),
                ),
            ],
        ),
    ]);
}

#[test]
fn names_of_the_broker_are_left_alone() {
    check([
        row(
            "a new name that begins with amq.: 403",
            [refused(
                declare_exchange(an_exchange("amq.mine", "direct")),
                403,
                "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
            )],
        ),
        row(
            "the default exchange is not declared: 403",
            [refused(declare_exchange(an_exchange("", "direct")), 403, DEFAULT)],
        ),
        row("nor deleted: 403", [refused(delete_exchange(""), 403, DEFAULT)]),
        row("nor bound to: 403", [queue("q"), refused(bind("q", "", "k"), 403, DEFAULT)]),
        row("nor unbound from: 403", [queue("q"), refused(unbind("q", "", "k"), 403, DEFAULT)]),
        row(
            "a predeclared exchange is not deleted: 403",
            [refused(
                delete_exchange("amq.topic"),
                403,
                "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed",
            )],
        ),
    ]);
}

#[test]
fn an_exchange_is_deleted() {
    check([
        row(
            "one that is there, and one that is not",
            [
                exchange("x", "direct"),
                call(delete_exchange("x"), exchange_deleted()),
                call(delete_exchange("x"), exchange_deleted()),
                refused(passive("x"), 404, "NOT_FOUND - no exchange 'x' in vhost '/'"),
            ],
        ),
        row(
            "only if unused: 406 while something is bound to it",
            [
                exchange("x", "direct"),
                queue("q"),
                call(bind("q", "x", "k"), bound()),
                refused(
                    delete_if_unused("x"),
                    406,
                    "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use",
                ),
                open(1),
                call(unbind("q", "x", "k"), unbound()),
                call(delete_if_unused("x"), exchange_deleted()),
            ],
        ),
        row(
            "with its last binding, if it was declared so",
            [
                call(
                    declare_exchange(exchange::Declare {
                        auto_delete: true,
                        ..an_exchange("x", "direct")
                    }),
                    exchange_declared(),
                ),
                queue("q"),
                call(bind("q", "x", "k"), bound()),
                call(passive("x"), exchange_declared()),
                call(unbind("q", "x", "k"), unbound()),
                refused(passive("x"), 404, "NOT_FOUND - no exchange 'x' in vhost '/'"),
            ],
        ),
    ]);
}

#[test]
fn exchanges_are_bound_to_exchanges() {
    let unbound = || Method::ExchangeUnbindOk(exchange::UnbindOk);
    check([
        row(
            "a message goes through both, once",
            [
                exchange("x", "fanout"),
                exchange("x2", "fanout"),
                queue("q"),
                call(bind_exchange("x2", "x", ""), exchange_bound()),
                call(bind_exchange("x2", "x", "again"), exchange_bound()),
                call(bind_exchange("x", "x2", ""), exchange_bound()),
                call(bind("q", "x2", ""), bound()),
                call(bind("q", "x", ""), bound()),
                confirm_select(),
                publish("x", "k", "once"),
                confirmed(1),
                holds("q", 1, 0),
            ],
        ),
        row(
            "the source is missing: 404",
            [
                exchange("x", "fanout"),
                refused(
                    bind_exchange("x", "x2", "k"),
                    404,
                    "NOT_FOUND - no exchange 'x2' in vhost '/'",
                ),
            ],
        ),
        row(
            "the destination is missing: 404",
            [
                exchange("x", "fanout"),
                refused(
                    bind_exchange("x2", "x", "k"),
                    404,
                    "NOT_FOUND - no exchange 'x2' in vhost '/'",
                ),
            ],
        ),
        row(
            "unbinding what is not bound is fine",
            [
                exchange("x", "fanout"),
                exchange("x2", "fanout"),
                call(unbind_exchange("x2", "x"), unbound()),
            ],
        ),
    ]);
}

#[test]
fn an_exchange_may_be_internal_or_have_an_alternate() {
    check([
        row(
            "an internal one takes no message from a client: 403",
            [
                call(
                    declare_exchange(exchange::Declare {
                        internal: true,
                        ..an_exchange("x", "fanout")
                    }),
                    exchange_declared(),
                ),
                publish("x", "k", "x"),
                Step::ChannelClosed(
                    1,
                    403,
                    "ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'",
                    (60, 40),
                ),
            ],
        ),
        row(
            "the alternate exchange gets what has nowhere to go",
            [
                exchange("x2", "fanout"),
                queue("q"),
                call(bind("q", "x2", ""), bound()),
                call(
                    declare_exchange(exchange::Declare {
                        arguments: table([("alternate-exchange", Value::from("x2"))]),
                        ..an_exchange("x", "direct")
                    }),
                    exchange_declared(),
                ),
                confirm_select(),
                publish_mandatory("x", "nowhere", "x"),
                confirmed(1),
                holds("q", 1, 0),
            ],
        ),
    ]);
}
