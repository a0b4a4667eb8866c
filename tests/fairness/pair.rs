//! A publisher that waits for its confirms and a consumer that acknowledges, as everybody should.

use std::thread;

use crate::support::broker::fresh;
use crate::support::peer::{
    Acknowledging, Delivery, Durability, Event, Peer, Routing, publication,
};

const MESSAGES: u64 = 5_000;
const BODY_BYTES: usize = 1024;
/// How many confirms the publisher leaves open.
const WINDOW: u64 = 100;
const PREFETCH: u16 = 100;

/// Sends a fixed number of messages through a queue of their own, and waits until the last has been acknowledged.
///
/// # Panics
///
/// When either of the two is refused anything, or waits a minute in vain.
pub fn exchange(port: u16) {
    let queue = fresh("healthy");
    let mut consumer = Peer::connect(port).unwrap();
    consumer.declare_queue(&queue, Durability::Durable, &[]).unwrap();
    consumer.prefetch(PREFETCH).unwrap();
    consumer.consume(&queue, Acknowledging::ByConsumer).unwrap();
    let consuming = thread::spawn(move || {
        for number in 0..MESSAGES {
            match consumer.event().unwrap() {
                Event::Delivered { tag, body, .. } => {
                    assert_eq!(body, body_of(number));
                    consumer.acknowledge(tag).unwrap();
                }
                other => panic!("the healthy consumer was told {other:?}"),
            }
        }
    });
    publish(port, &queue);
    consuming.join().unwrap();
}

fn publish(port: u16, queue: &str) {
    let mut publisher = Peer::connect(port).unwrap();
    publisher.select_confirms().unwrap();
    let mut confirmed = 0;
    for number in 0..MESSAGES {
        let body = body_of(number);
        let frames = publication("", queue, Routing::Mandatory, Delivery::Persistent, &body);
        publisher.send(&frames).unwrap();
        while number + 1 - confirmed >= WINDOW {
            confirmed = next_confirm(&mut publisher, confirmed);
        }
    }
    while confirmed < MESSAGES {
        confirmed = next_confirm(&mut publisher, confirmed);
    }
}

/// How many are confirmed after the next confirm. Single ones may come in any order, so they are counted.
fn next_confirm(publisher: &mut Peer, confirmed: u64) -> u64 {
    match publisher.event().unwrap() {
        Event::Confirmed { tag, multiple: true, accepted: true } => confirmed.max(tag),
        Event::Confirmed { multiple: false, accepted: true, .. } => confirmed + 1,
        other => panic!("the healthy publisher was told {other:?}"),
    }
}

fn body_of(number: u64) -> Vec<u8> {
    let mut body = vec![0; BODY_BYTES];
    body[..8].copy_from_slice(&number.to_be_bytes());
    body
}
