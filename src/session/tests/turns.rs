//! What one read leads to is done in turns: each does a bounded amount, others have theirs in between, and what stands
//! behind it on the connection waits.

use super::*;
use crate::broker::{Actor, BindingRequest, DeclareMode, DeleteQueue, QueueDeclaration, Remaining};
use crate::wire::{Table, confirm, tx};

/// Steps, places and messages that one turn may do.
const TURN: usize = 100;

const QUEUES: u64 = 500;
const MESSAGES: u64 = 3;

/// A broker with queues that get whatever goes through `amq.fanout`.
struct Hall {
    place: Place,
    clerk: Actor,
}

impl Hall {
    fn new(queues: u64) -> Self {
        let place = Place::with(|surroundings| surroundings.turn_work = TURN);
        let clerk = place.broker.operator(&"guest".into(), "/").unwrap();
        let hall = Self { place, clerk };
        for number in 0..queues {
            hall.declare(&name(number));
            let arguments = Table::new();
            let request = BindingRequest {
                source: "amq.fanout",
                destination: &name(number),
                routing_key: "",
                arguments: &arguments,
            };
            drop(hall.clerk.bind_queue(&request).unwrap());
        }
        hall
    }

    fn declare(&self, name: &str) {
        let declaration = QueueDeclaration {
            name,
            mode: DeclareMode::Active,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: &Table::new(),
        };
        self.clerk.declare_queue(&declaration, NOW_MS).unwrap();
    }

    /// How many messages all queues have got.
    fn copies(&self) -> u64 {
        let queues = self.place.broker.queues("/");
        queues.iter().map(|queue| queue.figures().totals.published).sum()
    }

    fn run_errands(&self) -> usize {
        let mut slices = 0;
        while self.place.broker.run_errands(NOW_MS) != Remaining::Nothing {
            slices += 1;
        }
        slices
    }

    /// Whether nobody is on the way into any queue any more: one that is empty can be deleted on that condition.
    fn expect_open_gates(&self, queues: u64) {
        for number in 0..queues {
            self.clerk.purge_queue(&name(number), NOW_MS).unwrap();
            let if_empty = DeleteQueue { if_unused: true, if_empty: true };
            drop(self.clerk.delete_queue(&name(number), if_empty, NOW_MS).unwrap());
        }
    }
}

fn name(number: u64) -> String {
    format!("q{number}")
}

/// Messages for everybody. Their properties say how long they are kept.
fn fanned(properties: &[u8], count: u64) -> Vec<u8> {
    let mut frames = Vec::new();
    for number in 0..count {
        let publish = basic::Publish {
            exchange: "amq.fanout",
            routing_key: "",
            mandatory: true,
            immediate: false,
        };
        Method::BasicPublish(publish).encode_frame(1, &mut frames);
        let body = number.to_be_bytes();
        wire::encode_content(&mut frames, 1, basic::CLASS_ID, properties, &body, 4096);
    }
    frames
}

const TRANSIENT: &[u8] = &[0, 0];
const PERSISTENT: &[u8] = &[0x10, 0, 2];

fn confirming() -> Vec<u8> {
    frame(1, &Method::ConfirmSelect(confirm::Select { no_wait: false }))
}

impl Talk {
    /// Says something and takes one turn for it.
    fn turn(&mut self, bytes: &[u8]) -> Next {
        self.rest.extend_from_slice(bytes);
        let received = self.session.receive(&self.rest, NOW_MS);
        self.rest.drain(..received.consumed);
        received.next
    }
}

#[test]
fn a_turn_is_bounded_and_others_have_theirs_between() {
    let hall = Hall::new(QUEUES);
    let (mut talk, mut other) = (hall.place.open(), hall.place.open());
    hall.declare("other");
    for properties in [TRANSIENT, PERSISTENT] {
        let (mut before, first) = (hall.copies(), hall.copies());
        let mut bytes = fanned(properties, MESSAGES);
        let mut turns = 0;
        while let Next::Yield = talk.turn(&std::mem::take(&mut bytes)) {
            turns += 1;
            let after = hall.copies();
            assert!(after - before <= TURN as u64, "{} copies in one turn", after - before);
            other.say(&publish("other", b"x"));
            other.say(&get("other"));
            assert_eq!(other.hear(), ["1 basic.get-ok"]);
            before = hall.copies();
        }
        let copies = hall.copies() - first - turns;
        assert_eq!(copies, QUEUES * MESSAGES);
        // Each copy is found, is placed and is put into its queue.
        assert!(turns >= 2 * copies / TURN as u64, "{turns} turns");
    }
    hall.expect_open_gates(QUEUES);
}

