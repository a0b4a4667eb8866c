//! Every example runs against a real broker, to its end, and prints what it is to show; without a broker it says so.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::example::built;
use support::interpreter::Interpreter;
use support::process::{Process, run};
use support::server::Server;

/// No example takes so long; one that does has hung.
const LIMIT: Duration = Duration::from_secs(60);

/// A free port is never this one, so nobody listens here.
const NOBODY: &str = "amqp://127.0.0.1:1";

const RUST: &[&str] =
    &["backpressure", "confirms", "flash_sale", "image_tasks", "order_pipeline", "poison", "rpc"];

const ORDER_PIPELINE: &str = "\
shop: order-1 orders.order.placed
shop: order-1 orders.payment.completed
shop: order-2 orders.order.placed
shop: order-2 orders.payment.failed
payment: order-1 orders.order.placed
payment: order-2 orders.order.placed
inventory: order-1 orders.order.placed
inventory: order-2 orders.order.placed
warehouse: order-1 orders.payment.completed
invoice: order-1 orders.payment.completed
fraud: order-1 orders.payment.completed
fraud: order-2 orders.payment.failed
email comes back
email: order-1 orders.order.placed
email: order-1 orders.payment.completed
email: order-2 orders.order.placed
email: order-2 orders.payment.failed
loyalty is new
shop: order-3 orders.payment.completed
loyalty: order-3 orders.payment.completed";

#[test]
fn the_order_pipeline_reaches_every_service_and_those_that_were_down() {
    check(rust("order_pipeline"), ORDER_PIPELINE);
}

#[test]
fn the_order_pipeline_in_python_does_the_same() {
    let Some(python) = Interpreter::python() else { return };
    check(script(&python, "order_pipeline.py"), ORDER_PIPELINE);
}

#[test]
fn the_order_pipeline_in_javascript_does_the_same() {
    let Some(node) = Interpreter::node() else { return };
    check(script(&node, "order_pipeline.js"), ORDER_PIPELINE);
}

#[test]
fn the_task_of_a_worker_that_died_goes_to_another() {
    check(
        rust("image_tasks"),
        "\
5 images to resize
slow worker: begins image-1
quick worker: resizes image-2
quick worker: resizes image-3
quick worker: resizes image-4
quick worker: resizes image-5
slow worker: dies
quick worker: resizes image-1, redelivered
0 images left",
    );
}

#[test]
fn a_flash_sale_is_accepted_whole_and_handled_in_order() {
    check(
        rust("flash_sale"),
        "\
shop: 5000 of 5000 orders accepted, sale over
shop: # orders wait for the consumer
consumer: 5000 orders handled in the order they came
0 orders left",
    );
}

#[test]
fn a_call_is_answered_or_given_up_in_time() {
    check(
        rust("rpc"),
        "\
caller: apple costs 0.40
caller: no answer about durian in time
caller: an answer of 25.00 comes too late
caller: plum costs 0.30",
    );
}

#[test]
fn what_comes_twice_is_done_once() {
    check(
        rust("confirms"),
        "\
publisher: order-1 confirmed at try 1
publisher: order-2 confirmed at try 1
publisher: order-3 lost its connection before the confirm, once more
publisher: order-3 confirmed at try 2
consumer: charges order-1
consumer: charges order-2
consumer: dies before its acknowledgement
consumer: order-2 (redelivered) is charged already
consumer: charges order-3
consumer: order-3 is charged already
0 messages left",
    );
}

#[test]
fn a_poison_message_is_tried_three_times_and_buried() {
    check(
        rust("poison"),
        "\
payment of 1250 cents
try 1 of a payment that is not JSON
try 2 of a payment that is not JSON
try 3 of a payment that is not JSON
payment of 900 cents
dead letter: delivery_limit in payments, 1 time(s)
dead letter: the original is {\"cents\": 12",
    );
}

#[test]
fn a_full_queue_refuses_and_nothing_is_lost() {
    check(
        rust("backpressure"),
        "\
publisher: 24 offered, 14 refused
worker: 10 done
publisher: 14 offered, 4 refused
worker: 10 done
publisher: 4 offered, 0 refused
worker: 4 done
24 of 24 jobs done",
    );
}

#[test]
fn an_example_without_a_broker_says_so() {
    let mut commands: Vec<Command> = RUST.iter().map(|name| rust(name)).collect();
    commands.extend(Interpreter::python().map(|python| script(&python, "order_pipeline.py")));
    commands.extend(Interpreter::node().map(|node| script(&node, "order_pipeline.js")));
    for mut command in commands {
        command.env("AMQP_URL", NOBODY);
        let shown = format!("{command:?}");
        let mut process = Process::spawn(command).unwrap();
        let status = process.wait(LIMIT).expect("it ends by itself");
        let first = process.output().lines().next().unwrap_or_default().to_owned();
        assert!(first.contains("cannot connect to the broker"), "{shown}:\n{}", process.output());
        assert_eq!(status.code(), Some(1), "{shown}");
    }
}

#[test]
fn every_example_is_run_by_a_test() {
    let tests = [include_str!("examples.rs"), include_str!("readme.rs")].concat();
    for entry in std::fs::read_dir(sources()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let program = name.strip_suffix(".rs").unwrap_or(&name);
        let is_run = tests.contains(&format!("\"{program}\""))
            || tests.contains(&format!("\"examples/{program}\""));
        assert!(is_run, "no test runs examples/{name}");
    }
}

/// Runs an example twice against one broker, which shows that it leaves nothing behind, and compares
/// what it prints. A `#` in the expected text stands for any number.
#[track_caller]
fn check(command: Command, expected: &str) {
    let broker = Server::start();
    for _ in 0..2 {
        let mut again = Command::new(command.get_program());
        again.args(command.get_args()).env("AMQP_URL", broker.uri());
        for (name, value) in command.get_envs() {
            again.env(name, value.unwrap_or_default());
        }
        let printed = run(again, LIMIT);
        let lines: Vec<&str> = printed.lines().collect();
        let expected: Vec<&str> = expected.lines().collect();
        let same = lines.len() == expected.len()
            && lines.iter().zip(&expected).all(|(line, expected)| matches(line, expected));
        assert!(same, "printed:\n{printed}\n\nexpected:\n{}", expected.join("\n"));
    }
}

fn matches(line: &str, expected: &str) -> bool {
    let Some((before, after)) = expected.split_once('#') else { return line == expected };
    line.strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|number| number.parse::<u64>().is_ok())
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn script(interpreter: &Interpreter, file: &str) -> Command {
    let mut command = interpreter.command();
    command.arg(sources().join(file));
    command
}

fn rust(name: &str) -> Command {
    Command::new(built(name))
}
