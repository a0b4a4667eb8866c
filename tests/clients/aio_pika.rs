//! aio-pika for Python, whose robust connection comes back after the broker was killed.

use std::time::Duration;

use crate::support::broker::URI_VARIABLE;
use crate::support::interpreter::Interpreter;
use crate::support::process::Process;
use crate::support::server::Server;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_robust_connection_goes_on_after_the_broker_was_killed() {
    let Some(python) = Interpreter::python() else { return };
    if std::env::var_os(URI_VARIABLE).is_some() {
        eprintln!("not run: somebody else's broker is not ours to kill");
        return;
    }
    let mut server = Server::start();
    let mut program = python.program("aio_pika_client.py");
    program.arg(server.uri());
    let mut client = Process::spawn(program).unwrap();
    if client.line_with("ready", LIMIT).is_none() {
        panic!("the client did not get ready:\n{}", client.output());
    }
    server.kill();
    server.restart_on_same_port();
    let status = client.wait(LIMIT);
    let done = status.is_some_and(|status| status.success());
    assert!(done, "{status:?}\n{}\nbroker:\n{}", client.output(), server.log());
}
