//! Declaring, deleting and purging queues (specification 1.7).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::broker::Broker;
use crate::broker::accounts::access::Action;
use crate::broker::actor::Actor;
use crate::broker::declaration::exchange_declaration::{
    DeclareMode, RESERVED_PREFIX, expect_name_fits,
};
use crate::broker::declaration::removal::Removal;
use crate::broker::errands::{Errand, Progress};
use crate::broker::pending::Pending;
use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::broker::topology::arguments::{self, DeclaredAs, QueueSettings};
use crate::broker::topology::equivalence;
use crate::broker::topology::exchange_handle::Target;
use crate::broker::topology::queue_handle::{Lifetime, QueueHandle, QueueRef};
use crate::broker::topology::reply_address;
use crate::broker::topology::subscriber::Subscriber;
use crate::broker::topology::vhost::{Counts, Vhost};
use crate::queue::{DeleteCondition, DeleteRefusal, RemovedConsumers, Window};
use crate::store::{Change, QueueRecord};
use crate::wire::Table;

/// Milliseconds between two looks at messages that are in the journal alone and expire. That much later than in
/// memory they may be dead-lettered; nobody gets them meanwhile.
const RECALL_MS: u64 = 1_000;

/// A `queue.declare`.
#[derive(Debug, Clone, Copy)]
pub struct QueueDeclaration<'a> {
    /// The queue's name; empty for one that the server chooses.
    pub name: &'a str,
    /// Whether to create it.
    pub mode: DeclareMode,
    /// Survives a restart.
    pub durable: bool,
    /// For this connection alone, and gone with it.
    pub exclusive: bool,
    /// Deleted when its last consumer leaves.
    pub auto_delete: bool,
    /// Further arguments, such as `x-message-ttl`.
    pub arguments: &'a Table,
}

/// The answer to a `queue.declare`.
#[derive(Debug)]
pub struct DeclaredQueue {
    /// The queue's name.
    pub name: Arc<str>,
    /// Messages that are ready.
    pub messages: u32,
    /// Consumers.
    pub consumers: u32,
    /// When the declaration is on the disk.
    pub pending: Pending,
}

/// Conditions of a `queue.delete`.
#[derive(Debug, Clone, Copy)]
pub struct DeleteQueue {
    /// Refuse while there are consumers.
    pub if_unused: bool,
    /// Refuse while there are messages.
    pub if_empty: bool,
}

