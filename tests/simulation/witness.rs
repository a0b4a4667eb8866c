//! What clients did and saw, and what follows from it about every message: which must still be there, which may not come
//! any more, and in which order they come. It does not know in which order things happened that happened at once, and
//! so never says more than must be true in any.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A message's number, unique over a run.
pub type Id = u64;

/// A queue, by its place in [`PLACES`].
pub type QueueNumber = usize;

/// What a queue is like.
pub struct Place {
    pub vhost: &'static str,
    pub name: &'static str,
    pub durable: bool,
    /// Where its messages may also be found: its dead letters go there.
    pub heir: Option<QueueNumber>,
    /// It comes and goes.
    pub is_volatile: bool,
    /// Messages may go with it, or with the time, unsaid.
    pub is_lossy: bool,
    pub ordered: bool,
    /// Messages of a higher priority come first.
    pub is_ranked: bool,
}

impl Place {
    const fn lasting(name: &'static str) -> Self {
        Self {
            vhost: "/",
            name,
            durable: true,
            heir: None,
            is_volatile: false,
            is_lossy: false,
            ordered: true,
            is_ranked: false,
        }
    }

    const fn volatile(name: &'static str) -> Self {
        Self { is_volatile: true, ..Self::lasting(name) }
    }
}

/// All queues.
pub const PLACES: &[Place] = &[
    Place::lasting("s0"),
    Place::lasting("s1"),
    Place { heir: Some(LETTERS), ..Place::lasting("timed") },
    Place { heir: Some(LETTERS), ..Place::lasting("short") },
    // Dead letters of several queues come in some order.
    Place { ordered: false, ..Place::lasting("letters") },
    Place { durable: false, ..Place::lasting("brief") },
    Place::volatile("fetched"),
    Place { is_lossy: true, ..Place::volatile("auto") },
    Place { is_lossy: true, ..Place::volatile("expiring") },
    Place::volatile("used"),
    Place { is_ranked: true, ..Place::lasting("ranked") },
    Place::lasting("full"),
    // Of the same name as another in the first virtual host.
    Place { vhost: PASSING, ..Place::volatile("s0") },
];

/// The virtual host that comes and goes.
pub const PASSING: &str = "passing";

pub const LETTERS: QueueNumber = 4;
pub const TIMED: QueueNumber = 2;
pub const SHORT: QueueNumber = 3;
pub const FETCHED: QueueNumber = 6;
pub const AUTO: QueueNumber = 7;
pub const EXPIRING: QueueNumber = 8;
pub const USED: QueueNumber = 9;
pub const RANKED: QueueNumber = 10;
pub const FULL: QueueNumber = 11;
pub const PASSED: QueueNumber = 12;
/// Queues of the first virtual host are all before this.
pub const HERE: QueueNumber = 12;
/// Queues that the exchange `all` leads to.
pub const COPIED: &[QueueNumber] = &[0, 1, 5];

/// How many priorities messages have.
pub const PRIORITIES: u64 = 4;

/// The priority that a message is published with.
pub fn priority_of(id: Id) -> u8 {
    (id % PRIORITIES) as u8
}

/// The messages of which a queue keeps the order: of one publisher, and where priorities count, of one of these.
pub type Series = (u64, u8);

/// Whether somebody holds what came to him: until it is settled, or may have gone back.
pub type Hold = Rc<Cell<bool>>;

/// What is known of a publisher's promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Promise {
    /// Nothing was heard.
    None,
    /// It was confirmed.
    Confirmed,
    /// Nobody wanted it, or its transaction was rolled back: it must never come.
    Void,
}

struct Letter {
    /// The channel that published it, and since when until when.
    publisher: u64,
    began: u64,
    ended: u64,
    persistent: bool,
    aims: Vec<QueueNumber>,
    promise: Promise,
    /// How often a broker was started before it was confirmed.
    starts: u64,
    copies: BTreeMap<QueueNumber, Copy>,
}

/// A message in a queue, or in the one that its dead letters go to.
#[derive(Default)]
struct Copy {
    seen_in: BTreeSet<QueueNumber>,
    hold: Option<Hold>,
    /// Where it was settled, and how often a broker had crashed then.
    settled: Option<(QueueNumber, u64)>,
}

