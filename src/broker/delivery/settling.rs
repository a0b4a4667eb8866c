//! Acknowledging, rejecting and returning deliveries (specification 1.8.3.13 to 1.8.3.16). Of very many a part is settled
//! in each turn: a session goes on with it before it looks at its next frame; when the session is gone the rest is an
//! errand.
//!
//! What is acknowledged or refused goes from the first to the last. What comes back goes from the last to the first, into
//! queues that are held meanwhile, so that for everybody else it comes back in one move.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::errands::{Errand, Progress};
use crate::broker::topology::queue_handle::QueueRef;
use crate::outbox::{Resume, Settled, Unacked};
use crate::queue::{Effects, Position};

/// So many deliveries are settled in a turn.
pub const POSITIONS_PER_TURN: usize = 4_096;

/// To offer a consumer what it has room for costs as much as to settle so many deliveries.
const RESUME_COSTS: usize = 4;

/// So many consumers are offered messages in a turn in which nothing else is done.
pub(in crate::broker) const RESUMED_PER_TURN: usize = POSITIONS_PER_TURN / RESUME_COSTS;

/// What a client says of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Done with.
    Acknowledge,
    /// Back to the queue.
    Requeue,
    /// Refused: to the dead-letter exchange, if there is one.
    Reject,
}

/// What may still be done in a turn, in deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance(usize);

impl Default for Allowance {
    fn default() -> Self {
        Self(POSITIONS_PER_TURN)
    }
}

impl Allowance {
    /// Whether the turn is over.
    pub fn is_spent(self) -> bool {
        self.0 == 0
    }

    /// Takes note of what was done.
    pub fn spend(&mut self, positions: usize) {
        self.0 = self.0.saturating_sub(positions);
    }

    /// So many of so many, each of which costs this.
    fn share(self, of: usize, cost: usize) -> usize {
        of.min(self.0.div_ceil(cost))
    }
}

/// How far a settlement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Of those that come back, the first so many were asked whether they have come back too often.
    Asking(usize),
    /// They are settled.
    Settling,
    /// Queues that were held go on.
    LettingGo,
    /// Consumers that waited for credit are offered messages.
    Resuming,
}

/// A settlement that is under way.
pub struct Settling {
    unacked: VecDeque<Unacked<QueueRef>>,
    how: Settlement,
    stage: Stage,
    held: Held,
    resume: Vec<Resume<QueueRef>>,
}

/// Queues that hand out nothing until all of a return has come.
#[derive(Default)]
struct Held {
    ids: FxHashSet<u64>,
    holds: Vec<Hold>,
}

/// A queue that is held, for as long as this is there.
struct Hold(Option<QueueRef>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.with(&mut Effects::default(), |state, _| state.release_hold());
        }
    }
}

impl Settling {
    /// One that is still to begin.
    pub fn new(settled: Settled<QueueRef>, how: Settlement) -> Self {
        let Settled { unacked, resume } = settled;
        let stage = match how {
            Settlement::Requeue => Stage::Asking(0),
            Settlement::Acknowledge | Settlement::Reject => Stage::Settling,
        };
        let unacked = VecDeque::from(unacked.into_vec());
        Self { unacked, how, stage, held: Held::default(), resume }
    }

    /// Does as much as is allowed.
    pub(in crate::broker) fn go_on(
        &mut self,
        broker: &Broker,
        allowance: &mut Allowance,
        now_ms: u64,
    ) -> Progress {
        while !allowance.is_spent() {
            match self.stage {
                Stage::Asking(asked) => match self.next_to_be_asked(asked) {
                    Some(next) => {
                        let count = allowance.share(self.unacked.len() - next, 1);
                        self.dead_letter_over_limit(broker, next..next + count, now_ms);
                        allowance.spend(count);
                        self.stage = Stage::Asking(next + count);
                    }
                    None => self.stage = Stage::Settling,
                },
                Stage::Settling if !self.unacked.is_empty() => {
                    let count = allowance.share(self.unacked.len(), 1);
                    self.settle_some(broker, count, now_ms);
                    allowance.spend(count);
                }
                Stage::Settling => self.stage = Stage::LettingGo,
                Stage::LettingGo => match self.held.holds.pop() {
                    Some(hold) => {
                        hold.let_go(broker, now_ms);
                        allowance.spend(RESUME_COSTS);
                    }
                    None => self.stage = Stage::Resuming,
                },
                Stage::Resuming if !self.resume.is_empty() => {
                    let count = allowance.share(self.resume.len(), RESUME_COSTS);
                    broker.resume_some(self.resume.drain(..count), now_ms);
                    allowance.spend(count * RESUME_COSTS);
                }
                Stage::Resuming => return Progress::Over,
            }
        }
        let over = self.stage == Stage::Resuming && self.resume.is_empty();
        if over { Progress::Over } else { Progress::More }
    }

    /// The first from here on whose queue counts how often it comes back.
    fn next_to_be_asked(&self, from: usize) -> Option<usize> {
        let mut counts = counts_returns();
        self.unacked.range(from..).position(|one| counts(&one.queue)).map(|offset| from + offset)
    }

    /// Of those that come back, those are dead that came back too often.
    fn dead_letter_over_limit(
        &mut self,
        broker: &Broker,
        part: std::ops::Range<usize>,
        now_ms: u64,
    ) {
        let mut counts = counts_returns();
        let counted = self.unacked.range(part).filter(|one| counts(&one.queue));
        let mut part: Vec<_> = counted.cloned().collect();
        for_each_queue(&mut part, |queue, positions| {
            self.held.hold(queue);
            broker
                .with_queue(queue, now_ms, |state, fx| state.dead_letter_over_limit(positions, fx));
        });
    }

