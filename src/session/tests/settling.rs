//! Very many deliveries and consumers: what is done with them takes turns, and is done before the next frame.

use super::*;
use crate::broker::POSITIONS_PER_TURN;

const MANY: usize = 3 * POSITIONS_PER_TURN + 100;

/// A conversation in which so many may be unacknowledged.
fn open(place: &Place) -> Talk {
    open_with(place, &opening())
}

/// What a client says first that wants to hear of it when a consumer's queue goes.
fn opening_of_one_that_listens() -> Vec<u8> {
    let mut capabilities = wire::Table::new();
    capabilities.insert("consumer_cancel_notify", wire::Value::Bool(true));
    let mut properties = wire::Table::new();
    properties.insert("capabilities", wire::Value::Table(capabilities));
    let mut said = PROTOCOL_HEADER.to_vec();
    let Method::ConnectionStartOk(start_ok) = start_ok() else { unreachable!() };
    let start_ok = connection::StartOk { client_properties: properties, ..start_ok };
    let open = Method::ConnectionOpen(connection::Open { virtual_host: "/" });
    for method in [Method::ConnectionStartOk(start_ok), tune_ok(), open] {
        method.encode_frame(0, &mut said);
    }
    said
}

fn open_with(place: &Place, opening: &[u8]) -> Talk {
    let limits = Limits {
        bytes_max: 64 << 20,
        unacked_per_channel_max: 2 * MANY,
        unacked_bytes_per_channel_max: usize::MAX,
    };
    let mut talk = place.talk_with(limits);
    talk.say(opening);
    talk.say(&frame(1, &Method::ChannelOpen(channel::Open)));
    talk.hear();
    talk
}

fn consume(queue: &str, tag: &str) -> Vec<u8> {
    let consume = basic::Consume {
        queue,
        consumer_tag: tag,
        no_local: false,
        no_ack: false,
        exclusive: false,
        no_wait: false,
        arguments: wire::Table::new(),
    };
    frame(1, &Method::BasicConsume(consume))
}

fn declare(queue: &str, change: impl FnOnce(&mut queue::Declare<'_>)) -> Vec<u8> {
    let mut declare = queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: wire::Table::new(),
    };
    change(&mut declare);
    frame(1, &Method::QueueDeclare(declare))
}

fn look(queue: &str) -> Vec<u8> {
    declare(queue, |declare| declare.passive = true)
}

fn declare_shared(queue: &str) -> Vec<u8> {
    declare(queue, |_| ())
}

fn declare_durable(queue: &str) -> Vec<u8> {
    declare(queue, |declare| declare.durable = true)
}

fn publish_persistent(queue: &str, number: u64) -> Vec<u8> {
    let publish =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    let mut frames = frame(1, &Method::BasicPublish(publish));
    let properties = [0x10, 0, 2];
    wire::encode_content(&mut frames, 1, basic::CLASS_ID, &properties, &number.to_be_bytes(), 4096);
    frames
}

fn bodies(bytes: &[u8]) -> Vec<u64> {
    let mut rest = bytes;
    let mut bodies = Vec::new();
    while let Some((frame, used)) = wire::next_frame(rest, u32::MAX).unwrap() {
        rest = &rest[used..];
        if let Frame::Body { payload, .. } = frame {
            bodies.push(u64::from_be_bytes(payload.try_into().unwrap()));
        }
    }
    bodies
}

fn publish_numbers(talk: &mut Talk, numbers: std::ops::Range<usize>) {
    let published: Vec<u8> =
        numbers.flat_map(|number| publish("q", &(number as u64).to_be_bytes())).collect();
    talk.say(&published);
}

/// Ready and unacknowledged messages, and consumers.
fn counts(talk: &Talk) -> (usize, usize, usize) {
    let queue = talk.broker.queue("/", "q").unwrap();
    let counts = queue.figures().counts;
    (counts.ready as usize, counts.unacknowledged as usize, counts.consumers as usize)
}

/// Says something, and calls `between` whenever it is the turn of others. Returns how often.
fn say(talk: &mut Talk, bytes: &[u8], mut between: impl FnMut(&mut Talk)) -> usize {
    let mut rest = bytes;
    for turns in 0.. {
        let received = talk.session.receive(rest, NOW_MS);
        rest = &rest[received.consumed..];
        match received.next {
            Next::Yield => between(talk),
            Next::Read => {
                assert!(rest.is_empty());
                return turns;
            }
            next => panic!("{next:?}"),
        }
    }
    0
}

