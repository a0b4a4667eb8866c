//! Queues: declared, listed, purged, deleted.

use serde_json::Value;

use super::desk::Desk;

/// Three queues, one of them with messages.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.check(
        &["declare", "queue", "orders", "-a", "x-max-length=10000", "-a", "x-message-ttl=3600000"],
        "queue 'orders' declared",
    );
    desk.check(
        &["declare", "queue", "jobs", "--transient", "--auto-delete"],
        "queue 'jobs' declared",
    );
    desk.check(&["declare", "queue", "votes", "--type", "quorum"], "queue 'votes' declared");
    desk.fill("orders", &["one", "two", "three"]);
    desk
}

#[test]
fn queues_are_listed_with_what_an_operator_looks_for() {
    let desk = desk();
    let columns = "name,type,features,state,ready,unacked,total,consumers,bytes";
    desk.check(
        &["queues", "--columns", columns],
        "\
name    type     features   state    ready  unacked  total  consumers  bytes
jobs    classic  AD         running      0        0      0          0    0 B
orders  classic  D TTL Lim  running      3        0      3          0   11 B
votes   quorum   D          running      0        0      0          0    0 B",
    );
    let whole = desk.prints(&["queues", "--filter", "orders"]);
    let heading: Vec<&str> = whole.lines().next().unwrap().split_whitespace().collect();
    let expected = "name type features state ready unacked total consumers bytes oldest in/s out/s";
    assert_eq!(heading.join(" "), expected);
    assert!(whole.lines().count() == 2 && whole.contains("ms"), "no age of the oldest: {whole}");
}

#[test]
fn queues_are_sorted_and_filtered() {
    let desk = desk();
    let names = |arguments: &[&str]| {
        let all = [&["queues", "--columns", "name", "--format", "csv"], arguments].concat();
        desk.prints(&all).lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "jobs orders votes");
    assert_eq!(names(&["--sort", "-name"]), "votes orders jobs");
    assert_eq!(names(&["--sort", "ready"]), "jobs votes orders");
    assert_eq!(names(&["--sort", "-ready,-name"]), "orders votes jobs");
    assert_eq!(names(&["--filter", "O"]), "jobs orders votes");
    assert_eq!(names(&["--filter", "order"]), "orders");
    assert_eq!(names(&["--filter", "ready>0"]), "orders");
    assert_eq!(names(&["--filter", "ready=0", "--filter", "type=quorum"]), "votes");
    assert_eq!(names(&["--filter", "bytes>1k"]), "");
    assert_eq!(names(&["--filter", "oldest>=0ms"]), "orders");
    assert_eq!(names(&["--filter", "name~^(jobs|votes)$"]), "jobs votes");
    assert_eq!(names(&["--filter", "arguments.x-max-length=10000"]), "orders");
    desk.check(&["queues", "--filter", "nothing-like-it"], "no queues match");
}

#[test]
fn json_is_the_api_s_own_objects_and_csv_has_plain_numbers() {
    let desk = desk();
    let json: Value = serde_json::from_str(&desk.prints(&["queues", "--format", "json"])).unwrap();
    let orders = json.as_array().unwrap().iter().find(|queue| queue["name"] == "orders").unwrap();
    assert_eq!((&orders["messages_ready"], &orders["vhost"]), (&Value::from(3), &Value::from("/")));
    assert_eq!(orders["arguments"]["x-max-length"], 10_000);
    assert!(orders["oldest_message_age_ms"].is_u64(), "{orders}");
    desk.check(
        &["queues", "--format", "json", "--columns", "name,ready", "--filter", "orders"],
        "[\n{\"messages_ready\":3,\"name\":\"orders\"}\n]",
    );
    desk.check(&["queues", "--format", "json", "--filter", "none"], "[]");
    desk.check(
        &["queues", "--format", "csv", "--columns", "name,ready,durable,arguments.x-max-length"],
        "name,messages_ready,durable,arguments.x-max-length\njobs,0,false,\norders,3,true,10000\nvotes,0,true,",
    );
}

