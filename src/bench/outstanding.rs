//! The messages of one channel that were published and are not yet confirmed.

use std::collections::VecDeque;

use super::trouble::Trouble;

/// Stands for a message that was settled before an earlier one.
const SETTLED: u64 = u64::MAX;

/// Numbers messages as the broker does, from 1, and knows when each was sent.
#[derive(Default)]
pub(super) struct Outstanding {
    /// The number of the last message before the first one here.
    through: u64,
    sent_at: VecDeque<u64>,
    open: u64,
}

impl Outstanding {
    /// Notes messages that were sent at a time in nanoseconds.
    pub fn sent(&mut self, count: usize, at: u64) {
        self.sent_at.extend(std::iter::repeat_n(at, count));
        self.open += count as u64;
    }

    /// Takes out the message of this number, or all up to it; calls `settled` with the time that each was sent at, and
    /// says how many they were.
    ///
    /// # Errors
    ///
    /// A number that no message had, or that was settled before.
    pub fn settle(
        &mut self,
        tag: u64,
        multiple: bool,
        mut settled: impl FnMut(u64),
    ) -> Result<u64, Trouble> {
        let known = self.sent_at.len() as u64;
        // In a multiple, 0 stands for all.
        let tag = if multiple && tag == 0 { self.through + known } else { tag };
        let place = tag.checked_sub(self.through + 1).filter(|&place| place < known);
        let Some(place) = place else {
            if multiple && tag <= self.through {
                return Ok(0);
            }
            return Err(Trouble::new(format!(
                "the broker confirmed message {tag}, which was confirmed before or never sent"
            )));
        };
        let before = self.open;
        if multiple {
            for at in self.sent_at.drain(..=place as usize).filter(|&at| at != SETTLED) {
                self.open -= 1;
                settled(at);
            }
            self.through = tag;
        } else {
            let slot = &mut self.sent_at[place as usize];
            if *slot == SETTLED {
                return Err(Trouble::new(format!("the broker confirmed message {tag} twice")));
            }
            settled(std::mem::replace(slot, SETTLED));
            self.open -= 1;
        }
        while self.sent_at.front() == Some(&SETTLED) {
            self.sent_at.pop_front();
            self.through += 1;
        }
        Ok(before - self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::Outstanding;

    #[test]
    fn a_message_is_settled_once_in_any_order() {
        let mut outstanding = Outstanding::default();
        outstanding.sent(3, 10);
        outstanding.sent(3, 20);
        let mut check = |tag, multiple, expected: &[u64], left| {
            let mut times = Vec::new();
            let count = outstanding.settle(tag, multiple, |at| times.push(at)).unwrap();
            assert_eq!((times.as_slice(), outstanding.open), (expected, left), "{tag}");
            assert_eq!(count as usize, expected.len());
        };
        check(2, false, &[10], 5);
        check(5, false, &[20], 4);
        check(3, true, &[10, 10], 2);
        check(2, true, &[], 2);
        check(0, true, &[20, 20], 0);
    }

    #[test]
    fn a_number_that_is_not_outstanding_is_an_error() {
        let mut outstanding = Outstanding::default();
        outstanding.sent(2, 1);
        assert!(outstanding.settle(3, false, |_| {}).is_err());
        assert!(outstanding.settle(9, true, |_| {}).is_err());
        outstanding.settle(2, false, |_| {}).unwrap();
        assert!(outstanding.settle(2, false, |_| {}).is_err());
        outstanding.settle(1, false, |_| {}).unwrap();
        assert!(outstanding.settle(1, false, |_| {}).is_err());
    }
}
