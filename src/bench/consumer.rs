//! One consumer: a connection and a thread that takes what is delivered, acknowledges it, and notes how long it took.

use std::sync::atomic::Ordering;

use super::connection::{Connection, Heartbeats, Opening};
use super::course::{Course, TICK, Tally, now_ns};
use super::link::{Filled, INPUT_BYTES, Interest};
use super::load::{Acks, Histogram, Load, histogram};
use super::scan::{BodyHead, Settlement, Sink};
use super::template::stamp_of;
use super::trouble::Trouble;
use super::uri::Uri;
use crate::wire::{FRAME_END, FRAME_METHOD, Method, Table, basic};

/// Where the delivery tag stands in an acknowledgement's frame.
const ACK_TAG_AT: usize = 11;

/// An acknowledgement of one message: type, channel, size, class, method, tag, bits, end.
const ACK_FRAME: [u8; 21] =
    [FRAME_METHOD, 0, 0, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, FRAME_END];

/// A connection that consumes.
pub(super) struct Consumer<'a> {
    connection: Connection,
    taking: Taking,
    course: &'a Course,
    tally: &'a Tally,
}

impl<'a> Consumer<'a> {
    /// Connects and subscribes; deliveries may come at once. `worker` is its place among the tallies.
    pub fn open(
        uri: &Uri,
        load: &Load,
        number: usize,
        run: u64,
        course: &'a Course,
    ) -> Result<Self, Trouble> {
        let queues = load.queues_of(number);
        let channels = u16::try_from(queues.len()).map_err(|_| {
            Trouble::new("one consumer cannot have more than 65535 channels; add consumers")
        })?;
        let opening =
            Opening { channels, heartbeats: Heartbeats::AsSuggested, input_bytes: INPUT_BYTES };
        let mut connection = Connection::open(uri, opening)?;
        if load.prefetch > 0 && load.acks != Acks::Automatic {
            for channel in 1..=channels {
                let qos =
                    basic::Qos { prefetch_size: 0, prefetch_count: load.prefetch, global: false };
                connection.call(channel, &Method::BasicQos(qos), |method| {
                    matches!(method, Method::BasicQosOk(_)).then_some(())
                })?;
            }
        }
        for (channel, queue) in (1..).zip(&queues) {
            let consume = basic::Consume {
                queue,
                consumer_tag: "c",
                no_local: false,
                no_ack: load.acks == Acks::Automatic,
                exclusive: false,
                no_wait: false,
                arguments: Table::new(),
            };
            connection.post(channel, &Method::BasicConsume(consume));
        }
        connection.link.flush()?;
        let taking = Taking {
            acks: load.acks,
            out: Vec::new(),
            owed: vec![(0, 0); usize::from(channels) + 1],
            delivered: 0,
            to_subscribe: channels,
            latency: load.timed.then(histogram),
            measuring: false,
            now: 0,
            run,
        };
        let tally = &course.tallies[load.publishers + number];
        Ok(Self { connection, taking, course, tally })
    }

    /// Consumes until it is told to stop. Returns how long messages took from publisher to here.
    pub fn run(mut self) -> Result<Option<Histogram>, Trouble> {
        let mut is_ready = false;
        while !self.course.no_more_consuming.load(Ordering::Relaxed) {
            let filled = self.take()?;
            self.connection.link.flush()?;
            if !is_ready && self.taking.to_subscribe == 0 {
                is_ready = true;
                self.course.ready.fetch_add(1, Ordering::Relaxed);
            }
            if filled != Filled::All {
                self.connection.link.wait(Interest::Read, TICK)?;
                self.connection.link.keep_alive(self.connection.heartbeat)?;
            }
        }
        self.taking.acknowledge_owed();
        self.connection.link.output().append(&mut self.taking.out);
        self.connection.close();
        Ok(self.taking.latency)
    }