#[test]
fn every_column_that_is_offered_has_a_field_behind_it() {
    let desk = desk();
    let output = desk.run(&["queues", "--columns", "none"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let names =
        told.split_once("(there are ").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
    // `idle_since` comes once nothing happens any more, and is waited for where Flower reads it.
    for name in names.split(", ").filter(|name| *name != "idle_since") {
        let of_orders = ["queues", "--filter", "orders", "--format", "json", "--columns", name];
        let read: Value = serde_json::from_str(&desk.prints(&of_orders)).unwrap();
        assert!(read[0].as_object().is_some_and(|queue| !queue.is_empty()), "{name}: {read}");
    }
}

#[test]
fn a_listing_of_more_than_a_page_is_whole() {
    let desk = Desk::new();
    let mut peer = desk.peer();
    for number in 0..1001 {
        let name = format!("q{number:04}");
        peer.declare_queue(&name, crate::support::peer::Durability::Transient, &[]).unwrap();
    }
    for (format, around) in [("csv", 1), ("json", 2), ("table", 1)] {
        let text = desk.prints(&["queues", "--columns", "name", "--format", format]);
        assert_eq!(text.lines().count(), 1001 + around, "{format}");
        assert!(text.contains("q0000") && text.contains("q1000"), "{format}");
    }
    let sorted =
        desk.prints(&["queues", "--columns", "name", "--format", "csv", "--sort", "-name"]);
    assert_eq!(sorted.lines().nth(1), Some("q1000"));
}

#[test]
fn a_listing_that_makes_no_sense_is_refused() {
    let desk = Desk::new();
    desk.makes_no_sense(
        &["queues", "--sort", "redy"],
        "queues have no column `redy`; did you mean `ready`? (there are name, vhost, ",
    );
    desk.makes_no_sense(&["queues", "--columns", "name,size"], "queues have no column `size`");
    desk.makes_no_sense(
        &["queues", "--filter", "ready>lots"],
        "ready is a number, and \"lots\" is none",
    );
    desk.makes_no_sense(&["queues", "--filter", "name~("], "\"(\" is not a regular expression");
    desk.makes_no_sense(
        &["queues", "--format", "xml"],
        "invalid value 'xml' for '--format <FORMAT>'",
    );
    desk.makes_no_sense(&["queues", "--watch", "0"], "invalid value '0' for '--watch [<SECONDS>]'");
    desk.fails(
        &["queues", "--vhost", "none"],
        "there is no virtual host 'none' that user 'guest' may enter; `leveret admin vhosts` lists those there are",
    );
}

#[test]
fn a_queue_is_declared_once_and_then_compared() {
    let desk = desk();
    let again = [
        "declare",
        "queue",
        "orders",
        "--arguments",
        r#"{"x-max-length":10000,"x-message-ttl":3600000}"#,
    ];
    desk.check(&again, "queue 'orders' was there already");
    desk.fails(&["declare", "queue", "orders"], "inequivalent arg");
    desk.fails(&["declare", "queue", "x", "--type", "stream"], "");
    desk.fails(&["declare", "queue", "x", "-a", "x-max-length=many"], "");
    desk.fails(&["declare", "queue", "x", "--vhost", "none"], "there is no virtual host 'none'");
    desk.makes_no_sense(
        &["declare", "queue"],
        "missing: <NAME>; `leveret admin declare queue --help`",
    );
    desk.makes_no_sense(&["declare", "queue", ""], "a value is required for '<NAME>'");
    desk.makes_no_sense(
        &["declare", "queue", "x", "-a", "x"],
        "--argument must be NAME=VALUE, not \"x\"",
    );
    desk.makes_no_sense(
        &["declare", "queue", "x", "--arguments", "{"],
        "--arguments is not JSON: EOF",
    );
    desk.makes_no_sense(
        &["declare", "queue", "x", "--arguments", "[]"],
        "--arguments must be a JSON object",
    );
    desk.check(&["queues", "--filter", "name=x"], "no queues match");
}

#[test]
fn purging_says_what_is_lost_and_wants_to_be_told_so() {
    let desk = desk();
    desk.fails(
        &["purge", "orders"],
        "This drops 3 ready messages from queue 'orders' in virtual host '/'. Nobody is here to be asked, so nothing \
         was done: --yes does it",
    );
    desk.check(&["queues", "--columns", "ready", "--filter", "orders"], "ready\n    3");
    desk.check(&["purge", "orders", "--yes"], "queue 'orders' purged of 3 messages");
    desk.check(&["queues", "--columns", "ready", "--filter", "orders"], "ready\n    0");
    desk.fails(
        &["purge", "none", "--yes"],
        "there is no queue 'none' in virtual host '/'; `leveret admin queues` lists those there are",
    );
    desk.makes_no_sense(&["purge"], "missing: <QUEUE>");
}

#[test]
fn deleting_a_queue_says_what_goes_with_it() {
    let desk = desk();
    desk.prints(&["bind", "amq.topic", "orders", "order.#"]);
    desk.fails(
        &["delete", "queue", "orders"],
        "This deletes queue 'orders' in virtual host '/' with 3 messages, no consumers and 1 binding. Nobody is here",
    );
    desk.fails(&["delete", "queue", "orders", "--if-empty", "--yes"], "");
    desk.check(&["queues", "--columns", "ready", "--filter", "orders"], "ready\n    3");
    desk.check(&["delete", "queue", "orders", "--yes"], "queue 'orders' deleted");
    desk.check(
        &["delete", "queue", "jobs", "--if-unused", "--if-empty", "-y"],
        "queue 'jobs' deleted",
    );
    desk.check(&["queues", "--columns", "name"], "name\nvotes");
    desk.fails(
        &["delete", "queue", "orders", "--yes"],
        "there is no queue 'orders' in virtual host '/'; `leveret admin queues` lists those there are",
    );
    desk.fails(
        &["delete", "queue", "votes", "--vhost", "none", "-y"],
        "there is no virtual host 'none'",
    );
    desk.makes_no_sense(&["delete", "queue"], "missing: <NAME>");
    desk.makes_no_sense(
        &["delete", "qeue", "x"],
        "unrecognized subcommand 'qeue' (did you mean queue?)",
    );
}

#[test]
fn names_that_mean_something_elsewhere_are_names_here() {
    let desk = Desk::new();
    for name in ["a/b", "50%", "what?", "#1", "a b", "Ünï 日本", "'; drop", "..", "a&b=c"] {
        desk.check(&["declare", "queue", name], &format!("queue '{name}' declared"));
        desk.check(&["purge", name, "--yes"], &format!("queue '{name}' purged of no messages"));
        desk.check(&["delete", "queue", name, "--yes"], &format!("queue '{name}' deleted"));
    }
    desk.check(&["declare", "queue", "a\u{1b}[2Jb"], "queue 'a\\u{1b}[2Jb' declared");
    desk.check(&["queues", "--columns", "name"], "name\na\\u{1b}[2Jb");
}
