//! What one connection is to be sent: encoded frames in a bounded buffer, and per channel the delivery tags,
//! unacknowledged deliveries and publisher confirms. Queues write into it, the connection's writer empties it.

mod buffer;
mod confirms;
mod delivering;
mod repeat;
mod tally;
mod unacked;
mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

pub use self::buffer::Buffer;
pub use self::delivering::Delivering;
pub use self::tally::{ChannelMode, ChannelState, Tally, Traffic};
pub use self::unacked::Unacked;

use self::confirms::{Acknowledgement, Confirms};
use self::tally::Counter;
use self::unacked::Ledger;
use crate::message::{Message, Sizes};
use crate::wire::{Method, basic};

/// A channel of this connection as it was opened: a number may be opened again after a close, and what was
/// under way for its earlier life must not reach the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelKey {
    /// The channel's number on the wire.
    pub number: u16,
    epoch: u32,
}

/// Bounds of an outbox.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that may wait for the writer before deliveries pause.
    pub bytes_max: usize,
    /// Unacknowledged deliveries of one channel, also when no prefetch was asked for.
    pub unacked_per_channel_max: usize,
    /// Bytes of the bodies of those. Whoever holds none gets one, however large it is.
    pub unacked_bytes_per_channel_max: usize,
}

/// How a delivery was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It will be written; the writer has already been told, or will be by whoever came first.
    Taken,
    /// It will be written; the caller is the first since the last write and wakes the writer when it is done.
    TakenFirst,
    /// No room or no credit on the channel. The consumer is remembered and comes back from
    /// [`Outbox::drain`] or [`Settled::resume`] when there is.
    Full,
    /// The channel or the connection is closing.
    Gone,
}

/// One message on its way to a consumer.
#[derive(Debug)]
pub struct Delivery<'a, Q> {
    /// The queue that it comes from.
    pub queue: &'a Q,
    /// The consumer, by the broker's number for it.
    pub consumer: u64,
    /// The consumer tag that the client knows it by.
    pub tag: &'a str,
    /// The message's position in the queue.
    pub position: u64,
    /// Whether the client will acknowledge it.
    pub acks: Acks,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// The message itself.
    pub message: &'a Arc<Message>,
}

/// Whether deliveries are acknowledged by the client or by being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// The client acknowledges each delivery.
    Manual,
    /// `no-ack`: sent is acknowledged.
    Automatic,
}

/// A consumer that may be offered messages again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume<Q> {
    /// Its queue.
    pub queue: Q,
    /// The broker's number for it.
    pub consumer: u64,
}

/// What settling deliveries gave back.
#[derive(Debug)]
pub struct Settled<Q> {
    /// The deliveries that were taken, oldest first.
    pub unacked: SmallVec<[Unacked<Q>; 1]>,
    /// Consumers of the channel that waited for its credit.
    pub resume: Vec<Resume<Q>>,
}

/// The client named a delivery tag that is not unacknowledged on its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownTag;

/// One connection's outbox. `Q` is a handle of a queue.
pub struct Outbox<Q> {
    state: Mutex<State<Q>>,
    limits: Limits,
    wake: Box<dyn Fn() + Send + Sync>,
    closed: AtomicBool,
    written_bytes: Counter,
    written_count: Counter,
    received_bytes: Counter,
    received_count: Counter,
}

struct State<Q> {
    buffer: Buffer,
    frame_bytes_max: u32,
    /// Something was added since the writer last looked.
    dirty: bool,
    channels: FxHashMap<u16, Channel<Q>>,
    /// Bytes of the bodies of unacknowledged deliveries of each channel, as of now.
    unacked_bytes_max: u64,
    epoch: u32,
    /// Consumers that found no room.
    stalled: Vec<Resume<Q>>,
    /// Of channels that were closed.
    closed_tally: Tally,
    sizes: Sizes,
}

struct Channel<Q> {
    epoch: u32,
    open: bool,
    last_tag: u64,
    unacked: Ledger<Q>,
    unacked_max: usize,
    unacked_bytes_max: u64,
    /// Consumers that found the channel's credit used up.
    starved: Vec<Resume<Q>>,
    confirms: Confirms,
    mode: ChannelMode,
    prefetch: u16,
    prefetch_global: u16,
    consumers: u32,
    tally: Tally,
}

