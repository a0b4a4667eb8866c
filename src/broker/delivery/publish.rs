//! Publishing: a whole read's worth of messages is routed, handed to the journal, appended to the queues with one
//! lock each, and confirmed. What is more than a turn's work goes on in the next, from where it stopped: in the middle of
//! the batch, of the queues of one message, or of what is to be put into them.

use std::collections::VecDeque;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use crate::broker::accounts::access::Action;
use crate::broker::actor::Actor;
use crate::broker::client::Client;
use crate::broker::delivery::dead_lettering::{Attended, Budget};
use crate::broker::delivery::deliveries::Deliveries;
use crate::broker::delivery::promise::{Confirmations, Promise, note};
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::broker::topology::exchange_handle::{ExchangeRef, Passed};
use crate::broker::topology::queue_handle::QueueRef;
use crate::broker::topology::reply_address;
use crate::broker::topology::routes::Routes;
use crate::message::{Message, Sizes};
use crate::outbox::{ChannelKey, Tally};
use crate::queue::{Effects, Entry, Queue, QueueFull, Reservation};
use crate::store::{Operation, Place};

/// A message to be published.
#[derive(Debug)]
pub struct Publish {
    /// The channel that it came on.
    pub key: ChannelKey,
    /// The message.
    pub message: Arc<Message>,
    /// Further routing keys, from the CC and BCC headers.
    pub extra_keys: Vec<String>,
    /// Whether it comes back when no queue takes it.
    pub mandatory: bool,
    /// Its number when the channel confirms.
    pub confirm: Option<u64>,
}

/// Messages to be published, in order, each to an exchange. Most go to the same one as those before, which is then held
/// once for all of them: its count is shared by everybody who publishes to it.
#[derive(Debug, Default)]
pub struct Publishes {
    list: Vec<Addressed>,
    /// The number of the exchange of the last.
    exchange: u64,
}

/// A message, and the exchange that it goes to where that is not the one of the message before.
type Addressed = (Option<ExchangeRef>, Publish);

impl Publishes {
    /// Adds a message that goes to this exchange.
    #[inline]
    pub fn push(&mut self, exchange: &ExchangeRef, publish: Publish) {
        let is_same = !self.list.is_empty() && self.exchange == exchange.id;
        self.exchange = exchange.id;
        self.list.push(((!is_same).then(|| ExchangeRef::clone(exchange)), publish));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The messages.
    pub fn messages(&mut self) -> impl Iterator<Item = &mut Arc<Message>> {
        self.list.iter_mut().map(|(_, publish)| &mut publish.message)
    }

    /// Gives back the memory for more than so many.
    pub fn shrink_to(&mut self, count: usize) {
        self.list.shrink_to(count);
    }
}

impl FromIterator<(ExchangeRef, Publish)> for Publishes {
    fn from_iter<I: IntoIterator<Item = (ExchangeRef, Publish)>>(messages: I) -> Self {
        let mut publishes = Self::default();
        messages.into_iter().for_each(|(exchange, publish)| publishes.push(&exchange, publish));
        publishes
    }
}

impl From<(ExchangeRef, Publish)> for Publishes {
    fn from(message: (ExchangeRef, Publish)) -> Self {
        Self::from_iter([message])
    }
}

/// What makes messages a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// They came one after the other, and nothing else: each may be safe before the next.
    Read,
    /// They belong together: the journal gets them at once.
    Transaction,
}

/// What became of a batch. Of each message that has a number or was to come back, its sink hears for itself.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many queues the messages belong in, all together.
    pub queues: u64,
    /// How many messages no queue took, and nobody who waits for a reply.
    pub unroutable: usize,
    /// How many messages a full queue refused.
    pub refused: usize,
    /// The first queue that did.
    pub refused_by: Option<QueueRef>,
    /// Channels that published what could not be routed. Nobody got that message, nor what was published behind it in
    /// this batch on the same channel.
    pub failed: Vec<(ChannelKey, Refusal)>,
}

/// What a batch of messages leads to. Kept from batch to batch for its memory.
pub(in crate::broker) struct Plan {
    routes: Routes,
    stage: Stage,
    /// What may still be done in this turn.
    left: usize,
    batch: Batch,
    /// What of the batch is not routed yet, from the second turn on.
    rest: VecDeque<Addressed>,
    /// A message that has places in some of its queues.
    placing: Option<Box<Placing>>,
    deliveries: Deliveries,
    operations: Vec<Operation>,
    /// Something of the batch has to be written to the journal.
    writes: bool,
    /// To be confirmed when the journal has them.
    durable: Confirmations,
    /// The same of those that the journal was given.
    promise: Option<Arc<Promise>>,
    /// To be confirmed as soon as they stand in their queues.
    transient: Confirmations,
    refused: Vec<(ChannelKey, u64)>,
    outcome: Outcome,
    /// What became of the messages, by channel, and their sizes.
    tallies: Vec<(ChannelKey, Tally)>,
    sizes: Sizes,
    /// The exchange that is published to, and what went through it and it has not heard of.
    through: Option<(ExchangeRef, Passed)>,
    /// Refused ones that their queue dead-letters.
    overflowed: VecDeque<(QueueRef, Arc<Message>)>,
}

