//! Logins that failed, by address and user: where there were too many in a minute, no more are verified for the rest
//! of it. A flood of wrong passwords then costs no processor, and guessing takes its time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// The counts begin anew after so many milliseconds.
const WINDOW_MS: u64 = 60_000;

/// So many addresses and users are counted; then all counts begin anew.
const COUNTED_MAX: usize = 100_000;

/// The counts.
pub(super) struct Failures {
    state: Mutex<State>,
    per_minute_max: u32,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<(IpAddr, Arc<str>), u32>,
    began_ms: u64,
}

impl Failures {
    pub fn new(per_minute_max: u32) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), per_minute_max })
    }

    /// Takes note of one.
    pub fn note(&self, from: IpAddr, user: &Arc<str>) {
        let mut state = self.state.lock();
        if state.counts.len() >= COUNTED_MAX {
            state.counts.clear();
        }
        *state.counts.entry((from, Arc::clone(user))).or_default() += 1;
    }

    /// Whether there were too many.
    pub fn are_too_many(&self, from: IpAddr, user: &Arc<str>) -> bool {
        let state = self.state.lock();
        let count = state.counts.get(&(from, Arc::clone(user)));
        count.is_some_and(|count| *count >= self.per_minute_max)
    }

    /// Begins to count anew when it is time. Called a few times a second.
    pub fn forget(&self, now_ms: u64) {
        let mut state = self.state.lock();
        // Also when the clock was set back.
        if now_ms.abs_diff(state.began_ms) >= WINDOW_MS {
            *state = State { began_ms: now_ms, ..State::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_for_their_address_and_user_until_the_minute_is_over() {
        let failures = Failures::new(2);
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
}
