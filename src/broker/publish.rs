//! Publishing: a whole read's worth of messages is routed, handed to the journal, appended to the queues with one
//! lock each, and confirmed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::access::Action;
use super::burial::{Attended, Budget};
use super::client::Client;
use super::exchange::{ExchangeRef, Passed};
use super::gate::Passage;
use super::pending::Pending;
use super::queue_handle::QueueRef;
use super::reply_to;
use super::routes::{Routes, TooManySteps};
use super::subscriber::ClientOutbox;
use crate::fault::Fault;
use crate::message::{Message, Sizes};
use crate::outbox::{ChannelKey, Tally};
use crate::queue::{Effects, Entry, Hold, Queue, QueueFull};
use crate::store::{Done, Operation, Place};
use crate::wire::{Method, ReplyCode, basic};

/// A message to be published.
#[derive(Debug)]
pub struct Publish {
    /// The channel that it came on.
    pub key: ChannelKey,
    /// The exchange that it goes to.
    pub exchange: ExchangeRef,
    /// The message.
    pub message: Arc<Message>,
    /// Further routing keys, from the CC and BCC headers.
    pub extra_keys: Vec<String>,
    /// Whether it comes back when no queue takes it.
    pub mandatory: bool,
    /// Its number when the channel confirms.
    pub confirm: Option<u64>,
}

/// Numbers to be confirmed, by channel.
type Confirmations = Vec<(ChannelKey, Vec<u64>)>;

/// What became of a batch, beside what went out through the outbox.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many messages a full queue refused.
    pub refused: usize,
    /// Channels that published what could not be routed. Nobody got that message, nor what was published behind it in
    /// this batch on the same channel.
    pub failed: Vec<(ChannelKey, Fault)>,
}

/// What a batch of messages leads to. Kept from batch to batch for its memory.
pub(super) struct Plan {
    routes: Routes,
    deliveries: Deliveries,
    operations: Vec<Operation>,
    /// To be confirmed when the journal has them.
    durable: Confirmations,
    /// To be confirmed as soon as they stand in their queues.
    transient: Confirmations,
    refused: Vec<(ChannelKey, u64)>,
    outcome: Outcome,
    /// What became of the messages, by channel, and their sizes.
    tallies: Vec<(ChannelKey, Tally)>,
    sizes: Sizes,
    /// The exchange that was published to last, and how many messages since it was another.
    through: Option<(ExchangeRef, Passed)>,
    /// Refused ones that their queue dead-letters.
    overflowed: Vec<(QueueRef, Arc<Message>)>,
}

/// Entries for each queue of a batch, in the order of publishing.
#[derive(Default)]
pub(super) struct Deliveries {
    queues: VecDeque<(Passage, Vec<Entry>)>,
    index: FxHashMap<u64, usize>,
}

impl Deliveries {
    /// Where the entries of a queue gather, for [`Deliveries::push`]. Nothing when the queue is being deleted.
    pub(super) fn slot(&mut self, queue: &QueueRef) -> Option<usize> {
        if let Some((last, _)) = self.queues.back()
            && last.id == queue.id
        {
            return Some(self.queues.len() - 1);
        }
        if let Some(slot) = self.index.get(&queue.id) {
            return Some(*slot);
        }
        let slot = self.queues.len();
        self.queues.push_back((Passage::into(queue)?, Vec::new()));
        self.index.insert(queue.id, slot);
        Some(slot)
    }

    pub(super) fn push(&mut self, slot: usize, entry: Entry) {
        self.queues[slot].1.push(entry);
    }

    /// Takes out what is for one queue. Nothing may be added until all is taken.
    pub(super) fn next(&mut self) -> Option<(Passage, Vec<Entry>)> {
        self.index.clear();
        loop {
            let next = self.queues.pop_front()?;
            // A queue that refused everything gets nothing.
            if !next.1.is_empty() {
                return Some(next);
            }
        }
    }
}

impl Client {
    /// The exchange that a message is to be published to.
    ///
    /// # Errors
    /// Channel 404, or 403 for an internal exchange and by permission.
    pub fn target(&self, exchange: &str) -> Result<ExchangeRef, Fault> {
        let name = self.exchange_name(exchange);
        self.permit(Action::Write, &name)?;
        let exchange = self.exchange(exchange)?;
        if exchange.settings.internal {
            let text = format!("cannot publish to internal {name}");
            return Err(Fault::channel(ReplyCode::AccessRefused, text));
        }
        Ok(exchange)
    }

