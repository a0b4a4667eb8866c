//! Errands: long work that goes on later, in slices. Whoever has more to do than its turn allows leaves the rest
//! here, as small values that say what is left, and somebody outside calls [`Broker::run_errands`] until nothing is.
//!
//! They take turns: one slice each. Those that would write to the journal wait while the store's inbox is full.
//! What a stop leaves undone must be safe to leave, because the journal still has it, or is done in
//! [`Errand::finish`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::broker::{Broker, Hook};

/// Work in slices.
pub(in crate::broker) trait Errand: Send {
    /// Does one slice: what takes about as long as handling what one read from a socket brings.
    fn step(&mut self, broker: &Broker, now_ms: u64) -> Progress;

    /// The broker is being closed: does at once what must not be left undone, which should be next to nothing.
    fn finish(&mut self, broker: &Broker) {
        let _ = broker;
    }
}

/// What a slice led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Progress {
    /// There is more.
    More,
    /// Nothing was done: it goes on when the store has room.
    Waits,
    /// It is over.
    Over,
}

/// What is left after a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// More, which can be done now.
    Some,
    /// More, which can be done when the store has room: after the `room` event.
    Held,
    /// Nothing, until the `errands` event.
    Nothing,
}

/// The errands that there are.
pub(in crate::broker) struct Errands {
    list: Mutex<List>,
    /// The latest time at which one was done.
    seen_ms: AtomicU64,
    added: Hook,
}

#[derive(Default)]
struct List {
    /// Whose turn it is stands first.
    turns: VecDeque<Box<dyn Errand>>,
    /// Those that wait for the store.
    held: VecDeque<Box<dyn Errand>>,
}

impl Errands {
    /// `added` is called when there is something to do.
    pub(in crate::broker) fn new(added: Hook) -> Self {
        Self { list: Mutex::default(), seen_ms: AtomicU64::new(0), added }
    }

    /// Adds an errand, behind those that are there.
    pub(in crate::broker) fn add(&self, errand: Box<dyn Errand>) {
        self.list.lock().turns.push_back(errand);
        (self.added)();
    }

    /// The latest time that is known, for what is done when nobody tells the time any more.
    pub(in crate::broker) fn seen_ms(&self) -> u64 {
        self.seen_ms.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Box<dyn Errand>> {
        self.list.lock().turns.pop_front()
    }

    fn put_back(&self, errand: Box<dyn Errand>) {
        self.list.lock().turns.push_back(errand);
    }

    fn hold(&self, errand: Box<dyn Errand>) {
        self.list.lock().held.push_back(errand);
    }

    /// Lets those go on that waited for the store.
    fn release(&self) {
        let List { turns, held } = &mut *self.list.lock();
        turns.append(held);
    }

    fn remaining(&self) -> Remaining {
        let list = self.list.lock();
        match (list.turns.is_empty(), list.held.is_empty()) {
            (false, _) => Remaining::Some,
            (true, false) => Remaining::Held,
            (true, true) => Remaining::Nothing,
        }
    }
}

impl Broker {
    /// Does one slice of what was left for later, and answers whether there is more. Nobody else is kept waiting
    /// by it for longer than by a read from a socket, so others should have a turn before it is called again.
    pub fn run_errands(&self, now_ms: u64) -> Remaining {
        self.errands.seen_ms.fetch_max(now_ms, Ordering::Relaxed);
        if !self.store.is_full() {
            self.errands.release();
        }
        while let Some(mut errand) = self.errands.next() {
            match errand.step(self, now_ms) {
                Progress::More => self.errands.put_back(errand),
                Progress::Over => {}
                Progress::Waits => {
                    self.errands.hold(errand);
                    continue;
                }
            }
            break;
        }
        self.errands.remaining()
    }

    /// Does the first slice of an errand at once, and leaves the rest for later.
    pub(in crate::broker) fn run_or_leave(&self, mut errand: impl Errand + 'static, now_ms: u64) {
        if errand.step(self, now_ms) != Progress::Over {
            self.errands.seen_ms.fetch_max(now_ms, Ordering::Relaxed);
            self.errands.add(Box::new(errand));
        }
    }

    /// Does what must not be left undone at the end.
    pub(in crate::broker) fn finish_errands(&self) {
        self.errands.release();
        while let Some(mut errand) = self.errands.next() {
            errand.finish(self);
        }
    }
}
