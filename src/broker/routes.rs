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
}

impl Routes {
    /// Follows a message from an exchange. `extra_keys` count like its routing key.
    pub(super) fn find(
        &mut self,
        exchange: &ExchangeRef,
        message: &Message,
        extra_keys: &[String],
    ) -> &[QueueRef] {
        self.queues.clear();
        if extra_keys.is_empty() && exchange.is_default() {
            // By far the most common way: to one queue by its name.
            self.queues.extend(exchange.vhost.queues.get(message.routing_key()));
            return &self.queues;
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
        &self.queues
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
