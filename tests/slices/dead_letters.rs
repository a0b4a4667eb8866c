//! Dead letters that push out more dead letters.

use super::desk::Desk;
use leveret::message::Facts;
use leveret::wire::{Properties, PropertiesView, Table, Value};

/// Queues in a layer. Each message that comes to one dies at once and goes to all of the next layer.
const WIDTH: usize = 6;
const LAYERS: usize = 6;

/// One message leads to so many dead letters, and no more than these are made in a turn.
const LETTERS_PER_TURN: u64 = 600;

fn bomb(letters_max: usize) -> Desk {
    let desk = Desk::new(|config| config.limits.dead_letters_per_message_max = letters_max);
    (0..=LAYERS).for_each(|layer| desk.fanout(&format!("x{layer}")));
    for layer in 0..LAYERS {
        for number in 0..WIDTH {
            let next = format!("x{}", layer + 1);
            let full = [
                ("x-max-length", Value::I32(0)),
                ("x-dead-letter-exchange", Value::LongStr(next.into_bytes())),
            ];
            let queue = format!("q{layer}.{number}");
            desk.queue(&queue, false, &full);
            desk.bind(&queue, &format!("x{layer}"));
        }
    }
    desk
}

/// How many messages have come to the queues of all layers.
fn letters(desk: &Desk) -> u64 {
    let queues = desk.broker.queues("/");
    queues.iter().map(|queue| queue.figures().totals.published).sum()
}

#[test]
fn a_message_that_leads_to_many_dead_letters_leads_to_few_in_a_turn() {
    let desk = bomb(1_000_000);
    desk.client.publish(&mut desk.message("x0", "", b"boom", Facts::default()).into(), desk.now_ms);
    let mut before = letters(&desk);
    assert!(before <= LETTERS_PER_TURN, "{before} dead letters in the publisher's turn");
    let mut waiting = 0;
    let slices = desk.run_errands(|| {
        let after = letters(&desk);
        assert!(after - before <= LETTERS_PER_TURN, "{} in one slice", after - before);
        before = after;
        waiting = waiting.max(desk.broker.dead_waiting());
    });
    let all: u64 = (1..=LAYERS as u32).map(|layer| (WIDTH as u64).pow(layer)).sum();
    assert_eq!(before, all);
    assert!(slices as u64 >= all / LETTERS_PER_TURN, "{slices} slices");
    assert!(waiting < 2_000, "{waiting} dead messages waited at once");
    assert_eq!((desk.broker.dead_waiting(), desk.broker.dead_letters_dropped()), (0, 0));
}

#[test]
fn one_message_leads_to_no_more_dead_letters_than_may_be() {
    let desk = bomb(1_000);
    let boom = || desk.message("x0", "", b"boom", Facts::default());
    desk.client.publish(&mut boom().into(), desk.now_ms);
    desk.run_errands(|| {});
    // Those of the first layer were published, and each of them died.
    assert_eq!(letters(&desk), WIDTH as u64 * 1_001);
    assert!(desk.broker.dead_letters_dropped() > 0);
    assert_eq!(desk.broker.dead_waiting(), 0);
}

#[test]
fn dead_letters_leave_a_queue_in_the_order_in_which_they_died() {
    let desk = Desk::new(|_| {});
    let to = |exchange: &str| ("x-dead-letter-exchange", Value::LongStr(exchange.into()));
    let key = |key: &str| ("x-dead-letter-routing-key", Value::LongStr(key.into()));
    desk.queue("short", false, &[("x-max-length", Value::I32(10)), to(""), key("grave")]);
    desk.queue("grave", false, &[]);
    let mut number = 0_u32;
    for _ in 0..10 {
        let batch = (0..1_000).map(|_| {
            number += 1;
            desk.message("", "short", &number.to_be_bytes(), Facts::default())
        });
        desk.client.publish(&mut batch.collect(), desk.now_ms);
        desk.broker.run_errands(desk.now_ms);
    }
    desk.run_errands(|| {});
    assert_eq!((desk.ready("short"), desk.ready("grave")), (10, 9_990));
    let (peeked, _) = desk.client.peek("grave", 10_000, usize::MAX, desk.now_ms).unwrap();
    let bodies =
        peeked.iter().map(|one| u32::from_be_bytes(one.message.body().try_into().unwrap()));
    assert!(bodies.eq(1..=9_990));
}

#[test]
fn those_who_make_dead_messages_wait_while_too_many_are_not_buried() {
    let desk = Desk::new(|config| config.limits.dead_messages_waiting_max = 2_000);
    let grave = [
        ("x-max-length", Value::I32(0)),
        ("x-dead-letter-exchange", Value::LongStr(Vec::new())),
        ("x-dead-letter-routing-key", Value::LongStr(b"grave".to_vec())),
    ];
    desk.queue("short", false, &grave);
    desk.queue("grave", false, &[]);
    let batch = || (0..1_000).map(|_| desk.message("", "short", b"", Facts::default())).collect();
    let mut batches = 0;
    while !desk.client.must_pause() {
        desk.client.publish(&mut batch(), desk.now_ms);
        batches += 1;
        assert!(batches < 20, "nobody holds the publisher back");
    }
    assert!(desk.broker.dead_waiting() <= 3_000);
    desk.run_errands(|| {});
    assert!(!desk.client.must_pause());
    assert_eq!(desk.ready("grave"), batches * 1_000);
}

#[test]
fn a_message_dies_in_so_many_queues_and_no_more() {
    let desk = Desk::new(|config| config.limits.deaths_per_message_max = 20);
    for number in 0..40 {
        let arguments = [
            ("x-max-length", Value::I32(0)),
            ("x-dead-letter-exchange", Value::LongStr(Vec::new())),
            ("x-dead-letter-routing-key", Value::LongStr(format!("q{}", number + 1).into_bytes())),
        ];
        desk.queue(&format!("q{number}"), false, &arguments);
    }
    let (exchange, mut published) = desk.message("", "q0", b"", Facts::default());
    let copies = (0..400).map(|copy| Value::LongStr(format!("a key of many: {copy}").into_bytes()));
    let mut headers = Table::new();
    headers.insert("CC", Value::Array(copies.collect()));
    let properties = Properties { headers: Some(headers), ..Properties::default() };
    let mut encoded = Vec::new();
    properties.encode(&mut encoded);
    let facts = *published.message.facts();
    published.message =
        leveret::message::Message::new(desk.client.memory(), "", "q0", &encoded, b"", facts).into();
    desk.client.publish(&mut (exchange, published).into(), desk.now_ms);
    desk.run_errands(|| {});
    let reached = (0..40).filter(|number| desk.totals(&format!("q{number}")).published > 0);
    assert_eq!(reached.count(), 21);
    assert_eq!(desk.broker.dead_letters_dropped(), 1);
    assert!(PropertiesView::parse(&encoded).is_ok());
}
