//! Tests of repeated deliveries: however they come to be, they are the bytes that encoding makes.

use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::message::{Facts, Memory};
use crate::outbox::Buffer;
use crate::wire::{Method, basic};

static MEMORY: Memory = Memory::new();

const FRAMES_BYTES_MAX: [u32; 2] = [4096, 131_072];
const TAGS: [&str; 2] = ["", "a consumer"];

const PROPERTIES: &[&[u8]] = &[&[0, 0], &[0x10, 0, 2]];

/// One delivery: whose, on which channel, and of what.
#[derive(Debug, Clone)]
struct Step {
    consumer: usize,
    channel: u16,
    delivery_tag: u64,
    redelivered: bool,
    exchange: usize,
    key: String,
    properties: &'static [u8],
    body_bytes: usize,
    cleared: bool,
    /// Something else is written first.
    interrupted: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key =
        prop::sample::select(vec![String::new(), "key".into(), "yek".into(), "k".repeat(300)]);
    let properties = prop::sample::select(PROPERTIES);
    let body_bytes = prop_oneof![5 => 1..40_usize, 1 => Just(0), 1 => 4080..4100_usize, 1 => 16_380..16_390_usize];
    let step = (
        (0..2_usize, 1..3_u16, any::<u64>(), any::<bool>()),
        (0..3_usize, key, properties, body_bytes),
        (prop::bool::weighted(0.1), prop::bool::weighted(0.2)),
    );
    let step = step.prop_map(|(whose, what, before)| {
        let (consumer, channel, delivery_tag, redelivered) = whose;
        let (exchange, key, properties, body_bytes) = what;
        let (cleared, interrupted) = before;
        Step {
            consumer,
            channel,
            delivery_tag,
            redelivered,
            exchange,
            key,
            properties,
            body_bytes,
            cleared,
            interrupted,
        }
    });
    prop::collection::vec(step, 1..40)
}

fn written(buffer: &Buffer) -> Vec<u8> {
    buffer.parts().collect::<Vec<_>>().concat()
}

proptest! {
    #[test]
    fn a_repeated_delivery_is_what_encoding_makes_of_it(
        steps in steps(),
        frame_bytes_max in prop::sample::select(&FRAMES_BYTES_MAX[..]),
    ) {
        let exchanges = [String::new(), "exchange".to_owned(), "e".repeat(300)];
        let mut repeating = Buffer::default();
        let mut encoding = Buffer::default();
        for step in steps {
            if step.cleared {
                repeating.clear();
                encoding.clear();
            }
            if step.interrupted {
                repeating.heartbeat();
                encoding.heartbeat();
            }
            let body = vec![step.delivery_tag as u8; step.body_bytes];
            let exchange = &exchanges[step.exchange];
            let message = Message::new(&MEMORY, exchange, &step.key, step.properties, &body, Facts::default());
            let message = Arc::new(message);
            let heading = Heading {
                consumer: step.consumer as u64,
                consumer_tag: TAGS[step.consumer],
                delivery_tag: step.delivery_tag,
                redelivered: step.redelivered,
            };
            repeating.delivery(step.channel, &heading, &message, frame_bytes_max);
            let method = Method::BasicDeliver(basic::Deliver {
                consumer_tag: heading.consumer_tag,
                delivery_tag: heading.delivery_tag,
                redelivered: heading.redelivered,
                exchange: message.exchange(),
                routing_key: message.routing_key(),
            });
            encoding.content(step.channel, &method, &message, frame_bytes_max);
            prop_assert_eq!(written(&repeating), written(&encoding));
        }
    }
}
