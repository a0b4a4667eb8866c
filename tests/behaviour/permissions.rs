//! What a user may do: users, virtual hosts and permissions of a definitions file.

use std::fs;

use leveret::wire::{Method, Properties, Table, basic, exchange, queue};
use tempfile::TempDir;

use super::client::*;
use crate::support::server::Server;

/// `all` may do everything in `/`; `some` may configure, write and read names that begin with these letters; `none`
/// has no permission anywhere; `other` may do everything in the virtual host `other`.
const DEFINITIONS: &str = r#"{
  "users": [
    {"name": "all", "password": "a", "tags": ""},
    {"name": "some", "password": "s", "tags": ""},
    {"name": "none", "password": "n", "tags": ""},
    {"name": "other", "password": "o", "tags": []},
    {"name": "deputy", "password": "d", "tags": "impersonator"}
  ],
  "vhosts": [{"name": "/"}, {"name": "other"}],
  "permissions": [
    {"user": "all", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "deputy", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "some", "vhost": "/", "configure": "c.*", "write": "^.*w.*$", "read": "r|.*r"},
    {"user": "other", "vhost": "other", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "all", "vhost": "other", "configure": ".*", "write": ".*", "read": ".*"}
  ]
}"#;

struct Defined {
    server: Server,
    _definitions: TempDir,
}

fn start() -> Defined {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("definitions.json");
    fs::write(&file, DEFINITIONS).unwrap();
    let server = Server::start_with(&format!("definitions = {file:?}\n"));
    Defined { server, _definitions: directory }
}

impl Defined {
    fn log_in(&self, user: &str, vhost: &str) -> Result<Client, String> {
        let login = Login { user, password: &user[..1], vhost, heartbeat_s: 0 };
        Client::log_in(&local(self.server.port()), login)
    }

    #[track_caller]
    fn client(&self, user: &str) -> Client {
        self.log_in(user, "/").unwrap()
    }
}

#[test]
fn a_virtual_host_is_closed_to_whom_has_no_permission_in_it() {
    let broker = start();
    for (user, vhost, text) in [
        ("none", "/", "access to vhost '/' refused for user 'none'"),
        ("other", "/", "access to vhost '/' refused for user 'other'"),
        ("some", "other", "access to vhost 'other' refused for user 'some'"),
        ("all", "third", "vhost third not found"),
    ] {
        let why = broker.log_in(user, vhost).err().unwrap();
        assert!(why.contains("reply_code: 530") && why.contains(text), "{why}");
    }
    for (user, vhost) in [("all", "/"), ("all", "other"), ("other", "other"), ("some", "/")] {
        assert!(broker.log_in(user, vhost).is_ok(), "{user} in {vhost}");
    }
}

#[test]
fn virtual_hosts_know_nothing_of_each_other() {
    let broker = start();
    let mut here = broker.client("all");
    let mut there = broker.log_in("other", "other").unwrap();
    here.queue("q", &[]);
    here.exchange("x", "fanout", &[]);
    let get = Method::BasicGet(basic::Get { queue: "q", no_ack: true });
    there.refused(&get, 404, "NOT_FOUND - no queue 'q' in vhost 'other'");
    there.publish("x", "", &Properties::default(), "x");
    there.channel_closed(404, "NOT_FOUND - no exchange 'x' in vhost 'other'");
    there.exchange("x", "direct", &[]);
    there.queue("q", &[]);
    there.put("q", "there");
    assert_eq!(here.counts("q"), (0, 0));
    assert_eq!(there.counts("q"), (1, 0));
    there.exchange("amq.topic", "topic", &[]);
}

/// What user `some` asks for, and whether it is refused: with which word, for what.
#[track_caller]
fn check(client: &mut Client, method: &Method<'_>, refused: Option<(&str, &str)>) {
    let Some((action, what)) = refused else {
        client.call(method);
        return;
    };
    let text =
        format!("ACCESS_REFUSED - {action} access to {what} in vhost '/' refused for user 'some'");
    client.refused(method, 403, &text);
}

#[test]
fn declaring_and_deleting_takes_configure() {
    let broker = start();
    let mut all = broker.client("all");
    all.queue("x-mine", &[]);
    let some = &mut broker.client("some");
    let queue = |name| Method::QueueDeclare(a_queue(name));
    check(some, &queue("c"), None);
    check(some, &queue("c-and-more"), None);
    check(some, &queue("xc"), Some(("configure", "queue 'xc'")));
    check(some, &queue("x-mine"), Some(("configure", "queue 'x-mine'")));
    // Whether it is there may be asked by everyone.
    let passive = Method::QueueDeclare(queue::Declare { passive: true, ..a_queue("x-mine") });
    check(some, &passive, None);
    let exchange = |name| Method::ExchangeDeclare(an_exchange(name, "topic"));
    check(some, &exchange("cx"), None);
    check(some, &exchange("x"), Some(("configure", "exchange 'x'")));
    let delete = |queue| {
        Method::QueueDelete(queue::Delete {
            queue,
            if_unused: false,
            if_empty: false,
            no_wait: false,
        })
    };
    check(some, &delete("x-mine"), Some(("configure", "queue 'x-mine'")));
    check(some, &delete("c"), None);
    let delete = |exchange| {
        Method::ExchangeDelete(exchange::Delete { exchange, if_unused: false, no_wait: false })
    };
    check(some, &delete("x"), Some(("configure", "exchange 'x'")));
    check(some, &delete("cx"), None);
}

