//! What is there again after a restart: asked for, or by a kill.

use std::time::Duration;

use leveret::wire::{Method, Properties, Value, exchange, queue};

use super::client::*;
use super::own_queue;
use crate::support::server::Server;

/// How a broker ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Clean,
    Kill,
}

const ENDINGS: [Ending; 2] = [Ending::Clean, Ending::Kill];

fn start() -> (Server, Client) {
    let server = Server::start();
    let client = Client::open(&local(server.port()));
    (server, client)
}

/// Ends the broker, starts it again, and connects.
fn again(server: &mut Server, ending: Ending) -> Client {
    match ending {
        Ending::Clean => assert!(server.terminate().success(), "{}", server.log()),
        Ending::Kill => server.kill(),
    }
    server.restart();
    Client::open(&local(server.port()))
}

/// Publishes by a connection of its own, and waits for the confirms.
#[track_caller]
fn confirmed(server: &Server, queue: &str, properties: &Properties, bodies: &[&str]) {
    let mut client = Client::open(&local(server.port()));
    client.select_confirms();
    for body in bodies {
        client.publish("", queue, properties, body);
    }
    assert!(client.confirmed_through(bodies.len() as u64).is_empty());
}

fn find_exchange(name: &str) -> Method<'_> {
    Method::ExchangeDeclare(exchange::Declare { passive: true, ..an_exchange(name, "") })
}

#[test]
fn what_is_durable_is_there_again_and_nothing_else() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.exchange("durable", "topic", &[]);
        let transient = exchange::Declare { durable: false, ..an_exchange("transient", "topic") };
        client.call(&Method::ExchangeDeclare(transient));
        client.queue("q", &[("x-max-length", Value::I32(9))]);
        client.declare(queue::Declare { durable: false, ..a_queue("transient") });
        client.declare(queue::Declare { exclusive: true, ..a_queue("exclusive") });
        client.bind("q", "durable", "a.*", &[]);
        client.bind("q", "transient", "a.*", &[]);
        client.bind("q", "amq.headers", "", &[("x-match", text("any")), ("h", Value::I32(1))]);
        client.bind_exchange("amq.fanout", "durable", "b.#");
        client.bind("q", "amq.fanout", "", &[]);
        let mut client = again(&mut server, ending);
        for name in ["transient", "exclusive"] {
            let passive = queue::Declare { passive: true, ..a_queue(name) };
            let text = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
            client.refused(&Method::QueueDeclare(passive), 404, &text);
        }
        let text = "NOT_FOUND - no exchange 'transient' in vhost '/'";
        client.refused(&find_exchange("transient"), 404, text);
        // What is there is what was declared.
        client.queue("q", &[("x-max-length", Value::I32(9))]);
        client.exchange("durable", "topic", &[]);
        client.publish("durable", "a.x", &Properties::default(), "topic");
        client.publish("durable", "b.x", &Properties::default(), "through fanout");
        client.publish("amq.headers", "", &headers(&[("h", Value::I32(1))]), "headers");
        assert_eq!(client.drain("q"), ["topic", "through fanout", "headers"], "{ending:?}");
    }
}

#[test]
fn persistent_messages_are_there_in_order_and_transient_ones_are_not() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.queue("q", &[]);
        confirmed(&server, "q", &persistent(), &["a", "b", "c"]);
        client.put("q", "transient");
        confirmed(&server, "q", &persistent(), &["d"]);
        let held = client.get("q").unwrap();
        client.ack(held.tag);
        client.is_quiet();
        confirmed(&server, "q", &persistent(), &["e"]);
        let mut client = again(&mut server, ending);
        let left: Vec<Message> = std::iter::from_fn(|| client.get("q")).collect();
        let bodies: Vec<&str> = left.iter().map(|message| &*message.body).collect();
        assert_eq!(bodies, ["b", "c", "d", "e"], "{ending:?}");
        // After a kill nobody knows what had been delivered.
        let may_be_known = matches!(ending, Ending::Kill);
        assert!(left.iter().all(|message| message.redelivered == may_be_known), "{ending:?}");
        assert!(left.iter().all(|message| message.properties == persistent()));
    }
}

#[test]
fn what_was_unacknowledged_is_there_again_and_marked() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.queue("q", &[]);
        confirmed(&server, "q", &persistent(), &["a", "b"]);
        assert_eq!(client.get("q").unwrap().body, "a");
        let mut client = again(&mut server, ending);
        let first = client.get("q").unwrap();
        assert_eq!((&*first.body, first.redelivered), ("a", true), "{ending:?}");
        assert_eq!(client.get("q").unwrap().body, "b");
    }
}

#[test]
fn a_quorum_queue_keeps_every_message_and_its_count() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.queue("q", &[("x-queue-type", text("quorum"))]);
        confirmed(&server, "q", &Properties::default(), &["a", "b"]);
        let held = client.get("q").unwrap();
        client.requeue(held.tag);
        client.is_quiet();
        confirmed(&server, "q", &Properties::default(), &["c"]);
        let mut client = again(&mut server, ending);
        let first = client.get("q").unwrap();
        assert_eq!(first.body, "a");
        assert_eq!(first.header("x-delivery-count"), Some(&Value::I64(1)), "{ending:?}");
        client.requeue(first.tag);
        assert_eq!(client.drain("q"), ["a", "b", "c"]);
    }
}

