//! Burials: dead messages become dead letters, and those may push others out of the queues that they come to. So much
//! is done at once; the rest is an errand. A queue that got some last is served first, which keeps few of them
//! waiting however many there will be in all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::broker::Broker;
use crate::broker::delivery::dead_letter::{Letters, Limits, Written};
use crate::broker::delivery::deliveries::Deliveries;
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::dead_letters_waiting::{Account, Attendance, Cortege};
use crate::broker::topology::queue_handle::QueueRef;
use crate::message::Message;
use crate::queue::{Dead, Effects, Entry, Queue, Reason};
use crate::store::Operation;

/// So many dead letters are made and put into queues in one turn, counted once when they are made and once for each
/// queue.
const LETTERS_PER_TURN: usize = 512;

/// So many bytes of messages are copied for it.
const BYTES_PER_TURN: usize = 1 << 20;

/// Milliseconds between two lines in the log that say that dead letters were dropped.
const LOSSES_SAID_MS: u64 = 10_000;

/// What may still be done in a turn.
#[derive(Debug)]
pub(in crate::broker) struct Budget {
    letters: usize,
    bytes: usize,
}

impl Budget {
    /// All that a turn may do.
    pub(in crate::broker) fn of_a_turn() -> Self {
        Self { letters: LETTERS_PER_TURN, bytes: BYTES_PER_TURN }
    }

    fn spend(&mut self, letters: usize, bytes: usize) {
        self.letters = self.letters.saturating_sub(letters);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(in crate::broker) fn is_spent(&self) -> bool {
        self.letters == 0 || self.bytes == 0
    }
}

/// Dead messages that wait for their burial, and dead letters that were dropped.
#[derive(Debug, Default)]
pub(in crate::broker) struct Mourning {
    waiting: AtomicUsize,
    /// More waited than may, and have not yet fallen below half of it.
    full: AtomicBool,
    dropped: AtomicU64,
    said_ms: AtomicU64,
}

/// A queue whose dead are being buried.
pub(in crate::broker) struct Site {
    queue: QueueRef,
    /// Dead letters that the journal has, where it has to, and that are still to be put into their queues.
    letters: Deliveries,
    account: Option<Arc<Account>>,
}

/// What died while somebody worked on a queue.
pub(in crate::broker) enum Deaths {
    /// Nothing.
    None,
    /// Some, and somebody is burying what died there before.
    Attended,
    /// Some, and it is up to whoever worked on the queue to bury them.
    Unattended(Site),
}

/// Sites that follow from one another. The last is served first.
pub(in crate::broker) struct Burial {
    sites: Vec<Site>,
}

/// How far a burial came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Attended {
    /// To its end.
    Through,
    /// The rest is an errand.
    Later,
}

impl Broker {
    /// Lays down what died in a queue; to be called under the queue's lock. Whoever is told that nobody attends to it
    /// has to, once the lock is gone.
    pub(in crate::broker) fn lay_down(
        &self,
        queue: &QueueRef,
        dead: &mut Vec<Dead>,
        account: Option<&Arc<Account>>,
    ) -> Deaths {
        let mourning = &self.mourning;
        let count = dead.len();
        let waiting = mourning.waiting.fetch_add(count, Ordering::Relaxed) + count;
        if waiting > self.config.limits.dead_messages_waiting_max {
            mourning.full.store(true, Ordering::Relaxed);
        }
        match queue.grave.lay_down(dead, account) {
            Attendance::There => Deaths::Attended,
            Attendance::Missing => Deaths::Unattended(Site::new(queue)),
        }
    }

    /// Buries as much as the budget allows and leaves the rest for later.
    pub(in crate::broker) fn attend(
        &self,
        deaths: Deaths,
        budget: &mut Budget,
        now_ms: u64,
    ) -> Attended {
        let site = match deaths {
            Deaths::None => return Attended::Through,
            Deaths::Attended => return Attended::Later,
            Deaths::Unattended(site) => site,
        };
        let mut burial = Burial { sites: vec![site] };
        if burial.go_on(self, budget, now_ms) == Progress::Over {
            return Attended::Through;
        }
        self.errands.add(Box::new(burial));
        Attended::Later
    }

    /// Dead-letters a message that a full queue did not take (`reject-publish-dlx`).
    pub(in crate::broker) fn dead_letter_refused(
        &self,
        queue: &QueueRef,
        message: Arc<Message>,
        budget: &mut Budget,
        now_ms: u64,
    ) -> Attended {
        let entry = Entry::new(0, message, false);
        let mut dead = vec![Dead { entry, reason: Reason::MaxLength }];
        let deaths = self.lay_down(queue, &mut dead, None);
        self.attend(deaths, budget, now_ms)
    }

    /// Dead messages that wait for their burial.
    pub fn dead_waiting(&self) -> usize {
        self.mourning.waiting.load(Ordering::Relaxed)
    }

    /// Dead letters that were dropped because one message led to too many of them.
    pub fn dead_letters_dropped(&self) -> u64 {
        self.mourning.dropped.load(Ordering::Relaxed)
    }

    /// Whether so many dead messages wait that those whose messages push them out have to wait too.
    pub(in crate::broker) fn is_mourning(&self) -> bool {
        self.mourning.full.load(Ordering::Relaxed)
    }

