//! Celery: a worker process and a program that calls its tasks, with results over `rpc://`.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::broker::{Broker, fresh};
use crate::support::interpreter::{Interpreter, clients_sources};
use crate::support::process::{Process, try_run};

const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn tasks_run_in_a_worker_with_one_process() {
    check("solo", "1");
}

#[test]
fn tasks_run_in_a_worker_with_two_processes() {
    check("prefork", "2");
}

fn check(pool: &str, concurrency: &str) {
    let Some(python) = Interpreter::python() else { return };
    let broker = Broker::start();
    let run = fresh(pool);
    let mut starting = python.command();
    starting.args(["-m", "celery", "-A", "celery_tasks", "worker", "--loglevel=INFO"]);
    starting.arg(format!("--pool={pool}")).arg(format!("--concurrency={concurrency}"));
    starting.arg(format!("--hostname=worker@{run}"));
    let mut calling = python.program("celery_client.py");
    for command in [&mut starting, &mut calling] {
        command.current_dir(clients_sources());
        command.env("LEVERET_TEST_RUN", &run).env("LEVERET_TEST_BROKER", broker.uri());
    }

    let mut worker = Process::spawn(starting).unwrap();
    if worker.line_with(" ready.", LIMIT).is_none() {
        panic!("the worker did not get ready:\n{}", worker.output());
    }
    if let Err(reason) = try_run(calling, LIMIT) {
        panic!("{reason}\nthe worker:\n{}", worker.output());
    }
    worker.signal(Signal::TERM);
    let status = worker.wait(LIMIT);
    let ended_well = status.is_some_and(|status| status.success());
    assert!(ended_well, "the worker ended with {status:?}:\n{}", worker.output());
}
