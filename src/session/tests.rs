//! Tests of the session with a real broker: bytes in, frames out.

mod committing;
mod repeating;
mod settling;
mod turns;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::broker::{Events, Surroundings};
use crate::config::Config;
use crate::outbox::{Buffer, Limits, Outbox};
use crate::wire::{basic, channel, connection, queue};

const NOW_MS: u64 = 1_700_000_000_000;
const OUTBOX_BYTES_MAX: usize = 4096;

/// A broker in a directory of its own.
struct Place {
    broker: Arc<Broker>,
    directory: Option<TempDir>,
}

impl Place {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// One in other surroundings.
    fn with(change: impl FnOnce(&mut Surroundings)) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), change)
    }

    fn in_directory(directory: TempDir) -> Self {
        Self::open_in(directory, |_| {})
    }

    fn open_in(directory: TempDir, change: impl FnOnce(&mut Surroundings)) -> Self {
        let mut surroundings = Surroundings::of_the_machine();
        change(&mut surroundings);
        let mut config = Config { data_dir: directory.path().join("data"), ..Config::default() };
        config.amqp.outbox_bytes_max = OUTBOX_BYTES_MAX;
        let events = Events {
            room: Box::new(|| {}),
            alarm: Box::new(|| {}),
            deadline: Box::new(|| {}),
            errands: Box::new(|| {}),
            lost: Box::new(|why| panic!("{why}")),
        };
        Self {
            broker: Broker::open(config, events, surroundings, NOW_MS).unwrap(),
            directory: Some(directory),
        }
    }

    /// The broker is stopped and started again.
    fn again(mut self) -> Self {
        let directory = self.directory.take().unwrap();
        drop(self);
        Self::in_directory(directory)
    }

    fn talk(&self) -> Talk {
        let limits = Limits {
            bytes_max: OUTBOX_BYTES_MAX,
            unacked_per_channel_max: 100,
            unacked_bytes_per_channel_max: usize::MAX,
        };
        self.talk_with(limits)
    }

    fn talk_with(&self, limits: Limits) -> Talk {
        let outbox = Arc::new(Outbox::new(limits, 131_072, || {}));
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 5672));
        let peer = Peer { address: here, local: here };
        let session =
            Session::new(Arc::clone(&self.broker), Arc::clone(&outbox), peer, Box::new(|_| {}));
        Talk { broker: Arc::clone(&self.broker), session, outbox, rest: Vec::new(), turns: 0 }
    }

    /// A conversation with an open connection and its channel 1.
    fn open(&self) -> Talk {
        let mut talk = self.talk();
        talk.say(&opening());
        talk.say(&frame(1, &Method::ChannelOpen(channel::Open)));
        assert_eq!(talk.session.stage(), Stage::Open);
        talk.hear();
        talk
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.broker.close();
    }
}

/// A conversation with one session.
struct Talk {
    broker: Arc<Broker>,
    session: Session,
    outbox: Arc<ClientOutbox>,
    rest: Vec<u8>,
    /// Turns of others that it let come in between.
    turns: usize,
}

/// How a piece of a conversation ended.
#[derive(Debug, PartialEq)]
enum Ended {
    More,
    Full,
    Held,
    Close,
    Refuse,
}

impl Talk {
    /// Says something, and waits for everything that the session wants to wait for.
    fn say(&mut self, bytes: &[u8]) -> Ended {
        self.say_at(bytes, NOW_MS)
    }

    /// The same at some time.
    fn say_at(&mut self, bytes: &[u8], now_ms: u64) -> Ended {
        self.rest.extend_from_slice(bytes);
        loop {
            let received = self.session.receive(&self.rest, now_ms);
            self.rest.drain(..received.consumed);
            let mut next = received.next;
            loop {
                next = match self.wait(next, now_ms) {
                    Ok(next) => next,
                    Err(next) => {
                        break match next {
                            Next::Frame => {}
                            Next::Yield => self.turns += 1,
                            Next::Full => return Ended::Full,
                            Next::Held => return Ended::Held,
                            Next::Close => return Ended::Close,
                            Next::Refuse => return Ended::Refuse,
                            _ => return Ended::More,
                        };
                    }
                };
            }
        }
    }

    /// Waits for what the session wants to wait for; what else it wants is the error.
    fn wait(&mut self, next: Next, now_ms: u64) -> Result<Next, Next> {
        Ok(match next {
            Next::Store(pending) => self.session.stored(pending.wait_blocking(), now_ms),
            Next::Verify(verification) => self.session.verified(verification.run(), now_ms),
            Next::Room(turn) => self.session.make_room(turn.take(), now_ms),
            next => return Err(next),
        })
    }

    /// What is to be written.
    fn hear_bytes(&mut self) -> Vec<u8> {
        let mut buffer = Buffer::default();
        let stalled = self.outbox.drain(&mut buffer);
        self.broker.resume(stalled, NOW_MS);
        buffer.parts().flatten().copied().collect()
    }

