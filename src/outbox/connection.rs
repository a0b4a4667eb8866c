//! The outbox of one connection: one lock around its contents, and what is done under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::buffer::Buffer;
use super::contents::Contents;
use super::delivering::Delivering;
use super::delivery::{ChannelKey, Delivery, Resume, Settled, UnknownTag};
use super::statistics::SocketStatistics;
use super::unacked::Unacked;
use crate::message::{AckMode, Message};
use crate::wire::{Method, basic};

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

/// One connection's outbox. `Q` is a handle of a queue.
pub struct Outbox<Q> {
    pub(super) contents: Mutex<Contents<Q>>,
    limits: Limits,
    wake: Box<dyn Fn() + Send + Sync>,
    closed: AtomicBool,
    pub(super) socket: SocketStatistics,
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
            contents: Mutex::new(Contents::new(
                frame_bytes_max,
                limits.unacked_bytes_per_channel_max as u64,
            )),
            limits,
            wake: Box::new(wake),
            closed: AtomicBool::new(false),
            socket: SocketStatistics::default(),
        }
    }

    /// Sets the largest frame that may be sent, as negotiated.
    pub fn set_frame_bytes_max(&self, frame_bytes_max: u32) {
        self.contents.lock().outgoing.set_frame_bytes_max(frame_bytes_max);
    }

    /// Sets how many bytes of bodies each channel may have unacknowledged from now on. Returns the consumers whose
    /// channel has credit by that and had none.
    pub fn set_unacked_bytes_max(&self, bytes_max: u64) -> Vec<Resume<Q>> {
        self.contents.lock().set_unacked_bytes_max(bytes_max)
    }

    /// Opens a channel. Its number must not be open.
    pub fn open_channel(&self, number: u16) -> ChannelKey {
        self.contents.lock().open_channel(number, self.limits.unacked_per_channel_max)
    }

    /// Stops deliveries and confirms on a channel and forgets it; returns what was unacknowledged.
    pub fn close_channel(&self, key: ChannelKey) -> Vec<Unacked<Q>> {
        self.contents.lock().close_channel(key)
    }

    /// Limits the channel's unacknowledged deliveries (`basic.qos` with `global`); 0 stands for the
    /// configured bound. Returns the consumers that may go on.
    pub fn set_prefetch(&self, key: ChannelKey, count: u16) -> Vec<Resume<Q>> {
        let bound = self.limits.unacked_per_channel_max;
        let mut contents = self.contents.lock();
        let Some(channel) = contents.channel(key) else { return Vec::new() };
        channel.statistics.prefetch_global = count;
        channel.set_unacked_max(if count == 0 { bound } else { bound.min(count as usize) })
    }

    /// Appends a method frame. The caller ends its batch with [`Outbox::flush`].
    pub fn send(&self, channel: u16, method: &Method<'_>) {
        self.contents.lock().outgoing.method(channel, method);
    }

    /// Appends a method frame on a channel that may have been closed or opened anew meanwhile; it is then
    /// dropped. The caller ends its batch with [`Outbox::flush`].
    pub fn send_on(&self, key: ChannelKey, method: &Method<'_>) {
        let mut contents = self.contents.lock();
        if contents.channel(key).is_some() {
            contents.outgoing.method(key.number, method);
        }
    }

    /// Appends a method frame with content, as `basic.return` has it. The caller ends its batch with
    /// [`Outbox::flush`].
    pub fn send_content(&self, channel: u16, method: &Method<'_>, message: &Arc<Message>) {
        self.contents.lock().outgoing.content(channel, method, message);
    }

    /// Appends bytes as they are: the protocol header that answers a wrong one.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.contents.lock().outgoing.raw(bytes);
    }

    /// Appends a heartbeat frame and wakes the writer.
    pub fn heartbeat(&self) {
        self.contents.lock().outgoing.heartbeat();
        self.wake();
    }

    /// Opens the outbox for deliveries to consumers of a channel. Called with the queue's lock held.
    pub fn delivering(&self, key: ChannelKey) -> Delivering<'_, Q> {
        Delivering::new(self.contents.lock(), key, self.limits.bytes_max, &self.closed)
    }

    /// Delivers a direct reply, which nobody acknowledges, and wakes the writer. False when the channel is gone
    /// or the peer has let as much pile up as it may: a direct reply has no queue to wait in.
    pub fn reply(&self, key: ChannelKey, consumer_tag: &str, message: &Arc<Message>) -> bool {
        let mut contents = self.contents.lock();
        if contents.outgoing.len() >= self.limits.bytes_max {
            return false;
        }
        let Some(channel) = contents.channel(key) else { return false };
        channel.statistics.tally.delivered_automatic += 1;
        let method = Method::BasicDeliver(basic::Deliver {
            consumer_tag,
            delivery_tag: channel.next_tag(),
            redelivered: false,
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        });
        let is_first = contents.outgoing.content(key.number, &method, message);
        drop(contents);
        if is_first {
            self.wake();
        }
        true
    }

    /// Answers `basic.get` with a message, whatever the credit of the channel is (specification 1.8.3.10).
    /// `remaining` is what the queue still has ready. False when the channel is gone.
    pub fn get_ok(&self, key: ChannelKey, delivery: &Delivery<'_, Q>, remaining: u32) -> bool {
        let mut contents = self.contents.lock();
        let Some(channel) = contents.channel(key) else { return false };
        let delivery_tag = channel.hand_over(delivery);
        let tally = &mut channel.statistics.tally;
        match delivery.acks {
            AckMode::Manual => tally.got += 1,
            AckMode::Automatic => tally.got_automatic += 1,
        }
        let method = Method::BasicGetOk(basic::GetOk {
            delivery_tag,
            redelivered: delivery.redelivered,
            exchange: delivery.message.exchange(),
            routing_key: delivery.message.routing_key(),
            message_count: remaining,
        });
        contents.outgoing.content(key.number, &method, delivery.message);
        true
    }

    /// Whether any channel has deliveries that are unacknowledged.
    pub fn has_unacked(&self) -> bool {
        self.contents.lock().channels.values().any(|channel| channel.unacked() > 0)
    }

    /// Takes one unacknowledged delivery.
    pub fn take_one(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut contents = self.contents.lock();
        let channel = contents.channel(key).ok_or(UnknownTag)?;
        channel.take_one(tag)
    }

    /// Takes one unacknowledged delivery that the client acknowledges.
    pub fn acknowledge_one(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut contents = self.contents.lock();
        let channel = contents.channel(key).ok_or(UnknownTag)?;
        let settled = channel.take_one(tag)?;
        channel.statistics.tally.acknowledged += 1;
        Ok(settled)
    }

    /// Takes all unacknowledged deliveries up to a tag; tag 0 means all there are.
    pub fn take_through(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut contents = self.contents.lock();
        let channel = contents.channel(key).ok_or(UnknownTag)?;
        channel.take_through(tag)
    }

    /// Takes all unacknowledged deliveries up to a tag, which the client acknowledges.
    pub fn acknowledge_through(&self, key: ChannelKey, tag: u64) -> Result<Settled<Q>, UnknownTag> {
        let mut contents = self.contents.lock();
        let channel = contents.channel(key).ok_or(UnknownTag)?;
        let settled = channel.take_through(tag)?;
        channel.statistics.tally.acknowledged += settled.unacked.len() as u64;
        Ok(settled)
    }

    /// Puts back deliveries that a rolled-back transaction had settled.
    pub fn restore(&self, key: ChannelKey, unacked: Vec<Unacked<Q>>) {
        if let Some(channel) = self.contents.lock().channel(key) {
            channel.restore(unacked);
        }
    }

    /// Confirms messages of a channel by their sequence numbers and wakes the writer.
    pub fn confirm(&self, key: ChannelKey, numbers: &[u64]) {
        let mut contents = self.contents.lock();
        let Some(channel) = contents.channel(key) else { return };
        channel.statistics.tally.confirmed += numbers.len() as u64;
        let Some(acknowledgement) = channel.confirms.acknowledge(numbers) else { return };
        let is_first = contents.acknowledge(key.number, acknowledgement);
        drop(contents);
        if is_first {
            self.wake();
        }
    }

    /// Refuses a message of a channel (`basic.nack` to the publisher) and wakes the writer.
    pub fn refuse(&self, key: ChannelKey, number: u64) {
        let mut contents = self.contents.lock();
        let Some(channel) = contents.channel(key) else { return };
        let behind = channel.confirms.refuse(number);
        let nack = basic::Nack { delivery_tag: number, multiple: false, requeue: false };
        contents.outgoing.method(key.number, &Method::BasicNack(nack));
        if let Some(acknowledgement) = behind {
            contents.acknowledge(key.number, acknowledgement);
        }
        drop(contents);
        self.wake();
    }

    /// Wakes the writer if anything is waiting for it.
    pub fn flush(&self) {
        if self.contents.lock().outgoing.is_dirty() {
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
        self.contents.lock().outgoing.len()
    }

    /// Whether as much waits as may.
    pub fn is_full(&self) -> bool {
        self.waiting_bytes() >= self.limits.bytes_max
    }

    /// Moves what waits into `into`, which must be empty, and returns the consumers that had found no room.
    /// They are offered messages again when `into` has been written.
    pub fn drain(&self, into: &mut Buffer) -> Vec<Resume<Q>> {
        let mut contents = self.contents.lock();
        contents.outgoing.swap(into);
        if !into.is_empty() {
            self.socket.written_bytes.add(into.len() as u64);
            self.socket.written_count.add(1);
        }
        std::mem::take(&mut contents.stalled)
    }

    /// Gives back the memory that an empty buffer keeps: the connection has gone quiet.
    pub fn release_buffer(&self) {
        self.contents.lock().outgoing.release();
    }

    /// Bytes handed to the writer since the connection was opened.
    pub fn written_bytes(&self) -> u64 {
        self.socket.written_bytes.get()
    }

    /// Takes no more deliveries. What was sent before is still written.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}
