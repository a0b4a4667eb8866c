//! A disk and an index's base in memory, for stores that are stepped: they fill, fail, and after a crash have forgotten
//! what was not synced, each piece of it or not as a seed decides.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used)]

mod base;
mod disk;

use std::io;
use std::sync::{Arc, Mutex};

use leveret::entropy::Entropy;
use leveret::store::Surroundings;

pub use base::MemoryPlace;
pub use disk::{Access, MemoryDisk};

/// Numbers that a seed decides (xorshift).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Random bytes out of dice.
struct Thrown(Mutex<Dice>);

impl Entropy for Thrown {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        let mut dice = self.0.lock().unwrap();
        bytes.fill_with(|| dice.next() as u8);
        Ok(())
    }
}

/// What a store stands on, and what outlives it.
#[derive(Clone)]
pub struct Ground {
    pub disk: MemoryDisk,
    pub index: MemoryPlace,
    seed: u64,
}

impl Ground {
    /// Empty.
    pub fn new(seed: u64) -> Self {
        Self { disk: MemoryDisk::default(), index: MemoryPlace::default(), seed }
    }

    /// To be handed to a store.
    pub fn surroundings(&mut self) -> Surroundings {
        self.seed += 1;
        Surroundings {
            disk: Arc::new(self.disk.clone()),
            index: Box::new(self.index.clone()),
            entropy: Arc::new(Thrown(Mutex::new(Dice::new(self.seed)))),
        }
    }

    /// The power goes: what was not synced is kept or lost as the dice fall. The store must be dropped before.
    pub fn crash(&mut self, dice: &mut Dice) {
        self.disk.crash(dice);
        self.index.crash(dice);
    }
}