    /// What is to be written, as a list of channels and methods.
    fn hear(&mut self) -> Vec<String> {
        let bytes = self.hear_bytes();
        let mut rest = bytes.as_slice();
        let mut heard = Vec::new();
        while let Some((frame, used)) = wire::next_frame(rest, u32::MAX).unwrap() {
            rest = &rest[used..];
            if let Frame::Method { channel, method } = frame {
                heard.push(format!("{channel} {}", method.name()));
            }
        }
        assert!(rest.is_empty());
        heard
    }
}

fn frame(channel: u16, method: &Method<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    method.encode_frame(channel, &mut frame);
    frame
}

fn start_ok() -> Method<'static> {
    Method::ConnectionStartOk(connection::StartOk {
        client_properties: wire::Table::new(),
        mechanism: "PLAIN",
        response: b"\0guest\0guest",
        locale: "en_US",
    })
}

fn tune_ok() -> Method<'static> {
    let tune_ok = connection::TuneOk { channel_max: 9, frame_max: 131_072, heartbeat: 7 };
    Method::ConnectionTuneOk(tune_ok)
}

/// Everything that a client says until its connection is open.
fn opening() -> Vec<u8> {
    let mut said = PROTOCOL_HEADER.to_vec();
    let open = Method::ConnectionOpen(connection::Open { virtual_host: "/" });
    for method in [start_ok(), tune_ok(), open] {
        method.encode_frame(0, &mut said);
    }
    said
}

fn declare(queue: &str) -> Vec<u8> {
    let declare = queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive: true,
        auto_delete: false,
        no_wait: false,
        arguments: wire::Table::new(),
    };
    frame(1, &Method::QueueDeclare(declare))
}

fn publish(queue: &str, body: &[u8]) -> Vec<u8> {
    let publish =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    let mut frames = frame(1, &Method::BasicPublish(publish));
    wire::encode_content(&mut frames, 1, basic::CLASS_ID, &[0, 0], body, 4096);
    frames
}

fn get(queue: &str) -> Vec<u8> {
    frame(1, &Method::BasicGet(basic::Get { queue, no_ack: true }))
}

fn close_ok() -> Vec<u8> {
    frame(0, &Method::ConnectionCloseOk(connection::CloseOk))
}

/// A conversation that uses most of what a session does, and has one outcome.
fn conversation() -> Vec<u8> {
    let mut said = opening();
    said.extend(frame(1, &Method::ChannelOpen(channel::Open)));
    said.extend(declare("q"));
    said.extend(publish("q", b"one"));
    said.extend(publish("q", b""));
    said.extend(publish("q", &[7; 9000]));
    said.extend(get("q"));
    said.extend(get("q"));
    said.extend(get("nowhere"));
    said.extend(publish("q", b"ignored"));
    said.extend(frame(1, &Method::ChannelCloseOk(channel::CloseOk)));
    said.extend(frame(1, &Method::ChannelOpen(channel::Open)));
    said.extend(get("q"));
    let close = connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    said.extend(frame(0, &Method::ConnectionClose(close)));
    said
}

#[test]
fn a_connection_is_opened_step_by_step() {
    let place = Place::new();
    let mut talk = place.talk();
    let open = Method::ConnectionOpen(connection::Open { virtual_host: "/" });
    let steps = [
        (PROTOCOL_HEADER.to_vec(), "0 connection.start"),
        (frame(0, &start_ok()), "0 connection.tune"),
        ([frame(0, &tune_ok()), frame(0, &open)].concat(), "0 connection.open-ok"),
    ];
    for (said, heard) in steps {
        assert_eq!(talk.session.stage(), Stage::Handshake);
        assert_eq!(talk.say(&said), Ended::More);
        assert_eq!(talk.hear(), [heard]);
    }
    assert_eq!(talk.session.stage(), Stage::Open);
    assert_eq!(talk.session.heartbeat_s(), 7);
    assert_eq!(talk.session.client().map(|client| client.user().to_string()), Some("guest".into()));
}

#[test]
fn a_client_that_cannot_be_understood_is_refused_without_a_word() {
    let place = Place::new();
    let cases: [&[u8]; 4] =
        [b"\xff\xff\xff\xff", &declare("q"), &frame(0, &tune_ok()), &[1, 0, 0, 0, 1, 0, 0]];
    for case in cases {
        let mut talk = place.talk();
        talk.say(&PROTOCOL_HEADER);
        talk.hear();
        assert_eq!(talk.say(case), Ended::Refuse, "{}", case.escape_ascii());
        assert_eq!(talk.hear(), [""; 0]);
    }
}