    fn settle_some(&mut self, broker: &Broker, count: usize, now_ms: u64) {
        if self.how != Settlement::Requeue {
            let mut part: Vec<_> = self.unacked.drain(..count).collect();
            return broker.settle(&mut part, self.how, now_ms);
        }
        let mut part: Vec<_> = self.unacked.drain(self.unacked.len() - count..).collect();
        for_each_queue(&mut part, |queue, positions| {
            self.held.hold(queue);
            broker.with_queue(queue, now_ms, |state, fx| state.requeue_part(positions, fx));
        });
    }
}

impl Held {
    fn hold(&mut self, queue: &QueueRef) {
        if self.ids.insert(queue.id) {
            queue.with(&mut Effects::default(), |state, _| state.hold());
            self.holds.push(Hold(Some(QueueRef::clone(queue))));
        }
    }
}

impl Hold {
    fn let_go(mut self, broker: &Broker, now_ms: u64) {
        if let Some(queue) = self.0.take() {
            broker.with_queue(&queue, now_ms, |state, fx| state.let_go(now_ms, fx));
            queue.tell_getters(Ok(()));
        }
    }
}

/// Says whether queues count how often messages come back; quick for many in a row that are the same.
fn counts_returns() -> impl FnMut(&QueueRef) -> bool {
    let mut last = None;
    move |queue| match last {
        Some((id, counts)) if id == queue.id => counts,
        _ => {
            let counts = queue.in_force().options.delivery_limit.is_some();
            last = Some((queue.id, counts));
            counts
        }
    }
}

/// Brings deliveries of the same queue together, those of each in the order in which they are.
pub(in crate::broker) fn for_each_queue(
    unacked: &mut [Unacked<QueueRef>],
    mut each: impl FnMut(&QueueRef, &[Position]),
) {
    // Sorting is stable: the order of delivery stays.
    if unacked.windows(2).any(|pair| pair[0].queue.id > pair[1].queue.id) {
        unacked.sort_by_key(|one| one.queue.id);
    }
    let mut positions: Vec<Position> = Vec::new();
    for run in unacked.chunk_by(|one, next| QueueRef::ptr_eq(&one.queue, &next.queue)) {
        positions.clear();
        positions.extend(run.iter().map(|one| one.position));
        each(&run[0].queue, &positions);
    }
}

impl Client {
    /// Settles deliveries that were taken from the channel's ledger, as many as are allowed. The rest comes before
    /// anything else of the channel.
    #[must_use = "the rest has to be settled too"]
    pub fn begin_to_settle(
        &self,
        settled: Settled<QueueRef>,
        how: Settlement,
        allowance: &mut Allowance,
        now_ms: u64,
    ) -> Option<Settling> {
        let cost = settled.unacked.len() + settled.resume.len() * RESUME_COSTS;
        if cost <= allowance.0 {
            allowance.spend(cost);
            self.settle(settled, how, now_ms);
            return None;
        }
        let mut settling = Settling::new(settled, how);
        let progress = settling.go_on(&self.broker, allowance, now_ms);
        (progress != Progress::Over).then_some(settling)
    }
}

impl Errand for Settling {
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress {
        self.go_on(broker, &mut Allowance::default(), now_ms)
    }

    /// What was acknowledged does not come back after a stop, and what came back says so.
    fn finish(&mut self, broker: &Broker) {
        while self.step(broker, broker.errands.seen_ms()) != Progress::Over {}
    }
}

impl Client {
    /// Settles deliveries that were taken from the channel's ledger: all of them at once.
    pub fn settle(&self, settled: Settled<QueueRef>, how: Settlement, now_ms: u64) {
        let Settled { mut unacked, resume } = settled;
        self.broker.settle(&mut unacked, how, now_ms);
        self.broker.resume_some(resume, now_ms);
    }
}

impl Broker {
    /// One lock for each queue touched.
    pub(in crate::broker) fn settle(
        &self,
        unacked: &mut [Unacked<QueueRef>],
        how: Settlement,
        now_ms: u64,
    ) {
        for_each_queue(unacked, |queue, positions| {
            self.settle_positions(queue, positions, how, now_ms);
        });
    }

    /// Settles deliveries of one queue.
    pub(in crate::broker) fn settle_positions(
        &self,
        queue: &QueueRef,
        positions: &[Position],
        how: Settlement,
        now_ms: u64,
    ) {
        self.with_queue(queue, now_ms, |state, fx| match how {
            Settlement::Acknowledge => state.ack(positions, now_ms, fx),
            Settlement::Requeue => state.requeue(positions, now_ms, fx),
            Settlement::Reject => state.reject(positions, now_ms, fx),
        });
    }

    /// Offers messages to consumers that had found no room or credit and may have it now.
    pub(in crate::broker) fn resume_some(
        &self,
        consumers: impl IntoIterator<Item = Resume<QueueRef>>,
        now_ms: u64,
    ) {
        for Resume { queue, consumer } in consumers {
            self.with_queue(&queue, now_ms, |state, fx| state.resume(consumer, now_ms, fx));
        }
    }

    /// Does so with as many as a turn allows, and leaves the rest for later.
    pub fn resume(&self, consumers: Vec<Resume<QueueRef>>, now_ms: u64) {
        if consumers.len() <= RESUMED_PER_TURN {
            self.resume_some(consumers, now_ms);
        } else {
            let unacked = Default::default();
            let waiting = Settled { unacked, resume: consumers };
            self.run_or_leave(Settling::new(waiting, Settlement::Acknowledge), now_ms);
        }
    }
}