impl<Q: Clone> Outbox<Q> {
    /// An empty outbox. `wake` tells the writer that there is something to write; it must be quick and may
    /// be called from any thread.
    pub fn new(
        limits: Limits,
        frame_bytes_max: u32,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                buffer: Buffer::default(),
                frame_bytes_max,
                dirty: false,
                channels: FxHashMap::default(),
                unacked_bytes_max: limits.unacked_bytes_per_channel_max as u64,
                epoch: 0,
                stalled: Vec::new(),
                closed_tally: Tally::default(),
                sizes: Sizes::default(),
            }),
            limits,
            wake: Box::new(wake),
            closed: AtomicBool::new(false),
            written_bytes: Counter::default(),
            written_count: Counter::default(),
            received_bytes: Counter::default(),
            received_count: Counter::default(),
        }
    }

    /// Sets the largest frame that may be sent, as negotiated.
    pub fn set_frame_bytes_max(&self, frame_bytes_max: u32) {
        self.state.lock().frame_bytes_max = frame_bytes_max;
    }

    /// Sets how many bytes of bodies each channel may have unacknowledged from now on. Answers whose channel has credit
    /// by that which had none.
    pub fn set_unacked_bytes_max(&self, bytes_max: u64) -> Vec<Resume<Q>> {
        let mut state = self.state.lock();
        state.unacked_bytes_max = bytes_max;
        let channels = state.channels.values_mut();
        let resumed = channels.flat_map(|channel| {
            channel.unacked_bytes_max = bytes_max;
            channel.take_starved()
        });
        resumed.collect()
    }

    /// Opens a channel. Its number must not be open.
    pub fn open_channel(&self, number: u16) -> ChannelKey {
        let mut state = self.state.lock();
        state.epoch += 1;
        let epoch = state.epoch;
        let channel = Channel {
            epoch,
            open: true,
            last_tag: 0,
            unacked: Ledger::default(),
            unacked_max: self.limits.unacked_per_channel_max,
            unacked_bytes_max: state.unacked_bytes_max,
            starved: Vec::new(),
            confirms: Confirms::default(),
            mode: ChannelMode::Plain,
            prefetch: 0,
            prefetch_global: 0,
            consumers: 0,
            tally: Tally::default(),
        };
        state.channels.insert(number, channel);
        ChannelKey { number, epoch }
    }

    /// Stops deliveries and confirms on a channel and forgets it; answers what was unacknowledged.
    pub fn close_channel(&self, key: ChannelKey) -> Vec<Unacked<Q>> {
        let mut state = self.state.lock();
        let Some(channel) = state.channel(key) else { return Vec::new() };
        channel.open = false;
        let unacked = channel.unacked.take_all();
        let tally = channel.tally;
        state.channels.remove(&key.number);
        state.closed_tally.add(&tally);
        unacked
    }

    /// Limits the channel's unacknowledged deliveries (`basic.qos` with `global`); 0 stands for the
    /// configured bound. Answers the consumers that may go on.
    pub fn set_prefetch(&self, key: ChannelKey, count: u16) -> Vec<Resume<Q>> {
        let mut state = self.state.lock();
        let bound = self.limits.unacked_per_channel_max;
        let Some(channel) = state.channel(key) else { return Vec::new() };
        channel.prefetch_global = count;
        channel.unacked_max = if count == 0 { bound } else { bound.min(count as usize) };
        channel.take_starved()
    }

    /// Appends a method frame. The caller ends its batch with [`Outbox::flush`].
    pub fn send(&self, channel: u16, method: &Method<'_>) {
        let mut state = self.state.lock();
        state.buffer.method(channel, method);
        state.dirty = true;
    }

    /// Appends a method frame on a channel that may have been closed or opened anew meanwhile; it is then
    /// dropped. The caller ends its batch with [`Outbox::flush`].
    pub fn send_on(&self, key: ChannelKey, method: &Method<'_>) {
        let mut state = self.state.lock();
        if state.channel(key).is_some() {
            state.buffer.method(key.number, method);
            state.dirty = true;
        }
    }

    /// Appends a method frame with content, as `basic.return` has it. The caller ends its batch with
    /// [`Outbox::flush`].
    pub fn send_content(&self, channel: u16, method: &Method<'_>, message: &Arc<Message>) {
        let mut state = self.state.lock();
        let frame_bytes_max = state.frame_bytes_max;
        state.buffer.content(channel, method, message, frame_bytes_max);
        state.dirty = true;
    }

    /// Appends bytes as they are: the protocol header that answers a wrong one.
    pub fn send_raw(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        state.buffer.raw(bytes);
        state.dirty = true;
    }

    /// Appends a heartbeat frame and wakes the writer.
    pub fn heartbeat(&self) {
        {
            let mut state = self.state.lock();
            state.buffer.heartbeat();
            state.dirty = true;
        }
        self.wake();
    }

    /// Opens the outbox for deliveries to consumers of a channel. Called with the queue's lock held.
    pub fn delivering(&self, key: ChannelKey) -> Delivering<'_, Q> {
        Delivering::new(self, key)
    }

    /// Delivers a direct reply, which nobody acknowledges, and wakes the writer. False when the channel is gone
    /// or the peer has let as much pile up as it may: a direct reply has no queue to wait in.
    pub fn reply(&self, key: ChannelKey, consumer_tag: &str, message: &Arc<Message>) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.buffer.len() >= self.limits.bytes_max {
            return false;
        }
        let frame_bytes_max = state.frame_bytes_max;
        let Some(channel) = state.channel(key) else { return false };
        channel.tally.delivered_automatic += 1;
        let method = Method::BasicDeliver(basic::Deliver {
            consumer_tag,
            delivery_tag: channel.next_tag(),
            redelivered: false,
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        });
        state.buffer.content(key.number, &method, message, frame_bytes_max);
        let first = !std::mem::replace(&mut state.dirty, true);
        drop(guard);
        if first {
            self.wake();
        }
        true
    }

    /// Answers `basic.get` with a message, whatever the credit of the channel is (specification 1.8.3.10).
    /// `remaining` is what the queue still has ready. False when the channel is gone.
    pub fn get_ok(&self, key: ChannelKey, delivery: &Delivery<'_, Q>, remaining: u32) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let frame_bytes_max = state.frame_bytes_max;
        let Some(channel) = state.channels.get_mut(&key.number) else { return false };
        if channel.epoch != key.epoch {
            return false;
        }
        let tag = channel.hand_out(delivery);
        match delivery.acks {
            Acks::Manual => channel.tally.got += 1,
            Acks::Automatic => channel.tally.got_automatic += 1,
        }
        let method = Method::BasicGetOk(basic::GetOk {
            delivery_tag: tag,
            redelivered: delivery.redelivered,
            exchange: delivery.message.exchange(),
            routing_key: delivery.message.routing_key(),
            message_count: remaining,
        });
        state.buffer.content(key.number, &method, delivery.message, frame_bytes_max);
        state.dirty = true;
        true
    }

    /// Whether any channel has deliveries that are unacknowledged.
    pub fn has_unacked(&self) -> bool {
        self.state.lock().channels.values().any(|channel| channel.unacked.len() > 0)
    }

    /// Takes one unacknowledged delivery.
    pub fn take_one(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut state = self.state.lock();
        let channel = state.channel(key).ok_or(UnknownTag)?;
        channel.take_one(tag)
    }

    /// Takes one unacknowledged delivery that the client acknowledges.
    pub fn acknowledge_one(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut state = self.state.lock();
        let channel = state.channel(key).ok_or(UnknownTag)?;
        let settled = channel.take_one(tag)?;
        channel.tally.acknowledged += 1;
        Ok(settled)
    }

    /// Takes all unacknowledged deliveries up to a tag; tag 0 means all there are.
    pub fn take_through(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut state = self.state.lock();
        let channel = state.channel(key).ok_or(UnknownTag)?;
        channel.take_through(tag)
    }

    /// Takes all unacknowledged deliveries up to a tag, which the client acknowledges.
    pub fn acknowledge_through(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut state = self.state.lock();
        let channel = state.channel(key).ok_or(UnknownTag)?;
        let settled = channel.take_through(tag)?;
        channel.tally.acknowledged += settled.unacked.len() as u64;
        Ok(settled)
    }

    /// Puts back deliveries that a rolled-back transaction had settled.
    pub fn restore(&self, key: ChannelKey, unacked: Vec<Unacked<Q>>) {
        if let Some(channel) = self.state.lock().channel(key) {
            channel.unacked.restore(unacked);
        }
    }

    /// Confirms messages of a channel by their sequence numbers and wakes the writer.
    pub fn confirm(&self, key: ChannelKey, numbers: &[u64]) {
        let mut state = self.state.lock();
        let Some(channel) = state.channel(key) else { return };
        channel.tally.confirmed += numbers.len() as u64;
        let Some(acknowledgement) = channel.confirms.acknowledge(numbers) else { return };
        let first = state.acknowledge(key.number, acknowledgement);
        drop(state);
        if first {
            self.wake();
        }
    }

    /// Refuses a message of a channel (`basic.nack` to the publisher) and wakes the writer.
    pub fn refuse(&self, key: ChannelKey, number: u64) {
        let mut state = self.state.lock();
        let Some(channel) = state.channel(key) else { return };
        let behind = channel.confirms.refuse(number);
        let nack = basic::Nack { delivery_tag: number, multiple: false, requeue: false };
        state.buffer.method(key.number, &Method::BasicNack(nack));
        state.dirty = true;
        if let Some(acknowledgement) = behind {
            state.acknowledge(key.number, acknowledgement);
        }
        drop(state);
        self.wake();
    }

    /// Wakes the writer if anything is waiting for it.
    pub fn flush(&self) {
        if self.state.lock().dirty {
            self.wake();
        }
    }

    /// Wakes the writer.
    pub fn wake(&self) {
        (self.wake)();
    }

    /// Bytes that wait to be written. The connection reads no further requests while this is at its bound:
    /// a peer that does not read gets no more answers.
    pub fn waiting_bytes(&self) -> usize {
        self.state.lock().buffer.len()
    }

    /// Whether as much waits as may.
    pub fn is_full(&self) -> bool {
        self.waiting_bytes() >= self.limits.bytes_max
    }

    /// Moves what waits into `into`, which must be empty, and answers the consumers that had found no room.
    /// They are offered messages again when `into` has been written.
    pub fn drain(&self, into: &mut Buffer) -> Vec<Resume<Q>> {
        let mut state = self.state.lock();
        state.dirty = false;
        std::mem::swap(&mut state.buffer, into);
        if !into.is_empty() {
            self.written_bytes.add(into.len() as u64);
            self.written_count.add(1);
        }
        std::mem::take(&mut state.stalled)
    }

    /// Gives back the memory that an empty buffer keeps: the connection has gone quiet.
    pub fn release_buffer(&self) {
        let mut state = self.state.lock();
        if state.buffer.is_empty() {
            state.buffer.release();
        }
    }

    /// Bytes handed to the writer since the connection was opened.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.get()
    }

    /// Takes no more deliveries. What was sent before is still written.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

