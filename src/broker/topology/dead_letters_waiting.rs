//! The dead of one queue from their death to their burial, in the order in which they died. Whoever lays some
//! down where nobody is at work has to see to their burial; until it is through, others only add to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::queue::Dead;

/// How many dead letters may still be made of what died together, and of what those push out of other queues in
/// turn. All of them draw on one account.
#[derive(Debug)]
pub(in crate::broker) struct Account(AtomicU64);

impl Account {
    pub(in crate::broker) fn new(letters: u64) -> Self {
        Self(AtomicU64::new(letters))
    }

    /// Takes one dead letter off it. False when none is left.
    pub(in crate::broker) fn draw(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
    }
}

/// Whether somebody has to see to what was laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Attendance {
    /// Somebody is at work.
    There,
    /// It is up to whoever asks.
    Missing,
}

/// Those that died on one account.
pub(in crate::broker) struct Cortege {
    pub(in crate::broker) dead: VecDeque<Dead>,
    /// None when a client or the clock did it: then each of them opens an account.
    pub(in crate::broker) account: Option<Arc<Account>>,
}

/// Where the dead of a queue lie. Locked while the queue is, or alone.
#[derive(Default)]
pub(in crate::broker) struct Grave(Mutex<Open>);

#[derive(Default)]
struct Open {
    /// Neighbours have different accounts.
    corteges: VecDeque<Cortege>,
    attended: bool,
}

impl Grave {
    /// Lays down what died, and leaves the list empty. To be called under the queue's lock, so that they lie in
    /// the order in which they died.
    pub(in crate::broker) fn lay_down(
        &self,
        dead: &mut Vec<Dead>,
        account: Option<&Arc<Account>>,
    ) -> Attendance {
        let mut open = self.0.lock();
        match open.corteges.back_mut().filter(|last| is_same(last.account.as_ref(), account)) {
            Some(last) => last.dead.extend(dead.drain(..)),
            None => open.corteges.push_back(Cortege {
                dead: std::mem::take(dead).into(),
                account: account.cloned(),
            }),
        }
        if std::mem::replace(&mut open.attended, true) {
            Attendance::There
        } else {
            Attendance::Missing
        }
    }

    /// Takes out those that come next, on one account: so many, or fewer where their messages pass `bytes_max`, and one
    /// at least. When there are none, whoever asked is no longer in charge. What was taken before has to be buried
    /// by then.
    pub(in crate::broker) fn take(&self, count_max: usize, bytes_max: usize) -> Option<Cortege> {
        let mut open = self.0.lock();
        let Some(first) = open.corteges.front_mut() else {
            *open = Open::default();
            return None;
        };
        let (mut count, mut bytes) = (0, 0);
        for dead in &first.dead {
            if count > 0 && (count >= count_max || bytes >= bytes_max) {
                break;
            }
            count += 1;
            bytes += dead.entry.message.held();
        }
        if count == first.dead.len() {
            return open.corteges.pop_front();
        }
        let dead = first.dead.drain(..count).collect();
        Some(Cortege { dead, account: first.account.clone() })
    }

    /// Whether anything lies there or is being buried.
    pub(in crate::broker) fn is_occupied(&self) -> bool {
        self.0.lock().attended
    }

    /// Puts back what was taken and could not be buried now.
    pub(in crate::broker) fn put_back(&self, cortege: Cortege) {
        if !cortege.dead.is_empty() {
            self.0.lock().corteges.push_front(cortege);
        }
    }
}

fn is_same(one: Option<&Arc<Account>>, other: Option<&Arc<Account>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
