//! From an exchange to queues: through bindings between exchanges and alternate exchanges, each queue once.

use super::exchange::{ExchangeRef, Target};
use super::queue_handle::QueueRef;
use crate::message::Message;
use crate::routing::Destinations;
use crate::wire::{PropertiesView, Table};

/// The queues that a message reaches. One is kept and filled anew for every message.
#[derive(Default)]
pub(super) struct Routes {
    queues: Vec<QueueRef>,
    reached: Destinations<Target>,
    found: Destinations<Target>,
    exchanges: Vec<ExchangeRef>,
    /// The exchange of the last message, if its way depended on that and on its routing key alone.
    last_exchange: Option<u64>,
    last_key: Vec<u8>,
}

impl Routes {
    /// A new batch begins: bindings may have changed since the last.
    pub(super) fn begin(&mut self) {
        self.last_exchange = None;
    }

    /// The queues that a message reaches from an exchange. `extra_keys` count like its routing key. In a batch most
    /// messages go the way of the one before, which is then not looked for again.
    pub(super) fn find(
        &mut self,
        exchange: &ExchangeRef,
        message: &Message,
        extra_keys: &[String],
    ) -> &[QueueRef] {
        let key = message.routing_key_bytes();
        if self.last_exchange == Some(exchange.id) && extra_keys.is_empty() && self.last_key == key
        {
            return &self.queues;
        }
        let repeats = self.follow(exchange, message, extra_keys) && extra_keys.is_empty();
        self.last_exchange = repeats.then_some(exchange.id);
        if repeats {
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
        &self.queues
    }

    /// Follows a message from an exchange. Answers whether its headers made no difference.
    fn follow(&mut self, exchange: &ExchangeRef, message: &Message, extra_keys: &[String]) -> bool {
        self.queues.clear();
        if extra_keys.is_empty() && exchange.is_default() {
            // By far the most common way: to one queue by its name.
            self.queues.extend(exchange.vhost.queues.get(message.routing_key()));
            return true;
        }
        self.reached.clear();
        self.exchanges.clear();
        self.reached.push(&Target::Exchange(ExchangeRef::clone(exchange)));
        self.exchanges.push(ExchangeRef::clone(exchange));
        let mut headers = Headers::new(message);
        while let Some(exchange) = self.exchanges.pop() {
            self.found.clear();
            self.match_bindings(&exchange, message.routing_key(), &mut headers);
            for key in extra_keys {
                self.match_bindings(&exchange, key, &mut headers);
            }
            if self.found.is_empty()
                && let Some(name) = &exchange.settings.alternate
                && let Some(alternate) = exchange.vhost.exchanges.get(name)
            {
                self.found.push(&Target::Exchange(alternate));
            }
            for target in self.found.drain() {
                if !self.reached.push(&target) {
                    continue;
                }
                match target {
                    Target::Queue(queue) => self.queues.push(queue),
                    Target::Exchange(exchange) => self.exchanges.push(exchange),
                }
            }
        }
        headers.decoded.is_none()
    }

    fn match_bindings(&mut self, exchange: &ExchangeRef, key: &str, headers: &mut Headers<'_>) {
        if exchange.is_default() {
            if let Some(queue) = exchange.vhost.queues.get(key) {
                self.found.push(&Target::Queue(queue));
            }
            return;
        }
        let bindings = exchange.bindings.read();
        let headers = if bindings.needs_headers() { headers.table() } else { None };
        bindings.route(key, headers, &mut self.found);
    }
}

/// A message's headers, decoded when an exchange first asks for them.
struct Headers<'a> {
    message: &'a Message,
    decoded: Option<Option<Table>>,
}

impl<'a> Headers<'a> {
    fn new(message: &'a Message) -> Self {
        Self { message, decoded: None }
    }

    fn table(&mut self) -> Option<&Table> {
        self.decoded
            .get_or_insert_with(|| {
                let view = PropertiesView::parse(self.message.properties()).ok()?;
                view.headers_table().ok()?
            })
            .as_ref()
    }
}
