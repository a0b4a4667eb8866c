//! Many positions in little memory: ascending runs, written as differences. A thousand messages that were published
//! one after the other take a few bytes.

use crate::message::{Position, Run};

/// Bits of a number in one byte of it.
const DIGIT_BITS: u32 = 7;

/// Ascending positions. They can be added at the end and read from the beginning.
#[derive(Debug, Default)]
pub(super) struct PackedPositions {
    /// Each run but the last: the gap before it, and its length.
    bytes: Vec<u8>,
    /// The end of the last run in `bytes`.
    end: Position,
    /// The last run, which may still grow.
    run: Option<Run>,
    count: u64,
}

impl PackedPositions {
    /// How many positions there are.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// The same, counted anew.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn recount(&self) -> u64 {
        self.runs().map(|run| run.count).sum()
    }

    /// Adds a position, which must be higher than all that are there.
    pub(super) fn push(&mut self, position: Position) {
        self.count += 1;
        if let Some(run) = &mut self.run {
            if run.first + run.count == position {
                run.count += 1;
                return;
            }
            write(run.first - self.end, &mut self.bytes);
            write(run.count, &mut self.bytes);
            self.end = run.first + run.count;
        }
        self.run = Some(Run { first: position, count: 1 });
    }

    /// The runs, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run> {
        let mut rest = self.bytes.as_slice();
        let mut end = 0;
        let earlier = std::iter::from_fn(move || {
            let first = end + read(&mut rest)?;
            let count = read(&mut rest)?;
            end = first + count;
            Some(Run { first, count })
        });
        earlier.chain(self.run)
    }

    /// The positions, in order.
    pub(super) fn positions(&self) -> Vec<Position> {
        self.runs().flat_map(|run| run.first..run.first + run.count).collect()
    }

    /// Gives back the room that was kept for more.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

fn write(mut number: u64, bytes: &mut Vec<u8>) {
    while number >> DIGIT_BITS != 0 {
        bytes.push(number as u8 | 1 << DIGIT_BITS);
        number >>= DIGIT_BITS;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & !(1 << DIGIT_BITS)) << shift;
        if byte >> DIGIT_BITS == 0 {
            return Some(number);
        }
        shift += DIGIT_BITS;
    }
}