/// A conversation that has many unacknowledged deliveries on channel 1.
fn burdened(place: &Place) -> Talk {
    let mut talk = open(place);
    talk.say(&declare_shared("q"));
    publish_numbers(&mut talk, 0..MANY);
    talk.say(&consume("q", "c"));
    talk.hear_bytes();
    talk.session.client().unwrap().resume(Vec::new(), NOW_MS);
    assert_eq!(counts(&talk), (0, MANY, 1));
    talk
}

fn cancel() -> Vec<u8> {
    frame(1, &Method::BasicCancel(basic::Cancel { consumer_tag: "c", no_wait: true }))
}

#[test]
fn very_many_deliveries_are_settled_in_turns_and_before_the_next_frame() {
    let ack = Method::BasicAck(basic::Ack { delivery_tag: 0, multiple: true });
    let nack =
        |requeue| Method::BasicNack(basic::Nack { delivery_tag: 0, multiple: true, requeue });
    let recover = Method::BasicRecover(basic::Recover { requeue: true });
    let cases = [
        ("ack", ack, 0, vec!["1 queue.declare-ok"]),
        ("reject", nack(false), 0, vec!["1 queue.declare-ok"]),
        ("requeue", nack(true), MANY, vec!["1 queue.declare-ok"]),
        ("recover", recover, MANY, vec!["1 basic.recover-ok", "1 queue.declare-ok"]),
    ];
    for (name, method, ready, heard) in cases {
        let place = Place::new();
        let mut talk = burdened(&place);
        say(&mut talk, &cancel(), |_| {});
        let mut left = MANY;
        let said = [frame(1, &method), look("q")].concat();
        let turns = say(&mut talk, &said, |talk| {
            let (_, unacknowledged, _) = counts(talk);
            let done = left - unacknowledged;
            assert!(done <= POSITIONS_PER_TURN, "{name}: {done} in one turn");
            left = unacknowledged;
            let heard = talk.hear();
            assert!(
                !heard.contains(&"1 queue.declare-ok".to_owned()),
                "{name}: the next frame was early"
            );
        });
        assert!(turns >= MANY / POSITIONS_PER_TURN, "{name}: {turns} turns");
        assert_eq!(counts(&talk), (ready, 0, 0), "{name}");
        let last = talk.hear();
        assert_eq!(last.last(), heard.last().map(|s| (*s).to_owned()).as_ref(), "{name}");
    }
}

#[test]
fn a_channel_with_very_many_deliveries_is_closed_in_turns_and_told_at_the_end() {
    let place = Place::new();
    let mut talk = burdened(&place);
    let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    let mut left = MANY;
    let turns = say(&mut talk, &frame(1, &Method::ChannelClose(close)), |talk| {
        let (_, unacknowledged, _) = counts(talk);
        assert!(left - unacknowledged <= POSITIONS_PER_TURN);
        left = unacknowledged;
        assert!(talk.hear().is_empty(), "it is told too early");
    });
    assert!(turns >= MANY / POSITIONS_PER_TURN, "{turns} turns");
    assert_eq!(talk.hear(), ["1 channel.close-ok"]);
    assert_eq!(counts(&talk), (MANY, 0, 0));
}

#[test]
fn a_channel_with_very_many_consumers_is_closed_in_turns() {
    let place = Place::new();
    let mut talk = open(&place);
    talk.say(&declare_shared("q"));
    let consumers = 2_000;
    for n in 0..consumers {
        talk.say(&consume("q", &n.to_string()));
        talk.hear();
    }
    let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    let turns = say(&mut talk, &frame(1, &Method::ChannelClose(close)), |_| {});
    assert!(turns >= 5, "{turns} turns");
    assert_eq!(talk.hear(), ["1 channel.close-ok"]);
    assert_eq!(counts(&talk), (0, 0, 0));
}

#[test]
fn what_comes_back_in_turns_comes_in_order_whoever_waits_for_it() {
    let place = Place::new();
    let mut talk = burdened(&place);
    say(&mut talk, &cancel(), |_| {});
    let mut other = open(&place);
    publish_numbers(&mut other, MANY..MANY + 2_000);
    let tag = basic::Qos { prefetch_size: 0, prefetch_count: 10, global: false };
    other.say(&[frame(1, &Method::BasicQos(tag)), consume("q", "o")].concat());
    let mut got = bodies(&other.hear_bytes());
    assert_eq!(got, (MANY as u64..MANY as u64 + 10).collect::<Vec<_>>());
    got.clear();
    let ack = frame(1, &Method::BasicAck(basic::Ack { delivery_tag: 0, multiple: true }));
    let nack = basic::Nack { delivery_tag: 0, multiple: true, requeue: true };
    let turns = say(&mut talk, &frame(1, &Method::BasicNack(nack)), |_| {
        other.say(&ack);
        got.extend(bodies(&other.hear_bytes()));
    });
    assert!(turns >= MANY / POSITIONS_PER_TURN, "{turns} turns");
    while got.len() < MANY {
        other.say(&ack);
        got.extend(bodies(&other.hear_bytes()));
    }
    got.truncate(MANY);
    let expected: Vec<u64> = (0..MANY as u64).collect();
    assert!(got == expected, "out of order: {:?}...", &got[..20]);
}

