//! The metrics that one reader gets, written while it takes them: what is held for it is the names of what its series
//! are of, and one piece of text. The families follow each other, and each goes through the names from the beginning.

use std::collections::VecDeque;
use std::fmt;
use std::mem::size_of_val;
use std::sync::Arc;

use super::super::Api;
use super::super::pieces::PIECE_BYTES;
use super::exposition::{Family, continued, end, written};

/// Series that are written at once. A piece is longer than it should be by fewer than these.
const SERIES: usize = 32;
/// What these take where names are not very long.
const SERIES_BYTES: usize = 8 * 1024;

/// What is still to be written.
pub(in crate::management) struct Scrape {
    /// The families that are there in whole.
    whole: Vec<Family>,
    each: VecDeque<Box<dyn Write + Send>>,
    snapshot_bytes: usize,
    place: Place,
}

#[derive(PartialEq, Eq)]
enum Place {
    Begin,
    Families,
    Over,
}

/// Whether a family has more series.
#[derive(PartialEq, Eq)]
enum Rest {
    Some,
    None,
}

trait Write {
    fn write(&mut self, api: &Api, text: &mut String) -> Result<Rest, fmt::Error>;
}

/// A family with a series, or some, for each of its subjects.
struct Each<S, F> {
    family: Family,
    subjects: Arc<[S]>,
    next: usize,
    read: F,
}

impl Scrape {
    /// These families; more follow one by one.
    pub fn new(whole: Vec<Family>) -> Self {
        Self { whole, each: VecDeque::new(), snapshot_bytes: 0, place: Place::Begin }
    }

    /// Keeps the names of what there is now, for the families that are about the same.
    pub fn snapshot<S>(&mut self, names: Vec<S>) -> Arc<[S]> {
        self.snapshot_bytes += size_of_val(&*names);
        names.into()
    }

    /// Adds a family. `read` adds to it the series of some of the subjects that are still there.
    pub fn each<S: Send + Sync + 'static>(
        &mut self,
        family: Family,
        subjects: &Arc<[S]>,
        read: impl Fn(&Api, &[S], &mut Family) + Send + 'static,
    ) {
        let subjects = Arc::clone(subjects);
        self.each.push_back(Box::new(Each { family, subjects, next: 0, read }));
    }

    /// What is held until everything is written: the names, and a piece that is written while the one before is sent.
    pub fn held_bytes(&self) -> usize {
        self.snapshot_bytes + 2 * PIECE_BYTES
    }

    /// The next piece of text; none after the last.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn next(&mut self, api: &Api) -> Result<Option<String>, fmt::Error> {
        if self.place == Place::Over {
            return Ok(None);
        }
        let mut text = String::with_capacity(PIECE_BYTES + SERIES_BYTES);
        if self.place == Place::Begin {
            self.place = Place::Families;
            text.push_str(&written(std::mem::take(&mut self.whole))?);
        }
        while self.place == Place::Families && text.len() < PIECE_BYTES {
            match self.each.front_mut() {
                Some(family) => {
                    if family.write(api, &mut text)? == Rest::None {
                        self.each.pop_front();
                    }
                }
                None => {
                    text.push_str(&end()?);
                    self.place = Place::Over;
                }
            }
        }
        Ok(Some(text))
    }
}

impl<S, F: Fn(&Api, &[S], &mut Family)> Write for Each<S, F> {
    fn write(&mut self, api: &Api, text: &mut String) -> Result<Rest, fmt::Error> {
        let begin = self.next;
        self.next = self.subjects.len().min(begin + SERIES);
        let mut family = self.family.emptied();
        (self.read)(api, &self.subjects[begin..self.next], &mut family);
        let part = if begin == 0 { written(vec![family]) } else { continued(family) };
        text.push_str(&part?);
        Ok(if self.next < self.subjects.len() { Rest::Some } else { Rest::None })
    }
}

#[cfg(test)]
mod tests {

    use super::super::queues::{Wanted, of_each};
    use super::*;
    use crate::broker::{Broker, DeclareMode, DeleteQueue, Events, QueueDeclaration, Surroundings};
    use crate::config::Config;
    use crate::wire::Table;

    const NOW_MS: u64 = 1_700_000_000_000;

    /// With this many queues in a broker of its own.
    fn with_queues(count: usize, check: impl FnOnce(&Api)) {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data_dir: directory.path().join("data"), ..Config::default() };
        let quiet = || Box::new(|| {}) as Box<dyn Fn() + Send + Sync>;
        let lost = Box::new(|why: &str| panic!("{why}"));
        let events =
            Events { room: quiet(), alarm: quiet(), deadline: quiet(), errands: quiet(), lost };
        let surroundings = Surroundings::of_the_machine();
        let broker = Broker::open(config, events, surroundings, NOW_MS).unwrap();
        let operator = broker.operator(&"guest".into(), "/").unwrap();
        for number in 0..count {
            let declaration = QueueDeclaration {
                name: &format!("queue-{number}"),
                mode: DeclareMode::Active,
                durable: false,
                exclusive: false,
                auto_delete: false,
                arguments: &Table::new(),
            };
            operator.declare_queue(&declaration, NOW_MS).unwrap();
        }
        check(&Api::new(broker, Vec::new(), None));
    }

    fn scrape(api: &Api) -> Scrape {
        let mut scrape = Scrape::new(vec![Family::gauge("x_", "one", "One").of(1)]);
        of_each(api, "x_", &Wanted::everything(), &mut scrape);
        scrape
    }

    #[test]
    fn a_reader_costs_names_and_a_piece_however_long_its_text_is() {
        with_queues(20_000, |api| {
            let mut readers: Vec<Scrape> = (0..10).map(|_| scrape(api)).collect();
            let mut shares: Vec<_> = readers.iter().map(|_| api.budget.share()).collect();
            for (reader, share) in readers.iter().zip(&mut shares) {
                share.grow(reader.held_bytes()).unwrap();
            }
            assert_eq!(api.budget.used_bytes(), 10 * (20_000 * 32 + 2 * PIECE_BYTES));
            // All of them stand somewhere in the middle, and one goes on to its end.
            for reader in &mut readers {
                assert!(reader.next(api).unwrap().is_some());
            }
            let (mut whole, mut longest) = (0, 0);
            while let Some(piece) = readers[0].next(api).unwrap() {
                whole += piece.len();
                longest = longest.max(piece.capacity());
            }
            assert!(longest <= PIECE_BYTES + SERIES_BYTES, "a piece of {longest} bytes");
            assert!(whole > 100 * PIECE_BYTES, "{whole} bytes are no test");
        });
    }

    #[test]
    fn a_queue_that_goes_meanwhile_has_no_more_series() {
        with_queues(1000, |api| {
            let mut scrape = scrape(api);
            let first = scrape.next(api).unwrap().unwrap();
            let operator = api.broker.operator(&"guest".into(), "/").unwrap();
            let always = DeleteQueue { if_unused: false, if_empty: false };
            let (_, deleted) = operator.delete_queue("queue-7", always, NOW_MS).unwrap();
            deleted.wait_blocking().unwrap();
            let mut rest = String::new();
            while let Some(piece) = scrape.next(api).unwrap() {
                rest.push_str(&piece);
            }
            assert_eq!((first + &rest).matches("# TYPE x_queue_consumers gauge").count(), 1);
            assert_eq!(rest.matches("x_queue_messages_acked_total{").count(), 999);
            assert!(rest.ends_with("# EOF\n") && !rest.contains("\"queue-7\""));
        });
    }
}