#[test]
fn a_closing_connection_finds_the_agreement_behind_anything() {
    let place = Place::new();
    let mut large_frame = vec![3, 0, 1, 0, 0, 0x10, 0];
    large_frame.extend([0; 500]);
    let ways: [&[u8]; 5] =
        [b"", &publish("q", b"late"), b"\xff no frame at all", &large_frame, &close_ok()[..7]];
    for way in ways {
        let mut talk = place.open();
        assert_eq!(talk.say(b"\x09 is no frame"), Ended::More);
        assert_eq!(talk.hear(), ["0 connection.close"]);
        assert_eq!(talk.session.stage(), Stage::Closing);
        assert_eq!(talk.say(way), Ended::More);
        assert_eq!(talk.say(&close_ok()), Ended::Close, "{}", way.escape_ascii());
        assert_eq!(talk.hear(), [""; 0]);
    }
}

#[test]
fn a_fault_from_outside_closes_once_and_gives_everything_back() {
    let place = Place::new();
    let mut talk = place.open();
    talk.say(&declare("mine"));
    talk.hear();
    let fault = Fault::connection(ReplyCode::ConnectionForced, "enough");
    talk.session.fail(fault.clone(), NOW_MS);
    talk.session.fail(fault, NOW_MS);
    assert_eq!(talk.hear(), ["0 connection.close"]);
    assert_eq!(place.broker.client_count(), 0);

    let mut other = place.open();
    other.say(&declare("mine"));
    assert_eq!(other.hear(), ["1 queue.declare-ok"]);
    other.session.end("the test ends it", NOW_MS);
    other.session.end("and once more", NOW_MS);
    assert_eq!(place.broker.client_count(), 0);
    assert_eq!(other.say(&declare("mine")), Ended::Close);
}

#[test]
fn a_client_that_does_not_read_is_not_served_without_bound() {
    let place = Place::new();
    let mut talk = place.open();
    talk.say(&declare("q"));
    for _ in 0..8 {
        talk.say(&publish("q", &[1; 2000]));
    }
    talk.hear();
    assert_eq!(talk.say(&get("q").repeat(8)), Ended::Full);
    assert!(talk.outbox.waiting_bytes() < OUTBOX_BOUNDS_MAX * OUTBOX_BYTES_MAX + 2500);
    let mut heard = talk.hear().len();
    while talk.say(b"") == Ended::Full {
        heard += talk.hear().len();
    }
    assert_eq!(heard + talk.hear().len(), 8);
}

#[test]
fn an_acknowledgement_follows_the_messages_before_it() {
    let place = Place::new();
    let mut talk = place.open();
    talk.say(&declare("q"));
    let fetch = frame(1, &Method::BasicGet(basic::Get { queue: "q", no_ack: false }));
    let ack = frame(1, &Method::BasicAck(basic::Ack { delivery_tag: 1, multiple: false }));
    talk.say(&[publish("q", b"a"), fetch].concat());
    talk.hear();
    talk.say(&[publish("q", b"b"), ack.clone(), publish("q", b"c"), get("q"), get("q")].concat());
    assert_eq!(talk.hear(), ["1 basic.get-ok", "1 basic.get-ok"]);
    talk.say(&[publish("q", b"counts"), ack, publish("q", b"does not")].concat());
    assert_eq!(talk.hear(), ["1 channel.close"]);
    let reopen = [
        frame(1, &Method::ChannelCloseOk(channel::CloseOk)),
        frame(1, &Method::ChannelOpen(channel::Open)),
    ];
    talk.say(&[reopen.concat(), get("q"), get("q")].concat());
    assert_eq!(talk.hear(), ["1 channel.open-ok", "1 basic.get-ok", "1 basic.get-empty"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_matters_and_not_in_which_pieces(cuts in prop::collection::vec(1_usize..600, 1..80)) {
        let place = Place::new();
        let said = conversation();
        let mut whole = place.talk();
        let mut heard_at_once = Vec::new();
        let mut end = whole.say(&said);
        while end == Ended::Full {
            heard_at_once.extend(whole.hear_bytes());
            end = whole.say(b"");
        }
        prop_assert_eq!(end, Ended::Close);
        heard_at_once.extend(whole.hear_bytes());

        let mut pieces = place.talk();
        let mut heard = Vec::new();
        let mut rest = said.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            let end = pieces.say(piece);
            heard.extend(pieces.hear_bytes());
            if end == Ended::Close {
                break;
            }
        }
        prop_assert_eq!(heard, heard_at_once);
    }

    #[test]
    fn nothing_that_is_said_breaks_the_session(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let place = Place::new();
        let mut said = conversation();
        for (place, value) in flips {
            said[place.index(conversation().len())] = value;
        }
        let mut talk = place.talk();
        for piece in said.chunks(97) {
            talk.say(piece);
            talk.hear_bytes();
        }
        talk.session.end("the test ends it", NOW_MS);
        prop_assert_eq!(place.broker.client_count(), 0);
    }
}
