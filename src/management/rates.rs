//! Rates, from samples of counters: for each object the last two samples, so that a rate is that of the last five to
//! ten seconds. An object that has never counted anything has no samples.

use rustc_hash::FxHashMap;

/// What is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// The whole broker.
    Broker,
    /// A queue, by its number.
    Queue(u64),
    /// An exchange, by its number.
    Exchange(u64),
    /// A connection, by its number.
    Connection(u64),
    /// A channel, by its connection's number and its own.
    Channel(u64, u16),
}

/// Samples of all objects.
#[derive(Debug, Default)]
pub(super) struct Rates {
    samples: FxHashMap<Subject, Samples>,
    /// Counts the rounds; what was not seen in a round has gone.
    round: u32,
}

#[derive(Debug)]
struct Samples {
    older: Option<Sample>,
    newer: Sample,
    /// When a sample last differed from the one before.
    changed_ms: u64,
    round: u32,
}

#[derive(Debug)]
struct Sample {
    at_ms: u64,
    values: Box<[u64]>,
}

impl Rates {
    /// Begins a round of samples.
    pub fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Takes a sample of an object.
    pub fn sample(&mut self, subject: Subject, values: &[u64], now_ms: u64) {
        let round = self.round;
        match self.samples.get_mut(&subject) {
            Some(samples) => samples.take(values, now_ms, round),
            None if values.iter().all(|value| *value == 0) => {}
            None => {
                let newer = Sample { at_ms: now_ms, values: values.into() };
                let samples = Samples { older: None, newer, changed_ms: now_ms, round };
                self.samples.insert(subject, samples);
            }
        }
    }

    /// Ends a round: forgets what was not seen in it.
    pub fn end(&mut self) {
        let round = self.round;
        self.samples.retain(|_, samples| samples.round == round);
        if self.samples.capacity() > 4 * self.samples.len() {
            self.samples.shrink_to_fit();
        }
    }

    /// How each value changes a second, to now.
    pub fn of<const N: usize>(&self, subject: Subject, values: [u64; N], now_ms: u64) -> [f64; N] {
        let mut rates = [0.0; N];
        let Some(samples) = self.samples.get(&subject) else { return rates };
        let base = samples.older.as_ref().unwrap_or(&samples.newer);
        let ms = now_ms.saturating_sub(base.at_ms);
        if ms == 0 {
            return rates;
        }
        for ((rate, value), before) in rates.iter_mut().zip(values).zip(&base.values) {
            let change = value.wrapping_sub(*before).cast_signed() as f64;
            *rate = (change * 1000.0 / ms as f64 * 100.0).round() / 100.0;
        }
        rates
    }

    /// When an object was last seen to change; none when it never was, or goes on changing.
    pub fn quiet_since_ms(&self, subject: Subject, values: &[u64]) -> Quiet {
        match self.samples.get(&subject) {
            None if values.iter().all(|value| *value == 0) => Quiet::Always,
            None => Quiet::No,
            Some(samples) if *samples.newer.values != *values => Quiet::No,
            Some(samples) => match &samples.older {
                Some(older) if older.values == samples.newer.values => {
                    Quiet::Since(samples.changed_ms)
                }
                _ => Quiet::No,
            },
        }
    }
}

/// Whether nothing happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quiet {
    /// Something does.
    No,
    /// Nothing was ever counted.
    Always,
    /// Nothing since this time.
    Since(u64),
}

impl Samples {
    fn take(&mut self, values: &[u64], now_ms: u64, round: u32) {
        self.round = round;
        if *self.newer.values != *values {
            self.changed_ms = now_ms;
        }
        // The memory of the oldest is used for the newest.
        let mut sample = self
            .older
            .take()
            .unwrap_or_else(|| Sample { at_ms: 0, values: vec![0; values.len()].into() });
        sample.at_ms = now_ms;
        if sample.values.len() == values.len() {
            sample.values.copy_from_slice(values);
        } else {
            sample.values = values.into();
        }
        self.older = Some(std::mem::replace(&mut self.newer, sample));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Subject = Subject::Queue(1);

    fn round(rates: &mut Rates, values: Option<[u64; 2]>, now_ms: u64) {
        rates.begin();
        if let Some(values) = values {
            rates.sample(QUEUE, &values, now_ms);
        }
        rates.end();
    }

    #[test]
    fn a_rate_is_that_of_the_last_two_samples_to_now() {
        let mut rates = Rates::default();
        round(&mut rates, Some([10, 5]), 0);
        assert_eq!(rates.of(QUEUE, [20, 5], 1_000), [10.0, 0.0]);
        round(&mut rates, Some([60, 5]), 5_000);
        round(&mut rates, Some([110, 3]), 10_000);
        assert_eq!(rates.of(QUEUE, [110, 3], 10_000), [10.0, -0.4]);
    }

    #[test]
    fn what_counts_nothing_is_not_kept_and_what_has_gone_is_forgotten() {
        let mut rates = Rates::default();
        round(&mut rates, Some([0, 0]), 0);
        assert!(rates.samples.is_empty());
        round(&mut rates, Some([1, 0]), 5_000);
        assert_eq!(rates.samples.len(), 1);
        round(&mut rates, None, 10_000);
        assert!(rates.samples.is_empty());
        assert_eq!(rates.of(QUEUE, [7, 7], 11_000), [0.0, 0.0]);
    }

    #[test]
    fn a_quiet_object_says_since_when() {
        let mut rates = Rates::default();
        assert_eq!(rates.quiet_since_ms(QUEUE, &[0, 0]), Quiet::Always);
        round(&mut rates, Some([1, 0]), 0);
        round(&mut rates, Some([2, 0]), 5_000);
        assert_eq!(rates.quiet_since_ms(QUEUE, &[2, 0]), Quiet::No);
        round(&mut rates, Some([2, 0]), 10_000);
        assert_eq!(rates.quiet_since_ms(QUEUE, &[2, 0]), Quiet::Since(5_000));
        assert_eq!(rates.quiet_since_ms(QUEUE, &[3, 0]), Quiet::No);
    }
}
