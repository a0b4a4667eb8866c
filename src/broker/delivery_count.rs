//! The `x-delivery-count` header that quorum queues put on a message that came back.

use std::sync::Arc;

use super::properties;
use crate::message::Message;
use crate::wire::Value;

/// How often the message was returned to its queue before this delivery.
const HEADER: &str = "x-delivery-count";

/// The message with its delivery count among its headers.
pub(super) fn with_header(message: &Arc<Message>, returns: u32) -> Arc<Message> {
    let encoded = properties::rewrite(message.properties(), |properties| {
        let headers = properties.headers.get_or_insert_default();
        headers.insert(HEADER.to_owned(), Value::I64(i64::from(returns)));
    });
    Arc::new(Message::new(
        Arc::clone(message.exchange()),
        message.routing_key(),
        &encoded,
        message.body(),
        *message.facts(),
    ))
}