/// Where a plan stands between two turns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Messages get their places.
    Routing,
    /// Those that have them are with the journal, and are being put into their queues.
    Delivering,
}

/// A message on its way to its places.
struct Placing {
    publish: Publish,
    places: SmallVec<[Place; 1]>,
    /// How many of the queues that it reaches were dealt with.
    at: usize,
    /// How many of them there really were.
    copies: usize,
    refused: bool,
}

impl Client {
    /// Publishes a batch and leaves it empty, however long it takes: for those who keep nobody waiting by it. Returns and
    /// confirms go out through the outbox.
    pub fn publish(&self, batch: &mut Publishes, now_ms: u64) -> Outcome {
        let plan = &mut *self.plan.lock();
        plan.batch = Batch::Read;
        loop {
            if let Some(outcome) = self.take_turn(plan, batch, now_ms) {
                return outcome;
            }
        }
    }

    /// Takes over a batch, leaves it empty, and does as much for it as one turn may. Nothing is answered when there is
    /// more to do: then this is called again, with no messages, before anything else that is done for their channels, and
    /// after others have had a turn.
    pub fn publish_some(
        &self,
        messages: &mut Publishes,
        batch: Batch,
        now_ms: u64,
    ) -> Option<Outcome> {
        let plan = &mut *self.plan.lock();
        if !messages.is_empty() {
            plan.batch = batch;
        }
        self.take_turn(plan, messages, now_ms)
    }

    /// Lets go of what was begun: the broker stops. What the journal has is in its queues after the next start, the rest
    /// was confirmed to nobody.
    pub(in crate::broker) fn give_up_publishing(&self) {
        *self.plan.lock() = Plan::new(self.broker.config.limits.routing_steps_max);
    }
}

impl Actor {
    /// The exchange that a message is to be published to.
    ///
    /// # Errors
    /// Not found, or access refused for an internal exchange and by permission.
    pub fn target(&self, exchange: &str) -> Result<ExchangeRef, Refusal> {
        let name = self.exchange_name(exchange);
        self.permit(Action::Write, &name)?;
        let exchange = self.exchange(exchange)?;
        if exchange.settings.internal {
            let text = format!("cannot publish to internal {name}");
            return Err(Refusal::access_refused(text));
        }
        Ok(exchange)
    }

    /// Publishes a batch, however long it takes: for those who keep nobody waiting by it and hear from the outcome what
    /// became of it.
    pub(in crate::broker) fn publish_at_once(&self, mut batch: Publishes, now_ms: u64) -> Outcome {
        let mut plan = Plan::new(self.broker.config.limits.routing_steps_max);
        loop {
            if let Some(outcome) = self.take_turn(&mut plan, &mut batch, now_ms) {
                return outcome;
            }
        }
    }

    fn take_turn(&self, plan: &mut Plan, messages: &mut Publishes, now_ms: u64) -> Option<Outcome> {
        plan.left = self.broker.turn_work;
        let outcome = loop {
            if plan.stage == Stage::Routing {
                self.route(plan, messages);
                if !plan.is_whole() {
                    break None;
                }
                self.hand_to_store(plan);
                plan.stage = Stage::Delivering;
            }
            if !self.deliver(plan, now_ms) {
                break None;
            }
            plan.stage = Stage::Routing;
            if plan.rest.is_empty() {
                break Some(plan.end());
            }
            if plan.left == 0 {
                break None;
            }
        };
        self.broker.check_memory();
        outcome
    }

    fn hand_to_store(&self, plan: &mut Plan) {
        plan.writes |= !plan.operations.is_empty();
        self.note_writes(plan.writes);
        plan.promise = Promise::of(&self.sink, std::mem::take(&mut plan.durable));
        if !plan.operations.is_empty() {
            let done = plan.promise.as_ref().map(Promise::when_synced);
            self.broker.store.append(std::mem::take(&mut plan.operations), done);
        }
        self.sink.published(&plan.tallies, &plan.sizes);
        plan.forget_tallies();
    }

