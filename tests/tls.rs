//! TLS as clients meet it: on AMQP and on HTTP, with certificates of their own or without, with certificates that are
//! changed while the broker runs, and what those are told who speak the wrong thing to the wrong port.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod tls {
    pub mod certificates;
    pub mod tunnel;
}

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use support::http::Api;
use support::peer::{Acknowledging, Delivery, Durability, Event, Peer, Routing, publication};
use support::server::Server;
use tempfile::TempDir;
use tls::certificates::{Authority, Identity};
use tls::tunnel::Tunnel;

const LOG_LIMIT: Duration = Duration::from_secs(20);

/// A broker with TLS, and who vouches for it.
struct Secured {
    server: Server,
    authority: Authority,
    directory: TempDir,
    identity: Identity,
}

impl Secured {
    /// Starts one with these further keys in `[tls]`.
    fn start(keys: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("authority");
        authority.write(directory.path());
        let identity = authority.vouch("broker");
        identity.write(directory.path());
        let config = config(directory.path(), keys);
        Self { server: Server::start_managed_with(&config), authority, directory, identity }
    }

    fn port(&self) -> u16 {
        self.port_of("for AMQP with TLS")
    }

    fn https_port(&self) -> u16 {
        self.port_of("(HTTPS)")
    }

    fn port_of(&self, what: &str) -> u16 {
        let line = self.server.log_line_with(what, LOG_LIMIT).unwrap();
        let (_, rest) = line.split_once("127.0.0.1:").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// A tunnel for a client that shows this certificate.
    fn tunnel(&self, identity: Option<&Identity>) -> Tunnel {
        Tunnel::to(self.port(), &self.authority.client(identity, &[&TLS12, &TLS13]))
    }

    fn expect_logged(&self, text: &str) {
        let line = self.server.log_line_with(text, LOG_LIMIT);
        assert!(line.is_some(), "no line with {text:?} in\n{}", self.server.log());
    }
}

fn config(directory: &Path, keys: &str) -> String {
    let file = |name: &str| directory.join(name).display().to_string();
    format!(
        "[tls]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\ncertificate = {:?}\nkey = {:?}\n{}\n",
        file("certificate.pem"),
        file("key.pem"),
        keys.replace("CA", &format!("{:?}", file("ca.pem"))),
    )
}

#[test]
fn messages_go_both_ways_at_once_in_every_version() {
    let secured = Secured::start("");
    for (version, name) in [(&TLS12, "tlsv1.2"), (&TLS13, "tlsv1.3")] {
        let client = secured.authority.client(None, &[version]);
        let tunnel = Tunnel::to(secured.port(), &client);
        let mut peer = Peer::connect(tunnel.port()).unwrap();
        peer.declare_queue("q", Durability::Durable, &[]).unwrap();
        peer.consume("q", Acknowledging::Automatic).unwrap();
        secured.expect_logged(&format!("accepted, {name}"));
        let row = Api::new(&secured.server.management()).get("/api/connections");
        assert_eq!(row[0]["ssl"], true);
        assert_eq!(row[0]["ssl_protocol"], name);
        assert_eq!(row[0]["ssl_hash"], "sha384");
        // Bodies of many sizes, larger than a record (16 KiB) and than what the system takes at once.
        let sizes: Vec<usize> = (0..200).map(|number| number * number * 7 % 300_000).collect();
        let mut publisher = Peer::connect(tunnel.port()).unwrap();
        let sent = sizes.clone();
        let publishing = thread::spawn(move || {
            for size in sent {
                let body = vec![size as u8; size];
                let frames = publication("", "q", Routing::Optional, Delivery::Transient, &body);
                publisher.send(&frames).unwrap();
            }
            publisher
        });
        for size in sizes {
            let Event::Delivered { body, .. } = peer.event().unwrap() else {
                panic!("no delivery")
            };
            assert_eq!(body, vec![size as u8; size]);
        }
        drop(publishing.join().unwrap());
    }
}

#[test]
fn an_older_version_than_is_allowed_is_refused() {
    let secured = Secured::start("version_min = \"1.3\"");
    let tunnel = Tunnel::to(secured.port(), &secured.authority.client(None, &[&TLS12]));
    assert!(Peer::connect(tunnel.port()).is_err());
    secured.expect_logged("refused: TLS:");
    let tunnel = Tunnel::to(secured.port(), &secured.authority.client(None, &[&TLS13]));
    Peer::connect(tunnel.port()).unwrap();
}

#[test]
fn clients_are_let_in_by_their_certificates() {
    let keys = "clients = \"required\"\nclient_ca = CA\nlogin_from = \"common_name\"";
    let secured = Secured::start(keys);
    let me = secured.authority.vouch("guest");
    Peer::connect_external(secured.tunnel(Some(&me)).port()).unwrap();
    secured.expect_logged("user 'guest' opened virtual host");
    // A password is as good beside it.
    Peer::connect(secured.tunnel(Some(&me)).port()).unwrap();

    let unknown = secured.authority.vouch("nobody");
    assert!(Peer::connect_external(secured.tunnel(Some(&unknown)).port()).is_err());
    secured.expect_logged("refused: there is no user 'nobody'");
    assert!(Peer::connect(secured.tunnel(None).port()).is_err());
    secured.expect_logged("the client has shown no certificate, and `tls.clients` requires one");
    let late = secured.authority.vouch_until("guest", 2020);
    assert!(Peer::connect_external(secured.tunnel(Some(&late)).port()).is_err());
    secured.expect_logged("certificate expired");
    let foreign = Authority::new("another authority").vouch("guest");
    assert!(Peer::connect_external(secured.tunnel(Some(&foreign)).port()).is_err());
    secured.expect_logged("UnknownIssuer");
}

#[test]
fn nobody_is_named_by_a_certificate_that_was_not_asked_for() {
    let secured = Secured::start("");
    let me = secured.authority.vouch("guest");
    assert!(Peer::connect_external(secured.tunnel(Some(&me)).port()).is_err());
    secured.expect_logged("unknown authentication mechanism 'EXTERNAL'");
    // Nor on the port without TLS.
    assert!(Peer::connect_external(secured.server.port()).is_err());
}

#[test]
fn a_certificate_is_optional_where_it_is_said_to_be() {
    let secured = Secured::start("clients = \"optional\"\nclient_ca = CA");
    Peer::connect(secured.tunnel(None).port()).unwrap();
    let me = secured.authority.vouch("guest");
    // By default the whole subject is the name.
    assert!(Peer::connect_external(secured.tunnel(Some(&me)).port()).is_err());
    secured.expect_logged("there is no user 'CN=guest'");
}

#[test]
fn certificates_are_read_again_and_no_connection_is_lost() {
    let secured = Secured::start("");
    let first = secured.tunnel(None);
    let mut peer = Peer::connect(first.port()).unwrap();
    peer.declare_queue("q", Durability::Durable, &[]).unwrap();
    assert_eq!(first.certificate().unwrap(), secured.identity.der());

    // When their files change.
    let second = secured.authority.vouch("broker, second");
    second.write(secured.directory.path());
    secured.expect_logged("the files have changed: certificates read again");
    let tunnel = secured.tunnel(None);
    Peer::connect(tunnel.port()).unwrap();
    assert_eq!(tunnel.certificate().unwrap(), second.der());

    // What cannot be used changes nothing.
    fs::write(secured.directory.path().join("key.pem"), "no key").unwrap();
    secured.server.signal(Signal::HUP);
    secured.expect_logged("the certificates that were read before stay in use: `tls.key`");
    let tunnel = secured.tunnel(None);
    Peer::connect(tunnel.port()).unwrap();
    assert_eq!(tunnel.certificate().unwrap(), second.der());

    // And when it is told to.
    let third = secured.authority.vouch("broker, third");
    third.write(secured.directory.path());
    secured.server.signal(Signal::HUP);
    secured.expect_logged("HUP: certificates read again");
    let tunnel = secured.tunnel(None);
    Peer::connect(tunnel.port()).unwrap();
    assert_eq!(tunnel.certificate().unwrap(), third.der());
    assert_eq!(peer.depth("q").unwrap(), 0);
}

#[test]
fn the_management_api_speaks_tls_too() {
    let secured = Secured::start("");
    let config = secured.authority.client(None, &[&TLS13]);
    let tunnel = Tunnel::to(secured.https_port(), &config);
    let overview = Api::new(&format!("127.0.0.1:{}", tunnel.port())).get("/api/overview");
    let listeners = overview["listeners"].as_array().unwrap();
    let protocols: Vec<&str> =
        listeners.iter().map(|one| one["protocol"].as_str().unwrap()).collect();
    assert_eq!(
        protocols,
        ["amqp", "amqp/ssl", "http", "https", "http/prometheus", "https/prometheus"]
    );
    let secure: Vec<bool> = listeners.iter().map(|one| one["tls"].as_bool().unwrap()).collect();
    assert_eq!(secure, [false, true, false, true, false, true]);
    assert_eq!(overview["contexts"].as_array().unwrap().len(), 2);
    // The certificate is good until 2100.
    let expiring = |within: &str| {
        let api = Api::new(&secured.server.management());
        api.request("GET", &format!("/api/health/checks/certificate-expiration/{within}"), "")
            .status
    };
    assert_eq!((expiring("10/weeks"), expiring("200/years")), (200, 503));
}

#[test]
fn whoever_speaks_the_wrong_thing_is_named_in_the_log() {
    let secured = Secured::start("");
    assert!(Peer::connect(secured.port()).is_err());
    secured.expect_logged("refused: the client does not speak TLS, which this port is for");
    let wrong = Tunnel::to(secured.server.port(), &secured.authority.client(None, &[&TLS13]));
    assert!(Peer::connect(wrong.port()).is_err());
    secured.expect_logged("refused: this is TLS, which has a port of its own (`tls.listen`)");
    let port = secured.server.management().rsplit_once(':').unwrap().1.parse().unwrap();
    let wrong = Tunnel::to(port, &secured.authority.client(None, &[&TLS13]));
    let mut stream = TcpStream::connect(("127.0.0.1", wrong.port())).unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
    let _ = stream.read_to_end(&mut Vec::new());
    secured.expect_logged("this is not HTTP");
}

#[test]
fn a_handshake_that_does_not_come_ends_in_time() {
    let secured = Secured::start("[amqp]\nhandshake_ms_max = 200");
    let mut stream = TcpStream::connect(("127.0.0.1", secured.port())).unwrap();
    let mut nothing = Vec::new();
    stream.read_to_end(&mut nothing).unwrap();
    assert!(nothing.is_empty());
    secured.expect_logged("refused: the TLS handshake took too long");
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority");
    authority.vouch("broker").write(directory.path());
    let refused = |keys: &str, said: &str| {
        let text = config(directory.path(), keys);
        let file = directory.path().join("broker.toml");
        fs::write(&file, text).unwrap();
        let mut command = support::server::program();
        command.arg("serve").arg("--config").arg(&file);
        command.arg("--listen").arg("127.0.0.1:0");
        command.arg("--data-dir").arg(directory.path().join("data"));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(said), "{text}");
        assert!(!directory.path().join("data").exists());
    };
    refused("clients = \"required\"", "`tls.client_ca` is not set");
    refused("client_ca = CA", "nobody is asked for a certificate");
    refused("clients = \"required\"\nclient_ca = CA", "`tls.client_ca`: cannot read");
    refused("clients = \"always\"", "tls.clients");
    refused("version_min = \"1.1\"", "tls.version_min");
    fs::write(directory.path().join("certificate.pem"), "").unwrap();
    refused("", "`tls.certificate`: cannot read");
    authority.vouch("another").write(directory.path());
    let certificate = fs::read(directory.path().join("certificate.pem")).unwrap();
    authority.vouch("broker").write(directory.path());
    fs::write(directory.path().join("certificate.pem"), certificate).unwrap();
    refused("", "`certificate` and `key` cannot be used together");
}
