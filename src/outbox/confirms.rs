//! Publisher confirms of one channel: which published messages are settled, and which acknowledgement
//! frames say so in the fewest words.

use std::collections::BTreeMap;

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The sequence number, as delivery tag.
    pub tag: u64,
    /// Whether all lower outstanding ones are meant as well.
    pub multiple: bool,
}

/// The state of a channel's confirms. Sequence numbers start at 1 with `confirm.select`.
#[derive(Debug, Default)]
pub struct Confirms {
    /// Everything up to this number has been acknowledged or refused.
    settled_through: u64,
    /// Settled ones above it, whose predecessors are still on their way to the disk, with whether they
    /// were accepted.
    early: BTreeMap<u64, Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
}

impl Confirms {
    /// Takes note of messages that are safe, in any order, and returns the acknowledgement to send, if the
    /// oldest outstanding one is among them. Acknowledgements leave in order of publishing, so that
    /// one frame can stand for many.
    pub fn acknowledge(&mut self, numbers: &[u64]) -> Option<Acknowledgement> {
        let mut accepted = Accepted::default();
        for &number in numbers {
            self.settle(number, Verdict::Accepted, &mut accepted);
        }
        accepted.acknowledgement()
    }

    /// Takes note of a message that was refused; the caller sends the negative acknowledgement first. What
    /// stood behind it may be acknowledged now.
    pub fn refuse(&mut self, number: u64) -> Option<Acknowledgement> {
        let mut accepted = Accepted::default();
        self.settle(number, Verdict::Refused, &mut accepted);
        accepted.acknowledgement()
    }

    /// How many of the first `published` messages are not settled yet.
    pub fn outstanding(&self, published: u64) -> u64 {
        published.saturating_sub(self.settled_through).saturating_sub(self.early.len() as u64)
    }

    fn settle(&mut self, number: u64, verdict: Verdict, accepted: &mut Accepted) {
        if number != self.settled_through + 1 {
            if number > self.settled_through {
                self.early.insert(number, verdict);
            }
            return;
        }
        self.settled_through = number;
        accepted.note(number, verdict);
        while let Some(entry) = self.early.first_entry()
            && *entry.key() == self.settled_through + 1
        {
            self.settled_through += 1;
            accepted.note(self.settled_through, entry.remove());
        }
    }
}

/// The accepted messages among those that one step settled.
#[derive(Default)]
struct Accepted {
    last: u64,
    count: usize,
}

impl Accepted {
    fn note(&mut self, number: u64, verdict: Verdict) {
        if verdict == Verdict::Accepted {
            self.last = number;
            self.count += 1;
        }
    }

    fn acknowledgement(self) -> Option<Acknowledgement> {
        (self.count > 0).then_some(Acknowledgement { tag: self.last, multiple: self.count > 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that became safe, and the tag and `multiple` of the acknowledgement that follows.
    type Step<'a> = (&'a [u64], Option<(u64, bool)>);

    fn check(steps: &[Step<'_>]) {
        let mut confirms = Confirms::default();
        for (numbers, expected) in steps {
            let got = confirms.acknowledge(numbers).map(|ack| (ack.tag, ack.multiple));
            assert_eq!(got, *expected, "after {numbers:?}");
        }
    }

    #[test]
    fn one_message_has_one_acknowledgement() {
        check(&[(&[1], Some((1, false))), (&[2], Some((2, false)))]);
    }

    #[test]
    fn a_group_has_one_acknowledgement() {
        check(&[(&[1, 2, 3], Some((3, true))), (&[4, 5], Some((5, true)))]);
    }

    #[test]
    fn an_early_one_waits_for_those_before_it() {
        check(&[(&[2, 3], None), (&[1], Some((3, true))), (&[5], None), (&[4], Some((5, true)))]);
    }

    #[test]
    fn a_refused_one_lets_those_behind_it_leave() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.acknowledge(&[2]), None);
        assert_eq!(confirms.refuse(1), Some(Acknowledgement { tag: 2, multiple: false }));
        assert_eq!(confirms.refuse(3), None);
        assert_eq!(confirms.acknowledge(&[4]), Some(Acknowledgement { tag: 4, multiple: false }));
    }

    #[test]
    fn an_acknowledgement_never_names_a_refused_one() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.refuse(3), None);
        assert_eq!(confirms.acknowledge(&[1, 2]), Some(Acknowledgement { tag: 2, multiple: true }));
    }
}
