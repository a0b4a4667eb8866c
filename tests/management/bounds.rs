//! What is too large, too slow or too much is refused, and harms nobody else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::http::Api;
use crate::support::server::Server;

/// The header of the user that every broker has.
const GUEST: &str = "authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

const LIMIT: Duration = Duration::from_secs(60);

fn until_closed(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let server = Server::start_managed_with("[management]\nbody_bytes_max = 2000\n");
    let api = Api::new(&server.management());
    let answer = api.request("PUT", "/api/queues/%2F/q", &" ".repeat(3000));
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.text.contains("management.body_bytes_max"), "{}", answer.text);
    api.done("PUT", "/api/queues/%2F/q", "{}");
}

#[test]
fn headers_that_are_too_large_are_refused() {
    let server = Server::start_managed_with("[management]\nheader_bytes_max = 8192\n");
    let api = Api::new(&server.management());
    let large = "x".repeat(20_000);
    let answer = api.request_with("GET", "/api/whoami", &[("x-large", &large)], b"");
    assert_eq!(answer.status, 431, "{answer:?}");
    api.get("/api/whoami");
}

#[test]
fn a_client_that_sends_nothing_is_let_go() {
    let server = Server::start_managed_with("[management]\nrequest_ms_max = 200\n");
    let address = server.management();
    let silent = TcpStream::connect(&address).unwrap();
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.write_all(b"GET /api/whoami HTTP/1.1\r\nhost: x\r\n").unwrap();
    let mut promising = TcpStream::connect(&address).unwrap();
    promising
        .write_all(format!("PUT /api/queues/%2F/q HTTP/1.1\r\nhost: x\r\n{GUEST}content-length: 100\r\n\r\nhalf").as_bytes())
        .unwrap();
    assert_eq!(until_closed(silent), "");
    until_closed(slow);
    assert!(until_closed(promising).starts_with("HTTP/1.1 408"));
    Api::new(&address).get("/api/whoami");
}

#[test]
fn one_connection_too_many_is_closed() {
    let server = Server::start_managed_with("[management]\nconnections_max = 2\n");
    let address = server.management();
    let held: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // Accepted in order, so both are there when the third is.
    assert_eq!(until_closed(TcpStream::connect(&address).unwrap()), "");
    drop(held);
    let api = Api::new(&address);
    while std::panic::catch_unwind(|| api.get("/api/whoami")).is_err() {}
}

#[test]
fn what_is_no_http_harms_nobody() {
    let server = Server::start_managed();
    let address = server.management();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"AMQP\x00\x00\x09\x01\r\n\r\n").unwrap();
    assert!(until_closed(stream).starts_with("HTTP/1.1 400"));
    let api = Api::new(&address);
    for path in ["/", "/api", "/api//", "/api/%ff", "/api/queues/%2F/%ff", "/../etc/passwd"] {
        let status = api.request("GET", path, "").status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    api.get("/api/whoami");
}

#[test]
fn it_can_be_off() {
    let server = Server::start();
    let log = server.log();
    assert!(!log.contains("for management"), "{log}");
}

#[test]
fn a_shutdown_does_not_wait_for_http_clients() {
    let mut server = Server::start_managed();
    let held = TcpStream::connect(server.management()).unwrap();
    let status = server.terminate();
    assert!(status.success(), "{status}:\n{}", server.log());
    drop(held);
}

#[test]
fn nobodys_body_is_read_before_the_login() {
    let server = Server::start_managed_with("[management]\nrequest_ms_max = 1000\n");
    let address = server.management();
    for login in ["", "authorization: Basic Z3Vlc3Q6Z3Vlc3M=\r\n"] {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!(
            "POST /api/definitions HTTP/1.1\r\nhost: x\r\n{login}content-length: 33554432\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        assert!(until_closed(stream).starts_with("HTTP/1.1 401"), "{login}");
    }
}

#[test]
fn bodies_have_so_much_memory_together_and_no_more() {
    let server = Server::start_managed_with("[management]\nbodies_bytes_max = 100000\n");
    let address = server.management();
    let begin = |bytes: usize, body: &[u8]| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!(
            "PUT /api/queues/%2F/q HTTP/1.1\r\nhost: x\r\n{GUEST}connection: close\r\ncontent-length: {bytes}\r\n\r\n"
        );
        // In one piece: who is refused is not sent the rest.
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        stream
    };
    // Of two that do not fit together one is refused, and the other is not harmed.
    let both = [begin(60_002, &[b' '; 60_000]), begin(60_002, &[b' '; 60_000])];
    for stream in &both {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    let is_answered = |stream: &TcpStream| stream.peek(&mut [0]).is_ok();
    let refused = (0..2).cycle().find(|at| is_answered(&both[*at])).unwrap();
    let [first, second] = both;
    let (refused, mut other) = if refused == 0 { (first, second) } else { (second, first) };
    let answer = until_closed(refused);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("management.bodies_bytes_max"), "{answer}");
    other.write_all(b"{}").unwrap();
    let answer = until_closed(other);
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    Api::new(&address).get("/api/queues/%2F/q");
}