impl Actor {
    /// Declares a queue (specification 1.7.2.1).
    ///
    /// # Errors
    /// Access refused, not found (passive), locked, limit reached or precondition failed, with RabbitMQ's texts.
    pub fn declare_queue(
        &self,
        declaration: &QueueDeclaration<'_>,
        now_ms: u64,
    ) -> Result<DeclaredQueue, Refusal> {
        if declaration.mode == DeclareMode::Passive || reply_address::is_name(declaration.name) {
            return self.find_queue(declaration.name, now_ms);
        }
        let name: Arc<str> = match declaration.name {
            "" => Arc::from(self.broker.random_name("amq.gen-")?),
            name => Arc::from(name),
        };
        let resource = self.queue_name(&name);
        self.permit(Action::Configure, &resource)?;
        let lifetime = Lifetime {
            durable: declaration.durable,
            auto_delete: declaration.auto_delete,
            owner: if declaration.exclusive { self.connection } else { None },
        };
        if declaration.exclusive && lifetime.owner.is_none() {
            let text = format!("exclusive {resource} needs a connection");
            return Err(Refusal::precondition_failed(text));
        }
        self.broker.departed.queues_declared.fetch_add(1, Ordering::Relaxed);
        let topology = self.vhost.topology.lock();
        if let Some(queue) = self.vhost.queues.get(&*name) {
            self.compare_queue(&queue, lifetime, declaration.arguments)?;
            return self.declared(&queue, Pending::NONE, now_ms);
        }
        expect_name_fits("queue", &name)?;
        if declaration.name.starts_with(RESERVED_PREFIX) {
            let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::access_refused(text));
        }
        topology.expect_vhost(&self.vhost.name)?;
        let settings = self.queue_settings(declaration, &resource)?;
        let one = Counts { queues: 1, ..Counts::default() };
        self.expect_room(&topology, one, declaration.arguments).map_err(|full| {
            let text = format!("cannot declare queue '{name}': {full}");
            Refusal::limit_reached(text)
        })?;
        let (queue, pending) = self.create_queue(name, lifetime, settings, now_ms);
        // Under the lock still: nobody can have deleted it.
        let declared = self.declared(&queue, pending, now_ms);
        drop(topology);
        declared
    }

    fn queue_settings(
        &self,
        declaration: &QueueDeclaration<'_>,
        name: &Resource<'_>,
    ) -> Result<QueueSettings, Refusal> {
        let declared = DeclaredAs {
            durable: declaration.durable,
            exclusive: declaration.exclusive,
            auto_delete: declaration.auto_delete,
        };
        let settings = arguments::parse(declaration.arguments, declared, name)?;
        if let Some(target) = &settings.dead_letter {
            self.permit(Action::Read, name)?;
            self.permit(Action::Write, &self.exchange_name(&target.exchange))?;
        }
        Ok(settings)
    }

    fn create_queue(
        &self,
        name: Arc<str>,
        lifetime: Lifetime,
        settings: QueueSettings,
        now_ms: u64,
    ) -> (QueueRef, Pending) {
        self.broker.departed.queues_created.fetch_add(1, Ordering::Relaxed);
        let mut ids = self.broker.queue_ids();
        let queue =
            self.broker.new_queue(ids.next(), &self.vhost, name, lifetime, settings, now_ms);
        // The journal first: whoever can see the queue may publish to it, and its record has to stand in front.
        let pending = if queue.is_stored() {
            self.broker.commit(vec![Change::PutQueue(queue.record())])
        } else {
            Pending::NONE
        };
        drop(ids);
        if lifetime.owner.is_some() {
            self.own(&queue);
        }
        queue.show();
        (queue, pending)
    }

    fn find_queue(&self, name: &str, now_ms: u64) -> Result<DeclaredQueue, Refusal> {
        if reply_address::is_name(name) {
            return if name == reply_address::QUEUE || self.broker.replies.contains(name) {
                let name = Arc::from(name);
                Ok(DeclaredQueue { name, messages: 0, consumers: 1, pending: Pending::NONE })
            } else {
                Err(self.queue_name(name).not_found())
            };
        }
        let queue = self.queue(name)?;
        self.declared(&queue, Pending::NONE, now_ms)
    }

    fn declared(
        &self,
        queue: &QueueRef,
        pending: Pending,
        now_ms: u64,
    ) -> Result<DeclaredQueue, Refusal> {
        let counts = self.broker.with_queue(queue, now_ms, |state, _| {
            state.touch(now_ms);
            (!state.is_closed()).then(|| state.counts())
        });
        let counts = counts.ok_or_else(|| self.queue_name(&queue.name).not_found())?;
        Ok(DeclaredQueue {
            name: Arc::clone(&queue.name),
            messages: saturate(counts.ready),
            consumers: saturate(counts.consumers),
            pending,
        })
    }

    fn compare_queue(
        &self,
        queue: &QueueRef,
        received: Lifetime,
        arguments: &Table,
    ) -> Result<(), Refusal> {
        let name = self.queue_name(&queue.name);
        let current = queue.lifetime;
        if current.owner != received.owner {
            return Err(name.locked());
        }
        equivalence::field("durable", &current.durable, &received.durable, &name)?;
        equivalence::field("auto_delete", &current.auto_delete, &received.auto_delete, &name)?;
        arguments::compare(&queue.arguments, arguments, &name)
    }

    /// Removes all ready messages of a queue and answers how many there were (specification 1.7.2.7).
    ///
    /// # Errors
    /// Access refused, not found or locked.
    pub fn purge_queue(&self, name: &str, now_ms: u64) -> Result<u32, Refusal> {
        self.permit(Action::Read, &self.queue_name(name))?;
        let queue = self.queue(name)?;
        let purged = self
            .broker
            .with_queue(&queue, now_ms, |state, fx| (!state.is_closed()).then(|| state.purge(fx)));
        purged.map(saturate).ok_or_else(|| self.queue_name(name).not_found())
    }

    /// Deletes a queue and answers how many messages were ready in it (specification 1.7.2.9). One that does not
    /// exist is as good as deleted.
    ///
    /// # Errors
    /// Access refused or locked, in use when a condition is not met.
    pub fn delete_queue(
        &self,
        name: &str,
        conditions: DeleteQueue,
        now_ms: u64,
    ) -> Result<(u32, Pending), Refusal> {
        let resource = self.queue_name(name);
        self.permit(Action::Configure, &resource)?;
        // Somebody else may have deleted it a moment ago: what is said to be gone does not come back in a crash.
        let Some(queue) = self.vhost.queues.get(name) else { return Ok((0, self.barrier())) };
        self.check_owner(&queue)?;
        let unused = conditions.if_unused.then_some(DeleteCondition::Unused);
        let empty = conditions.if_empty.then_some(DeleteCondition::Empty);
        let conditions: Vec<DeleteCondition> = unused.into_iter().chain(empty).collect();
        match self.broker.remove_queue(&queue, &conditions, now_ms) {
            Ok(deleted) => Ok(deleted),
            Err(DeleteRefusal::InUse) => Err(resource.in_use()),
            Err(DeleteRefusal::NotEmpty) => {
                let text = format!("{resource} not empty");
                Err(Refusal::in_use(text))
            }
            Err(DeleteRefusal::Gone | DeleteRefusal::NotExpired) => Ok((0, self.barrier())),
        }
    }
}

