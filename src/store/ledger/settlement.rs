//! A settlement that was put off: runs of positions, of which those at the front are carried out already.

use super::super::operation::{Position, Run};

/// Positions that are to be settled.
#[derive(Debug)]
pub(super) struct Settlement {
    /// In order and apart.
    runs: Vec<Run>,
    /// The first run that is not settled.
    at: usize,
    /// What is left of that run.
    rest: Option<Run>,
}

impl Settlement {
    /// Of these runs, in any order.
    pub(super) fn new(mut runs: Vec<Run>) -> Self {
        if !runs.is_sorted_by(|one, other| one.last() < other.first) {
            runs.sort_unstable_by_key(|run| run.first);
            runs.dedup_by(|run, before| {
                let overlaps = run.first <= before.last();
                if overlaps {
                    before.count = run.last().max(before.last()) - before.first + 1;
                }
                overlaps
            });
        }
        let rest = runs.first().copied();
        Self { runs, at: 0, rest }
    }

    /// Whether a position is still to be settled by this.
    pub(super) fn covers(&self, position: Position) -> bool {
        let at = self.runs.partition_point(|run| run.last() < position);
        let run = match at.cmp(&self.at) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => self.rest.as_ref(),
            std::cmp::Ordering::Greater => self.runs.get(at),
        };
        run.is_some_and(|run| (run.first..=run.last()).contains(&position))
    }

    /// What is next to be carried out; nothing when all is.
    pub(super) fn rest(&self) -> Option<Run> {
        self.rest
    }

    /// So much is left of what was next.
    pub(super) fn go_on(&mut self, rest: Option<Run>) {
        self.rest = rest;
        if rest.is_none() {
            self.at += 1;
            self.rest = self.runs.get(self.at).copied();
        }
    }
}
