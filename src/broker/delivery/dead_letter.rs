//! Dead letters: messages that were rejected, expired, dropped or returned too often go to the exchange that
//! their queue names, with their history in the `x-death` header, as RabbitMQ writes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::broker::delivery::deliveries::Deliveries;
use crate::broker::topology::dead_letters_waiting::Account;
use crate::broker::topology::exchange_handle::ExchangeRef;
use crate::broker::topology::properties;
use crate::broker::topology::queue_handle::{QueueHandle, QueueRef};
use crate::broker::topology::routes::Routes;
use crate::message::{Facts, Message};
use crate::queue::{Dead, Entry, Position, Reason};
use crate::store::{Operation, Place};
use crate::wire::{Properties, Table, Value};

const DEATHS: &str = "x-death";

/// Of the routing keys that a message had, so many bytes are written down with a death: the first ones, its own before
/// those of CC.
const KEYS_BYTES_MAX: usize = 1024;

const FIRST_DEATH: [&str; 3] =
    ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
const LAST_DEATH: [&str; 3] =
    ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"];

/// What dead messages of one queue lead to.
pub(in crate::broker) struct Letters<'a> {
    queue: &'a QueueRef,
    exchange: Option<ExchangeRef>,
    account: &'a Account,
    limits: Limits,
    routes: Routes,
    settled: Vec<Position>,
    operations: Vec<Operation>,
    deliveries: Deliveries,
    dropped: u64,
}

/// What a dead letter has to keep within.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) struct Limits {
    /// Deaths that a message may have behind it.
    pub deaths_max: usize,
    /// Bytes of its properties.
    pub properties_bytes_max: usize,
    /// Steps that it may take to route it.
    pub routing_steps_max: u64,
    /// Whether the journal takes anything at present.
    pub may_write: bool,
}

/// What has been gathered: for the journal, for the queues, and how many dead letters were dropped.
pub(in crate::broker) struct Written {
    pub operations: Vec<Operation>,
    pub deliveries: Deliveries,
    pub dropped: u64,
}

impl<'a> Letters<'a> {
    pub(in crate::broker) fn new(
        queue: &'a QueueRef,
        account: &'a Account,
        limits: Limits,
    ) -> Self {
        Self {
            queue,
            exchange: queue.dead_letter_exchange(),
            account,
            limits,
            routes: Routes::new(limits.routing_steps_max),
            settled: Vec::new(),
            operations: Vec::new(),
            deliveries: Deliveries::default(),
            dropped: 0,
        }
    }

    /// Makes a dead letter, if there is an exchange to publish it to, and takes the message out of the journal in the
    /// same breath.
    ///
    /// # Errors
    /// When something would have to be written and cannot be now: the message comes back, and nothing was done.
    pub(in crate::broker) fn write(&mut self, dead: Dead, now_ms: u64) -> Result<(), Dead> {
        if dead.entry.durable && !self.limits.may_write {
            return Err(dead);
        }
        if let Some(exchange) = self.exchange.clone() {
            match letter(self.queue, &dead.entry.message, dead.reason, self.limits, now_ms) {
                Some(letter) => {
                    if !self.post(&exchange, letter) {
                        return Err(dead);
                    }
                }
                None => self.dropped += 1,
            }
        }
        if dead.entry.durable && self.queue.is_stored() {
            self.settled.push(dead.entry.position);
        }
        Ok(())
    }

    /// Publishes a dead letter. False when it would have to be written and cannot be now.
    fn post(&mut self, exchange: &ExchangeRef, letter: Letter) -> bool {
        let mut places: SmallVec<[Place; 1]> = SmallVec::new();
        let message = Arc::new(letter.message);
        let Ok(queues) = self.routes.find(exchange, &message, &letter.extra_keys) else {
            self.dropped += 1;
            return true;
        };
        if !self.limits.may_write && queues.iter().any(|queue| queue.keeps(&message)) {
            return false;
        }
        let barred = letter.history.barred();
        for queue in queues {
            if barred.contains(&*queue.name) {
                log::debug!("a dead letter is dropped: it died in queue '{}' before", queue.name);
                continue;
            }
            let Some(slot) = self.deliveries.slot(queue) else { continue };
            if !self.account.draw() {
                self.dropped += 1;
                continue;
            }
            let Ok(reservation) = queue.reserve(&message) else { continue };
            let position = queue.next_position();
            let durable = queue.keeps(&message);
            if durable {
                places.push(Place { queue: queue.id, position });
            }
            let entry =
                Entry { reservation, ..Entry::new(position, Arc::clone(&message), durable) };
            self.deliveries.push(slot, entry);
        }
        if !places.is_empty() {
            self.operations.push(Operation::Enqueue { message, places });
        }
        true
    }

    /// Everything that has been gathered.
    pub(in crate::broker) fn end(self) -> Written {
        let Self { queue, settled, mut operations, deliveries, dropped, .. } = self;
        if !settled.is_empty() {
            operations.push(Operation::Settle { queue: queue.id, positions: settled });
        }
        Written { operations, deliveries, dropped }
    }
}

impl QueueHandle {
    /// The exchange that dead letters go to, if the queue names one that exists.
    fn dead_letter_exchange(&self) -> Option<ExchangeRef> {
        self.vhost.exchanges.get(&*self.in_force().dead_letter.as_ref()?.exchange)
    }
}

/// A message as it leaves the queue that it died in.
struct Letter {
    message: Message,
    extra_keys: Vec<String>,
    history: History,
}

/// The letter of a message that died in a queue. None when it has died too often, in too many queues, for it to be
/// written down once more.
fn letter(
    queue: &QueueHandle,
    message: &Message,
    reason: Reason,
    limits: Limits,
    now_ms: u64,
) -> Option<Letter> {
    let in_force = queue.in_force();
    let target = in_force.dead_letter.as_ref();
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
    if history.0.len() > limits.deaths_max || encoded.len() > limits.properties_bytes_max {
        return None;
    }
    let facts =
        Facts { expiration_ms: None, accepted_ms: now_ms, dead_letter: true, ..*message.facts() };
    let exchange = target.map_or("", |target| &target.exchange);
    let key = new_key.unwrap_or(message.routing_key());
    Some(Letter {
        message: Message::new(message.memory(), exchange, key, &encoded, message.body(), facts),
        extra_keys,
        history,
    })
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
        let mut bytes = 0;
        let fits = |key: &&String| {
            bytes += key.len();
            bytes <= KEYS_BYTES_MAX
        };
        let keys = self.keys.iter().take_while(fits).map(|key| text(key)).collect();
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

    /// The queues that a message has died in before and no consumer has had a hand in it since: it does not go there
    /// again, so that cycles end.
    fn barred(&self) -> BTreeSet<&str> {
        let since = self.0.iter().take_while(|death| !has_text(death, "reason", "rejected"));
        since.filter_map(|death| death.get("queue").and_then(Value::as_str)).collect()
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
        assert_eq!(history.barred().contains(queue), expected, "{deaths:?} into {queue}");
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