#[test]
fn a_connection_that_leaves_very_much_leaves_an_errand() {
    for in_the_middle in [false, true] {
        let place = Place::new();
        let mut talk = burdened(&place);
        if in_the_middle {
            let nack = basic::Nack { delivery_tag: 0, multiple: true, requeue: true };
            let bytes = frame(1, &Method::BasicNack(nack));
            let received = talk.session.receive(&bytes, NOW_MS);
            assert!(matches!(received.next, Next::Yield));
        }
        let (_, before, _) = counts(&talk);
        talk.session.end("the test ends it", NOW_MS);
        let (_, left, _) = counts(&talk);
        assert!(left > 0 && before - left <= POSITIONS_PER_TURN, "{left} of {before} are left");
        let mut slices = 1;
        while place.broker.run_errands(NOW_MS) != crate::broker::Remaining::Nothing {
            slices += 1;
        }
        assert!(slices >= MANY / POSITIONS_PER_TURN - 1, "{slices} slices");
        assert_eq!(counts(&talk), (MANY, 0, 0));
    }
}

#[test]
fn frames_that_settle_much_again_and_again_take_turns_too() {
    let place = Place::new();
    let mut talk = burdened(&place);
    // Each brings all of it back, and all of it is delivered again at once.
    let recover = frame(1, &Method::BasicRecoverAsync(basic::RecoverAsync { requeue: true }));
    let turns = say(&mut talk, &recover.repeat(10), |talk| drop(talk.hear_bytes()));
    assert!(turns >= 10 * (MANY / POSITIONS_PER_TURN), "{turns} turns");
}

#[test]
fn very_many_consumers_of_a_queue_that_is_deleted_are_told_in_slices() {
    let place = Place::new();
    let mut talk = open_with(&place, &opening_of_one_that_listens());
    talk.say(&declare_shared("q"));
    let consumers = 3_000;
    for n in 0..consumers {
        talk.say(&consume("q", &n.to_string()));
        talk.hear();
    }
    let mut other = open(&place);
    let delete = queue::Delete { queue: "q", if_unused: false, if_empty: false, no_wait: false };
    other.say(&frame(1, &Method::QueueDelete(delete)));
    assert_eq!(other.hear(), ["1 queue.delete-ok"]);
    let told = talk.hear();
    assert!(told.len() < consumers && told.iter().all(|one| one == "1 basic.cancel"));

    // A tag is free at once, and who had it is told before it is another's.
    talk.say(&declare_shared("q"));
    talk.say(&consume("q", &(consumers - 1).to_string()));
    assert_eq!(talk.hear(), ["1 queue.declare-ok", "1 basic.cancel", "1 basic.consume-ok"]);
    while place.broker.run_errands(NOW_MS) != crate::broker::Remaining::Nothing {}
    assert_eq!(told.len() + 1 + talk.hear().len(), consumers);
    assert_eq!(counts(&talk), (0, 0, 1));
}

#[test]
fn what_a_connection_acknowledged_last_does_not_come_back_after_a_stop() {
    let place = Place::new();
    let mut talk = open(&place);
    talk.say(&declare_durable("q"));
    for piece in 0..10 {
        let numbers = piece * MANY / 10..(piece + 1) * MANY / 10;
        let persistent = numbers.flat_map(|number| publish_persistent("q", number as u64));
        let published: Vec<u8> = persistent.collect();
        talk.say(&published);
    }
    talk.say(&consume("q", "c"));
    while counts(&talk).1 < MANY {
        talk.hear_bytes();
    }
    let ack = basic::Ack { delivery_tag: MANY as u64 - 1, multiple: true };
    let received = talk.session.receive(&frame(1, &Method::BasicAck(ack)), NOW_MS);
    assert!(matches!(received.next, Next::Yield));
    talk.session.end("the test ends it", NOW_MS);
    let (ready, left, _) = counts(&talk);
    assert!((ready, left) != (1, 0), "it took one turn");
    drop(talk);

    let place = place.again();
    let talk = open(&place);
    assert_eq!(counts(&talk), (1, 0, 0), "all but the last were acknowledged");
}