#[test]
fn what_stands_behind_messages_waits_until_they_are_in_their_queues() {
    let hall = Hall::new(QUEUES);
    let last = name(QUEUES - 1);
    let passive = queue::Declare {
        queue: &last,
        passive: true,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: Table::new(),
    };
    let mut talk = hall.place.open();
    talk.say(&[fanned(TRANSIENT, 1), frame(1, &Method::QueueDeclare(passive))].concat());
    assert!(talk.turns > 5, "{} turns", talk.turns);
    let bytes = talk.hear_bytes();
    let (heard, _) = wire::next_frame(&bytes, u32::MAX).unwrap().unwrap();
    let Frame::Method { method: Method::QueueDeclareOk(declared), .. } = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(declared.message_count, 1);
    talk.say(&confirming());
    talk.hear();
    let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    talk.say(&[fanned(TRANSIENT, MESSAGES), frame(1, &Method::ChannelClose(close))].concat());
    let heard = talk.hear();
    let (closed, confirmed) = heard.split_last().unwrap();
    assert_eq!(closed, "1 channel.close-ok");
    assert!(!confirmed.is_empty() && confirmed.iter().all(|one| one == "1 basic.ack"), "{heard:?}");
    assert_eq!(hall.copies(), QUEUES * (MESSAGES + 1));
}

#[test]
fn a_fault_closes_its_channel_when_the_messages_before_it_are_done() {
    let hall = Hall::new(QUEUES);
    let mut talk = hall.place.open();
    talk.say(&confirming());
    talk.hear();
    let wrong = frame(1, &Method::BasicAck(basic::Ack { delivery_tag: 9, multiple: false }));
    let open = frame(2, &Method::ChannelOpen(channel::Open));
    talk.say(&[fanned(TRANSIENT, 1), wrong, open].concat());
    assert_eq!(talk.hear(), ["1 basic.ack", "1 channel.close", "2 channel.open-ok"]);
    assert_eq!(hall.copies(), QUEUES);
}

#[test]
fn an_order_to_close_comes_behind_what_was_begun() {
    let hall = Hall::new(QUEUES);
    let mut talk = hall.place.open();
    talk.say(&confirming());
    talk.hear();
    assert!(matches!(talk.turn(&fanned(TRANSIENT, 1)), Next::Yield));
    talk.session.fail(Fault::connection(ReplyCode::ConnectionForced, "stop"), NOW_MS);
    assert_eq!(talk.session.stage(), Stage::Open);
    talk.say(&[]);
    assert_eq!(talk.session.stage(), Stage::Closing);
    assert_eq!(talk.hear(), ["1 basic.ack", "0 connection.close"]);
    assert_eq!(hall.copies(), QUEUES);
}

#[test]
fn a_connection_that_goes_in_the_middle_leaves_an_errand_and_nothing_else() {
    for (properties, is_tx) in [(TRANSIENT, false), (PERSISTENT, false), (PERSISTENT, true)] {
        // It goes after each of its turns once.
        for turns in 1.. {
            let hall = Hall::new(50);
            let mut talk = hall.place.open();
            let mut bytes = match is_tx {
                true => {
                    talk.say(&frame(1, &Method::TxSelect(tx::Select)));
                    talk.say(&fanned(properties, 10));
                    frame(1, &Method::TxCommit(tx::Commit))
                }
                false => fanned(properties, 10),
            };
            let mut all = turns;
            while all > 0 && matches!(talk.turn(&std::mem::take(&mut bytes)), Next::Yield) {
                all -= 1;
            }
            let before = hall.copies();
            talk.session.end("the test says so", NOW_MS);
            assert!(hall.copies() - before <= TURN as u64);
            let went_on = hall.run_errands();
            assert_eq!(hall.copies(), 500, "{turns} turns, then {went_on} slices");
            assert_eq!(hall.place.broker.client_count(), 0);
            hall.expect_open_gates(50);
            if all > 0 {
                assert!(turns > 10, "{turns} turns");
                break;
            }
        }
    }
}

#[test]
fn a_commit_takes_turns_and_is_answered_behind_the_last() {
    let hall = Hall::new(0);
    hall.declare("q");
    let mut talk = hall.place.open();
    talk.say(&frame(1, &Method::TxSelect(tx::Select)));
    let messages: Vec<u8> =
        (0..1_000_u32).flat_map(|one| publish("q", &one.to_be_bytes())).collect();
    talk.say(&messages);
    assert_eq!((hall.copies(), talk.turns), (0, 0));
    let mut bytes = frame(1, &Method::TxCommit(tx::Commit));
    bytes.extend(get("q"));
    talk.hear();
    talk.say(&bytes);
    assert!(talk.turns >= 3 * 1_000 / TURN - 1, "{} turns", talk.turns);
    assert_eq!(talk.hear(), ["1 tx.commit-ok", "1 basic.get-ok"]);
    let (peeked, _) = hall.clerk.peek("q", 1_000, usize::MAX, NOW_MS).unwrap();
    let bodies =
        peeked.iter().map(|one| u32::from_be_bytes(one.message.body().try_into().unwrap()));
    assert!(bodies.eq(1..1_000));
}