    /// Publishes a batch and leaves it empty. Returns and confirms go out through the outbox.
    pub fn publish(&self, batch: &mut Vec<Publish>, now_ms: u64) -> Outcome {
        let plan = &mut *self.plan.lock();
        self.route(plan, batch);
        self.note_writes(!plan.operations.is_empty());
        let promise = Promise::of(&self.outbox, std::mem::take(&mut plan.durable));
        if !plan.operations.is_empty() {
            let done = promise.as_ref().map(Promise::when_synced);
            self.broker.store.append(std::mem::take(&mut plan.operations), done);
        }
        self.outbox.note_published(&plan.tallies, &plan.sizes);
        plan.forget_tallies();
        self.deliver(plan, now_ms);
        if let Some(promise) = promise {
            promise.keep_half();
        }
        self.broker.check_memory();
        std::mem::take(&mut plan.outcome)
    }

    /// Done when everything that was handed to the store so far is on the disk: the end of a transaction.
    pub fn barrier(&self) -> Pending {
        let (pending, done) = Pending::new();
        self.broker.store.append(Vec::new(), Some(done));
        pending
    }

    fn route(&self, plan: &mut Plan, batch: &mut Vec<Publish>) {
        let mut routes = std::mem::take(&mut plan.routes);
        routes.begin();
        for publish in batch.drain(..) {
            let tally = plan.tally(publish.key);
            tally.published += 1;
            tally.published_confirm += u64::from(publish.confirm.is_some());
            plan.sizes.count(publish.message.body().len() as u64);
            if publish.exchange.is_default()
                && publish.message.routing_key_bytes().starts_with(reply_to::PREFIX.as_bytes())
            {
                self.reply(plan, &publish);
                continue;
            }
            if !plan.has_failed(publish.key) {
                self.route_one(plan, &mut routes, publish);
            }
        }
        plan.routes = routes;
    }

    fn route_one(&self, plan: &mut Plan, routes: &mut Routes, publish: Publish) {
        let Publish { key, exchange, message, extra_keys, mandatory, confirm } = publish;
        let queues = match routes.find(&exchange, &message, &extra_keys) {
            Ok(queues) => queues,
            Err(TooManySteps) => {
                let fault = self.broker.too_many_steps(&exchange, message.routing_key());
                return plan.outcome.failed.push((key, fault));
            }
        };
        let mut places: SmallVec<[Place; 1]> = SmallVec::new();
        let mut copies = 0;
        let mut refused = false;
        for queue in queues {
            let Some(slot) = plan.deliveries.slot(queue) else { continue };
            copies += 1;
            let Some(hold) = plan.reserve(queue, &message) else {
                refused = true;
                continue;
            };
            let position = queue.next_position();
            let durable = queue.keeps(&message);
            if durable {
                places.push(Place { queue: queue.id, position });
            }
            let entry = Entry { hold, ..Entry::new(position, Arc::clone(&message), durable) };
            plan.deliveries.push(slot, entry);
        }
        if copies == 0 {
            if mandatory {
                plan.tally(key).returned += 1;
                self.return_message(key, &message);
            } else {
                plan.tally(key).dropped += 1;
            }
        }
        plan.pass(exchange, copies);
        plan.outcome.refused += usize::from(refused);
        if let Some(number) = confirm {
            if refused {
                plan.refused.push((key, number));
            } else if places.is_empty() {
                note(&mut plan.transient, key, number);
            } else {
                note(&mut plan.durable, key, number);
            }
        }
        if !places.is_empty() {
            plan.operations.push(Operation::Enqueue { message, places });
        }
    }

    /// Hands a reply straight to the requester that waits for it (RabbitMQ's direct reply-to).
    fn reply(&self, plan: &mut Plan, publish: &Publish) {
        let message = &publish.message;
        if !self.broker.replies.deliver(message.routing_key(), message) {
            if publish.mandatory {
                plan.tally(publish.key).returned += 1;
                self.return_message(publish.key, message);
            } else {
                plan.tally(publish.key).dropped += 1;
            }
        }
        if let Some(number) = publish.confirm {
            note(&mut plan.transient, publish.key, number);
        }
    }

    fn return_message(&self, key: ChannelKey, message: &Arc<Message>) {
        let method = Method::BasicReturn(basic::Return {
            reply_code: ReplyCode::NoRoute.code(),
            reply_text: ReplyCode::NoRoute.name(),
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        });
        self.outbox.send_content(key.number, &method, message);
    }

    fn deliver(&self, plan: &mut Plan, now_ms: u64) {
        let mut budget = Budget::of_a_turn();
        let mut attended = Attended::Through;
        while let Some((queue, entries)) = plan.deliveries.next() {
            let append = |state: &mut Queue<_>, fx: &mut Effects<_>| {
                state.append(entries, now_ms, fx);
            };
            let ((), deaths) = self.broker.work_on(&queue, None, now_ms, append);
            attended = attended.max(self.broker.attend(deaths, &mut budget, now_ms));
        }
        for (queue, message) in plan.overflowed.drain(..) {
            let refused = self.broker.dead_letter_refused(&queue, message, &mut budget, now_ms);
            attended = attended.max(refused);
        }
        if attended == Attended::Later {
            self.mourns.store(true, Ordering::Relaxed);
        }
        for (key, number) in plan.refused.drain(..) {
            self.outbox.refuse(key, number);
        }
        for (key, numbers) in plan.transient.drain(..) {
            self.outbox.confirm(key, &numbers);
        }
    }
}

