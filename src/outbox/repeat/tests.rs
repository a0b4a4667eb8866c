//! Tests of repeated deliveries: however they come to be, they are the bytes that encoding makes.

use proptest::prelude::*;

use super::*;
use crate::message::Facts;
use crate::outbox::Buffer;
use crate::wire::{Method, basic};

const FRAME_BYTES_MAX: u32 = 4096;
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
    key: &'static str,
    properties: &'static [u8],
    body_bytes: usize,
    cleared: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let few = |choices: &'static [&'static str]| prop::sample::select(choices);
    let properties = prop::sample::select(PROPERTIES);
    let body_bytes = prop_oneof![5 => 1..40_usize, 1 => Just(0), 1 => 4080..4100_usize, 1 => 16_380..16_390_usize];
    let step = (
        (0..2_usize, 1..3_u16, any::<u64>(), any::<bool>()),
        (0..2_usize, few(&["", "key", "yek"]), properties, body_bytes, prop::bool::weighted(0.1)),
    );
    let step = step.prop_map(|(whose, what)| {
        let (consumer, channel, delivery_tag, redelivered) = whose;
        let (exchange, key, properties, body_bytes, cleared) = what;
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
        }
    });
    prop::collection::vec(step, 1..40)
}

fn written(buffer: &Buffer) -> Vec<u8> {
    buffer.parts().collect::<Vec<_>>().concat()
}

proptest! {
    #[test]
    fn a_repeated_delivery_is_what_encoding_makes_of_it(steps in steps()) {
        let exchanges: [Arc<str>; 2] = ["".into(), "exchange".into()];
        let mut repeating = Buffer::default();
        let mut encoding = Buffer::default();
        for step in steps {
            if step.cleared {
                repeating.clear();
                encoding.clear();
            }
            let body = vec![step.delivery_tag as u8; step.body_bytes];
            let exchange = exchanges[step.exchange].clone();
            let message = Message::new(exchange, step.key, step.properties, &body, Facts::default());
            let message = Arc::new(message);
            let heading = Heading {
                consumer: step.consumer as u64,
                consumer_tag: TAGS[step.consumer],
                delivery_tag: step.delivery_tag,
                redelivered: step.redelivered,
            };
            repeating.delivery(step.channel, &heading, &message, FRAME_BYTES_MAX);
            let method = Method::BasicDeliver(basic::Deliver {
                consumer_tag: heading.consumer_tag,
                delivery_tag: heading.delivery_tag,
                redelivered: heading.redelivered,
                exchange: message.exchange(),
                routing_key: message.routing_key(),
            });
            encoding.content(step.channel, &method, &message, FRAME_BYTES_MAX);
            prop_assert_eq!(written(&repeating), written(&encoding));
        }
    }
}
