//! The time of day as the broker goes by it. It never goes back, and does not follow a clock that is wrong for a moment:
//! messages would die early, or live for a day.
//!
//! It is the machine's time when the process looked first, and goes on with the time that has really passed. It is
//! corrected by [`correct`]: a little at once where it is behind; much, when the machine has insisted for a while; and
//! where it is ahead it runs a tenth slower until the machine has caught up.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// So far behind it is corrected at once.
const LAG_MS_MAX: i64 = 1000;

/// Further behind it is corrected when the machine's clock has said so for this long.
const DOUBT_MS: u64 = 10_000;

/// Where it is ahead, it takes back one of so many milliseconds that pass.
const SLOWER_BY: u64 = 10;

static CLOCK: LazyLock<(Instant, Clock)> =
    LazyLock::new(|| (Instant::now(), Clock::new(system_ms())));

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    let (began, clock) = &*CLOCK;
    clock.at(began.elapsed().as_millis() as u64)
}

/// Compares with the machine's clock. To be called a few times a second by one who does. True when it went ahead, so
/// that whoever waits for a time should look again.
pub fn correct() -> bool {
    let (began, clock) = &*CLOCK;
    let corrected = clock.correct(began.elapsed().as_millis() as u64, system_ms());
    if corrected > LAG_MS_MAX {
        log::warn!("the machine's clock is {corrected} ms ahead of what has passed: following it");
    }
    corrected > 0
}

fn system_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// The clock, which is told how many milliseconds have passed since it was made.
struct Clock {
    /// What is to be added to what has passed.
    offset_ms: AtomicI64,
    /// When it was corrected last.
    corrected_at: AtomicU64,
    /// When the machine's clock began to be far ahead; 0 when it is not.
    doubted_at: AtomicU64,
}

impl Clock {
    fn new(system_ms: u64) -> Self {
        Self {
            offset_ms: AtomicI64::new(system_ms as i64),
            corrected_at: AtomicU64::new(0),
            doubted_at: AtomicU64::new(0),
        }
    }

    fn at(&self, passed_ms: u64) -> u64 {
        passed_ms.saturating_add_signed(self.offset_ms.load(Ordering::Relaxed))
    }

    /// How far it was set ahead, or back if that is less than nothing.
    fn correct(&self, passed_ms: u64, system_ms: u64) -> i64 {
        let since_ms = passed_ms - self.corrected_at.swap(passed_ms, Ordering::Relaxed);
        let lag_ms = system_ms as i64 - self.at(passed_ms) as i64;
        let doubted_at = match self.doubted_at.load(Ordering::Relaxed) {
            _ if lag_ms <= LAG_MS_MAX => 0,
            0 => passed_ms.max(1),
            at => at,
        };
        self.doubted_at.store(doubted_at, Ordering::Relaxed);
        let correction_ms = if lag_ms < 0 {
            lag_ms.max(-((since_ms / SLOWER_BY) as i64))
        } else if doubted_at == 0 {
            lag_ms
        } else if passed_ms.saturating_sub(doubted_at) >= DOUBT_MS {
            self.doubted_at.store(0, Ordering::Relaxed);
            lag_ms
        } else {
            0
        };
        self.offset_ms.fetch_add(correction_ms, Ordering::Relaxed);
        correction_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    const NOON_MS: u64 = 1_800_000_000_000;

    /// Runs a clock for so many seconds beside a machine's clock that is wrong by `wrong_ms(second)`, and answers how
    /// far it was from right at each.
    fn run(seconds: u64, wrong_ms: impl Fn(u64) -> i64) -> Vec<i64> {
        let clock = Clock::new(NOON_MS);
        let mut last_ms = 0;
        let mut errors = Vec::new();
        for step in 1..=seconds * 4 {
            let passed_ms = step * 250;
            let right_ms = NOON_MS + passed_ms;
            let system_ms = right_ms.saturating_add_signed(wrong_ms(passed_ms / 1000));
            clock.correct(passed_ms, system_ms);
            let now_ms = clock.at(passed_ms);
            assert!(now_ms >= last_ms, "it went back by {}", last_ms - now_ms);
            last_ms = now_ms;
            if passed_ms % 1000 == 0 {
                errors.push(now_ms as i64 - right_ms as i64);
            }
        }
        errors
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_moment_is_not_followed() {
        let back = run(60, |second| if (10..15).contains(&second) { -DAY_MS } else { 0 });
        assert!(back.iter().all(|error| error.abs() <= 500), "{back:?}");
        assert_eq!(back.last(), Some(&0));
        let ahead = run(60, |second| if (10..15).contains(&second) { DAY_MS } else { 0 });
        assert!(ahead.iter().all(|error| *error == 0), "{ahead:?}");
    }

    #[test]
    fn a_clock_that_was_set_ahead_is_followed_after_a_while() {
        let errors = run(60, |second| if second >= 10 { DAY_MS } else { 0 });
        assert_eq!((errors[15], errors[25]), (0, DAY_MS));
    }

    #[test]
    fn a_clock_that_was_set_back_is_waited_for_without_going_back() {
        let errors = run(60, |second| if second >= 10 { -2000 } else { 0 });
        assert!(errors[12] < 0 && errors[12] > -2000);
        assert_eq!(errors.last(), Some(&-2000));
    }

    #[test]
    fn a_clock_that_runs_a_little_fast_is_followed_at_once() {
        let errors = run(60, |second| second as i64 * 5);
        assert!((1..).zip(&errors).all(|(second, error)| *error == second * 5));
    }
}