    /// Done when everything that was handed to the store so far is on the disk: the end of a transaction.
    pub fn barrier(&self) -> Pending {
        let (pending, done) = Pending::new();
        self.broker.store.append(Vec::new(), Some(done));
        pending
    }

    fn route(&self, plan: &mut Plan, messages: &mut Publishes) {
        if plan.rest.is_empty() {
            let mut messages = messages.list.drain(..);
            self.route_some(plan, &mut messages);
            plan.rest.extend(messages);
        } else {
            let mut rest = std::mem::take(&mut plan.rest);
            rest.extend(messages.list.drain(..));
            self.route_some(plan, &mut iter::from_fn(|| rest.pop_front()));
            plan.rest = rest;
        }
    }

    /// Routes as many as the turn allows.
    fn route_some(&self, plan: &mut Plan, messages: &mut impl Iterator<Item = Addressed>) {
        let mut routes = std::mem::take(&mut plan.routes);
        let mut through = plan.through.take();
        routes.begin();
        if let Some(placing) = plan.placing.take()
            && let Some((_, passed)) = &mut through
        {
            self.place(plan, &routes, passed, *placing);
        }
        while plan.left > 0
            && let Some((other, publish)) = messages.next()
        {
            plan.left -= 1;
            if let Some(exchange) = other {
                let before = through.replace((exchange, Passed::default()));
                before.inspect(|(exchange, passed)| exchange.note_passed(*passed));
            }
            let Some((exchange, passed)) = &mut through else { continue };
            let tally = plan.tally(publish.key);
            tally.published += 1;
            tally.published_confirm += u64::from(publish.confirm.is_some());
            plan.sizes.count(publish.message.body().len() as u64);
            if exchange.is_default()
                && publish.message.routing_key_bytes().starts_with(reply_address::PREFIX.as_bytes())
            {
                self.reply(plan, &publish);
                continue;
            }
            if !plan.has_failed(publish.key) {
                self.route_one(plan, &mut routes, exchange, passed, publish);
            }
        }
        plan.routes = routes;
        plan.through = through;
    }

    #[inline]
    fn route_one(
        &self,
        plan: &mut Plan,
        routes: &mut Routes,
        exchange: &ExchangeRef,
        passed: &mut Passed,
        publish: Publish,
    ) {
        let found = routes.find(exchange, &publish.message, &publish.extra_keys);
        let failed = found.is_err();
        plan.spend(usize::try_from(routes.take_steps()).unwrap_or(usize::MAX));
        if failed {
            let key = publish.message.routing_key();
            let refusal = self.broker.too_many_steps(exchange, key);
            return plan.outcome.failed.push((publish.key, refusal));
        }
        self.place(plan, routes, passed, Placing::new(publish));
    }

    /// Gives a message its places in the queues that it reaches, as far as the turn allows.
    // Inlined: what is handed on here for every message is large.
    #[inline]
    fn place(&self, plan: &mut Plan, routes: &Routes, passed: &mut Passed, mut placing: Placing) {
        let queues = routes.queues();
        let end = queues.len().min(placing.at.saturating_add(plan.left));
        let message = &placing.publish.message;
        for queue in &queues[placing.at..end] {
            let Some(slot) = plan.deliveries.slot(queue) else { continue };
            placing.copies += 1;
            let Some(reservation) = plan.reserve(queue, message) else {
                placing.refused = true;
                continue;
            };
            let position = queue.next_position();
            let durable = queue.keeps(message);
            if durable {
                placing.places.push(Place { queue: queue.id, position });
            }
            let entry = Entry { reservation, ..Entry::new(position, Arc::clone(message), durable) };
            plan.deliveries.push(slot, entry);
        }
        plan.spend(end - placing.at);
        if end < queues.len() {
            placing.at = end;
            plan.placing = Some(Box::new(placing));
            return;
        }
        self.placed(plan, passed, placing);
    }

