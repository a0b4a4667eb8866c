//! One publisher: a connection and a thread that writes prepared messages as fast as it may, and takes the broker's
//! answers meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::{Connection, Heartbeats, Opening};
use super::course::{Course, TICK, Tally, now_ns};
use super::link::{Filled, INPUT_BYTES, Interest};
use super::load::{Histogram, Load, histogram};
use super::outstanding::Outstanding;
use super::scan::{BodyHead, Settlement, Sink, Verdict};
use super::template::{Chunk, Pattern, Template};
use super::trouble::Trouble;
use super::uri::Uri;
use crate::wire::{Method, confirm};

/// What is written at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// A publisher that never waits for the broker still looks for its words after so many chunks.
const LISTEN_EVERY: u32 = 32;

/// When publishing is over, what is unconfirmed gets this long.
const DRAIN_NS_MAX: u64 = 10_000_000_000;

/// And so long a chunk that was begun, unless the broker has said that it takes nothing.
const CHUNK_NS_MAX: u64 = 2_000_000_000;

/// A connection that publishes.
pub(super) struct Publisher<'a> {
    connection: Connection,
    templates: Vec<Template>,
    answers: Answers<'a>,
    course: &'a Course,
    window: Option<u64>,
    pace: Option<Pace>,
    left: Option<u64>,
    sent: u64,
    held_back: bool,
    timed: bool,
}

/// A rate limit.
#[derive(Clone, Copy)]
struct Pace {
    began: u64,
    interval_ns: f64,
}

impl Pace {
    /// When a message is due, counted from 0.
    fn due(self, message: u64) -> u64 {
        self.began + (message as f64 * self.interval_ns) as u64
    }
}

/// What a publisher may do now.
enum Allowance {
    Publish(u64),
    /// Its own pace says so.
    WaitForTime(Duration),
    /// The broker has to do something first.
    WaitForBroker,
}

impl<'a> Publisher<'a> {
    /// Connects, prepares its messages, and asks for confirms if they are wanted.
    pub fn open(
        uri: &Uri,
        load: &Load,
        number: usize,
        run: u64,
        course: &'a Course,
    ) -> Result<Self, Trouble> {
        let channels = load.channels;
        let opening =
            Opening { channels, heartbeats: Heartbeats::AsSuggested, input_bytes: INPUT_BYTES };
        let mut connection = Connection::open(uri, opening)?;
        let keys = load.keys_of(number);
        let pattern = Pattern {
            exchange: load.topology.exchange.name(),
            keys: &keys,
            channels,
            body_bytes: load.body_bytes,
            persistent: load.persistent,
            mandatory: load.mandatory,
            run,
        };
        let mut templates = Vec::new();
        for channel in 1..=channels {
            templates.push(Template::new(&pattern, channel, connection.frame_bytes_max)?);
            if load.window.is_some() {
                let select = Method::ConfirmSelect(confirm::Select { no_wait: false });
                connection.call(channel, &select, |method| {
                    matches!(method, Method::ConfirmSelectOk(_)).then_some(())
                })?;
            }
        }
        let publishers = load.publishers as u64;
        let left = load
            .end
            .messages
            .map(|all| all / publishers + u64::from((number as u64) < all % publishers));
        let pace =
            load.rate.map(|rate| Pace { began: 0, interval_ns: 1e9 * publishers as f64 / rate });
        let answers = Answers {
            outstanding: std::iter::repeat_with(Outstanding::default)
                .take(channels.into())
                .collect(),
            unconfirmed: 0,
            confirmed: 0,
            blocked: false,
            latency: (load.window.is_some() && load.timed).then(histogram),
            measuring: false,
            now: 0,
            tally: &course.tallies[number],
        };
        let (window, timed) = (load.window, load.timed);
        let (sent, held_back) = (0, false);
        Ok(Self {
            connection,
            templates,
            answers,
            course,
            window,
            pace,
            left,
            sent,
            held_back,
            timed,
        })
    }

    /// Publishes until it is told to stop or has published all. Returns how long confirms took.
    pub fn run(mut self) -> Result<Option<Histogram>, Trouble> {
        self.course.ready.fetch_add(1, Ordering::Relaxed);
        while !self.course.started.load(Ordering::Relaxed) && !self.is_over() {
            self.listen(Interest::Read, Duration::from_millis(1))?;
        }
        if let Some(pace) = &mut self.pace {
            pace.began = now_ns();
        }
        let mut turn: u32 = 0;
        while !self.is_over() {
            let now = now_ns();
            match self.allowance(now) {
                Allowance::Publish(count) => {
                    let template = turn as usize % self.templates.len();
                    turn = turn.wrapping_add(1);
                    if !self.publish(template, count, now)? {
                        return Ok(self.answers.latency);
                    }
                    if turn.is_multiple_of(LISTEN_EVERY) {
                        self.listen(Interest::Read, Duration::ZERO)?;
                    }
                }
                Allowance::WaitForTime(limit) => {
                    self.held_back = false;
                    self.listen(Interest::Read, limit.min(TICK))?;
                }
                Allowance::WaitForBroker => {
                    self.held_back = true;
                    self.listen(Interest::Read, TICK)?;
                }
            }
        }
        if self.left == Some(0) {
            self.course.published.fetch_add(1, Ordering::Relaxed);
        }
        self.drain()?;
        self.connection.close();
        Ok(self.answers.latency)
    }

    fn is_over(&self) -> bool {
        self.left == Some(0) || self.course.no_more_publishing.load(Ordering::Relaxed)
    }

