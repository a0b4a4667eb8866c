//! Dead letters: messages that were rejected, expired, dropped or returned too often go to the exchange that
//! their queue names, with their history in the `x-death` header, as RabbitMQ writes it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Broker;
use super::effects::Deaths;
use super::exchange::ExchangeRef;
use super::properties;
use super::publish::Deliveries;
use super::queue_handle::{QueueHandle, QueueRef};
use super::routes::Routes;
use crate::message::{Facts, Message};
use crate::queue::{Dead, Entry, Overflow, Reason};
use crate::store::{Operation, Place};
use crate::wire::{Properties, Table, Value};

const DEATHS: &str = "x-death";
const FIRST_DEATH: [&str; 3] =
    ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
const LAST_DEATH: [&str; 3] =
    ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"];

impl Broker {
    /// Buries what died in a queue: publishes it to the dead-letter exchange, if there is one, and
    /// takes it out of the journal in the same breath. What that pushes out of other queues is added to `deaths`.
    pub(super) fn bury(&self, queue: &QueueRef, dead: Vec<Dead>, now_ms: u64, deaths: &mut Deaths) {
        let mut operations = Vec::new();
        let mut deliveries = Deliveries::default();
        let mut settled = Vec::new();
        let exchange = queue.dead_letter_exchange();
        for Dead { entry, reason } in dead {
            if entry.durable {
                settled.push(entry.position);
            }
            if let Some(exchange) = &exchange {
                let letter = letter(queue, &entry.message, reason, now_ms);
                self.post(exchange, letter, &mut operations, &mut deliveries);
            }
        }
        if !settled.is_empty() && queue.is_stored() {
            operations.push(Operation::Settle { queue: queue.id, positions: settled });
        }
        self.enqueue(operations, &mut deliveries, now_ms, deaths);
    }

    /// Dead-letters a message that a full queue did not take (`reject-publish-dlx`).
    pub(super) fn dead_letter_refused(&self, queue: &QueueRef, message: Arc<Message>, now_ms: u64) {
        let dead = Dead { entry: Entry::new(0, message, false), reason: Reason::MaxLength };
        let mut deaths = vec![(Arc::clone(queue), vec![dead])];
        while let Some((queue, dead)) = deaths.pop() {
            self.bury(&queue, dead, now_ms, &mut deaths);
        }
    }

    fn post(
        &self,
        exchange: &ExchangeRef,
        letter: Letter,
        operations: &mut Vec<Operation>,
        deliveries: &mut Deliveries,
    ) {
        let mut routes = Routes::default();
        let mut places: SmallVec<[Place; 1]> = SmallVec::new();
        let message = Arc::new(letter.message);
        for queue in routes.find(exchange, &message, &letter.extra_keys) {
            if letter.history.is_cycle(&queue.name) {
                log::debug!("a dead letter is dropped: it died in queue '{}' before", queue.name);
                continue;
            }
            if queue.options.overflow != Overflow::DropHead && queue.reserve(&message).is_err() {
                continue;
            }
            let position = queue.next_position();
            let durable = queue.keeps(&message);
            if durable {
                places.push(Place { queue: queue.id, position });
            }
            deliveries.push(queue, Entry::new(position, Arc::clone(&message), durable));
        }
        if !places.is_empty() {
            operations.push(Operation::Enqueue { message, places });
        }
    }
}

impl QueueHandle {
    /// The exchange that dead letters go to, if the queue names one that exists.
    fn dead_letter_exchange(&self) -> Option<ExchangeRef> {
        self.vhost.exchanges.get(&*self.dead_letter.as_ref()?.exchange)
    }
}

/// A message as it leaves the queue that it died in.
struct Letter {
    message: Message,
    extra_keys: Vec<String>,
    history: History,
}

fn letter(queue: &QueueHandle, message: &Message, reason: Reason, now_ms: u64) -> Letter {
    let target = queue.dead_letter.as_ref();
    let new_key = target.and_then(|target| target.routing_key.as_deref());
    let mut history = History::default();
    let mut extra_keys = Vec::new();
    let encoded = properties::rewrite(message.properties(), |properties| {
        let keys = routing_keys(message, properties);
        let expiration = properties.expiration.take();
        let headers = properties.headers.get_or_insert_default();
        if message.facts().dead_letter {
            history = History::of(headers);
        }
        history.add(Death { queue, message, reason, keys: &keys, expiration, now_ms }, headers);
        if new_key.is_some() {
            headers.remove("CC");
        } else {
            extra_keys = keys[1..].to_vec();
        }
    });
    let facts =
        Facts { expiration_ms: None, accepted_ms: now_ms, dead_letter: true, ..*message.facts() };
    let exchange = target.map_or_else(|| Arc::from(""), |target| Arc::clone(&target.exchange));
    let key = new_key.unwrap_or(message.routing_key());
    Letter {
        message: Message::new(message.memory(), exchange, key, &encoded, message.body(), facts),
        extra_keys,
        history,
    }
}