    /// Notes what a message leads to that has all its places.
    #[inline]
    fn placed(&self, plan: &mut Plan, passed: &mut Passed, placing: Placing) {
        let Placing { publish, places, copies, refused, .. } = placing;
        let Publish { key, message, mandatory, confirm, .. } = publish;
        if copies == 0 {
            plan.outcome.unroutable += 1;
            if mandatory {
                plan.tally(key).returned += 1;
                self.sink.unroutable(key, &message);
            } else {
                plan.tally(key).dropped += 1;
            }
        }
        passed.entered += 1;
        passed.left += copies as u64;
        plan.outcome.queues += copies as u64;
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
            plan.outcome.unroutable += 1;
            if publish.mandatory {
                plan.tally(publish.key).returned += 1;
                self.sink.unroutable(publish.key, message);
            } else {
                plan.tally(publish.key).dropped += 1;
            }
        }
        if let Some(number) = publish.confirm {
            note(&mut plan.transient, publish.key, number);
        }
    }

    /// Puts messages into their queues, as many as the turn allows, and confirms them when all stand there. Answers
    /// whether they do.
    fn deliver(&self, plan: &mut Plan, now_ms: u64) -> bool {
        let mut budget = Budget::of_a_turn();
        let mut attended = Attended::Through;
        while plan.left > 0
            && let Some((queue, entries)) = plan.deliveries.next_piece(plan.left)
        {
            plan.spend(entries.len());
            let append = |state: &mut Queue<_>, fx: &mut Effects<_>| {
                state.append(entries, now_ms, fx);
            };
            let ((), deaths) = self.broker.work_on(&queue, None, now_ms, append);
            attended = attended.max(self.broker.attend(deaths, &mut budget, now_ms));
        }
        while plan.left > 0
            && let Some((queue, message)) = plan.overflowed.pop_front()
        {
            plan.spend(1);
            let refused = self.broker.dead_letter_refused(&queue, message, &mut budget, now_ms);
            attended = attended.max(refused);
        }
        if attended == Attended::Later {
            self.mourns.store(true, Ordering::Relaxed);
        }
        if !plan.deliveries.is_empty() || !plan.overflowed.is_empty() {
            return false;
        }
        for (key, number) in plan.refused.drain(..) {
            self.sink.refused(key, number);
        }
        for (key, numbers) in plan.transient.drain(..) {
            self.sink.accepted(key, &numbers);
        }
        if let Some(promise) = plan.promise.take() {
            promise.keep_half();
        }
        true
    }
}

impl Plan {
    /// Each message may take this many steps to be routed.
    pub(in crate::broker) fn new(routing_steps_max: u64) -> Self {
        Self {
            routes: Routes::new(routing_steps_max),
            stage: Stage::Routing,
            left: 0,
            batch: Batch::Read,
            rest: VecDeque::new(),
            placing: None,
            deliveries: Deliveries::default(),
            operations: Vec::new(),
            writes: false,
            durable: Confirmations::new(),
            promise: None,
            transient: Confirmations::new(),
            refused: Vec::new(),
            outcome: Outcome::default(),
            tallies: Vec::new(),
            sizes: Sizes::default(),
            through: None,
            overflowed: VecDeque::new(),
        }
    }

    /// Counts work of this turn.
    fn spend(&mut self, work: usize) {
        self.left = self.left.saturating_sub(work);
    }

    /// Whether what was routed can be handed on: no message has only some of its places, and no transaction some of its
    /// messages.
    fn is_whole(&self) -> bool {
        self.placing.is_none() && (self.batch == Batch::Read || self.rest.is_empty())
    }

    /// All is done: what became of the batch.
    fn end(&mut self) -> Outcome {
        self.writes = false;
        self.through = None;
        // Empty: only a batch that took more than a turn has used it.
        if self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
            self.deliveries.shrink();
        }
        std::mem::take(&mut self.outcome)
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

    fn forget_tallies(&mut self) {
        self.tallies.clear();
        self.sizes = Sizes::default();
        if let Some((exchange, passed)) = &mut self.through {
            exchange.note_passed(std::mem::take(passed));
        }
    }

    /// Reserves a place in a queue that may refuse messages.
    fn reserve(&mut self, queue: &QueueRef, message: &Arc<Message>) -> Option<Reservation> {
        let full = match queue.reserve(message) {
            Ok(reservation) => return Some(reservation),
            Err(full) => full,
        };
        if full == QueueFull::DeadLetter {
            self.overflowed.push_back((Arc::clone(queue), Arc::clone(message)));
        }
        self.outcome.refused_by.get_or_insert_with(|| Arc::clone(queue));
        None
    }
}

impl Placing {
    fn new(publish: Publish) -> Self {
        Self { publish, places: SmallVec::new(), at: 0, copies: 0, refused: false }
    }
}

impl crate::broker::Broker {
    /// What is told to somebody whose message would have to be compared with too much.
    fn too_many_steps(&self, exchange: &ExchangeRef, key: &str) -> Refusal {
        let most = self.config.limits.routing_steps_max;
        let text = format!(
            "routing takes more than {most} steps (limits.routing_steps_max); use fewer bindings, wildcards or CC \
             keys. Exchange '{}', routing key '{key}'",
            exchange.name
        );
        Refusal::limit_reached(text)
    }
}
