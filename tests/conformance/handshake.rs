//! From the protocol header to an open connection, and its end.

use leveret::wire::{Method, PROTOCOL_HEADER, connection};

use super::methods::*;
use super::row::{Step, bare, check, row};
use crate::support::raw::{start_ok, tune_ok};

const GUEST: &[u8] = b"\0guest\0guest";

fn greeting() -> Step {
    Step::All(vec![Step::Bytes(PROTOCOL_HEADER.to_vec()), started()])
}

fn started() -> Step {
    Step::Like(0, |method| {
        let Method::ConnectionStart(start) = method else { return false };
        let has = |name: &str| {
            let capabilities = start.server_properties.get("capabilities");
            capabilities.and_then(|value| value.as_table()?.get(name)?.as_bool()) == Some(true)
        };
        let text = |name: &str| start.server_properties.get(name).and_then(|value| value.as_str());
        let mechanisms = String::from_utf8_lossy(start.mechanisms);
        (start.version_major, start.version_minor) == (0, 9)
            && ["PLAIN", "AMQPLAIN"].iter().all(|name| mechanisms.split(' ').any(|m| m == *name))
            && start.locales == b"en_US"
            && ["product", "version", "platform", "cluster_name", "copyright", "information"]
                .iter()
                .all(|name| text(name).is_some())
            && [
                "publisher_confirms",
                "exchange_exchange_bindings",
                "basic.nack",
                "consumer_cancel_notify",
                "connection.blocked",
                "consumer_priorities",
                "authentication_failure_close",
                "per_consumer_qos",
                "direct_reply_to",
            ]
            .iter()
            .all(|name| has(name))
    })
}

fn tuned() -> Step {
    Step::Like(0, |method| match method {
        Method::ConnectionTune(tune) => {
            (tune.channel_max, tune.frame_max, tune.heartbeat) == (2047, 131_072, 60)
        }
        _ => false,
    })
}

fn log_in() -> Step {
    Step::All(vec![greeting(), send(0, start_ok("PLAIN", GUEST)), tuned()])
}

fn opened() -> Step {
    get(0, Method::ConnectionOpenOk(connection::OpenOk))
}

fn open_with(channel_max: u16, frame_max: u32, heartbeat: u16) -> Step {
    Step::All(vec![
        log_in(),
        send(0, tune_ok(channel_max, frame_max, heartbeat)),
        send(0, connection_open("/")),
        opened(),
    ])
}

fn update_secret() -> Step {
    let update = connection::UpdateSecret { new_secret: b"guest", reason: "renewed" };
    Step::All(vec![
        send(0, Method::ConnectionUpdateSecret(update)),
        get(0, Method::ConnectionUpdateSecretOk(connection::UpdateSecretOk)),
    ])
}

fn bye() -> Step {
    let close = connection::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
    Step::All(vec![
        send(0, Method::ConnectionClose(close)),
        get(0, Method::ConnectionCloseOk(connection::CloseOk)),
        Step::Leave,
    ])
}

fn wrong_header(header: &[u8]) -> Step {
    Step::All(vec![Step::Bytes(header.to_vec()), Step::Header(PROTOCOL_HEADER), Step::Gone])
}

#[test]
fn a_connection_is_opened_in_four_steps() {
    const SPEAKS_1_0: &str = "4.3 answers with the header of AMQP 1.0";
    check([
        bare("the server names itself and tunes", [open_with(2047, 131_072, 60), bye()]),
        bare(
            "the older header of AMQP 0-9 is served",
            [
                Step::Bytes(b"AMQP\x01\x01\x00\x09".to_vec()),
                started(),
                send(0, start_ok("PLAIN", GUEST)),
                tuned(),
                send(0, tune_ok(2047, 131_072, 0)),
                send(0, connection_open("/")),
                opened(),
                bye(),
            ],
        ),
        bare("AMQP 1.0 gets our header", [wrong_header(b"AMQP\x00\x01\x00\x00")]).ours(SPEAKS_1_0),
        bare("AMQP 0-10 gets our header", [wrong_header(b"AMQP\x01\x01\x00\x0a")]).ours(SPEAKS_1_0),
        bare("HTTP gets our header", [wrong_header(b"GET / HTTP/1.1\r\n\r\n")]).ours(SPEAKS_1_0),
        bare("a client may settle for less", [open_with(10, 8192, 1), bye()]),
        bare(
            "a client may open everything in one piece",
            [
                Step::Bytes(PROTOCOL_HEADER.to_vec()),
                send(0, start_ok("PLAIN", GUEST)),
                send(0, tune_ok(2047, 131_072, 0)),
                send(0, connection_open("/")),
                send(1, Method::ChannelOpen(leveret::wire::channel::Open)),
                started(),
                tuned(),
                opened(),
                get(1, Method::ChannelOpenOk(leveret::wire::channel::OpenOk)),
                bye(),
            ],
        ),
        row("a secret may be renewed", [update_secret(), is_open(1)]),
        row("a client closes its connection", [bye()]),
    ]);
}

