//! The way into a queue. Publishers announce themselves before they give messages their places, once for a batch, and
//! leave when the messages are in the queue. Whoever deletes the queue shuts the gate: if the queue has to be
//! empty for that, only while nobody is on the way.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Stands for a gate that is shut, beside the number of those who are in it still.
const SHUT: usize = 1 << (usize::BITS - 1);

/// How many publishers are on their way into a queue, and whether more are let in.
#[derive(Debug, Default)]
pub(in crate::broker) struct Gate(AtomicUsize);

impl Gate {
    pub(in crate::broker) fn is_shut(&self) -> bool {
        self.0.load(Ordering::Acquire) & SHUT != 0
    }

    /// Lets nobody in any more.
    pub(in crate::broker) fn shut(&self) {
        self.0.fetch_or(SHUT, Ordering::AcqRel);
    }

    /// Does so if nobody is on the way; answers whether that is so.
    pub(in crate::broker) fn shut_if_quiet(&self) -> bool {
        self.0.compare_exchange(0, SHUT, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Lets somebody in. False when it is shut.
    pub(in crate::broker) fn enter(&self) -> bool {
        let entered = self.0.fetch_add(1, Ordering::AcqRel) & SHUT == 0;
        if !entered {
            self.leave();
        }
        entered
    }

    /// Lets one more in behind somebody who is in it.
    pub(in crate::broker) fn follow(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes note that somebody has left it.
    pub(in crate::broker) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_not_shut_in_front_of_somebody_who_is_in_it() {
        let gate = Gate::default();
        assert!(gate.enter() && gate.enter());
        gate.leave();
        assert!(!gate.shut_if_quiet() && !gate.is_shut());
        gate.leave();
        assert!(gate.shut_if_quiet() && gate.is_shut());
        assert!(!gate.enter());
        assert!(gate.is_shut());
    }

    #[test]
    fn a_queue_that_goes_anyhow_shuts_its_gate_behind_those_who_are_in_it() {
        let gate = Gate::default();
        assert!(gate.enter());
        gate.shut();
        assert!(!gate.enter());
        gate.leave();
        assert!(gate.is_shut() && !gate.shut_if_quiet());
    }
}