    /// Buries those of a site that come next, as far as the journal. `Over` when there are none any more.
    fn bury(&self, site: &mut Site, budget: &mut Budget, now_ms: u64) -> Progress {
        let Some(cortege) = site.queue.grave.take(budget.letters, budget.bytes) else {
            return Progress::Over;
        };
        let Cortege { mut dead, account } = cortege;
        let taken = dead.len();
        let own = || Arc::new(Account::new(self.letters_for(taken)));
        let drawn_on = account.clone().unwrap_or_else(own);
        let queue = Arc::clone(&site.queue);
        let mut letters = Letters::new(&queue, &drawn_on, self.letter_limits());
        while let Some(next) = dead.pop_front() {
            budget.spend(1, next.entry.message.held());
            if let Err(next) = letters.write(next, now_ms) {
                dead.push_front(next);
                break;
            }
        }
        let Written { operations, deliveries, dropped } = letters.end();
        let buried = taken - dead.len();
        queue.grave.put_back(Cortege { dead, account });
        if !operations.is_empty() {
            self.store.append(operations, None);
        }
        site.letters = deliveries;
        site.account = Some(drawn_on);
        self.note_buried(buried);
        if dropped > 0 {
            self.note_dropped(&queue, dropped, now_ms);
        }
        if buried == 0 { Progress::Waits } else { Progress::More }
    }

    /// Settles what died in a queue without a dead letter exchange.
    fn settle_dead(&self, queue: &QueueRef) {
        if !queue.is_stored() || queue.in_force().dead_letter.is_some() {
            return;
        }
        while let Some(Cortege { dead, .. }) = queue.grave.take(usize::MAX, usize::MAX) {
            let durable = dead.iter().filter(|dead| dead.entry.durable);
            let positions: Vec<_> = durable.map(|dead| dead.entry.position).collect();
            self.store.append(vec![Operation::Settle { queue: queue.id, positions }], None);
        }
    }

    /// How many dead letters so many messages may lead to that died of themselves.
    fn letters_for(&self, messages: usize) -> u64 {
        (self.config.limits.dead_letters_per_message_max as u64).saturating_mul(messages as u64)
    }

    fn letter_limits(&self) -> Limits {
        Limits {
            deaths_max: self.config.limits.deaths_per_message_max,
            properties_bytes_max: self.config.amqp.frame_bytes_max as usize,
            routing_steps_max: self.config.limits.routing_steps_max,
            may_write: !self.store.is_full(),
        }
    }

    fn note_buried(&self, count: usize) {
        let mourning = &self.mourning;
        let left = mourning.waiting.fetch_sub(count, Ordering::Relaxed) - count;
        if left < self.config.limits.dead_messages_waiting_max / 2
            && mourning.full.load(Ordering::Relaxed)
            && mourning.full.swap(false, Ordering::Relaxed)
        {
            (self.room_hook)();
        }
    }

    fn note_dropped(&self, queue: &QueueRef, count: u64, now_ms: u64) {
        let mourning = &self.mourning;
        mourning.dropped.fetch_add(count, Ordering::Relaxed);
        let said_ms = mourning.said_ms.load(Ordering::Relaxed);
        let due = now_ms >= said_ms.saturating_add(LOSSES_SAID_MS) || now_ms < said_ms;
        if due && mourning.said_ms.swap(now_ms, Ordering::Relaxed) == said_ms {
            let (name, vhost) = (&queue.name, &queue.vhost.name);
            log::warn!(
                "queue '{name}' in vhost '{vhost}': {count} dead letters were dropped, because one message led to more \
                 than limits.dead_letters_per_message_max, died in more queues than limits.deaths_per_message_max, or \
                 took more steps to route than limits.routing_steps_max; let fewer full queues dead-letter into each other"
            );
        }
    }
}

impl Site {
    fn new(queue: &QueueRef) -> Self {
        Self { queue: Arc::clone(queue), letters: Deliveries::default(), account: None }
    }
}

impl Burial {
    /// Goes on until everything is buried, the budget is spent, or the store has to be waited for.
    fn go_on(&mut self, broker: &Broker, budget: &mut Budget, now_ms: u64) -> Progress {
        while let Some(site) = self.sites.last_mut() {
            if budget.is_spent() {
                return Progress::More;
            }
            match site.letters.next() {
                Some((queue, entries)) => {
                    budget.spend(entries.len(), 0);
                    let account = site.account.as_ref();
                    let append = |state: &mut Queue<_>, fx: &mut Effects<_>| {
                        state.append(entries, now_ms, fx);
                    };
                    let ((), deaths) = broker.work_on(&queue, account, now_ms, append);
                    if let Deaths::Unattended(site) = deaths {
                        self.sites.push(site);
                    }
                }
                None => match broker.bury(site, budget, now_ms) {
                    Progress::Over => drop(self.sites.pop()),
                    Progress::Waits => return Progress::Waits,
                    Progress::More => {}
                },
            }
        }
        Progress::Over
    }
}

impl Errand for Burial {
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        self.go_on(broker, &mut Budget::of_a_turn(), now_ms)
    }

    /// What a stop leaves here is safe: the journal has those that are durable, as not settled, and they die again after the
    /// next start. Those that nobody is to get are settled, so that what a consumer rejected does not come back.
    fn finish(&mut self, broker: &Broker) {
        self.sites.iter().for_each(|site| broker.settle_dead(&site.queue));
    }
}