#[test]
fn the_time_of_messages_goes_on_while_the_broker_does_not_run() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.queue("dead", &[]);
        client.queue(
            "q",
            &[
                ("x-dead-letter-exchange", text("")),
                ("x-dead-letter-routing-key", text("dead")),
                ("x-message-ttl", Value::I32(60_000)),
            ],
        );
        let short = Properties { expiration: Some("1500".to_owned()), ..persistent() };
        confirmed(&server, "q", &short, &["short"]);
        confirmed(&server, "q", &persistent(), &["long"]);
        let mut client = again(&mut server, ending);
        let dead = own_queue::wait_for(&mut client, "dead");
        assert_eq!(dead.body, "short", "{ending:?}");
        assert_eq!(dead.header("x-first-death-reason"), Some(&text("expired")));
        client.ack(dead.tag);
        assert_eq!(client.drain("q"), ["long"]);
        // A declaration is answered when it is on the disk, and what was taken before stands in front of it.
        client.queue("later", &[]);
        let mut client = again(&mut server, ending);
        assert_eq!(client.counts("q"), (0, 0));
    }
}

#[test]
fn dead_letters_and_what_they_tell_outlive_a_restart() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        let to =
            |key| [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(key))];
        client.queue("one", &to("two"));
        client.queue("two", &to("one"));
        confirmed(&server, "one", &persistent(), &["x"]);
        let held = client.get("one").unwrap();
        client.reject(held.tag);
        client.is_quiet();
        confirmed(&server, "one", &persistent(), &["fence"]);
        let mut client = again(&mut server, ending);
        assert_eq!(client.drain("one"), ["fence"]);
        let held = client.get("two").unwrap();
        client.reject(held.tag);
        let back = client.get("one").unwrap();
        let Some(Value::Array(deaths)) = back.header("x-death") else { panic!("{back:?}") };
        assert_eq!(deaths.len(), 2, "{ending:?}: the death before the restart counts");
    }
}

#[test]
fn what_was_deleted_stays_deleted() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.exchange("x", "fanout", &[]);
        client.queue("bound", &[]);
        client.queue("q", &[]);
        client.bind("bound", "x", "", &[]);
        client.bind("q", "x", "", &[]);
        confirmed(&server, "q", &persistent(), &["x"]);
        own_queue::delete(&mut client, "q");
        client.call(&Method::QueueUnbind(queue::Unbind {
            queue: "bound",
            exchange: "x",
            routing_key: "",
            arguments: table(&[]),
        }));
        client.queue("purged", &[]);
        confirmed(&server, "purged", &persistent(), &["x"]);
        assert_eq!(own_queue::purge(&mut client, "purged"), 1);
        confirmed(&server, "bound", &persistent(), &["fence"]);
        let mut client = again(&mut server, ending);
        client.queue("q", &[]);
        assert_eq!(client.counts("q"), (0, 0), "{ending:?}");
        assert_eq!(client.counts("purged"), (0, 0), "{ending:?}");
        client.publish_mandatory("x", "", "unbound");
        assert_eq!(client.returned().body, "unbound");
    }
}

#[test]
fn limits_and_priorities_outlive_a_restart() {
    for ending in ENDINGS {
        let (mut server, mut client) = start();
        client.queue("q", &[("x-max-length", Value::I32(2)), ("x-max-priority", Value::I32(3))]);
        for (priority, body) in [(1, "low"), (3, "high")] {
            let properties = Properties { priority: Some(priority), ..persistent() };
            confirmed(&server, "q", &properties, &[body]);
        }
        let mut client = again(&mut server, ending);
        assert_eq!(client.get("q").unwrap().body, "high", "{ending:?}");
        confirmed(&server, "q", &persistent(), &["none"]);
        confirmed(&server, "q", &persistent(), &["another"]);
        assert_eq!(client.counts("q").0, 2);
    }
}

#[test]
fn a_transaction_is_there_when_its_commit_was_answered() {
    let (mut server, mut client) = start();
    client.queue("q", &[]);
    client.call(&Method::TxSelect(leveret::wire::tx::Select));
    client.publish("", "q", &persistent(), "committed");
    client.call(&Method::TxCommit(leveret::wire::tx::Commit));
    client.publish("", "q", &persistent(), "not committed");
    client.is_quiet();
    let mut client = again(&mut server, Ending::Kill);
    assert_eq!(client.drain("q"), ["committed"]);
}

#[test]
fn a_broker_that_stops_says_so() {
    let (server, mut client) = start();
    client.queue("q", &[]);
    client.select_confirms();
    client.publish("", "q", &persistent(), "x");
    assert!(client.confirmed_through(1).is_empty());
    server.signal(rustix::process::Signal::TERM);
    client.connection_closed(
        320,
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
    );
    assert!(server.log_line_with("stopped", Duration::from_secs(20)).is_some());
}
