//! Messages: published, looked at, taken.

use serde_json::Value;

use super::desk::{Desk, complaint, run_with};

const COLUMNS: &str = "position,exchange,key,redelivered,bytes,properties,payload";

#[test]
fn a_look_at_messages_leaves_them_where_they_are() {
    let desk = Desk::new();
    desk.prints(&["declare", "queue", "orders"]);
    desk.fill("orders", &["one", "two", "three"]);
    let expected = "\
position  exchange   key     redelivered  bytes  properties       payload
       1  (default)  orders  no             3 B  delivery_mode=2  one
       2  (default)  orders  no             3 B  delivery_mode=2  two";
    for _ in 0..2 {
        desk.check(&["get", "orders", "-n", "2", "--columns", COLUMNS], expected);
    }
    desk.check(&["queues", "--columns", "ready,unacked"], "ready  unacked\n    3        0");
    let first = desk.prints(&["get", "orders"]);
    assert!(first.contains("one") && first.contains("ms") && !first.contains("two"), "{first}");
}

#[test]
fn a_look_into_a_deep_queue_says_what_it_does_not_show() {
    let desk = Desk::with("[store]\nqueue_window_messages = 8\n");
    desk.prints(&["declare", "queue", "deep"]);
    desk.prints(&["declare", "queue", "shallow"]);
    let bodies: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    desk.fill("deep", &bodies);
    desk.fill("shallow", &["one", "two"]);
    let output = desk.run(&["get", "deep", "-n", "40", "--format", "json"]);
    assert!(output.status.success(), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = shown.as_array().unwrap().len();
    assert!(shown < 40, "{shown}");
    let told = String::from_utf8(output.stderr).unwrap();
    let (more, rest) = told.strip_prefix("leveret: ").unwrap().split_once(' ').unwrap();
    assert_eq!(more.parse(), Ok(40 - shown), "{told}");
    assert!(rest.starts_with("more ready messages not shown: a look reaches what is in memory"));
    assert_eq!(told.lines().count(), 1, "{told}");
    // Nothing is said where all that was asked for is shown.
    desk.prints(&["get", "deep", "-n", "2"]);
    desk.prints(&["get", "shallow", "-n", "9"]);
}

#[test]
fn with_ack_messages_are_taken() {
    let desk = Desk::new();
    desk.prints(&["declare", "queue", "orders"]);
    desk.fill("orders", &["one", "two", "three"]);
    desk.check(&["get", "orders", "--ack", "-n", "2", "--columns", "payload"], "payload\none\ntwo");
    let rest = desk.prints(&["get", "orders", "--ack", "-n", "9", "--format", "json"]);
    let rest: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!((&rest[0]["payload"], &rest[1]), (&"three".into(), &Value::Null));
    desk.check(&["get", "orders"], "no messages");
    desk.check(&["get", "orders", "--format", "json"], "[]");
}

#[test]
fn getting_from_nowhere_is_said() {
    let desk = Desk::new();
    desk.fails(&["get", "none"], "there is no queue 'none' in virtual host '/'");
    desk.fails(&["get", "none", "--vhost", "nowhere"], "there is no virtual host 'nowhere'");
    desk.makes_no_sense(&["get"], "missing: <QUEUE>");
    desk.makes_no_sense(&["get", "x", "-n", "0"], "invalid value '0' for '--count <N>'");
    desk.makes_no_sense(&["get", "x", "-n", "1001"], "invalid value '1001' for '--count <N>'");
}

#[test]
fn a_message_is_published_with_all_that_belongs_to_it() {
    let desk = Desk::new();
    desk.prints(&["declare", "queue", "orders"]);
    desk.check(
        &[
            "publish",
            "",
            "orders",
            "{\"id\":1}",
            "-p",
            "content_type=application/json",
            "-p",
            "priority=5",
            "-p",
            "expiration=60000",
            "--header",
            "tries=3",
            "--header",
            "from=web",
        ],
        "published 8 bytes",
    );
    let got: Value =
        serde_json::from_str(&desk.prints(&["get", "orders", "--ack", "--format", "json"]))
            .unwrap();
    let expected = serde_json::json!({
        "content_type": "application/json", "priority": 5, "expiration": "60000", "delivery_mode": 2,
        "headers": {"tries": 3, "from": "web"},
    });
    assert_eq!((&got[0]["payload"], &got[0]["properties"]), (&"{\"id\":1}".into(), &expected));

    desk.prints(&["publish", "", "orders", "-light", "--transient"]);
    let got = desk.prints(&["get", "orders", "--ack", "--columns", "properties,payload"]);
    assert_eq!(got, "properties  payload\n            -light\n");
}

#[test]
fn a_body_comes_from_standard_input_or_a_file_whatever_its_bytes() {
    let desk = Desk::new();
    desk.prints(&["declare", "queue", "orders"]);
    let text = desk.prints_with("Grüße\n".as_bytes(), &["publish", "", "orders"]);
    assert_eq!(text, "published 8 bytes\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    std::fs::write(&file, [0, 159, 146, 150]).unwrap();
    let file = file.to_str().unwrap();
    desk.check(&["publish", "", "orders", "--file", file], "published 4 bytes");
    desk.check(
        &["get", "orders", "-n", "2", "--columns", "payload,encoding"],
        "payload   encoding\nGrüße\\n   string\nAJ+Slg==  base64",
    );
    desk.fails(&["publish", "", "orders", "--file", "/none"], "cannot read /none: No such file");
}

#[test]
fn a_message_that_no_queue_takes_is_a_failure() {
    let desk = Desk::new();
    desk.fails(
        &["publish", "amq.topic", "order.created", "x"],
        "no queue takes it, and so it is gone; `leveret admin route 'amq.topic' 'order.created'` says why",
    );
    desk.fails(&["publish", "none", "x", "x"], "there is no exchange 'none' in virtual host '/'");
    desk.makes_no_sense(&["publish", "amq.topic"], "missing: <KEY>");
    desk.makes_no_sense(
        &["publish", "", "x", "x", "-p", "colour=red"],
        "messages have no property `colour`",
    );
    desk.makes_no_sense(
        &["publish", "", "x", "x", "-p", "priority=high"],
        "the property `priority` must be a number",
    );
    desk.makes_no_sense(&["publish", "", "x", "x", "--header", "y"], "--header must be NAME=VALUE");
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let desk = Desk::new();
    let mut command = desk.command(&["exchanges"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = desk.command(&["exchanges"]).stdout(full).output().unwrap();
    complaint(&output, 1, "cannot write to standard output: No space left");
    drop(run_with(desk.command(&["ping"]), b""));
}
