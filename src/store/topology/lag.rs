//! What a keeper of the topology lacks: the records that came, and those that went, since it was last brought up to date.

use std::collections::BTreeMap;

use super::Serial;

/// What one keeper lacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Lag {
    /// Records that the keeper is to take in or to give up.
    waiting: BTreeMap<Serial, Held>,
    /// Those of them that are being handed out. What came or went since that began waits.
    frozen: BTreeMap<Serial, Held>,
    /// How many records the keeper holds.
    held: u64,
}

/// Whether the keeper has a record of this serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

impl Lag {
    /// The lag of a keeper that has none of these records.
    pub(super) fn of_all(serials: impl Iterator<Item = Serial>) -> Self {
        let waiting = serials.map(|serial| (serial, Held::No)).collect();
        Self { waiting, ..Self::default() }
    }

    /// The lag of a keeper that has all records, so many.
    pub(super) fn of_none(held: u64) -> Self {
        Self { held, ..Self::default() }
    }

    /// Whether nothing is lacking.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.frozen.is_empty()
    }

    /// How many records the keeper holds.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// A new record came.
    pub(super) fn came(&mut self, serial: Serial) {
        self.waiting.insert(serial, Held::No);
    }

    /// A record went. One that the keeper never had is nothing to it.
    pub(super) fn went(&mut self, serial: Serial) {
        for lacking in [&mut self.frozen, &mut self.waiting] {
            if lacking.get(&serial) == Some(&Held::No) {
                lacking.remove(&serial);
                return;
            }
        }
        self.waiting.insert(serial, Held::Yes);
    }

    /// A record is known to be in the keeper.
    pub(super) fn load(&mut self, serial: Serial) {
        self.waiting.remove(&serial);
        self.held += 1;
    }

    /// A record is known to be in the keeper no more.
    pub(super) fn unload(&mut self, serial: Serial) {
        if self.waiting.remove(&serial) == Some(Held::Yes) {
            self.held -= 1;
        }
    }

    /// What is lacking by now is what will be handed out.
    pub(super) fn freeze(&mut self) {
        if self.frozen.is_empty() {
            self.frozen = std::mem::take(&mut self.waiting);
        } else {
            // The keeper was not finished the last time.
            self.frozen.append(&mut self.waiting);
        }
    }

    /// Hands out the next of what was frozen, at most so many. The keeper has taken them in, or given them up, by then.
    pub(super) fn take(&mut self, count_max: usize) -> Vec<Serial> {
        let mut taken = Vec::new();
        while taken.len() < count_max
            && let Some((serial, held)) = self.frozen.pop_first()
        {
            match held {
                Held::Yes => self.held -= 1,
                Held::No => self.held += 1,
            }
            taken.push(serial);
        }
        taken
    }
}