    fn allowance(&self, now: u64) -> Allowance {
        let mut count = self.left.unwrap_or(u64::MAX);
        if self.answers.blocked {
            return Allowance::WaitForBroker;
        }
        if let Some(window) = self.window {
            count = count.min(window.saturating_sub(self.answers.unconfirmed));
        }
        if count == 0 {
            return Allowance::WaitForBroker;
        }
        if let Some(pace) = self.pace {
            let due = pace.due(self.sent);
            if due > now {
                return Allowance::WaitForTime(Duration::from_nanos(due - now));
            }
            let passed = (now - pace.began) as f64 / pace.interval_ns;
            count = count.min((passed as u64 + 1).saturating_sub(self.sent).max(1));
        }
        Allowance::Publish(count)
    }

    /// Publishes some of `count` messages: one chunk. `false` when it was told to stop and the broker does not take
    /// the rest of the chunk.
    fn publish(&mut self, template: usize, count: u64, now: u64) -> Result<bool, Trouble> {
        let count_max = usize::try_from(count).unwrap_or(usize::MAX);
        let chunk = self.templates[template].take(count_max, CHUNK_BYTES);
        if self.timed {
            // A message that the broker kept from being sent counts from when it was due.
            let due = self.pace.filter(|_| self.held_back);
            let sent = self.sent;
            self.templates[template].stamp(chunk, |place| match due {
                Some(pace) => pace.due(sent + place as u64).min(now),
                None => now,
            });
        }
        let published = chunk.count as u64;
        if self.window.is_some() {
            self.answers.outstanding[template].sent(chunk.count, now);
            self.answers.unconfirmed += published;
        }
        if !self.write(template, chunk)? {
            return Ok(false);
        }
        self.sent += published;
        self.left = self.left.map(|left| left - published);
        self.answers.tally.published.add(published, now);
        Ok(true)
    }

    fn write(&mut self, template: usize, chunk: Chunk) -> Result<bool, Trouble> {
        let mut written = 0;
        let mut give_up_at = None;
        loop {
            if self.connection.link.flush()? {
                let rest = &self.templates[template].bytes(chunk)[written..];
                written += self.connection.link.write(rest)?;
            }
            if written == self.templates[template].bytes(chunk).len() {
                return Ok(true);
            }
            self.held_back = true;
            self.listen(Interest::ReadOrWrite, TICK)?;
            if self.course.no_more_publishing.load(Ordering::Relaxed) {
                let now = now_ns();
                let give_up_at = *give_up_at.get_or_insert(now + CHUNK_NS_MAX);
                if self.answers.blocked || now > give_up_at {
                    return Ok(false);
                }
            }
        }
    }

    /// Waits for the broker, and takes what it says.
    fn listen(&mut self, interest: Interest, limit: Duration) -> Result<(), Trouble> {
        let link = &mut self.connection.link;
        link.wait(interest, limit)?;
        loop {
            let filled = link.fill()?;
            if filled == Filled::Nothing {
                break;
            }
            self.answers.now = now_ns();
            self.answers.measuring = self.course.measuring.load(Ordering::Relaxed);
            let used = self.connection.scanner.scan(link.unread(), &mut self.answers)?;
            link.used(used);
            self.answers.count();
            if filled == Filled::Some {
                break;
            }
        }
        if interest == Interest::Read {
            // Not while a chunk is half written: the heartbeat would stand in the middle of a frame.
            link.keep_alive(self.connection.heartbeat)?;
        }
        Ok(())
    }

    /// Waits for what is unconfirmed.
    fn drain(&mut self) -> Result<(), Trouble> {
        let end = now_ns() + DRAIN_NS_MAX;
        while self.answers.unconfirmed > 0
            && !self.answers.blocked
            && now_ns() < end
            && self.course.trouble().is_none()
        {
            self.listen(Interest::Read, TICK)?;
        }
        Ok(())
    }
}

/// What the broker says to a publisher.
struct Answers<'a> {
    outstanding: Vec<Outstanding>,
    unconfirmed: u64,
    confirmed: u64,
    blocked: bool,
    latency: Option<Histogram>,
    measuring: bool,
    now: u64,
    tally: &'a Tally,
}

impl Answers<'_> {
    fn count(&mut self) {
        self.tally.confirmed.add(std::mem::take(&mut self.confirmed), self.now);
    }
}

impl Sink for Answers<'_> {
    fn delivered(&mut self, _: u16, _: u64, _: BodyHead) {}

    fn settled(&mut self, settlement: Settlement) -> Result<(), Trouble> {
        let Settlement { channel, tag, multiple, verdict } = settlement;
        let channel = usize::from(channel).wrapping_sub(1);
        let Some(outstanding) = self.outstanding.get_mut(channel) else {
            return Err(Trouble::new("the broker confirmed on a channel that is not open"));
        };
        let now = self.now;
        let mut latency = self.latency.as_mut().filter(|_| self.measuring);
        let count = outstanding.settle(tag, multiple, |at| {
            if let Some(latency) = &mut latency {
                latency.saturating_record(now.saturating_sub(at));
            }
        })?;
        self.unconfirmed -= count;
        match verdict {
            Verdict::Confirmed => self.confirmed += count,
            Verdict::Refused => {
                self.tally.refused.fetch_add(count, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn returned(&mut self) {
        self.tally.returned.fetch_add(1, Ordering::Relaxed);
    }

    fn method(&mut self, _: u16, method: &Method<'_>) -> Result<(), Trouble> {
        if let Some(trouble) = Trouble::from_close(method) {
            return Err(trouble);
        }
        match method {
            Method::ConnectionBlocked(_) => self.blocked = true,
            Method::ConnectionUnblocked(_) => self.blocked = false,
            _ => return Ok(()),
        }
        self.tally.blocked.store(self.blocked, Ordering::Relaxed);
        Ok(())
    }
}