impl<Q: Clone> State<Q> {
    fn channel(&mut self, key: ChannelKey) -> Option<&mut Channel<Q>> {
        self.channels.get_mut(&key.number).filter(|channel| channel.epoch == key.epoch)
    }

    /// Appends a `basic.ack` and answers whether it is the first thing since the writer last looked.
    fn acknowledge(&mut self, channel: u16, acknowledgement: Acknowledgement) -> bool {
        let Acknowledgement { tag, multiple } = acknowledgement;
        self.buffer.method(channel, &Method::BasicAck(basic::Ack { delivery_tag: tag, multiple }));
        !std::mem::replace(&mut self.dirty, true)
    }
}

impl<Q> Channel<Q> {
    fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Gives a delivery its tag, and takes note of it if the client is to acknowledge it.
    fn hand_out(&mut self, delivery: &Delivery<'_, Q>) -> u64
    where
        Q: Clone,
    {
        let tag = self.next_tag();
        self.tally.redelivered += u64::from(delivery.redelivered);
        if delivery.acks == Acks::Manual {
            let queue = delivery.queue.clone();
            let body_bytes = delivery.message.body().len() as u64;
            self.unacked.push(Unacked { tag, queue, position: delivery.position, body_bytes });
        }
        tag
    }

    fn take_one(&mut self, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let unacked = smallvec![self.unacked.take_one(tag).ok_or(UnknownTag)?];
        Ok(Settled { unacked, resume: self.take_starved() })
    }

    fn take_through(&mut self, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut unacked = Vec::new();
        if !self.unacked.take_through(tag, &mut unacked) {
            return Err(UnknownTag);
        }
        Ok(Settled { unacked: unacked.into(), resume: self.take_starved() })
    }

    fn take_starved(&mut self) -> Vec<Resume<Q>> {
        if self.has_credit() { std::mem::take(&mut self.starved) } else { Vec::new() }
    }

    /// Whether one more delivery may be unacknowledged.
    fn has_credit(&self) -> bool {
        self.unacked.len() < self.unacked_max && self.unacked.body_bytes() < self.unacked_bytes_max
    }
}
