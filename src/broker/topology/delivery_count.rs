//! The headers that quorum queues put on a message that came back.

use std::sync::Arc;

use crate::broker::topology::properties;
use crate::message::Message;
use crate::wire::Value;

/// How often the message was handed out before, and how often of these it came back. RabbitMQ tells them apart for
/// clients of AMQP 1.0; for those of AMQP 0-9-1 they are the same.
const HEADERS: [&str; 2] = ["x-acquired-count", "x-delivery-count"];

/// The message with its delivery count among its headers.
pub(in crate::broker) fn with_header(message: &Arc<Message>, returns: u32) -> Arc<Message> {
    let encoded = properties::rewrite(message.properties(), |properties| {
        let headers = properties.headers.get_or_insert_default();
        for header in HEADERS {
            headers.insert(header, Value::I64(i64::from(returns)));
        }
    });
    Arc::new(Message::new(
        message.memory(),
        message.exchange(),
        message.routing_key(),
        &encoded,
        message.body(),
        *message.facts(),
    ))
}
