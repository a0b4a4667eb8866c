//! `leveret bench` as its user meets it: every command against a real broker for a moment, what it prints, what it
//! says when it cannot go on, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::peer::Peer;
use support::process::Process;
use support::server::{Server, program};
use tempfile::TempDir;

/// No run of these tests takes so long; one that does has hung.
const LIMIT: Duration = Duration::from_secs(120);

/// A run that is over in a moment.
const SHORT: &[&str] = &["--duration", "0.3", "--warm-up", "0.1", "--quiet"];

fn bench(uri: &str, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("bench").args(arguments).env("AMQP_URL", uri);
    command
}

fn output(uri: &str, arguments: &[&[&str]]) -> Output {
    bench(uri, &arguments.concat()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a run printed as JSON.
#[track_caller]
fn result(uri: &str, arguments: &[&[&str]]) -> Value {
    let output = output(uri, &[&arguments.concat(), &["--format", "json"]]);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A result with each number replaced by whether it is more than nothing.
fn shape(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_f64() > Some(0.0) => json!("+"),
        Value::Number(_) => json!("0"),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        other => other.clone(),
    }
}

/// Checks that a run fails with one complaint that contains this.
#[track_caller]
fn check_failure(output: &Output, code: i32, says: &str) {
    let errors = text(&output.stderr);
    let complaint = errors.lines().last().unwrap_or_default();
    assert!(complaint.starts_with("leveret: ") && complaint.contains(says), "{errors}");
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
}

fn rate() -> Value {
    json!({"per_second": "+", "total": "+"})
}

fn nothing() -> Value {
    json!({"per_second": "0", "total": "0"})
}

fn times() -> Value {
    json!({"p50": "+", "p99": "+", "p99.9": "+", "max": "+", "count": "+"})
}

#[test]
fn every_load_is_measured_and_leaves_nothing_behind() {
    let broker = Server::start();
    let uri = broker.uri();
    let check = |arguments: &[&str], confirmed: bool| {
        let mut expected = json!({
            "bench": arguments[0], "seconds": "+", "published": rate(), "delivered": rate(),
            "refused": "0", "returned": "0", "latency_ms": times(), "generator_cores": "+",
        });
        if confirmed {
            expected["confirmed"] = rate();
            expected["confirm_latency_ms"] = times();
        }
        let found = result(&uri, &[arguments, SHORT]);
        assert_eq!(shape(&found), expected, "{arguments:?}: {found:#}");
    };
    check(&["throughput"], false);
    check(&["throughput", "--no-ack", "--size", "100k"], false);
    check(&["throughput", "--persistent", "--confirms", "100", "--ack-every", "10"], true);
    check(&["throughput", "--publishers", "3", "--consumers", "2", "--queues", "4"], false);
    check(&["throughput", "--channels", "3", "--confirms", "1", "--prefetch", "1"], true);
    check(&["throughput", "--exchange", "bench-x", "--exchange-type", "direct"], false);
    check(&["throughput", "--exchange", "amq.direct", "--routing-key", "k"], false);
    check(&["throughput", "--queue-argument", "x-max-priority=3"], false);
    check(&["latency", "--persistent", "--confirms", "100"], true);
    check(&["latency", "--rate", "5000", "--size", "16"], false);
    check(&["fanout", "--queues", "3"], false);
    check(&["topic", "--bindings", "50", "--queues", "2"], false);

    let mut peer = Peer::connect(broker.port()).unwrap();
    peer.find_exchange("leveret.bench").unwrap_err();
    for queue in ["leveret.bench.0", "leveret.bench.1"] {
        Peer::connect(broker.port()).unwrap().depth(queue).unwrap_err();
    }
}

#[test]
fn a_number_of_messages_is_published_and_delivered_to_the_last() {
    let broker = Server::start();
    let found = result(
        &broker.uri(),
        &[&["throughput", "--messages", "1001", "--publishers", "2", "--confirms", "7", "--quiet"]],
    );
    for what in ["published", "confirmed", "delivered"] {
        assert_eq!(found[what]["total"], 1001, "{what}: {found:#}");
    }
    let found = result(
        &broker.uri(),
        &[&["fanout", "--queues", "3", "--messages", "100", "--mandatory", "--quiet"]],
    );
    assert_eq!(found["delivered"]["total"], 300, "{found:#}");
}

#[test]
fn what_is_kept_can_be_consumed_by_a_later_run() {
    let broker = Server::start();
    let uri = broker.uri();
    let fill = ["--consumers", "0", "--messages", "500", "--persistent", "--keep", "--quiet"];
    let found = result(&uri, &[&["throughput"], &fill]);
    assert_eq!(shape(&found["delivered"]), nothing());
    let drain = ["--publishers", "0", "--messages", "500", "--persistent", "--quiet"];
    let found = result(&uri, &[&["throughput"], &drain]);
    assert_eq!(found["delivered"]["total"], 500, "{found:#}");
    assert!(found.get("latency_ms").is_none(), "another run's times are not believed");
}

#[test]
fn a_queue_that_the_user_names_stays_if_it_was_there() {
    let broker = Server::start();
    let mut peer = Peer::connect(broker.port()).unwrap();
    peer.declare_queue("mine", support::peer::Durability::Transient, &[]).unwrap();
    result(&broker.uri(), &[&["throughput", "--queue", "mine"], SHORT]);
    result(&broker.uri(), &[&["throughput", "--queue", "new"], SHORT]);
    peer.depth("mine").unwrap();
    peer.depth("new").unwrap_err();
}

#[test]
fn refused_and_returned_messages_are_counted() {
    let broker = Server::start();
    let limit = ["--queue-argument", "x-max-length=5", "--queue-argument"];
    let found = result(
        &broker.uri(),
        &[
            &["throughput", "--consumers", "0", "--confirms", "10", "--messages", "50", "--quiet"],
            &limit,
            &["x-overflow=reject-publish"],
        ],
    );
    assert_eq!((&found["confirmed"]["total"], &found["refused"]), (&json!(5), &json!(45)));

    let found = result(
        &broker.uri(),
        &[&[
            "throughput",
            "--exchange",
            "bench-h",
            "--exchange-type",
            "headers",
            "--routing-key",
            "k",
            "--mandatory",
            "--confirms",
            "10",
            "--messages",
            "50",
            "--quiet",
            "--exchange-argument",
            "alternate-exchange=nowhere",
        ]],
    );
    // A headers binding without arguments takes everything.
    assert_eq!((&found["delivered"]["total"], &found["returned"]), (&json!(50), &json!(0)));

    let mut peer = Peer::connect(broker.port()).unwrap();
    peer.declare_exchange("unbound", "topic", support::peer::Durability::Transient).unwrap();
    let found = result(
        &broker.uri(),
        &[&[
            "throughput",
            "--exchange",
            "unbound",
            "--routing-key",
            "a",
            "--queue-argument",
            "x-expires=1000",
            "--consumers",
            "0",
            "--mandatory",
            "--rate",
            "20",
            "--messages",
            "50",
            "--quiet",
        ]],
    );
    assert!(found["returned"].as_u64() > Some(0), "its queue had expired: {found:#}");
}

#[test]
fn connections_churn_and_backlog_say_what_they_cost() {
    let broker = Server::start();
    let (uri, pid) = (broker.uri(), broker.pid().to_string());
    let arguments = ["connections", "--connections", "20", "--channels", "2", "--hold", "0.1"];
    let found = result(&uri, &[&arguments, &["--pid", &pid]]);
    assert_eq!((&found["connections"], &found["lost"]), (&json!(20), &json!(0)), "{found:#}");
    assert!(found["resident_bytes_after"].as_u64() > Some(1_000_000), "{found:#}");

    for of in ["connections", "channels", "queues", "durable-queues"] {
        let found = result(&uri, &[&["churn", "--of", of, "--threads", "2", "--duration", "0.3"]]);
        let expected = json!({
            "bench": "churn", "of": of, "seconds": "+", "per_second": "+", "total": "+",
            "cycle_ms": times(), "generator_cores": "+",
        });
        assert_eq!(shape(&found), expected, "{found:#}");
    }

    for more in [&["--transient"][..], &["--keep", "--queue", "deep"][..]] {
        let arguments = ["backlog", "--messages", "300", "--quiet", "--pid", &pid];
        let found = result(&uri, &[&arguments, more]);
        assert_eq!((&found["published"], &found["depth"]), (&json!(300), &json!(300)));
        assert!(found["resident_bytes_before"].as_u64() > Some(0), "{found:#}");
    }
    let mut peer = Peer::connect(broker.port()).unwrap();
    assert_eq!(peer.depth("deep").unwrap(), 300);
    peer.depth("leveret.bench.backlog").unwrap_err();
}

#[test]
fn a_comparison_has_every_scenario_in_its_table_json_and_chart() {
    let broker = Server::start();
    let home = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let (markdown, json, svg) = (file("t.md"), file("t.json"), file("t.svg"));
    let target = format!("leveret={}", broker.uri());
    let found = result(
        "",
        &[
            &["compare", "--target", &target, "--rounds", "1", "--seconds", "0.5"],
            &["--markdown", &markdown, "--json", &json, "--svg", &svg],
        ],
    );
    let rates = json!({"median": "+", "min": "+", "max": "+"});
    let latencies = json!({"p50": "+", "p99": "+", "p99.9": "+"});
    let names = [
        "transient-16",
        "ack-1k",
        "confirm-1k",
        "confirm-1k-window-1",
        "fill-1k",
        "drain-1k",
        "many-1k",
        "fanout-10",
        "topic-1000",
        "latency-1k",
        "latency-20k",
    ];
    let expected: Vec<Value> = names
        .iter()
        .map(|name| match name.starts_with("latency") {
            true => json!({"name": name, "unit": "ms",
                           "targets": {"leveret": latencies}, "ratio": {}}),
            false => json!({"name": name, "unit": "messages/s",
                            "targets": {"leveret": rates}, "ratio": {}}),
        })
        .collect();
    let shapes: Vec<Value> = found["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| {
            let mut shape = shape(scenario);
            shape["name"] = scenario["name"].clone();
            shape
        })
        .collect();
    assert_eq!(shapes, expected, "{found:#}");

    let written: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(written, found);
    let table = std::fs::read_to_string(&markdown).unwrap();
    let chart = std::fs::read_to_string(&svg).unwrap();
    for name in names {
        assert!(table.contains(&format!("| `{name}` ")), "{table}");
        assert!(chart.contains(&format!(">{name}<")), "{chart}");
    }
}

#[test]
fn two_brokers_are_compared_in_turn() {
    let (one, other) = (Server::start(), Server::start());
    let targets = [format!("one={}", one.uri()), format!("other={}", other.uri())];
    let output = output(
        "",
        &[
            &["compare", "--target", &targets[0], "--target", &targets[1], "--rounds", "2"],
            &["--seconds", "0.3", "--scenario", "ack-1k", "--format", "json"],
        ],
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scenario = &found["scenarios"][0];
    assert_eq!(shape(&scenario["ratio"]), json!({"other": "+"}), "{found:#}");
    let errors = text(&output.stderr);
    let order: Vec<&str> = errors.lines().filter_map(|line| line.split(": ").next()).collect();
    let expected = [
        "ack-1k, round 1 of 2, one",
        "ack-1k, round 1 of 2, other",
        "ack-1k, round 2 of 2, one",
        "ack-1k, round 2 of 2, other",
    ];
    assert_eq!(order, expected, "{errors}");
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let broker = Server::start();
    let (uri, port) = (broker.uri(), broker.port());
    let check = |uri: &str, arguments: &[&str], says: &str| {
        check_failure(&output(uri, &[arguments]), 1, says);
    };
    check("amqp://127.0.0.1:1", &["throughput"], "cannot connect to 127.0.0.1:1");
    check("amqp://127.0.0.1:1", &["churn"], "start the broker, or give its address");
    check(
        &format!("amqp://guest:wrong@127.0.0.1:{port}"),
        &["throughput"],
        "403 ACCESS_REFUSED - Login was refused",
    );
    check(&format!("amqp://127.0.0.1:{port}/nowhere"), &["topic"], "530 NOT_ALLOWED - vhost");
    check(&uri, &["latency", "--exchange", "absent"], "404 NOT_FOUND - no exchange 'absent'");
    check(
        &uri,
        &["throughput", "--queue-argument", "x-max-length=-1"],
        "406 PRECONDITION_FAILED - invalid arg 'x-max-length'",
    );
    check(&uri, &["throughput", "--ack-every", "10", "--prefetch", "5"], "raise --prefetch");
    check(&uri, &["throughput", "--publishers", "0", "--consumers", "0"], "nothing to do");
    check(&uri, &["throughput", "--publishers", "0", "--rate", "5"], "leave out --rate");
    check(&uri, &["latency", "--size", "8"], "no room for a time");
    check(&uri, &["throughput", "--exchange-argument", "a=b"], "--exchange-type");
    check(&uri, &["backlog", "--pid", "999999999"], "no process 999999999");
    let target = format!("a={uri}");
    check("", &["compare"], "name a broker as in --target leveret=amqp://127.0.0.1:5672");
    check("", &["compare", "--target", &target, "--target", &target], "two targets are called a");
    check("", &["compare", "--target", "a=amqp://127.0.0.1:1"], "a: cannot connect");
    check("", &["compare", "--target", &target, "--json", "/nowhere/x"], "cannot write /nowhere/x");

    let check = |arguments: &[&str], says: &str| {
        check_failure(&output(&uri, &[arguments]), 2, says);
    };
    check(&["throughput", "--uri", "localhost"], "begins with amqp://");
    check(&["throughput", "--size", "17M"], "at most 16777216 bytes");
    check(&["throughput", "--no-ack", "--prefetch", "5"], "cannot be used with");
    check(&["compare", "--target", "x"], "leveret=amqp://127.0.0.1:5672");
    check(&["compare", "--target", &target, "--scenario", "fast"], "invalid value 'fast'");
}

#[test]
fn ctrl_c_ends_a_run_with_its_summary_and_nothing_is_left() {
    let broker = Server::start();
    let arguments = ["throughput", "--duration", "3600", "--persistent", "--confirms", "100"];
    let mut process = Process::spawn(bench(&broker.uri(), &arguments)).unwrap();
    assert!(process.line_with("1 s  published", LIMIT).is_some(), "{}", process.output());
    process.signal(Signal::INT);
    let status = process.wait(LIMIT).expect("it ends by itself");
    assert!(status.success(), "{}", process.output());
    for line in ["published: ", "confirmed: ", "delivered: ", "generator: "] {
        assert!(process.line_with(line, LIMIT).is_some(), "{}", process.output());
    }
    Peer::connect(broker.port()).unwrap().depth("leveret.bench.0").unwrap_err();
}

#[test]
fn a_broker_that_blocks_publishers_is_told_of() {
    let broker = Server::start_with("[alarms]\nmemory_bytes_max = 100000\n");
    let arguments = ["throughput", "--consumers", "0", "--size", "1k", "--duration", "3600"];
    let mut process = Process::spawn(bench(&broker.uri(), &arguments)).unwrap();
    assert!(process.line_with("(blocked by the broker)", LIMIT).is_some(), "{}", process.output());
    process.signal(Signal::INT);
    let status = process.wait(LIMIT).expect("it ends by itself");
    assert!(status.success(), "{}", process.output());
    Peer::connect(broker.port()).unwrap().depth("leveret.bench.0").unwrap_err();
}

#[test]
fn a_broker_that_goes_away_ends_the_run() {
    let mut broker = Server::start();
    let run = |broker: &Server| {
        let arguments = ["throughput", "--duration", "3600"];
        let process = Process::spawn(bench(&broker.uri(), &arguments)).unwrap();
        assert!(process.line_with("1 s  published", LIMIT).is_some(), "{}", process.output());
        process
    };
    let mut process = run(&broker);
    broker.terminate();
    let status = process.wait(LIMIT).expect("it ends by itself");
    assert_eq!(status.code(), Some(1), "{}", process.output());
    let complaint = process.line_with("leveret: ", LIMIT).unwrap();
    assert!(complaint.contains("320 CONNECTION_FORCED"), "{complaint}");

    broker.restart();
    let mut process = run(&broker);
    broker.kill();
    let status = process.wait(LIMIT).expect("it ends by itself");
    assert_eq!(status.code(), Some(1), "{}", process.output());
    let complaint = process.line_with("leveret: ", LIMIT).unwrap();
    assert!(complaint.contains("see the broker's log"), "{complaint}");
}

#[test]
fn what_does_not_speak_amqp_is_said_to_be_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("amqp://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    check_failure(&output(&uri, &[&["churn", "--threads", "1"]]), 1, "does not speak AMQP 0-9-1");
    server.join().unwrap();
}
