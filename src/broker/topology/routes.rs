//! From an exchange to queues: through bindings between exchanges and alternate exchanges, each queue once.

use crate::broker::topology::exchange_handle::{ExchangeRef, Target};
use crate::broker::topology::queue_handle::QueueRef;
use crate::message::Message;
use crate::routing::{Destinations, Search, Steps};
use crate::wire::{PropertiesView, Table};

/// The queues that a message reaches. One is kept and filled anew for every message.
pub(in crate::broker) struct Routes {
    queues: Vec<QueueRef>,
    reached: Destinations<Target>,
    search: Search<Target>,
    exchanges: Vec<ExchangeRef>,
    /// Steps that one message may take.
    steps_max: u64,
    /// The exchange of the last message, if its way depended on that and on its routing key alone.
    last_exchange: Option<u64>,
    last_key: Vec<u8>,
    /// Steps that were taken and not yet asked for.
    steps: u64,
}

impl Default for Routes {
    /// Finds nothing: what stands in for one that is in use.
    fn default() -> Self {
        Self::new(0)
    }
}

/// There is more to look at for a message than `limits.routing_steps_max` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) struct TooManySteps;

impl Routes {
    /// Each message may take this many steps: exchanges, bindings, destinations and words of patterns looked at.
    pub(in crate::broker) fn new(steps_max: u64) -> Self {
        Self {
            queues: Vec::new(),
            reached: Destinations::new(),
            search: Search::new(steps_max),
            exchanges: Vec::new(),
            steps_max,
            last_exchange: None,
            last_key: Vec::new(),
            steps: 0,
        }
    }

    /// A new batch begins: bindings may have changed since the last.
    pub(in crate::broker) fn begin(&mut self) {
        self.last_exchange = None;
    }

    /// How many steps were taken since this was last asked.
    pub(in crate::broker) fn take_steps(&mut self) -> u64 {
        std::mem::take(&mut self.steps)
    }

    /// The queues that the message reaches which was looked at last.
    pub(in crate::broker) fn queues(&self) -> &[QueueRef] {
        &self.queues
    }

    /// The queues that a message reaches from an exchange. `extra_keys` count like its routing key. In a batch most
    /// messages go the way of the one before, which is then not looked for again.
    ///
    /// # Errors
    /// When that would be too much work. It reaches none then.
    pub(in crate::broker) fn find(
        &mut self,
        exchange: &ExchangeRef,
        message: &Message,
        extra_keys: &[String],
    ) -> Result<&[QueueRef], TooManySteps> {
        let key = message.routing_key_bytes();
        if self.last_exchange == Some(exchange.id) && extra_keys.is_empty() && self.last_key == key
        {
            return Ok(&self.queues);
        }
        self.search.steps = Steps::new(self.steps_max);
        let by_key = self.follow(exchange, message, extra_keys);
        self.steps = self.steps.saturating_add(self.search.steps.taken());
        if self.search.steps.are_too_many() {
            self.last_exchange = None;
            return Err(TooManySteps);
        }
        let repeats = by_key && extra_keys.is_empty();
        self.last_exchange = repeats.then_some(exchange.id);
        if repeats {
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
        Ok(&self.queues)
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
            // Bindings to one that has gone may be there for some moments more.
            if !exchange.is_live() {
                continue;
            }
            self.search.found.clear();
            self.match_bindings(&exchange, message.routing_key(), extra_keys, &mut headers);
            if self.search.steps.are_too_many() {
                break;
            }
            if self.search.found.is_empty()
                && let Some(name) = &exchange.in_force().alternate
                && let Some(alternate) = exchange.vhost.exchanges.get(name)
            {
                self.search.found.push(&Target::Exchange(alternate));
            }
            for target in self.search.found.drain() {
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

    fn match_bindings(
        &mut self,
        exchange: &ExchangeRef,
        key: &str,
        extra_keys: &[String],
        headers: &mut Headers<'_>,
    ) {
        let keys = std::iter::once(key).chain(extra_keys.iter().map(String::as_str));
        if exchange.is_default() {
            for key in keys {
                if !self.search.steps.take(1) {
                    return;
                }
                if let Some(queue) = exchange.vhost.queues.get(key) {
                    self.search.found.push(&Target::Queue(queue));
                }
            }
            return;
        }
        let bindings = exchange.bindings.read();
        let headers = if bindings.needs_headers() { headers.table() } else { None };
        let keys = keys.take(if bindings.needs_key() { usize::MAX } else { 1 });
        for key in keys {
            bindings.route(key, headers, &mut self.search);
            if self.search.steps.are_too_many() {
                return;
            }
        }
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