/// Something that takes messages along.
struct Loss {
    queue: QueueNumber,
    ended: u64,
    /// Only such as somebody has got.
    only_seen: bool,
}

/// A deletion that consumers are told of.
struct Deletion {
    queue: QueueNumber,
    began: u64,
    ended: u64,
    /// It was said to be done: what was there before does not come back.
    is_sure: bool,
}

/// Everything that was seen.
#[derive(Default)]
pub struct Witness {
    letters: BTreeMap<Id, Letter>,
    losses: Vec<Loss>,
    deletions: Vec<Deletion>,
    time: u64,
    pub crashes: u64,
    pub starts: u64,
    /// Says everything.
    pub is_loud: bool,
}

impl Witness {
    /// The present moment. Each is later than the one before.
    pub fn now(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    pub fn say(&self, text: impl FnOnce() -> String) {
        if self.is_loud {
            println!("{:6} {}", self.time, text());
        }
    }

    /// Somebody begins to publish.
    pub fn publish(&mut self, id: Id, publisher: u64, persistent: bool, aims: &[QueueNumber]) {
        let began = self.now();
        let copies = aims.iter().map(|queue| (*queue, Copy::default())).collect();
        let letter = Letter {
            publisher,
            began,
            ended: u64::MAX,
            persistent,
            aims: aims.to_vec(),
            promise: Promise::None,
            starts: 0,
            copies,
        };
        assert!(self.letters.insert(id, letter).is_none());
    }

    /// The broker took it in.
    pub fn published(&mut self, id: Id) {
        self.letters.get_mut(&id).unwrap().ended = self.time;
    }

    pub fn confirmed(&mut self, id: Id) {
        self.now();
        self.say(|| format!("{id} is confirmed"));
        let starts = self.starts;
        let letter = self.letters.get_mut(&id).unwrap();
        if letter.promise == Promise::None {
            letter.promise = Promise::Confirmed;
            letter.starts = starts;
        }
    }

    /// It was refused. Where it was to go to one queue alone that means that it is not there.
    pub fn refused(&mut self, id: Id) {
        self.say(|| format!("{id} is refused"));
        if self.letters[&id].aims == [FULL] {
            self.void(id);
        }
    }

    /// Which messages it stands in one order with.
    pub fn series(&self, queue: QueueNumber, id: Id) -> Option<Series> {
        let place = &PLACES[queue];
        let rank = if place.is_ranked { priority_of(id) } else { 0 };
        place.ordered.then(|| (self.letters[&id].publisher, rank))
    }

    /// It came back, or will never have been published.
    pub fn void(&mut self, id: Id) {
        self.now();
        self.say(|| format!("{id} is void"));
        let letter = self.letters.get_mut(&id).unwrap();
        assert_ne!(letter.promise, Promise::Confirmed, "{id} came back after its confirm");
        letter.promise = Promise::Void;
    }

    /// A message comes to a client.
    pub fn delivered(&mut self, queue: QueueNumber, id: Id, redelivered: bool, hold: Option<Hold>) {
        self.now();
        self.say(|| format!("{id} comes from {}, again: {redelivered}", PLACES[queue].name));
        let crashes = self.crashes;
        let name = PLACES[queue].name;
        assert!(self.letters.contains_key(&id), "{name} has made up {id}");
        let letter = self.letters.get_mut(&id).unwrap();
        assert_ne!(letter.promise, Promise::Void, "{name}: {id} was never to come");
        let key = letter.copy_of(queue).unwrap_or_else(|| panic!("{id} does not belong in {name}"));
        let copy = letter.copies.get_mut(&key).unwrap();
        // After a crash its dead letter may be there twice.
        let is_another = queue == LETTERS && crashes > 0;
        let is_new = is_another || !copy.seen_in.contains(&queue);
        assert!(redelivered || is_new, "{name}: {id} again, unmarked");
        let is_held = copy.hold.as_ref().is_some_and(|hold| hold.get());
        assert!(is_another || !is_held, "{name}: {id} is handed out twice");
        copy.expect_unsettled(id, queue, crashes);
        copy.seen_in.insert(queue);
        match hold {
            Some(hold) => copy.hold = Some(hold),
            None => copy.settled = Some((queue, crashes)),
        }
    }

    /// The same, when it may have gone back already, and come to others since.
    pub fn delivered_in_doubt(&mut self, queue: QueueNumber, id: Id, hold: Option<Hold>) {
        self.now();
        self.say(|| format!("{id} comes from {}, and perhaps is gone", PLACES[queue].name));
        let crashes = self.crashes;
        let letter = self.letters.get_mut(&id).unwrap();
        let key = letter.copy_of(queue).unwrap();
        let copy = letter.copies.get_mut(&key).unwrap();
        copy.seen_in.insert(queue);
        if hold.is_none() {
            copy.settled = Some((queue, crashes));
        } else if !copy.hold.as_ref().is_some_and(|hold| hold.get()) {
            copy.hold = hold;
        }
    }

    /// It may be in a queue: it was published to it, and not void, nor did it go with the queue.
    fn expect_alive(&self, queue: QueueNumber, id: Id, now: u64) {
        let name = PLACES[queue].name;
        let letter = self.letters.get(&id).unwrap_or_else(|| panic!("{name} has made up {id}"));
        assert_ne!(letter.promise, Promise::Void, "{name}: {id} was never to come");
        let gone = self.deletions.iter().any(|deletion| {
            deletion.queue == queue
                && deletion.is_sure
                && letter.ended < deletion.began
                && deletion.began < now
        });
        assert!(!gone, "{name}: {id} went with the queue and is there again");
    }

    /// A client settles what it holds; if `dies`, it is dead-lettered where its queue does so.
    pub fn settle(&mut self, queue: QueueNumber, id: Id, dies: bool) {
        let crashes = self.crashes;
        let letter = self.letters.get_mut(&id).unwrap();
        let key = letter.copy_of(queue).unwrap();
        let copy = letter.copies.get_mut(&key).unwrap();
        copy.hold = None;
        if !dies || PLACES[queue].heir.is_none() {
            copy.settled = Some((queue, crashes));
        }
    }

    /// Messages may go from here on, until this loss has ended.
    pub fn lose(&mut self, queue: QueueNumber) -> usize {
        self.losses.push(Loss { queue, ended: u64::MAX, only_seen: false });
        self.losses.len() - 1
    }

    /// No more are lost.
    pub fn lost(&mut self, loss: usize, happened: bool) {
        self.losses[loss].ended = if happened { self.now() } else { 0 };
    }

    /// A broker has ended: what was under way is over, one way or the other.
    pub fn ended(&mut self) {
        let now = self.now();
        for loss in self.losses.iter_mut().filter(|loss| loss.ended == u64::MAX) {
            loss.ended = now;
        }
        for deletion in self.deletions.iter_mut().filter(|one| one.ended == u64::MAX) {
            deletion.ended = now;
        }
    }

    /// What was handed out may go, and nothing else.
    pub fn only_seen(&mut self, loss: usize) {
        self.losses[loss].only_seen = true;
    }

    /// Somebody begins to delete a queue in a way that consumers are told of.
    pub fn delete(&mut self, queue: QueueNumber) -> usize {
        let began = self.now();
        self.deletions.push(Deletion { queue, began, ended: u64::MAX, is_sure: false });
        self.deletions.len() - 1
    }

    /// The deletion is on the disk, or there was none.
    pub fn deleted(&mut self, deletion: usize, happened: bool) {
        let now = self.now();
        let one = &mut self.deletions[deletion];
        (one.is_sure, one.ended) = (happened, if happened { now } else { 0 });
    }

    /// A consumer, there since then, is told that its queue is gone.
    pub fn cancelled(&mut self, queue: QueueNumber, since: u64) {
        let name = PLACES[queue].name;
        self.say(|| format!("the queue of a consumer, {name}, is gone"));
        let told = self.deletions.iter().any(|one| one.queue == queue && one.ended >= since);
        assert!(told, "{name}: gone under its consumer");
    }

    /// A message must be somewhere, if no crash or restart explains that it is not.
    fn must_be_there(&self, id: Id, key: QueueNumber) -> bool {
        let letter = &self.letters[&id];
        let copy = &letter.copies[&key];
        let lasts = letter.persistent && PLACES[key].durable;
        let survives = lasts || self.starts == letter.starts;
        letter.promise == Promise::Confirmed
            && !PLACES[key].is_lossy
            && copy.settled.is_none()
            && survives
            && !self.losses.iter().any(|loss| {
                (loss.queue == key || PLACES[key].heir == Some(loss.queue))
                    && loss.ended >= letter.began
                    && (!loss.only_seen || !copy.seen_in.is_empty())
            })
    }

    /// How many messages a queue must have at least, its dead letters included.
    pub fn least(&self, queue: QueueNumber) -> usize {
        self.letters
            .keys()
            .filter(|id| self.letters[id].copies.contains_key(&queue))
            .filter(|id| self.must_be_there(**id, queue))
            .count()
    }

    /// How many messages a queue may have at most. Where dead letters may be there twice nobody knows.
    pub fn most(&self, queue: QueueNumber) -> Option<usize> {
        let may_be_there = |letter: &&Letter| {
            letter.copy_of(queue).is_some_and(|key| {
                let copy = &letter.copies[&key];
                letter.promise != Promise::Void
                    && copy.settled.is_none_or(|(_, crashes)| crashes != self.crashes)
            })
        };
        let is_known = queue != LETTERS || self.crashes == 0;
        is_known.then(|| self.letters.values().filter(may_be_there).count())
    }

    /// Everything was taken out of every queue: no confirmed message is missing, and nothing is there too much.
    pub fn judge(&mut self, found: &BTreeMap<QueueNumber, Vec<Id>>) {
        let now = self.now();
        let empty = Vec::new();
        let in_queue = |queue: QueueNumber| found.get(&queue).unwrap_or(&empty);
        for (queue, ids) in found {
            let name = PLACES[*queue].name;
            let mut last: BTreeMap<Series, Id> = BTreeMap::new();
            let mut seen = BTreeSet::new();
            if PLACES[*queue].is_ranked {
                let ranks: Vec<u8> = ids.iter().map(|id| priority_of(*id)).collect();
                assert!(ranks.is_sorted_by(|a, b| a >= b), "{name}: priorities {ranks:?}");
            }
            for id in ids {
                self.expect_alive(*queue, *id, now);
                let letter = &self.letters[id];
                let key = letter
                    .copy_of(*queue)
                    .unwrap_or_else(|| panic!("{id} does not belong in {name}"));
                letter.copies[&key].expect_unsettled(*id, *queue, self.crashes);
                let is_first = seen.insert(*id);
                assert!(
                    is_first || *queue == LETTERS && self.crashes > 0,
                    "{name}: {id} is there twice"
                );
                if let Some(series) = self.series(*queue, *id) {
                    let before = last.insert(series, *id);
                    assert!(before < Some(*id), "{name}: {id} stands behind {before:?}");
                }
            }
        }
        for (id, letter) in &self.letters {
            for key in letter.copies.keys().filter(|key| self.must_be_there(*id, **key)) {
                let heir = PLACES[*key].heir;
                let is_there = in_queue(*key).contains(id)
                    || heir.is_some_and(|heir| in_queue(heir).contains(id));
                assert!(is_there, "{} has lost {id}, which was confirmed", PLACES[*key].name);
            }
        }
    }
}

impl Letter {
    /// The queue that it was published to, when it is found in this one.
    fn copy_of(&self, queue: QueueNumber) -> Option<QueueNumber> {
        let from = |aim: &&QueueNumber| **aim == queue || PLACES[**aim].heir == Some(queue);
        self.aims.iter().find(from).copied()
    }
}

impl Copy {
    /// A crash between its death and its dead letter leaves it in both places.
    fn expect_unsettled(&self, id: Id, queue: QueueNumber, crashes: u64) {
        let Some((settled_in, settled)) = self.settled else { return };
        let is_other = (settled_in != queue || queue == LETTERS) && crashes > 0;
        let name = PLACES[queue].name;
        assert!(is_other || settled < crashes, "{name}: {id} was settled and comes again");
    }
}
