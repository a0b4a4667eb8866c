//! A search for what a message reaches: what it has found, and how much work it was. What clients have bound decides
//! how much that is, so it is counted, and ends at a limit.

use super::topic::Walk;
use super::{Destination, Destinations};

/// One is kept per connection and used for every message, so it holds on to its memory.
pub struct Search<D> {
    /// What was found so far, each once.
    pub found: Destinations<D>,
    /// How much work it was.
    pub steps: Steps,
    pub(super) walk: Walk,
}

impl<D: Destination> Search<D> {
    /// A search that may take this many steps.
    pub fn new(steps_max: u64) -> Self {
        Self { found: Destinations::new(), steps: Steps::new(steps_max), walk: Walk::default() }
    }

    /// Adds every destination of a binding, if there are steps left for them.
    pub(super) fn merge(&mut self, others: &Destinations<D>) {
        if self.steps.take(others.len()) {
            self.found.merge(others);
        }
    }
}

/// Steps of a search: bindings, destinations, exchanges and words of patterns that were looked at.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    taken: u64,
    most: u64,
}

impl Steps {
    /// None taken yet, and at most so many allowed.
    pub fn new(most: u64) -> Self {
        Self { taken: 0, most }
    }

    /// Takes some steps. False when that is more than are allowed: then what was to be done is left.
    #[must_use]
    pub fn take(&mut self, steps: usize) -> bool {
        self.taken = self.taken.saturating_add(steps as u64);
        !self.are_too_many()
    }

    /// How many were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the search was ended by its limit. What it has found is not all then.
    pub fn are_too_many(&self) -> bool {
        self.taken > self.most
    }
}
