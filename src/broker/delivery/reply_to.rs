//! Direct reply-to: a requester consumes from the pseudo-queue `amq.rabbitmq.reply-to`, and replies go
//! straight to its channel without a queue in between.

use std::sync::Arc;

use crate::broker::client::Client;
use crate::broker::meeting::Meet;
use crate::broker::refusal::Refusal;
use crate::broker::registry::Registry;
use crate::broker::topology::reply_address::PREFIX;
use crate::broker::topology::subscriber::ClientOutbox;
use crate::message::Message;
use crate::outbox::ChannelKey;
use crate::routing::KeyHash;

/// Where replies to one requester go.
struct Requester {
    outbox: Arc<ClientOutbox>,
    key: ChannelKey,
    tag: Arc<str>,
}

/// The requesters that wait for replies, by address.
pub(in crate::broker) struct ReplyAddresses(Registry<Arc<str>, Arc<Requester>>);

impl ReplyAddresses {
    pub(in crate::broker) fn new(meet: &Meet, hash: KeyHash) -> Self {
        Self(Registry::new(meet, hash))
    }

    pub(in crate::broker) fn contains(&self, address: &str) -> bool {
        self.0.contains(address)
    }

    /// Delivers a reply. False when nobody waits at this address any more.
    pub(in crate::broker) fn deliver(&self, address: &str, message: &Arc<Message>) -> bool {
        let Some(requester) = self.0.get(address) else { return false };
        requester.outbox.reply(requester.key, &requester.tag, message)
    }
}

impl Client {
    /// Opens an address for replies to a channel. The answer stands in for `amq.rabbitmq.reply-to` in
    /// the requests of that channel.
    ///
    /// # Errors
    /// Failed when the system gives no random numbers.
    pub fn open_reply_to(&self, key: ChannelKey, tag: &str) -> Result<Arc<str>, Refusal> {
        // Nobody can guess where another's replies go.
        let address: Arc<str> = Arc::from(self.broker.random_name(PREFIX)?);
        let requester = Requester { outbox: Arc::clone(&self.outbox), key, tag: Arc::from(tag) };
        self.broker.replies.0.insert(Arc::clone(&address), Arc::new(requester));
        Ok(address)
    }

    /// Closes an address: replies to it have nowhere to go from now on.
    pub fn close_reply_to(&self, address: &str) {
        self.broker.replies.0.remove(address);
    }
}