/// A count as the protocol's 32 bits can say it.
fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl QueueHandle {
    pub(in crate::broker) fn record(&self) -> QueueRecord {
        QueueRecord {
            id: self.id,
            vhost: self.vhost.name.to_string(),
            name: self.name.to_string(),
            auto_delete: self.lifetime.auto_delete,
            arguments: self.arguments.to_bytes(),
        }
    }

    fn resource(&self) -> Resource<'_> {
        Resource::queue(&self.name, &self.vhost.name)
    }

    /// Lets others find a new queue. If it is to be stored, its record is in the store's inbox already.
    pub(in crate::broker) fn show(self: &Arc<Self>) {
        self.vhost.queues.insert(Arc::clone(&self.name), Arc::clone(self));
    }
}

impl Broker {
    /// A queue that nobody sees yet: see [`QueueHandle::show`].
    pub(in crate::broker) fn new_queue(
        &self,
        id: u64,
        vhost: &Arc<Vhost>,
        name: Arc<str>,
        lifetime: Lifetime,
        settings: QueueSettings,
        now_ms: u64,
    ) -> QueueRef {
        let mut settings = settings;
        let store = &self.config.store;
        settings.options.window = lifetime.is_stored().then_some(Window {
            messages: store.queue_window_messages,
            bytes: store.queue_window_bytes,
            recall_ms: RECALL_MS,
        });
        Arc::new(QueueHandle::new(id, name, Arc::clone(vhost), lifetime, settings, now_ms))
    }

    /// Deletes a queue with its bindings and messages, if these conditions are met, and tells its consumers. Answers
    /// how many messages were ready and when the deletion is on the disk.
    ///
    /// # Errors
    /// Why it stays. Nothing has changed then.
    pub(in crate::broker) fn remove_queue(
        &self,
        queue: &QueueRef,
        conditions: &[DeleteCondition],
        now_ms: u64,
    ) -> Result<(u32, Pending), DeleteRefusal> {
        // Under this lock, so that whoever declares the queue finds one that stays or none.
        let mut topology = queue.vhost.topology.lock();
        queue.shut_if(conditions, now_ms)?;
        queue.vhost.queues.remove(&*queue.name);
        let mut changes = Vec::new();
        let removal = Removal::of_bindings_to(&Target::Queue(Arc::clone(queue)));
        self.remove_or_leave(&queue.vhost, &mut topology, removal, &mut changes);
        if queue.is_stored() {
            changes.push(Change::DeleteQueue {
                vhost: queue.vhost.name.to_string(),
                name: queue.name.to_string(),
                id: queue.id,
            });
        }
        let pending = self.commit(changes);
        drop(topology);
        if let Some(owner) = queue.lifetime.owner.and_then(|id| self.clients.get(&id)) {
            owner.disown(queue);
        }
        log::debug!("{} deleted", queue.resource());
        let (closed, totals) = self.with_queue(queue, now_ms, |state, fx| {
            // What goes with the queue does not count as purged.
            let totals = *state.totals();
            (state.close(fx), totals)
        });
        self.departed.note_queue(queue.kind, &totals);
        let ready = saturate(closed.ready);
        if closed.receivers.size_hint().0 > 0 {
            self.run_or_leave(Farewell { consumers: closed.receivers }, now_ms);
        }
        // They find that the queue is gone.
        queue.tell_getters(Ok(()));
        Ok((ready, pending))
    }
}

/// So many consumers are told in a turn that their queue is gone.
const CONSUMERS_PER_SLICE: usize = 1_024;

/// Telling consumers that their queue is gone (RabbitMQ's consumer cancel notification).
struct Farewell {
    consumers: RemovedConsumers<Subscriber>,
}

impl Errand for Farewell {
    fn step(&mut self, _broker: &Broker, _now_ms: u64) -> Progress {
        for (_, consumer) in self.consumers.by_ref().take(CONSUMERS_PER_SLICE) {
            let subscription = &consumer.0;
            subscription.live.store(false, Ordering::Release);
            subscription.outbox.forget_consumer(subscription.key);
            // One that has not started is told as soon as it does.
            if subscription.started.load(Ordering::Acquire) {
                subscription.tell_end();
            }
        }
        if self.consumers.size_hint().0 > 0 { Progress::More } else { Progress::Over }
    }
}