#[test]
fn a_queue_that_names_an_exchange_takes_read_and_write_too() {
    let broker = start();
    let some = &mut broker.client("some");
    let dead = |queue, exchange| {
        let arguments = table(&[("x-dead-letter-exchange", text(exchange))]);
        Method::QueueDeclare(queue::Declare { arguments, ..a_queue(queue) })
    };
    check(some, &dead("c", "w"), Some(("read", "queue 'c'")));
    check(some, &dead("cr", "x"), Some(("write", "exchange 'x'")));
    check(some, &dead("cr", "w"), None);
    let alternate = |exchange, to| {
        let arguments = table(&[("alternate-exchange", text(to))]);
        Method::ExchangeDeclare(exchange::Declare { arguments, ..an_exchange(exchange, "topic") })
    };
    check(some, &alternate("c", "w"), Some(("read", "exchange 'c'")));
    check(some, &alternate("cr", "x"), Some(("write", "exchange 'x'")));
    check(some, &alternate("cr", "w"), None);
}

#[test]
fn publishing_takes_write_on_the_exchange() {
    let broker = start();
    let mut all = broker.client("all");
    all.exchange("w", "fanout", &[]);
    all.exchange("x", "fanout", &[]);
    let some = &mut broker.client("some");
    some.publish("w", "", &Properties::default(), "x");
    some.is_quiet();
    some.publish("x", "", &Properties::default(), "x");
    let refused = |what: &str| {
        format!("ACCESS_REFUSED - write access to {what} in vhost '/' refused for user 'some'")
    };
    some.channel_closed(403, &refused("exchange 'x'"));
    some.put("w", "by the default exchange");
    some.channel_closed(403, &refused("exchange 'amq.default'"));
}

#[test]
fn consuming_takes_read_on_the_queue() {
    let broker = start();
    let mut all = broker.client("all");
    all.queue("r", &[]);
    all.queue("x", &[]);
    let some = &mut broker.client("some");
    let purge = |queue| Method::QueuePurge(queue::Purge { queue, no_wait: false });
    assert_eq!(some.take("r"), None);
    let refused = Some(("read", "queue 'x'"));
    check(some, &Method::BasicGet(basic::Get { queue: "x", no_ack: true }), refused);
    check(some, &Method::BasicConsume(a_consumer("r", "c")), None);
    check(some, &Method::BasicConsume(a_consumer("x", "d")), refused);
    check(some, &purge("r"), None);
    check(some, &purge("x"), refused);
}

#[test]
fn binding_takes_write_on_the_destination_and_read_on_the_source() {
    let broker = start();
    let mut all = broker.client("all");
    for queue in ["w", "r"] {
        all.queue(queue, &[]);
    }
    for exchange in ["w", "r", "rw"] {
        all.exchange(exchange, "fanout", &[]);
    }
    let some = &mut broker.client("some");
    let bind = |queue, exchange| {
        let arguments = Table::new();
        Method::QueueBind(queue::Bind {
            queue,
            exchange,
            routing_key: "",
            no_wait: false,
            arguments,
        })
    };
    check(some, &bind("w", "r"), None);
    check(some, &bind("r", "r"), Some(("write", "queue 'r'")));
    check(some, &bind("w", "w"), Some(("read", "exchange 'w'")));
    let unbind = |queue, exchange| {
        let arguments = Table::new();
        Method::QueueUnbind(queue::Unbind { queue, exchange, routing_key: "", arguments })
    };
    check(some, &unbind("r", "r"), Some(("write", "queue 'r'")));
    check(some, &unbind("w", "r"), None);
    let bind = |destination, source| {
        let arguments = Table::new();
        Method::ExchangeBind(exchange::Bind {
            destination,
            source,
            routing_key: "",
            no_wait: false,
            arguments,
        })
    };
    check(some, &bind("rw", "r"), None);
    check(some, &bind("r", "rw"), Some(("write", "exchange 'r'")));
    check(some, &bind("rw", "w"), Some(("read", "exchange 'w'")));
}

#[test]
fn permissions_and_users_outlive_a_restart() {
    let mut broker = start();
    for _ in 0..2 {
        let some = &mut broker.client("some");
        check(some, &Method::QueueDeclare(a_queue("x")), Some(("configure", "queue 'x'")));
        assert!(broker.log_in("none", "/").is_err());
        broker.server.restart();
    }
}

#[test]
fn a_message_names_its_user_or_none() {
    let broker = start();
    let mut some = broker.client("all");
    some.queue("q", &[]);
    let by = |user: &str| Properties { user_id: Some(user.to_owned()), ..Properties::default() };
    some.publish("", "q", &by("all"), "x");
    assert_eq!(some.take("q").unwrap().properties, by("all"));
    some.publish("", "q", &by("some"), "x");
    some.channel_closed(
        406,
        "PRECONDITION_FAILED - user_id property set to 'some' but authenticated user was 'all'",
    );
    let mut deputy = broker.client("deputy");
    deputy.publish("", "q", &by("some"), "for another");
    assert_eq!(deputy.take("q").unwrap().properties, by("some"));
}
