//! Strands: pieces of work that go on side by side in one thread. At every point where two could meet, the seed says
//! whether another goes on first.

use std::cell::{Cell, RefCell};

use generator::{Generator, Gn};
use leveret::broker::Meeting;

use crate::random::Random;

/// Words of a strand's stack.
const STACK_WORDS: usize = 0x4000;

/// A strand that has been chosen goes on for so many meetings on average, or goes through one after the other.
const MEETINGS: [u64; 4] = [1, 3, 10, 40];

/// Where something is half done, at most so many.
const HALFWAY_MEETINGS: u64 = 3;

type Work = Box<dyn FnOnce()>;

thread_local! {
    static CHOICES: RefCell<Choices> = RefCell::new(Choices::new(0));
    /// The strand under way found nothing to do.
    static WAITS: Cell<bool> = const { Cell::new(false) };
    /// The work of strands that were not begun yet.
    static NEW: RefCell<Vec<Option<Work>>> = const { RefCell::new(Vec::new()) };
    /// How much has been done by anybody.
    static PROGRESS: Cell<u64> = const { Cell::new(0) };
}

struct Choices {
    random: Random,
    meetings: u64,
    /// Nobody is interrupted where it could go on.
    is_calm: bool,
}

impl Choices {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let meetings = MEETINGS[random.within(0..MEETINGS.len() as u64) as usize];
        Self { random, meetings, is_calm: false }
    }
}

/// Two strands can meet here.
pub fn meet(meeting: Meeting) {
    match meeting {
        Meeting::Taken | Meeting::Durable => wait(),
        // Where one has done half of what belongs together others are let in more often.
        Meeting::Append | Meeting::Appended | Meeting::Registry | Meeting::Registered => {
            interrupt(HALFWAY_MEETINGS);
        }
        _ => pause(),
    }
}

/// Lets others go on, if the seed says so.
pub fn pause() {
    interrupt(u64::MAX);
}

fn interrupt(meetings_max: u64) {
    let chosen = |choices: &mut Choices| choices.interrupts(meetings_max);
    if generator::is_generator() && CHOICES.with_borrow_mut(chosen) {
        give_way();
    }
}

/// There is nothing to do: others go on.
pub fn wait() {
    if generator::is_generator() {
        WAITS.set(true);
        give_way();
    }
}

/// Something was done.
pub fn note_progress() {
    PROGRESS.set(PROGRESS.get() + 1);
}

#[expect(
    deprecated,
    reason = "the scope that is to be used instead cannot be had inside of a hook"
)]
fn give_way() {
    generator::yield_with(());
}

impl Choices {
    fn interrupts(&mut self, meetings_max: u64) -> bool {
        !self.is_calm && self.random.once_in(self.meetings.min(meetings_max))
    }
}

struct Strand {
    name: String,
    work: Generator<'static, (), ()>,
    waits: bool,
    /// How readily it is chosen; 0 for a while not at all.
    weight: u64,
}

impl Drop for Strands {
    /// What is under way when something fails stays as it is: to unwind it would mean to go on.
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(std::mem::take(&mut self.strands));
        }
    }
}

/// All strands.
pub struct Strands {
    strands: Vec<Strand>,
    random: Random,
    until_reweighed: u32,
}

impl Strands {
    /// None yet. All choices follow from the seed.
    pub fn new(seed: u64) -> Self {
        CHOICES.set(Choices::new(seed));
        PROGRESS.set(0);
        NEW.with_borrow_mut(Vec::clear);
        Self { strands: Vec::new(), random: Random::new(!seed), until_reweighed: 0 }
    }

    /// Adds a strand.
    pub fn spawn(&mut self, name: String, work: impl FnOnce() + 'static) {
        // Only such a generator can be left from inside of a hook, and it wants what could go to another thread.
        let number = NEW.with_borrow_mut(|new| {
            new.push(Some(Box::new(work)));
            new.len() - 1
        });
        let work = Gn::<()>::new_opt(STACK_WORDS, move || {
            let work = NEW.with_borrow_mut(|new| new[number].take());
            work.expect("it is begun once")();
        });
        let weight = 1 + self.random.within(0..4);
        self.strands.push(Strand { name, work, waits: false, weight });
    }

    /// Nobody is interrupted any more where it could go on, or is so again.
    pub fn calm(&mut self, is_calm: bool) {
        CHOICES.with_borrow_mut(|choices| choices.is_calm = is_calm);
    }

    /// Lets one strand go on, chosen by the seed.
    pub fn step(&mut self) {
        if self.until_reweighed == 0 {
            self.reweigh();
        }
        self.until_reweighed -= 1;
        // Those that wait look now and then whether they still have to.
        let count = |strand: &Strand| strand.weight * if strand.waits { 1 } else { 8 };
        let total: u64 = self.strands.iter().map(count).sum();
        if total == 0 {
            self.until_reweighed = 0;
            return;
        }
        let mut at = self.random.within(0..total);
        let chosen = self.strands.iter().position(|strand| {
            let share = count(strand);
            let found = at < share;
            at = at.saturating_sub(share);
            found
        });
        if let Some(chosen) = chosen {
            self.go_on(chosen);
        }
    }

    /// Some are slow for a while, or stand still.
    fn reweigh(&mut self) {
        self.until_reweighed = 20 + self.random.within(0..200) as u32;
        for strand in &mut self.strands {
            strand.weight = [0, 1, 1, 2, 4, 8][self.random.within(0..6) as usize];
        }
    }

    fn go_on(&mut self, at: usize) {
        WAITS.set(false);
        self.strands[at].work.resume();
        self.strands[at].waits = WAITS.get();
        if !WAITS.get() {
            note_progress();
        }
        if self.strands[at].work.is_done() {
            self.strands.remove(at);
        }
    }

    /// Lets every strand go on once; false when none of them did anything.
    pub fn round(&mut self) -> bool {
        let before = PROGRESS.get();
        for at in (0..self.strands.len()).rev() {
            self.go_on(at);
        }
        PROGRESS.get() != before
    }

    /// Who there is.
    pub fn names(&self) -> Vec<&str> {
        self.strands.iter().map(|strand| strand.name.as_str()).collect()
    }

    /// Whether nobody is left.
    pub fn is_empty(&self) -> bool {
        self.strands.is_empty()
    }
}