impl Plan {
    /// Each message may take this many steps to be routed.
    pub(super) fn new(routing_steps_max: u64) -> Self {
        Self {
            routes: Routes::new(routing_steps_max),
            deliveries: Deliveries::default(),
            operations: Vec::new(),
            durable: Confirmations::new(),
            transient: Confirmations::new(),
            refused: Vec::new(),
            outcome: Outcome::default(),
            tallies: Vec::new(),
            sizes: Sizes::default(),
            through: None,
            overflowed: Vec::new(),
        }
    }

    /// Whether a channel published what could not be routed: it is going to be closed.
    fn has_failed(&self, key: ChannelKey) -> bool {
        self.outcome.failed.iter().any(|(failed, _)| *failed == key)
    }

    /// The counts of a channel. A batch nearly always comes from one.
    fn tally(&mut self, key: ChannelKey) -> &mut Tally {
        let at = match self.tallies.iter().rposition(|(known, _)| *known == key) {
            Some(at) => at,
            None => {
                self.tallies.push((key, Tally::default()));
                self.tallies.len() - 1
            }
        };
        &mut self.tallies[at].1
    }

    /// Counts a message that went through an exchange. The exchange, which other connections use too, hears of
    /// it once for a run of messages.
    fn pass(&mut self, exchange: ExchangeRef, copies: usize) {
        let through = match self.through.take() {
            Some((last, passed)) if last == exchange => (last, passed),
            Some((last, passed)) => {
                last.note_passed(passed);
                (exchange, Passed::default())
            }
            None => (exchange, Passed::default()),
        };
        let (exchange, mut passed) = through;
        passed.entered += 1;
        passed.left += copies as u64;
        self.through = Some((exchange, passed));
    }

    fn forget_tallies(&mut self) {
        self.tallies.clear();
        self.sizes = Sizes::default();
        if let Some((exchange, passed)) = self.through.take() {
            exchange.note_passed(passed);
        }
    }

    /// Reserves a place in a queue that may refuse messages.
    fn reserve(&mut self, queue: &QueueRef, message: &Arc<Message>) -> Option<Hold> {
        match queue.reserve(message) {
            Ok(hold) => Some(hold),
            Err(QueueFull::Refuse) => None,
            Err(QueueFull::DeadLetter) => {
                self.overflowed.push((Arc::clone(queue), Arc::clone(message)));
                None
            }
        }
    }
}

impl super::Broker {
    /// The fault of a channel whose message would have to be compared with too much.
    fn too_many_steps(&self, exchange: &ExchangeRef, key: &str) -> Fault {
        let most = self.config.limits.routing_steps_max;
        let text = format!(
            "routing takes more than {most} steps (limits.routing_steps_max); use fewer bindings, wildcards or CC \
             keys. Exchange '{}', routing key '{key}'",
            exchange.name
        );
        Fault::channel(ReplyCode::PreconditionFailed, text)
            .at(basic::Publish::CLASS_ID, basic::Publish::METHOD_ID)
    }
}

/// Notes a number to be confirmed. Batches nearly always come from one channel.
fn note(confirmations: &mut Confirmations, key: ChannelKey, number: u64) {
    match confirmations.iter_mut().find(|(known, _)| *known == key) {
        Some((_, numbers)) => numbers.push(number),
        None => confirmations.push((key, vec![number])),
    }
}

/// Confirms that go to the publisher once the journal has synced and the messages stand in their queues, whichever comes
/// last: who hears of a confirm finds the message. When the store is lost nothing is confirmed.
struct Promise {
    outbox: Arc<ClientOutbox>,
    confirmations: Confirmations,
    halves_kept: AtomicU8,
}

impl Promise {
    fn of(outbox: &Arc<ClientOutbox>, confirmations: Confirmations) -> Option<Arc<Self>> {
        if confirmations.is_empty() {
            return None;
        }
        let halves_kept = AtomicU8::new(0);
        Some(Arc::new(Self { outbox: Arc::clone(outbox), confirmations, halves_kept }))
    }

    /// The half of it that the store keeps.
    fn when_synced(self: &Arc<Self>) -> Done {
        let promise = Arc::clone(self);
        Box::new(move |outcome| {
            if outcome.is_ok() {
                promise.keep_half();
            }
        })
    }

    fn keep_half(&self) {
        if self.halves_kept.fetch_add(1, Ordering::AcqRel) == 1 {
            for (key, numbers) in &self.confirmations {
                self.outbox.confirm(*key, numbers);
            }
        }
    }
}
