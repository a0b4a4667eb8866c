//! The command-line tools of librabbitmq, the C client.

use std::process::Command;
use std::time::Duration;

use crate::support::broker::{Broker, fresh};
use crate::support::interpreter::has_executable;
use crate::support::process::{Process, run, try_run};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_message_goes_through_a_queue_declared_and_deleted_by_tools() {
    let Some(tools) = Tools::new() else { return };
    let queue = fresh("queue");
    let q = queue.as_str();
    assert_eq!(tools.run("amqp-declare-queue", &["-q", q, "-d"]), q);
    tools.run("amqp-publish", &["-r", q, "-b", "first", "-p", "-C", "text/plain", "-H", "a: b"]);
    tools.run("amqp-publish", &["-r", q, "-b", "second"]);
    tools.run("amqp-publish", &["-r", q, "-b", "third"]);
    assert_eq!(tools.run("amqp-get", &["-q", q]), "first");
    assert_eq!(tools.run("amqp-consume", &["-q", q, "-c", "2", "-p", "1", "cat"]), "secondthird");
    assert!(tools.fails("amqp-get", &["-q", q]).contains("exit status: 2"), "empty is 2");
    assert_eq!(tools.run("amqp-delete-queue", &["-q", q]), "0");
    let missing = tools.fails("amqp-get", &["-q", q]);
    assert!(missing.contains(&format!("NOT_FOUND - no queue '{q}' in vhost '/'")), "{missing}");
}

#[test]
fn a_deleted_queue_tells_how_many_messages_it_held() {
    let Some(tools) = Tools::new() else { return };
    let queue = fresh("queue");
    let q = queue.as_str();
    tools.run("amqp-declare-queue", &["-q", q, "-d"]);
    tools.run("amqp-publish", &["-r", q, "-b", "kept"]);
    let in_use = tools.fails("amqp-delete-queue", &["-q", q, "-e"]);
    assert!(in_use.contains("PRECONDITION_FAILED"), "{in_use}");
    assert_eq!(tools.run("amqp-delete-queue", &["-q", q]), "1");
}

#[test]
fn an_exclusive_queue_bound_by_a_tool_receives() {
    let Some(tools) = Tools::new() else { return };
    let key = fresh("key");
    let consumer = tools.command(
        "amqp-consume",
        &["-e", "amq.topic", "-r", &format!("{key}.#"), "-x", "-A", "-c", "1", "cat"],
    );
    let mut consumer = Process::spawn(consumer).unwrap();
    // The tool says the name that the server chose, and only then binds the queue and consumes.
    let named = consumer.line_with("amq.gen-", LIMIT);
    assert!(named.is_some(), "{}", consumer.output());
    let exact = format!("{key}.a.b");
    while consumer.wait(Duration::from_millis(100)).is_none() {
        tools.run("amqp-publish", &["-e", "amq.topic", "-r", &exact, "-b", "arrived"]);
    }
    assert!(consumer.output().contains("arrived"), "{}", consumer.output());
}

struct Tools {
    broker: Broker,
}

impl Tools {
    fn new() -> Option<Self> {
        has_executable("amqp-publish").then(|| Self { broker: Broker::start() })
    }

    fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool);
        command.arg("-u").arg(self.broker.uri()).args(arguments);
        command
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        run(self.command(tool, arguments), LIMIT)
    }

    fn fails(&self, tool: &str, arguments: &[&str]) -> String {
        match try_run(self.command(tool, arguments), LIMIT) {
            Ok(output) => panic!("{tool} {arguments:?} was to fail, and wrote {output}"),
            Err(reason) => reason,
        }
    }
}