    /// Reads once and deals with it.
    fn take(&mut self) -> Result<Filled, Trouble> {
        let link = &mut self.connection.link;
        if link.is_clogged() {
            return Ok(Filled::Nothing);
        }
        let filled = link.fill()?;
        if filled == Filled::Nothing {
            return Ok(filled);
        }
        self.taking.now = now_ns();
        self.taking.measuring = self.course.measuring.load(Ordering::Relaxed);
        let used = self.connection.scanner.scan(link.unread(), &mut self.taking)?;
        link.used(used);
        link.output().append(&mut self.taking.out);
        self.tally.delivered.add(std::mem::take(&mut self.taking.delivered), self.taking.now);
        Ok(filled)
    }
}

/// What a consumer does with what comes.
struct Taking {
    acks: Acks,
    out: Vec<u8>,
    /// For each channel, how many are not yet acknowledged, and the last of them.
    owed: Vec<(u32, u64)>,
    delivered: u64,
    to_subscribe: u16,
    latency: Option<Histogram>,
    measuring: bool,
    now: u64,
    run: u64,
}

impl Taking {
    #[inline]
    fn acknowledge(&mut self, channel: u16, tag: u64, multiple: bool) {
        let mut frame = ACK_FRAME;
        frame[1..3].copy_from_slice(&channel.to_be_bytes());
        frame[ACK_TAG_AT..ACK_TAG_AT + 8].copy_from_slice(&tag.to_be_bytes());
        frame[ACK_TAG_AT + 8] = u8::from(multiple);
        self.out.extend_from_slice(&frame);
    }

    /// Acknowledges what waits for more to be acknowledged with.
    fn acknowledge_owed(&mut self) {
        for channel in 0..self.owed.len() {
            let (count, tag) = std::mem::take(&mut self.owed[channel]);
            if count > 0 {
                self.acknowledge(channel as u16, tag, true);
            }
        }
    }
}

impl Sink for Taking {
    #[inline]
    fn delivered(&mut self, channel: u16, tag: u64, head: BodyHead) {
        self.delivered += 1;
        match self.acks {
            Acks::Automatic => {}
            Acks::Each => self.acknowledge(channel, tag, false),
            Acks::Every(most) => {
                let owed = &mut self.owed[usize::from(channel)];
                *owed = (owed.0 + 1, tag);
                if owed.0 >= most {
                    *owed = (0, 0);
                    self.acknowledge(channel, tag, true);
                }
            }
        }
        if let Some(latency) = self.latency.as_mut().filter(|_| self.measuring)
            && let Some(at) = head.and_then(|head| stamp_of(&head, self.run))
        {
            latency.saturating_record(self.now.saturating_sub(at));
        }
    }

    fn settled(&mut self, _: Settlement) -> Result<(), Trouble> {
        Ok(())
    }

    fn returned(&mut self) {}

    fn method(&mut self, _: u16, method: &Method<'_>) -> Result<(), Trouble> {
        if let Some(trouble) = Trouble::from_close(method) {
            return Err(trouble);
        }
        match method {
            Method::BasicConsumeOk(_) => self.to_subscribe -= 1,
            Method::BasicCancel(_) => {
                return Err(Trouble::new(
                    "the broker cancelled a consumer: somebody deleted its queue meanwhile",
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prepared_acknowledgement_is_what_wire_writes() {
        for multiple in [false, true] {
            let mut taking = Taking {
                acks: Acks::Each,
                out: Vec::new(),
                owed: Vec::new(),
                delivered: 0,
                to_subscribe: 0,
                latency: None,
                measuring: false,
                now: 0,
                run: 0,
            };
            taking.acknowledge(0x0102, 0x0304_0506, multiple);
            let mut expected = Vec::new();
            Method::BasicAck(basic::Ack { delivery_tag: 0x0304_0506, multiple })
                .encode_frame(0x0102, &mut expected);
            assert_eq!(taking.out, expected);
        }
    }
}
