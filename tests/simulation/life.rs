//! A broker from its start to its end, and the strands that make it go on: its committer and reader, its errands, and
//! the clock.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leveret::broker::{Broker, Remaining};
use leveret::store::{CommitterSteps, ReaderSteps, Step};

use crate::deeds::Seat;
use crate::random::Random;
use crate::strand::{self, Strands};
use crate::witness::{Id, Witness};

/// What outlives a broker in a run, its ground aside.
pub struct World {
    pub witness: RefCell<Witness>,
    pub now_ms: Cell<u64>,
    /// Numbers for messages, channels and consumers.
    pub last: Cell<u64>,
    /// What clients may still do.
    pub deeds_left: Cell<u32>,
}

/// How a broker is made to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Course {
    Going,
    /// Nobody begins anything.
    Paused,
    /// It is told to stop.
    Stopping,
    /// It has ended, whatever is under way.
    Over,
}

/// A broker from its start to its end.
pub struct Life {
    pub broker: Arc<Broker>,
    pub world: Rc<World>,
    course: Cell<Course>,
    began_ms: u64,
    lost: Arc<AtomicBool>,
    /// Clients that are still there.
    pub guests: Cell<u32>,
    /// Of these, those that have nothing under way.
    pub parked: Cell<u32>,
    /// Where they are found.
    pub seats: RefCell<Vec<Seat>>,
    /// The committer has ended as it should.
    has_stopped: Cell<bool>,
}

impl Life {
    pub fn new(broker: Arc<Broker>, world: &Rc<World>, lost: &Arc<AtomicBool>) -> Rc<Self> {
        Rc::new(Self {
            broker,
            world: Rc::clone(world),
            course: Cell::new(Course::Going),
            began_ms: world.now_ms.get(),
            lost: Arc::clone(lost),
            guests: Cell::new(0),
            parked: Cell::new(0),
            seats: RefCell::default(),
            has_stopped: Cell::new(false),
        })
    }

    pub fn witness(&self) -> RefMut<'_, Witness> {
        self.world.witness.borrow_mut()
    }

    pub fn now_ms(&self) -> u64 {
        self.world.now_ms.get()
    }

    /// A message was not taken in. When the store is lost that says nothing.
    pub fn refused(&self, id: Id) {
        if !self.is_lost() {
            self.witness().refused(id);
        }
    }

    /// A number that was not used before.
    pub fn next_number(&self) -> Id {
        self.world.last.set(self.world.last.get() + 1);
        self.world.last.get()
    }

    pub fn is_over(&self) -> bool {
        self.course.get() == Course::Over
    }

    pub fn is_stopping(&self) -> bool {
        self.course.get() == Course::Stopping
    }

    pub fn is_paused(&self) -> bool {
        self.course.get() == Course::Paused
    }

    /// Its store has failed.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// It has stopped in good order.
    pub fn has_stopped(&self) -> bool {
        self.has_stopped.get() && !self.is_lost()
    }

    pub fn pause(&self) {
        self.course.set(Course::Paused);
    }

    pub fn go_on(&self) {
        self.course.set(Course::Going);
    }

    pub fn stop(&self) {
        self.course.set(Course::Stopping);
    }

    pub fn cut_off(&self) {
        self.course.set(Course::Over);
    }

    /// Adds everything that makes it go on.
    pub fn spawn(
        self: &Rc<Self>,
        strands: &mut Strands,
        steps: (CommitterSteps, ReaderSteps),
        random: &mut Random,
    ) {
        let (committer, reader) = steps;
        let life = Rc::clone(self);
        strands.spawn("committer".to_owned(), move || life.run_committer(committer));
        let life = Rc::clone(self);
        strands.spawn("reader".to_owned(), move || life.run_reader(reader));
        let life = Rc::clone(self);
        strands.spawn("errands".to_owned(), move || life.run_errands());
        let (life, random) = (Rc::clone(self), random.part());
        strands.spawn("clock".to_owned(), move || life.run_clock(random));
    }

    fn run_committer(&self, mut steps: CommitterSteps) {
        while !self.is_over() {
            let since = Duration::from_millis(self.now_ms() - self.began_ms);
            match steps.step(since) {
                Step::Worked => {
                    strand::note_progress();
                    strand::pause();
                }
                Step::Idle | Step::Waiting => strand::wait(),
                Step::Ended => return self.has_stopped.set(true),
            }
        }
    }

    fn run_reader(&self, mut steps: ReaderSteps) {
        while !self.is_over() {
            match steps.step() {
                Step::Worked => {
                    strand::note_progress();
                    strand::pause();
                }
                Step::Idle | Step::Waiting => strand::wait(),
                Step::Ended => return,
            }
        }
    }

    /// Errands are done until the broker is closed, which happens when its last client has gone.
    fn run_errands(&self) {
        while !self.is_over() {
            if self.is_stopping() && self.guests.get() == 0 {
                return self.broker.close();
            }
            match self.broker.run_errands(self.now_ms()) {
                Remaining::Some => {
                    strand::note_progress();
                    strand::pause();
                }
                Remaining::Held | Remaining::Nothing => strand::wait(),
            }
        }
    }

    fn run_clock(&self, mut random: Random) {
        let mut ticked = 0;
        while !self.is_over() {
            if self.is_stopping() && self.guests.get() == 0 {
                return;
            }
            if !self.is_paused() {
                let ms = [0, 1, 1, 5, 20, 100, 300][random.within(0..7) as usize];
                self.world.now_ms.set(self.now_ms() + ms);
            }
            if self.now_ms() != ticked {
                ticked = self.now_ms();
                strand::note_progress();
            }
            self.broker.tick(ticked);
            self.broker.check_alarms();
            strand::wait();
        }
    }
}