/// The routing key of a message and those in its CC header.
fn routing_keys(message: &Message, properties: &Properties) -> Vec<String> {
    let copies = properties.headers.as_ref().and_then(|headers| headers.get("CC"));
    let copies = match copies {
        Some(Value::Array(keys)) => keys.as_slice(),
        _ => &[],
    };
    std::iter::once(message.routing_key())
        .chain(copies.iter().filter_map(Value::as_str))
        .map(str::to_owned)
        .collect()
}

/// One death, to be written down.
struct Death<'a> {
    queue: &'a QueueHandle,
    message: &'a Message,
    reason: Reason,
    keys: &'a [String],
    expiration: Option<String>,
    now_ms: u64,
}

impl Death<'_> {
    fn reason(&self) -> &'static str {
        match self.reason {
            Reason::Expired => "expired",
            Reason::MaxLength => "maxlen",
            Reason::Rejected => "rejected",
            Reason::DeliveryLimit => "delivery_limit",
        }
    }

    /// Names exchange, queue and reason in three headers of their own.
    fn name_in(&self, headers: &mut Table, [exchange, queue, reason]: [&str; 3]) {
        headers.insert(exchange, text(self.message.exchange()));
        headers.insert(queue, text(&self.queue.name));
        headers.insert(reason, text(self.reason()));
    }

    fn is_in(&self, table: &Table) -> bool {
        has_text(table, "queue", &self.queue.name) && has_text(table, "reason", self.reason())
    }

    fn table(&self) -> Table {
        let keys = self.keys.iter().map(|key| text(key)).collect();
        let expiration = self.expiration.as_deref();
        let expiration = expiration.map(|expiration| ("original-expiration", text(expiration)));
        let entries = [
            ("count", Value::I64(1)),
            ("reason", text(self.reason())),
            ("queue", text(&self.queue.name)),
            ("time", Value::Timestamp(self.now_ms / 1000)),
            ("exchange", text(self.message.exchange())),
            ("routing-keys", Value::Array(keys)),
        ];
        expiration.into_iter().chain(entries).collect()
    }
}

/// The deaths of a message, the last one first. They are read only from messages that the broker made: a client that
/// publishes a dead letter anew publishes a new message, which has not died yet.
#[derive(Debug, Default)]
struct History(Vec<Table>);

impl History {
    fn of(headers: &Table) -> Self {
        let Some(Value::Array(deaths)) = headers.get(DEATHS) else { return Self::default() };
        let deaths = deaths.iter().filter_map(|death| match death {
            Value::Table(table) => Some(table.clone()),
            _ => None,
        });
        Self(deaths.collect())
    }

    /// Writes a death into the headers: one of the same queue and reason is counted up and moved to the
    /// front, another is put there.
    fn add(&mut self, death: Death<'_>, headers: &mut Table) {
        let is_first = self.0.is_empty();
        let known = self.0.iter().position(|table| death.is_in(table));
        let table = match known {
            Some(at) => {
                let mut table = self.0.remove(at);
                let count = table.get("count").and_then(Value::as_int).unwrap_or(0);
                table.insert("count", Value::I64(count.saturating_add(1)));
                table
            }
            None => death.table(),
        };
        self.0.insert(0, table);
        let deaths = self.0.iter().cloned().map(Value::Table).collect();
        headers.insert(DEATHS, Value::Array(deaths));
        if is_first {
            death.name_in(headers, FIRST_DEATH);
        }
        death.name_in(headers, LAST_DEATH);
    }

    /// Whether a message has died in this queue before and no consumer has had a hand in it since.
    fn is_cycle(&self, queue: &str) -> bool {
        let Some(at) = self.0.iter().position(|death| has_text(death, "queue", queue)) else {
            return false;
        };
        self.0[..=at].iter().all(|death| !has_text(death, "reason", "rejected"))
    }
}

fn text(text: &str) -> Value {
    Value::LongStr(text.as_bytes().to_vec())
}

fn has_text(table: &Table, key: &str, text: &str) -> bool {
    table.get(key).and_then(Value::as_str) == Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(queue: &str, reason: &str) -> Table {
        [("queue".to_owned(), text(queue)), ("reason".to_owned(), text(reason))]
            .into_iter()
            .collect()
    }

    fn check(deaths: &[(&str, &str)], queue: &str, expected: bool) {
        let history = History(deaths.iter().map(|(queue, why)| death(queue, why)).collect());
        assert_eq!(history.is_cycle(queue), expected, "{deaths:?} into {queue}");
    }

    #[test]
    fn a_cycle_without_a_rejection_is_cut() {
        check(&[], "a", false);
        check(&[("a", "expired")], "a", true);
        check(&[("a", "expired")], "b", false);
        check(&[("b", "maxlen"), ("a", "expired")], "a", true);
        check(&[("b", "rejected"), ("a", "expired")], "a", false);
        check(&[("a", "rejected")], "a", false);
    }
}