#[test]
fn a_login_that_fails_says_little() {
    const REFUSED: &str = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                           For details see the broker logfile.";
    let refused = |response: &'static [u8]| {
        [greeting(), send(0, start_ok("PLAIN", response)), Step::Closed(403, REFUSED, (0, 0))]
    };
    check([
        bare("a wrong password: 403 for a client that asks for it", refused(b"\0guest\0wrong")),
        bare("an unknown user: 403 for a client that asks for it", refused(b"\0nobody\0guest")),
        bare(
            "a wrong password: just the end for a client that does not ask",
            [greeting(), send(0, shy_start_ok(b"\0guest\0wrong")), Step::Gone],
        ),
        bare(
            "an unknown mechanism: just the end",
            [greeting(), send(0, start_ok("SCRAM", GUEST)), Step::Gone],
        ),
        bare(
            "a malformed response: just the end",
            [greeting(), send(0, start_ok("PLAIN", b"guest")), Step::Gone],
        ),
        bare(
            "AMQPLAIN logs in as well",
            [
                greeting(),
                send(
                    0,
                    start_ok("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest"),
                ),
                tuned(),
                send(0, tune_ok(2047, 131_072, 0)),
                send(0, connection_open("/")),
                opened(),
                bye(),
            ],
        ),
    ]);
}

/// `start-ok` of a client without capabilities.
fn shy_start_ok(response: &'static [u8]) -> Method<'static> {
    Method::ConnectionStartOk(connection::StartOk {
        client_properties: none(),
        mechanism: "PLAIN",
        response,
        locale: "en_US",
    })
}

#[test]
fn limits_that_cannot_be_kept_end_the_handshake() {
    let refused = |channel_max, frame_max| {
        [
            log_in(),
            send(0, tune_ok(channel_max, frame_max, 0)),
            send(0, connection_open("/")),
            Step::Gone,
        ]
    };
    check([
        bare("more channels than we offer", refused(2048, 131_072)),
        bare("larger frames than we offer", refused(2047, 131_073)),
        bare("frames smaller than anyone may ask for", refused(2047, 4095)),
        bare("frames of 4096 bytes are enough", [open_with(2047, 4096, 0), bye()])
            .ours("4.3 wants 8192"),
        bare("0 stands for what we offer", [open_with(0, 0, 0), bye()]).ours("it refuses 0"),
    ]);
}

#[test]
fn limits_that_were_settled_are_kept() {
    check([
        bare(
            "one channel more: 530",
            [
                open_with(2, 131_072, 0),
                open(7),
                open(9),
                send(8, Method::ChannelOpen(leveret::wire::channel::Open)),
                Step::Closed(
                    530,
                    "NOT_ALLOWED - number of channels opened (2) has reached the negotiated \
                     channel_max (2)",
                    (0, 0),
                ),
            ],
        ),
        bare(
            "a channel that was closed does not count",
            [open_with(1, 131_072, 0), open(7), close_channel(7), open(8), close_channel(8), bye()],
        ),
        bare(
            "a frame above the size: 501",
            [
                open_with(2047, 8192, 0),
                Step::Bytes(vec![1, 0, 1, 0, 0, 0x20, 1]),
                Step::Closed(
                    501,
                    "FRAME_ERROR - frame of 8201 bytes is larger than the limit of 8192",
                    (0, 0),
                ),
            ],
        )
        .ours("it waits for the whole frame first"),
    ]);
}

#[test]
fn a_virtual_host_is_there_and_open_to_the_user() {
    check([bare(
        "an unknown virtual host: 530",
        [
            log_in(),
            send(0, tune_ok(2047, 131_072, 0)),
            send(0, connection_open("nowhere")),
            Step::Closed(530, "NOT_ALLOWED - vhost nowhere not found", (10, 40)),
        ],
    )]);
}

#[test]
fn a_handshake_is_done_in_order() {
    check([
        bare(
            "opening before logging in: just the end",
            [greeting(), send(0, connection_open("/")), Step::Gone],
        ),
        bare(
            "a channel before the connection is open: just the end",
            [log_in(), send(1, Method::ChannelOpen(leveret::wire::channel::Open)), Step::Gone],
        ),
        bare(
            "bytes that are no frame: just the end",
            [greeting(), Step::Bytes(b"what is this?".to_vec()), Step::Gone],
        ),
    ]);
}

#[test]
fn a_connection_that_is_open_is_not_opened_again() {
    let at = (10, 40);
    check([
        row(
            "connection.open twice: 504",
            [
                send(0, connection_open("/")),
                Step::Closed(
                    504,
                    "CHANNEL_ERROR - unexpected method in connection state running",
                    at,
                ),
            ],
        ),
        row(
            "connection.tune-ok late: 504",
            [
                send(0, tune_ok(1, 4096, 0)),
                Step::Closed(
                    504,
                    "CHANNEL_ERROR - unexpected method in connection state running",
                    (10, 31),
                ),
            ],
        ),
        row(
            "a method of the server's from the client: 504",
            [
                send(0, Method::ConnectionOpenOk(connection::OpenOk)),
                Step::Closed(
                    504,
                    "CHANNEL_ERROR - unexpected method in connection state running",
                    (10, 41),
                ),
            ],
        ),
    ]);
}
