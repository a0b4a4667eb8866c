//! What the broker tells a connection, in the methods of AMQP: confirms, returns, cancels, and that publishers wait.

use std::sync::Arc;

use crate::broker::{ClientOutbox, Shortage, Sink};
use crate::message::{Message, Sizes};
use crate::outbox::{ChannelKey, Tally};
use crate::wire::{Method, ReplyCode, basic, connection};

/// The channel that stands for the connection itself.
const CONNECTION: u16 = 0;

impl Sink for ClientOutbox {
    fn published(&self, tallies: &[(ChannelKey, Tally)], sizes: &Sizes) {
        self.note_published(tallies, sizes);
    }

    fn accepted(&self, channel: ChannelKey, numbers: &[u64]) {
        self.confirm(channel, numbers);
    }

    fn refused(&self, channel: ChannelKey, number: u64) {
        self.refuse(channel, number);
    }

    fn unroutable(&self, channel: ChannelKey, message: &Arc<Message>) {
        let method = Method::BasicReturn(basic::Return {
            reply_code: ReplyCode::NoRoute.code(),
            reply_text: ReplyCode::NoRoute.name(),
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        });
        self.send_content(channel.number, &method, message);
    }

    fn cancelled(&self, channel: ChannelKey, tag: &str) {
        let cancel = basic::Cancel { consumer_tag: tag, no_wait: true };
        self.send_on(channel, &Method::BasicCancel(cancel));
        self.flush();
    }

    fn blocked(&self, shortage: Shortage) {
        let blocked = connection::Blocked { reason: shortage.text() };
        self.send(CONNECTION, &Method::ConnectionBlocked(blocked));
        self.flush();
    }

    fn unblocked(&self) {
        self.send(CONNECTION, &Method::ConnectionUnblocked(connection::Unblocked {}));
        self.flush();
    }
}
