//! Logins that failed, by address and user, and by address alone: where there were too many in a minute, no more are
//! verified for the rest of it. A flood of wrong passwords then costs no processor, and guessing takes its time.
//!
//! Many may share an address. So those who have logged in from there before are not refused for what others do. They can
//! be told from a flood by nothing else: it may know the names of users.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// The counts begin anew after so many milliseconds.
const WINDOW_MS: u64 = 60_000;

/// So many addresses and users are counted; then all counts begin anew.
const COUNTED_MAX: usize = 100_000;

/// The bits of an address of IPv6 behind those of its network.
const NETWORK_BITS: u32 = 64;

/// So many users are known by where they came from, the first of them.
const KNOWN_MAX: usize = 100_000;

/// How many may fail in a minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Of one user from one address.
    pub per_user: u32,
    /// From one address, whoever it is.
    pub per_address: u32,
}

/// The counts.
pub(super) struct Failures {
    state: Mutex<State>,
    most: Most,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<(IpAddr, Arc<str>), u32>,
    addresses: BTreeMap<IpAddr, u32>,
    /// Who has logged in, and from where.
    known: BTreeSet<(IpAddr, Arc<str>)>,
    began_ms: u64,
}

impl Failures {
    pub fn new(most: Most) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), most })
    }

    /// Takes note of one.
    pub fn note(&self, from: IpAddr, user: &Arc<str>) {
        let mut state = self.state.lock();
        if state.counts.len() >= COUNTED_MAX {
            state.counts.clear();
        }
        if state.addresses.len() >= COUNTED_MAX {
            state.addresses.clear();
        }
        *state.addresses.entry(from).or_default() += 1;
        *state.counts.entry((from, Arc::clone(user))).or_default() += 1;
    }

    /// Takes note of one that did not fail.
    pub fn note_success(&self, from: IpAddr, user: &Arc<str>) {
        let mut state = self.state.lock();
        if state.known.len() < KNOWN_MAX {
            state.known.insert((from, Arc::clone(user)));
        }
    }

    /// Whether there were too many.
    pub fn are_too_many(&self, from: IpAddr, user: &Arc<str>) -> bool {
        let state = self.state.lock();
        let login = (from, Arc::clone(user));
        let is_over = |count: Option<&u32>, most| count.is_some_and(|count| *count >= most);
        is_over(state.counts.get(&login), self.most.per_user)
            || is_over(state.addresses.get(&from), self.most.per_address)
                && !state.known.contains(&login)
    }

    /// Begins to count anew when it is time. Called a few times a second.
    pub fn forget(&self, now_ms: u64) {
        let mut state = self.state.lock();
        // Also when the clock was set back.
        if now_ms.abs_diff(state.began_ms) >= WINDOW_MS {
            let known = std::mem::take(&mut state.known);
            *state = State { began_ms: now_ms, known, ..State::default() };
        }
    }
}

/// What counts as one address: whoever has one of IPv6 mostly has all of its network.
pub(super) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let bits = address.to_bits();
            IpAddr::V6(Ipv6Addr::from_bits(bits >> NETWORK_BITS << NETWORK_BITS))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_for_their_address_and_user_until_the_minute_is_over() {
        let failures = Failures::new(Most { per_user: 2, per_address: 100 });
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (guest, other) = (Arc::from("guest"), Arc::from("other"));
        failures.forget(1_000_000);
        failures.note(here, &guest);
        assert!(!failures.are_too_many(here, &guest));
        failures.note(here, &guest);
        assert!(failures.are_too_many(here, &guest));
        assert!(!failures.are_too_many(there, &guest) && !failures.are_too_many(here, &other));
        failures.forget(1_059_999);
        assert!(failures.are_too_many(here, &guest));
        failures.forget(1_060_000);
        assert!(!failures.are_too_many(here, &guest));
    }

    #[test]
    fn a_flood_of_names_from_one_address_is_limited_and_stops_nobody_who_was_there_before() {
        let failures = Failures::new(Most { per_user: 2, per_address: 10 });
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (guest, new) = (Arc::from("guest"), Arc::from("new"));
        failures.note_success(here, &guest);
        let names = (0..100).map(|number| Arc::from(format!("random-{number}")));
        let verified = names.filter(|name| {
            let is_verified = !failures.are_too_many(here, name);
            if is_verified {
                failures.note(here, name);
            }
            is_verified
        });
        assert_eq!(verified.count(), 10);
        assert!(failures.are_too_many(here, &new) && !failures.are_too_many(there, &new));
        assert!(!failures.are_too_many(here, &guest));
        // It is guessed for no longer than anybody else.
        failures.note(here, &guest);
        failures.note(here, &guest);
        assert!(failures.are_too_many(here, &guest));
        failures.forget(1_000_000);
        assert!(!failures.are_too_many(here, &new));
    }

    #[test]
    fn a_network_counts_as_one_address() {
        let origin = |text: &str| origin(text.parse().unwrap());
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:10.0.0.1"), IpAddr::from([10, 0, 0, 1]));
        assert_ne!(origin("10.0.0.1"), origin("10.0.0.2"));
        assert_eq!(origin("::1"), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
    }
}
